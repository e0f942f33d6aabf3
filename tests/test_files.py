"""Files that are already there are read as they are, or refused with a word on what is wrong."""

import gzip
import re
import shutil

import numpy as np
import pytest

import input_data
from conftest import write_idx


def test_unpacked_files_are_found(digits, tmp_path):
  for name in input_data.SHA256:
    with gzip.open(f'{digits}/{name}') as f:
      (tmp_path / name.removesuffix('.gz')).write_bytes(f.read())
  packed, unpacked = input_data.read_data_sets(digits), input_data.read_data_sets(tmp_path)
  assert np.array_equal(unpacked.train.images, packed.train.images)
  assert np.array_equal(unpacked.test.labels, packed.test.labels)


def test_a_folder_with_the_name_of_an_unpacked_file_is_not_taken_for_it(digits, tmp_path):
  for name in input_data.SHA256:
    (tmp_path / name.removesuffix('.gz')).mkdir()
  mnist = input_data.read_data_sets(tmp_path, source_url=f'file://{digits}')
  assert mnist.train.num_examples == 200


@pytest.mark.parametrize(
  'spoil, reason',
  [
    (lambda a, d: b'', 'incomplete or truncated'),
    (lambda a, d: a[: len(a) // 2], 'incomplete or truncated'),
    (lambda a, d: a[:100] + bytes(100) + a[200:], 'while decompressing'),
    (lambda a, d: b'<!DOCTYPE html>' + a, 'incorrect header check'),
    (lambda a, d: bytes(len(a)), 'magic number is 0 instead of 20'),
    (lambda a, d: gzip.compress(d[:6], 1), 'buffer is smaller'),
    (lambda a, d: gzip.compress(d[:-1], 1), 'cannot reshape array'),
    (lambda a, d: gzip.compress(d + b'\0', 1), 'cannot reshape array'),
    (lambda a, d: gzip.compress(d[:4] + b'\xff' * 4 + d[8:], 1), 'cannot reshape array'),  # 3 TB.
    (lambda a, d: gzip.compress(b'\0\0\x0d\2' + d[4:], 1), 'magic number is 3330 instead of 20'),
    (lambda a, d: d[:-1], 'cannot reshape array'),
  ],
)
@pytest.mark.parametrize('name', [input_data.TRAIN_IMAGES, input_data.TEST_LABELS])
def test_a_damaged_file_is_named_and_left_alone(digits, tmp_path, name, spoil, reason):
  path = shutil.copytree(digits, tmp_path / 'data') / name
  archive = path.read_bytes()
  spoiled = spoil(archive, gzip.decompress(archive))
  path.write_bytes(spoiled)
  with pytest.raises(ValueError) as info:
    input_data.read_data_sets(path.parent)
  assert re.match(f'{path} is damaged: [ -~]*{reason}[ -~]*$', str(info.value))
  assert path.read_bytes() == spoiled


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
  labels = input_data.extract_labels(str(tmp_path / 'l.gz'), one_hot=True, num_classes=3)
  assert labels.tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]
  with pytest.raises(ValueError, match='l.gz is damaged.* 2049 instead of 2051'):
    input_data.extract_images(tmp_path / 'l.gz')
