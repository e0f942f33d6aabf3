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
from conftest import ROOT, write_idx

IMAGES = input_data.TRAIN_IMAGES
LABELS = input_data.TRAIN_LABELS


@pytest.fixture
def folder(archives, tmp_path):
  """A folder of the real archives that a test may spoil."""
  shutil.copytree(archives, tmp_path / 'data')
  return tmp_path / 'data'


def everything(folder):
  return {path.name: path.read_bytes() for path in folder.iterdir()}


def refused(folder):
  """Returns what `read_data_sets` says; it has to leave all files as they are."""
  before = everything(folder)
  with pytest.raises(ValueError) as info:
    input_data.read_data_sets(folder)
  assert everything(folder) == before
  return str(info.value)


def test_unpacked_files_are_found(folder, capsys):
  packed = input_data.read_data_sets(folder, dtype=np.uint8)
  for path in list(folder.iterdir()):
    (folder / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    path.unlink()
  capsys.readouterr()
  unpacked = input_data.read_data_sets(folder, dtype=np.uint8)
  assert capsys.readouterr().out.splitlines()[0] == f'Extracting {folder}/train-images-idx3-ubyte'
  assert np.array_equal(unpacked.train.images, packed.train.images)
  assert np.array_equal(unpacked.test.labels, packed.test.labels)


def test_a_folder_with_the_name_of_an_unpacked_file_is_not_taken_for_it(archives, tmp_path):
  for name in input_data.SHA256:
    (tmp_path / name.removesuffix('.gz')).mkdir()
  mnist = input_data.read_data_sets(tmp_path, source_url=archives.as_uri())
  assert mnist.train.num_examples == 55000


def test_the_archive_that_people_had_cut_short(folder):
  (folder / IMAGES).write_bytes((folder / IMAGES).read_bytes()[:3252224])
  message = refused(folder)
  assert str(folder / IMAGES) in message and 'ended before' in message
  assert "If it is deleted, the next run downloads MNIST's own file." in message


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
    (lambda a: a[:100] + bytes(100) + a[200:], ''),
    (lambda a: b'<!DOCTYPE html>' + a, 'Not a gzipped file'),
    (lambda a: a + b'garbage', 'Not a gzipped file'),
    (lambda a: bytes(len(a)), 'magic number 0 '),
    (repack(lambda d: d[:4]), 'ends within its header'),
    (repack(lambda d: d[:-1]), 'promises .* and it holds'),
    (repack(lambda d: d + b'\0'), 'holds more than'),
    (
      repack(lambda d: d[:4] + struct.pack('>I', 59999) + d[8:]),
      '(holds more|promises|59999 labels)',
    ),
    (repack(lambda d: d[:4] + b'\xff' * 4 + d[8:]), '(promises|4294967295)'),
    (repack(lambda d: b'\0\0\x0d\2' + d[4:]), 'magic number 3330 instead of'),
  ],
)
@pytest.mark.parametrize('name', [IMAGES, LABELS])
def test_a_damaged_file_is_named_and_left_alone(folder, name, spoil, reason):
  if name == IMAGES:  # A small archive of images spoils in the same ways, and sooner.
    shutil.copy(folder / input_data.TEST_IMAGES, folder / IMAGES)
    shutil.copy(folder / input_data.TEST_LABELS, folder / LABELS)
  (folder / name).write_bytes(spoil((folder / name).read_bytes()))
  message = refused(folder)
  assert str(folder / name) in message and 'deleted' in message and message.isascii()
  assert re.search(reason, message), message


def test_a_damaged_unpacked_file_is_refused_too(folder):
  data = gzip.decompress((folder / LABELS).read_bytes())
  (folder / LABELS).unlink()
  (folder / LABELS.removesuffix('.gz')).write_bytes(data[:-1])
  assert 'promises 60000 bytes and it holds 59999' in refused(folder)


def test_as_many_labels_as_images_or_both_are_named(folder):
  shutil.copy(folder / input_data.TEST_LABELS, folder / LABELS)
  message = refused(folder)
  assert f'{folder / IMAGES} holds 60000 images' in message
  assert f'{folder / LABELS} holds 10000 labels' in message


def peak_memory(path):
  """Returns the peak memory, in bytes, of a process that extracts the images in `path`."""
  script = f"""
import input_data
try:
  print(input_data.extract_images(open({str(path)!r}, 'rb')).shape)
except ValueError as error:
  print(error)
status = open('/proc/self/status').read()
print(int(status.partition('VmHWM:')[2].split()[0]) * 1024)
"""
  command = [sys.executable, '-c', script]
  done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
  return int(done.stdout.splitlines()[-1])


@pytest.fixture(scope='module')
def real_peak():
  """What the largest real archive takes."""
  return peak_memory(ROOT / 'MNIST_data' / IMAGES)


@pytest.mark.parametrize(
  'dims, size',
  [
    ((2**32 - 1, 28, 28), 10),  # A kilobyte that promises terabytes,
    ((2**32 - 1, 2**32 - 1, 0), 0),  # or a shape that no array can have;
    ((1000, 28, 28), 1 << 28),  # a small promise with 256 MB behind it;
    ((85598, 28, 28), 85598 * 784 - 1),  # 64 MB, or 256 MB, that are one byte short.
    ((342393, 28, 28), 342393 * 784 - 1),
  ],
)
def test_a_hostile_file_takes_no_more_memory_than_a_real_one(tmp_path, real_peak, dims, size):
  deflate = zlib.compressobj(1, wbits=31)
  with open(tmp_path / 'bomb.gz', 'wb') as f:
    f.write(deflate.compress(struct.pack('>4I', 2051, *dims)))
    f.write(deflate.compress(bytes(size)) + deflate.flush())
  assert peak_memory(tmp_path / 'bomb.gz') < real_peak + (8 << 20)


def test_a_data_set_larger_than_mnist_is_read(tmp_path):
  data = bytes(range(256)) * 183754
  write_idx(tmp_path / 'large.gz', 2051, 60001, 28, 28, data=data[: 60001 * 784])
  images = input_data.extract_images(tmp_path / 'large.gz')
  assert images.shape == (60001, 28, 28, 1) and images.tobytes() == data[: 60001 * 784]
  images[0] = 1  # It can be written to, as any other.


def test_images_without_their_labels_are_refused(folder):
  write_idx(folder / IMAGES, 2051, 70000, 28, 28, data=bytes(70000 * 784))
  message = refused(folder)
  assert 'holds 70000 images' in message and 'holds 60000 labels: the data sets differ' in message


class Named(io.BytesIO):
  """An open file in memory."""

  name = 'mutated'


BASE = bytes(np.random.RandomState(0).randint(0, 256, 5 * 28 * 28, np.uint8))
HEADER = struct.pack('>4I', 2051, 5, 28, 28)


@st.composite
def mutated(draw):
  """Returns an archive with its header rewritten, bits flipped, cut, or with garbage behind."""
  header = draw(
    st.one_of(
      st.just(HEADER),
      st.builds(lambda *dims: struct.pack('>4I', 2051, *dims), *[st.integers(0, 2**32 - 1)] * 3),
      st.permutations([5, 28, 28]).map(lambda dims: struct.pack('>4I', 2051, *dims)),
      st.binary(max_size=20),
    )
  )
  data = BASE[: draw(st.sampled_from([len(BASE), len(BASE) - 1, 784, 0]))]
  data += draw(st.sampled_from([b'', b'\0', b'garbage']))
  file = header + data
  packed = draw(st.booleans())
  if packed:
    file = gzip.compress(file, 1, mtime=0)
  file = bytearray(file)
  for place in draw(st.lists(st.integers(0, len(file) * 8 - 1), max_size=3)) if file else []:
    file[place // 8] ^= 1 << place % 8
  if draw(st.booleans()):
    file = file[: draw(st.integers(0, len(file)))]
  file += draw(st.one_of(st.just(b''), st.binary(max_size=30), st.just(gzip.compress(b'more'))))
  return packed, data, bytes(file)


@hypothesis.given(mutated())
@hypothesis.settings(max_examples=500, deadline=None, database=None)
def test_a_mutated_archive_is_read_rightly_or_refused(case):
  packed, data, file = case
  try:
    images = input_data._read_idx(Named(file), 2051)
  except ValueError as error:
    assert str(error).startswith('mutated is damaged: ')
  else:
    # An unpacked file has no checksum: what it says is what it holds.
    assert images.tobytes() == (data if file[:2] != b'\0\0' else file[16:])


@hypothesis.given(st.data())
@hypothesis.settings(max_examples=250, deadline=None, database=None)
def test_a_mutated_real_archive_is_read_rightly_or_refused(data):
  archive = bytearray((ROOT / 'MNIST_data' / input_data.TEST_LABELS).read_bytes())
  for place in data.draw(st.lists(st.integers(0, len(archive) * 8 - 1), max_size=4)):
    archive[place // 8] ^= 1 << place % 8
  del archive[data.draw(st.one_of(st.just(len(archive)), st.integers(0, len(archive)))) :]
  archive += data.draw(st.binary(max_size=10))
  try:
    labels = input_data._read_idx(Named(bytes(archive)), 2049)
  except ValueError:
    return
  assert zlib.crc32(labels) == TEST_LABELS_CRC


TEST_LABELS_CRC = zlib.crc32(
  gzip.decompress((ROOT / 'MNIST_data' / input_data.TEST_LABELS).read_bytes())[8:]
)
