"""Files that are already there are read as they are, or refused with a word on what is wrong."""

import gzip
import io
import re
import shutil
import struct
import subprocess
import sys
import zlib

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

import input_data
from conftest import ROOT

IMAGES = input_data.TRAIN_IMAGES
LABELS = input_data.TRAIN_LABELS


@pytest.fixture
def folder(digits, tmp_path):
  """A folder of small archives that a test may spoil."""
  return shutil.copytree(digits, tmp_path / 'data')


def refused(folder):
  """Returns what `read_data_sets` says; it has to leave all files as they are."""
  before = {path: path.read_bytes() for path in folder.iterdir()}
  with pytest.raises(ValueError) as info:
    input_data.read_data_sets(folder)
  assert {path: path.read_bytes() for path in folder.iterdir()} == before
  return str(info.value)


def test_unpacked_files_are_found(folder, capsys):
  packed = input_data.read_data_sets(folder)
  for path in list(folder.iterdir()):
    (folder / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    path.unlink()
  capsys.readouterr()
  unpacked = input_data.read_data_sets(folder)
  assert capsys.readouterr().out.splitlines()[0] == f'Extracting {folder}/train-images-idx3-ubyte'
  assert np.array_equal(unpacked.train.images, packed.train.images)
  assert np.array_equal(unpacked.test.labels, packed.test.labels)


def test_a_folder_with_the_name_of_an_unpacked_file_is_not_taken_for_it(archives, tmp_path):
  for name in input_data.SHA256:
    (tmp_path / name.removesuffix('.gz')).mkdir()
  mnist = input_data.read_data_sets(tmp_path, source_url=archives.as_uri())
  assert mnist.train.num_examples == 55000


def test_an_archive_of_several_gzip_members_is_read(folder):
  data = gzip.decompress((folder / LABELS).read_bytes())
  (folder / LABELS).write_bytes(gzip.compress(data[:99]) + gzip.compress(data[99:]))
  assert input_data.read_data_sets(folder).train.num_examples == 200


def repack(change):
  return lambda archive: gzip.compress(change(gzip.decompress(archive)), 1)


@pytest.mark.parametrize(
  'spoil, reason',
  [
    (lambda a: b'', 'magic number 0 '),
    (lambda a: a[:5], 'ended before'),
    (lambda a: a[:-1], 'ended before'),
    (lambda a: a[:-8] + bytes([a[-8] ^ 1]) + a[-7:], 'CRC check failed'),
    (lambda a: a[:-4] + bytes([a[-4] ^ 1]) + a[-3:], 'Incorrect length'),
    (lambda a: a[:100] + bytes(100) + a[200:], 'not an intact gzip file'),
    (lambda a: b'<!DOCTYPE html>' + a, 'not an intact gzip file'),
    (lambda a: a + b'garbage', 'not an intact gzip file'),
    (lambda a: bytes(len(a)), 'magic number 0 '),
    (repack(lambda d: d[:4]), 'ends within its header'),
    (repack(lambda d: d[:-1]), 'promises .* and it holds'),
    (repack(lambda d: d + b'\0'), 'holds more than'),
    (repack(lambda d: d[:4] + b'\xff' * 4 + d[8:]), 'promises'),
    (repack(lambda d: b'\0\0\x0d\2' + d[4:]), 'magic number 3330 instead of'),
    (lambda a: gzip.decompress(a)[:-1], 'promises .* and it holds'),
  ],
)
@pytest.mark.parametrize('name', [IMAGES, LABELS])
def test_a_damaged_file_is_named_and_left_alone(folder, name, spoil, reason):
  (folder / name).write_bytes(spoil((folder / name).read_bytes()))
  message = refused(folder)
  assert message.startswith(f'{folder / name} is damaged: ') and message.isascii()
  assert message.endswith("If it is deleted, the next run downloads MNIST's own file.")
  assert re.search(reason, message), message


def test_there_are_as_many_labels_as_images(folder):
  shutil.copy(folder / input_data.TEST_LABELS, folder / LABELS)
  assert re.search(r'There are \d+ images and \d+ labels', refused(folder))


@pytest.mark.parametrize('dims', [(2**32 - 1, 28, 28), (2**32 - 1, 2**32 - 1, 0), (1000, 28, 28)])
def test_a_header_that_promises_too_much_or_too_little_takes_no_memory(tmp_path, dims):
  size = 1 << 28 if dims[0] == 1000 else 10  # 256 MB behind a small promise.
  deflate = zlib.compressobj(1, wbits=31)
  with open(tmp_path / 'bomb.gz', 'wb') as f:
    f.write(deflate.compress(struct.pack('>4I', 2051, *dims)))
    f.write(deflate.compress(bytes(size)) + deflate.flush())
  script = """
import input_data, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1 << 33, 1 << 33))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
  input_data.extract_images(sys.argv[1])
except ValueError:
  print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
  command = [sys.executable, '-c', script, tmp_path / 'bomb.gz']
  done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
  assert int(done.stdout.splitlines()[-1]) < 16 << 10


class Named(io.BytesIO):
  """An open file in memory."""

  name = 'mutated'


@hypothesis.given(st.data())
@hypothesis.settings(max_examples=400, deadline=None, database=None)
def test_a_mutated_archive_is_read_rightly_or_refused(data):
  pixels = np.random.RandomState(0).bytes(5 * 784)
  dims = data.draw(st.one_of(st.just([5, 28, 28]), st.lists(st.integers(0, 2**32 - 1))), 'dims')
  plain = struct.pack(f'>{1 + len(dims)}I', 2051, *dims) + pixels
  file = bytearray(gzip.compress(plain, 1))
  for bit in data.draw(st.lists(st.integers(0, len(file) * 8 - 1), max_size=3), 'flipped bits'):
    file[bit // 8] ^= 1 << bit % 8
  del file[data.draw(st.one_of(st.just(len(file)), st.integers(0, len(file))), 'length') :]
  file += data.draw(st.one_of(st.just(b''), st.binary(max_size=10)), 'garbage')
  try:
    images = input_data.extract_images(Named(file))
  except ValueError as error:
    assert str(error).startswith('mutated is damaged: ')
  else:
    assert images.tobytes() == plain[16:]
