"""Files that are already there are read as they are, or refused with a word on what is wrong."""

import gzip
import re
import shutil

import numpy as np
import pytest

import input_data
from conftest import write_idx


@pytest.fixture
def folder(digits, tmp_path):
  """A folder of small archives that a test may spoil."""
  return shutil.copytree(digits, tmp_path / 'data')


def test_unpacked_files_are_found(folder):
  packed = input_data.read_data_sets(folder)
  for path in list(folder.iterdir()):
    (folder / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    path.unlink()
  unpacked = input_data.read_data_sets(folder)
  assert np.array_equal(unpacked.train.images, packed.train.images)
  assert np.array_equal(unpacked.test.labels, packed.test.labels)


def test_a_folder_with_the_name_of_an_unpacked_file_is_not_taken_for_it(digits, tmp_path):
  for name in input_data.SHA256:
    (tmp_path / name.removesuffix('.gz')).mkdir()
  mnist = input_data.read_data_sets(tmp_path, source_url=f'file://{digits}')
  assert mnist.train.num_examples == 200


def repack(change):
  return lambda archive: gzip.compress(change(gzip.decompress(archive)), 1)


@pytest.mark.parametrize(
  'spoil, reason',
  [
    (lambda a: b'', 'incomplete or truncated'),
    (lambda a: a[: len(a) // 2], 'incomplete or truncated'),
    (lambda a: a[:100] + bytes(100) + a[200:], 'while decompressing'),
    (lambda a: b'<!DOCTYPE html>' + a, 'incorrect header check'),
    (lambda a: bytes(len(a)), 'magic number is 0 instead of 20'),
    (repack(lambda d: d[:6]), 'requires a buffer'),
    (repack(lambda d: d[:-1]), 'cannot reshape array'),
    (repack(lambda d: d + b'\0'), 'cannot reshape array'),
    (repack(lambda d: d[:4] + b'\xff' * 4 + d[8:]), 'cannot reshape array'),  # 3 terabytes.
    (repack(lambda d: b'\0\0\x0d\2' + d[4:]), 'magic number is 3330 instead of 20'),
    (lambda a: gzip.decompress(a)[:-1], 'cannot reshape array'),
  ],
)
@pytest.mark.parametrize('name', [input_data.TRAIN_IMAGES, input_data.TEST_LABELS])
def test_a_damaged_file_is_named_and_left_alone(folder, name, spoil, reason):
  spoiled = spoil((folder / name).read_bytes())
  (folder / name).write_bytes(spoiled)
  with pytest.raises(ValueError) as info:
    input_data.read_data_sets(folder)
  assert re.match(f'{folder / name} is damaged: [ -~]*{reason}[ -~]*$', str(info.value))
  assert (folder / name).read_bytes() == spoiled


def test_no_flipped_bit_and_no_lost_end_is_read_as_other_pixels(tmp_path):
  path, pixels = tmp_path / 'i.gz', bytes(range(20))
  write_idx(path, 2051, 1, 4, 5, data=pixels)
  intact = path.read_bytes()
  for i in range(len(intact)):
    flipped = intact[:i] + bytes([intact[i] ^ 1]) + intact[i + 1 :]
    for content in (flipped, intact[:i]):
      path.write_bytes(content)
      try:
        assert input_data.extract_images(path).tobytes() == pixels
      except ValueError as error:
        assert str(error).startswith(f'{path} is damaged: ')


def test_extract_functions_read_a_name_and_an_open_file(tmp_path, capsys):
  write_idx(tmp_path / 'i.gz', 2051, 2, 1, 3, data=bytes(range(6)))
  with open(tmp_path / 'i.gz', 'rb') as f:
    assert input_data.extract_images(f).tolist() == [[[[0], [1], [2]]], [[[3], [4], [5]]]]
    assert capsys.readouterr().out == f'Extracting {f.name}\n'
  write_idx(tmp_path / 'l.gz', 2049, 3, data=b'\0\2\1')
  for name in (tmp_path / 'l.gz', str(tmp_path / 'l.gz')):
    labels = input_data.extract_labels(name, one_hot=True, num_classes=3)
    assert labels.tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]
  with pytest.raises(ValueError, match='l.gz is damaged.* 2049 instead of 2051'):
    input_data.extract_images(tmp_path / 'l.gz')
