"""What `input_data` returns is what the original returned, without the original's faults."""

import collections
import hashlib
import json
import re
import subprocess
import sys

import numpy as np
import pytest

import input_data
from conftest import ROOT, write_idx

REFERENCE = json.loads((ROOT / 'tests' / 'reference.json').read_text())
SIZES = [(600, 100), (300, 50), (50, 64), (500, 128), (60, 1000), (2, 55000), (9, 7)]


def digest(*arrays):
  sha = hashlib.sha256()
  for array in arrays:
    sha.update(np.ascontiguousarray(array))
  return sha.hexdigest()[:24]


def batches_digest(data_set, sizes, **options):
  sha = hashlib.sha256()
  epochs = []
  for count, size in sizes:
    for _ in range(count):
      images, labels = data_set.next_batch(size, **options)
      sha.update(np.ascontiguousarray(images, np.float32))
      sha.update(np.ascontiguousarray(labels, np.float64))
    epochs.append(data_set.epochs_completed)
  return sha.hexdigest()[:24], epochs


@pytest.fixture
def read(archives):
  return lambda **options: input_data.read_data_sets(str(archives), **options)


@pytest.mark.parametrize('seed, one_hot', [(1, False), (1, True), (7, True)])
def test_training_batches_are_the_originals(read, seed, one_hot):
  train = read(seed=seed, one_hot=one_hot).train
  assert list(batches_digest(train, SIZES)) == REFERENCE[f'train/{seed}/{one_hot:d}']


def test_test_batches_are_the_originals(read):
  test = read(seed=1, one_hot=True).test
  assert batches_digest(test, [(130, 96)])[0] == REFERENCE['test/1']


def test_batches_without_shuffling_are_the_originals(read):
  validation = read(seed=1, one_hot=True).validation
  assert batches_digest(validation, [(12, 999)], shuffle=False)[0] == REFERENCE['noshuffle/1']


def test_images_and_labels_are_the_originals(read):
  mnist = read(one_hot=True)
  images = [digest(data_set.images) for data_set in mnist]
  labels = [digest(data_set.labels.astype(np.float64)) for data_set in mnist]
  assert images + labels == REFERENCE['still/1']
  assert [data_set.labels.dtype for data_set in mnist] == [np.float32] * 3


def test_another_validation_size_is_the_originals(read):
  mnist = read(validation_size=12000)
  assert [
    [*data_set.images.shape, digest(data_set.images), digest(data_set.labels)]
    for data_set in mnist
  ] == REFERENCE['vs/12000']


def test_raw_bytes_are_the_originals(read):
  mnist = read(dtype=np.uint8, reshape=False)
  assert [
    [*data_set.images.shape, data_set.images.dtype.name, digest(data_set.images)]
    for data_set in mnist
  ] == REFERENCE['u8']


def test_square_images_without_validation_are_the_originals(read):
  mnist = read(reshape=False, validation_size=0)
  found = [[*s.images.shape, digest(s.images)] for s in (mnist.train, mnist.test)]
  assert found == REFERENCE['gorner']


def test_fake_data_is_the_originals(tmp_path):
  mnist = input_data.read_data_sets(str(tmp_path / 'none'), fake_data=True, one_hot=True)
  images, labels = mnist.train.next_batch(3, fake_data=True)
  assert [images == [[1] * 784] * 3, labels, mnist.train.num_examples] == REFERENCE['fake1']
  assert mnist.train.next_batch(2) == mnist.train.next_batch(2, fake_data=True)
  plain = input_data.read_data_sets(str(tmp_path / 'none'), fake_data=True)
  assert plain.test.next_batch(2, fake_data=True) == ([[1] * 784] * 2, [0, 0])
  assert not (tmp_path / 'none').exists()


def test_real_data_can_give_a_fake_batch_too(mnist):
  assert mnist.train.next_batch(1, fake_data=True) == ([[1] * 784], [[1] + [0] * 9])


def test_it_prints_each_file(archives, capsys):
  input_data.read_data_sets(str(archives) + '/')
  names = ['train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1']
  lines = [f'Extracting {archives}/{name}-ubyte.gz' for name in names]
  assert capsys.readouterr().out.splitlines() == lines


@pytest.mark.parametrize('seed', [1, None])
def test_reading_leaves_the_callers_random_numbers_alone(read, seed):
  np.random.seed(3)
  before = np.random.random(5)
  np.random.seed(3)
  read(seed=seed)
  np.testing.assert_array_equal(np.random.random(5), before)


def test_seeded_batches_leave_the_callers_random_numbers_alone(read):
  np.random.seed(3)
  before = np.random.get_state()
  mnist = read(seed=1)
  for _ in range(2000):
    mnist.train.next_batch(50)
  after = np.random.get_state()
  assert before[0] == after[0] and before[2:] == after[2:]
  np.testing.assert_array_equal(before[1], after[1])


@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
@pytest.mark.parametrize('looked_at', ['before', 'after'])
def test_a_batch_is_a_copy_and_training_reorders_nothing(read, dtype, looked_at):
  train = read(dtype=dtype, one_hot=True, seed=1).train
  if looked_at == 'before':
    assert train.images is train.images
  for _ in range(1200):
    images, labels = train.next_batch(50)
    images[:] = 7
    labels[:] = 7
  assert train.epochs_completed == 1
  untouched = read(dtype=dtype, one_hot=True).train
  assert np.array_equal(train.images, untouched.images)
  assert np.array_equal(train.labels, untouched.labels)


def test_shifted_images_are_themselves_in_one_of_nine_places(read):
  train, shifted = (read(dtype=np.uint8, seed=1).train for _ in range(2))
  shifted.max_shift = 1
  images, labels = train.next_batch(3000)
  found, found_labels = shifted.next_batch(3000)
  np.testing.assert_array_equal(found_labels, labels)
  padded = np.pad(images.reshape(-1, 28, 28), ((0, 0), (1, 1), (1, 1)))
  corners = [(row, column) for row in range(3) for column in range(3)]
  places = [padded[:, row : row + 28, column : column + 28] for row, column in corners]
  equal = [np.all(place.reshape(found.shape) == found, 1) for place in places]
  assert np.any(equal, 0).all() and np.sum(equal, 1).min() > 240
  assert digest(train.images) == digest(shifted.images)  # Only batches are shifted.


def test_batches_follow_what_the_reader_changes_in_the_images(read):
  validation = read().validation
  validation.images[:] = 0.25
  assert np.all(validation.next_batch(100)[0] == 0.25)


def test_whoever_looks_first_sees_the_same_batches(read):
  looked, blind = read(seed=1).test, read(seed=1).test
  assert looked.images.shape == (10000, 784)
  for ours, theirs in zip(looked.next_batch(500), blind.next_batch(500), strict=True):
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize('name', ['images', 'labels', 'num_examples', 'epochs_completed'])
def test_properties_are_read_only(mnist, name):
  with pytest.raises(AttributeError):
    setattr(mnist.train, name, 0)


@pytest.mark.parametrize('size', [0, -1, 2.0, 0.5, True, np.float32(5), None, '5'])
def test_a_batch_size_that_is_none_is_refused(size):
  data_set = small_set(5)
  with pytest.raises(ValueError, match='at least 1'):
    data_set.next_batch(size)
  assert data_set.next_batch(np.int64(3))[0].shape == (3, 1)


def small_set(n, **options):
  images = np.arange(n, dtype=np.uint8).reshape(n, 1, 1, 1)
  return input_data.DataSet(images, np.arange(n), dtype=np.uint8, **options)


@pytest.mark.parametrize('size', [5, 6, 7, 10, 11, 12, 25, 26, 99])
def test_a_large_batch_spans_as_many_epochs_as_it_needs(size):
  data_set = small_set(5, seed=1)
  labels = np.concatenate([data_set.next_batch(size)[1], data_set.next_batch(size)[1]])
  assert len(labels) == 2 * size
  for start in range(0, 2 * size - 4, 5):
    assert sorted(labels[start : start + 5]) == [0, 1, 2, 3, 4]
  assert data_set.epochs_completed == (2 * size - 1) // 5


def test_a_batch_larger_than_the_training_set_has_each_example_once_an_epoch(read):
  train = read(dtype=np.uint8, seed=1).train
  train.next_batch(20000)
  labels = train.next_batch(165000)[1]
  assert labels.shape == (165000,) and train.epochs_completed == 3
  once = collections.Counter(train.labels.tolist())
  for start in (35000, 90000):
    assert collections.Counter(labels[start : start + 55000].tolist()) == once


def test_a_label_out_of_range_is_refused():
  for wrong in ([0, 10], [-1, 3]):
    with pytest.raises(ValueError, match='between 0 and 9'):
      input_data.dense_to_one_hot(np.array(wrong), 10)
  one_hot = input_data.dense_to_one_hot(np.array([2, 0], np.uint8), 3)
  assert one_hot.dtype == np.float32 and one_hot.tolist() == [[0, 0, 1], [1, 0, 0]]


def test_as_many_labels_as_images():
  with pytest.raises(ValueError, match='3 images and 2 labels'):
    input_data.DataSet(np.zeros((3, 28, 28, 1), np.uint8), np.zeros(2))


@pytest.mark.parametrize('dtype', [np.float64, np.int32, 'float16', bool, None])
def test_other_dtypes_are_refused(read, dtype):
  with pytest.raises(TypeError, match='uint8 or float32'):
    read(dtype=dtype)


@pytest.mark.parametrize('size', [-1, 60001])
def test_a_validation_size_out_of_range_is_refused(read, size):
  message = f'Validation size should be between 0 and 60000. Received: {size}.'
  with pytest.raises(ValueError, match=re.escape(message)):
    read(validation_size=size)


def test_the_whole_training_set_can_be_validation(read):
  mnist = read(validation_size=60000)
  assert mnist.train.num_examples == 0 and mnist.validation.num_examples == 60000


def test_extract_functions_read_an_open_file(tmp_path, capsys):
  write_idx(tmp_path / 'i.gz', 2051, 2, 1, 3, data=bytes(range(6)))
  with open(tmp_path / 'i.gz', 'rb') as f:
    assert input_data.extract_images(f).tolist() == [[[[0], [1], [2]]], [[[3], [4], [5]]]]
    assert capsys.readouterr().out == f'Extracting {f.name}\n'
  write_idx(tmp_path / 'l.gz', 2049, 3, data=b'\0\2\1')
  with open(tmp_path / 'l.gz', 'rb') as f:
    assert input_data.extract_labels(f).tolist() == [0, 2, 1]
  with open(tmp_path / 'l.gz', 'rb') as f:
    labels = input_data.extract_labels(f, one_hot=True, num_classes=3)
    assert labels.dtype == np.float32 and labels.tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]
  with open(tmp_path / 'l.gz', 'rb') as f, pytest.raises(ValueError, match='between 0 and 1'):
    input_data.extract_labels(f, one_hot=True, num_classes=2)


def test_the_wrong_kind_of_file_is_refused_by_name(archives):
  with open(archives / input_data.TRAIN_LABELS, 'rb') as f:
    with pytest.raises(ValueError, match=f'{input_data.TRAIN_LABELS}.* 2049 instead of 2051'):
      input_data.extract_images(f)
  with open(archives / input_data.TEST_IMAGES, 'rb') as f:
    with pytest.raises(ValueError, match=f'{input_data.TEST_IMAGES}.* 2051 instead of 2049'):
      input_data.extract_labels(f)


def test_numpy_is_all_it_imports():
  script = 'import sys, input_data; print("tensorflow" in sys.modules)'
  done = subprocess.run([sys.executable, '-c', script], cwd=ROOT, capture_output=True, text=True)
  assert done.stdout == 'False\n'
