"""`input_data` returns what TensorFlow 1.15.5 returned, whose digests are in `reference.json`."""

import concurrent.futures
import functools
import hashlib
import json
import pickle
import re
import shutil
import sys

import numpy as np
import pytest

import input_data
from conftest import ROOT, lines_of, run, write_idx

REFERENCE = json.loads((ROOT / 'tests' / 'reference.json').read_text())


def digest(array):
  return hashlib.sha256(np.ascontiguousarray(array)).hexdigest()[:24]


def batches_digest(data_set, sizes, **options):
  """Returns the digest of batches, given as [(how many, size)], and the epochs after each."""
  sha, epochs = hashlib.sha256(), []
  for count, size in sizes:
    for _ in range(count):
      images, labels = data_set.next_batch(size, **options)
      sha.update(np.ascontiguousarray(images, np.float32))
      sha.update(np.ascontiguousarray(labels, np.float64))
    epochs.append(data_set.epochs_completed)
  return [sha.hexdigest()[:24], epochs]


def read(**options):
  np.random.seed(0)  # For the batches of sets without a seed of their own.
  return input_data.read_data_sets(str(ROOT / 'MNIST_data'), **options)


def small_set(n, **options):
  """Examples 0 to n - 1, whose one pixel is their label."""
  images = np.arange(n, dtype=np.uint8).reshape(n, 1, 1, 1)
  return input_data.DataSet(images, np.arange(n), **{'dtype': np.uint8} | options)


@pytest.mark.parametrize('seed, one_hot', [(1, False), (1, True), (7, True)])
def test_training_batches_are_the_originals(seed, one_hot):
  train = read(seed=seed, one_hot=one_hot).train
  sizes = [(600, 100), (300, 50), (50, 64), (500, 128), (60, 1000), (2, 55000), (9, 7)]
  question = f'batches of train, seed {seed}' + ', one_hot' * one_hot
  assert batches_digest(train, sizes) == REFERENCE[question]


def test_other_batches_are_the_originals():
  _, validation, test = read(seed=1, one_hot=True)
  assert batches_digest(test, [(130, 96)])[0] == REFERENCE['batches of test, seed 1, one_hot']
  found = batches_digest(validation, [(12, 999)], shuffle=False)[0]
  assert found == REFERENCE['batches of validation, one_hot, shuffle=False']


def test_images_and_labels_are_the_originals(mnist):
  found = [digest(s.images) for s in mnist] + [digest(np.float64(s.labels)) for s in mnist]
  assert found == REFERENCE['images of the three sets, then labels, one_hot']
  assert [s.labels.dtype for s in mnist] == [np.float32] * 3
  sets = read(validation_size=12000, dtype=float)  # Means float32, as in TensorFlow.
  found = [[*s.images.shape, digest(s.images), digest(s.labels)] for s in sets]
  assert found == REFERENCE['images and labels, validation_size=12000']
  u8 = read(dtype=np.uint8, reshape=False)
  found = [[*s.images.shape, s.images.dtype.name, digest(s.images)] for s in u8]
  assert found == REFERENCE['images, dtype=uint8, reshape=False']
  sets = read(reshape=False, validation_size=0)
  found = [[*s.images.shape, digest(s.images)] for s in sets[::2]]
  assert found == REFERENCE['images of train and test, reshape=False, validation_size=0']


def test_fake_data_is_the_originals(tmp_path):
  mnist = input_data.read_data_sets(str(tmp_path / 'none'), fake_data=True, one_hot=True)
  images, labels = mnist.train.next_batch(3, fake_data=True)
  found = [images == [[1] * 784] * 3, labels, mnist.train.num_examples]
  assert found == REFERENCE['a batch of fake data, one_hot']
  assert small_set(5).next_batch(2, fake_data=True) == ([[1] * 784] * 2, [0, 0])
  assert not (tmp_path / 'none').exists()


def test_numpy_random_seed_makes_batches_repeatable():
  mnist = read(one_hot=True)
  batches = [(mnist.train, 600, 100), (mnist.test, 30, 500), (mnist.train, 50, 64)]
  found = [batches_digest(data_set, [(count, size)])[0] for data_set, count, size in batches]
  assert found == REFERENCE['batches of train, test, train after numpy.random.seed(0)']


def test_a_script_may_scale_the_images():
  train = read(one_hot=True).train
  train.next_batch(100)
  train._images = train._images * 2 - 1
  found = batches_digest(train, [(600, 100)])[0]
  assert found == REFERENCE['batches after _images = _images * 2 - 1']
  assert train.images is train._images


def test_a_script_may_keep_two_classes_only():
  train = read(one_hot=True).train
  keep = train._labels.argmax(1) < 2
  train._images, train._labels = train._images[keep], train._labels[keep]
  train._num_examples = int(keep.sum())
  assert batches_digest(train, [(300, 100)])[0] == REFERENCE['batches after two classes are kept']


def test_a_script_may_join_the_training_and_validation_sets():
  train, validation, _ = read(one_hot=True)
  train._images = np.concatenate([train._images, validation._images])
  train._labels = np.concatenate([train._labels, validation._labels])
  train._num_examples = 60000
  found = batches_digest(train, [(700, 100)])[0]
  assert found == REFERENCE['batches after train and validation are joined']


def test_a_script_may_begin_again():
  train = read(one_hot=True).train
  batches_digest(train, [(100, 70)])
  train._index_in_epoch = train._epochs_completed = 0
  found = batches_digest(train, [(700, 100)])[0]
  assert found == REFERENCE['batches after _index_in_epoch = _epochs_completed = 0']


# The original returned batches that were too long or empty, or failed with an IndexError.
@pytest.mark.parametrize('index, num_examples', [(12, 10), (-2, 10), (8, 5), (8, 15)])
def test_whatever_is_assigned_the_next_batches_are_whole(index, num_examples):
  data_set = small_set(10)
  data_set.next_batch(8)
  data_set._index_in_epoch, data_set._num_examples = index, num_examples
  for size in (3, 3, 3, 34):
    images, labels = data_set.next_batch(size)
    assert len(images) == len(labels) == size
  assert len(set(labels)) == min(num_examples, 10)


def test_a_batch_of_nothing_or_less_moves_the_index_as_in_the_original():
  data_set = small_set(10)
  # What the original returned for examples 0 to 9: each batch size with the labels, the index.
  steps = [(4, [0, 1, 2, 3], 4), (-4, [], 0), (4, [0, 1, 2, 3], 4), (0, [], 4)]
  steps += [(7, [4, 5, 6, 7, 8, 9, 0], 1), (9, [*range(1, 10)], 10), (0, [], 10), (-3, [], 7)]
  steps += [(2, [7, 8], 9), (-5, [], 4), (-6, [4, 5, 6, 7], -2), (-1, [], -3)]
  for size, labels, index in steps:
    images, found = data_set.next_batch(size, shuffle=False)
    assert images.shape == (len(labels), 1) and found.tolist() == labels
    assert data_set._index_in_epoch == index


def test_an_empty_data_set_gives_empty_batches():
  mnist = read(validation_size=60000, one_hot=True)
  images, labels = mnist.train.next_batch(50)
  assert images.shape == (0, 784) and labels.shape == (0, 10) and images.dtype == np.float32
  assert mnist.train.epochs_completed == 1


@pytest.mark.parametrize('size', [5, 7, 12, 99])
def test_a_large_batch_spans_as_many_epochs_as_it_needs(size):
  data_set = small_set(5, seed=1)
  labels = np.concatenate([data_set.next_batch(size)[1], data_set.next_batch(size)[1]])
  for start in range(0, 2 * size - 4, 5):
    assert sorted(labels[start : start + 5]) == [0, 1, 2, 3, 4]
  assert len(labels) == 2 * size and data_set.epochs_completed == (2 * size - 1) // 5


def test_reading_and_seeded_batches_leave_the_callers_random_numbers_alone():
  read(seed=1, dtype=np.uint8).train.next_batch(60000)  # `read` has seeded NumPy with 0.
  np.testing.assert_equal(np.random.get_state(), np.random.RandomState(0).get_state())


@pytest.mark.parametrize('dtype, white', [(np.uint8, 255), (np.float32, 1)])
def test_a_batch_is_a_copy_and_training_reorders_nothing(dtype, white):
  data_set = small_set(10, dtype=dtype)
  for _ in range(9):
    images, labels = data_set.next_batch(7)
    images[:] = labels[:] = 3
  np.testing.assert_array_equal(data_set.labels, np.arange(10))
  np.testing.assert_allclose(data_set.images[:, 0] * (255 / white), np.arange(10), rtol=1e-6)


def test_threads_get_whole_batches_whose_images_have_their_labels():
  pixels = np.arange(200, dtype=np.uint8)[:, np.newaxis]
  labels = np.repeat(pixels, 9999, 1)  # Wide, as threads change while they are copied.
  sets = [input_data.DataSet(pixels, labels) for _ in range(40)]

  def take(i):
    if i % 20 == 10:
      assert sets[i // 20].images.dtype == np.float32
    images, labels = sets[i // 20].next_batch(50)
    assert len(images) == len(labels) == 50
    return images[:, 0] * 255, labels[:, 0]

  interval = sys.getswitchinterval()
  sys.setswitchinterval(1e-6)
  with concurrent.futures.ThreadPoolExecutor(4) as threads:
    images, labels = np.concatenate(list(threads.map(take, range(800))), axis=1)
  sys.setswitchinterval(interval)
  np.testing.assert_allclose(images, labels, rtol=1e-6)
  assert len(set(labels)) == 200


@pytest.mark.parametrize('options', [{}, {'dtype': np.uint8}, {'one_hot': True, 'reshape': False}])
def test_what_is_written_into_the_arrays_is_served(digits, options):
  for data_set in input_data.read_data_sets(digits, validation_size=200, **options):
    data_set.images[:, :1] = 1
    data_set.labels[data_set.labels > 0] = 0
    images, labels = data_set.next_batch(150)
    assert np.all(images[:, :1] == 1) and not labels.any() and images.std() > 0


def test_other_numbers_of_classes_and_of_images(tmp_path):
  for name, n in (('train', 30), ('t10k', 4)):
    write_idx(tmp_path / f'{name}-images-idx3-ubyte.gz', 2051, n, 2, 1, data=bytes(2 * n))
    write_idx(tmp_path / f'{name}-labels-idx1-ubyte.gz', 2049, n, data=bytes([26] + [1] * (n - 1)))
  read = functools.partial(input_data.read_data_sets, tmp_path, validation_size=3)
  assert read(one_hot=True, num_classes=27).train.labels.shape == (27, 27)
  assert read().validation.labels.tolist() == [26, 1, 1]
  with pytest.raises(ValueError, match=r'/train-labels.*0 and 9\. Received: 26\..* num_classes'):
    read(one_hot=True)
  with pytest.raises(ValueError, match='between 0 and 30. Received: 5000. .* validation_size'):
    read(validation_size=5000)
  assert read(validation_size=None).validation.num_examples == 3
  write_idx(tmp_path / 'train-images-idx3-ubyte.gz', 2051, 1, 2, 1, data=bytes(2))
  with pytest.raises(ValueError, match='1 training images'):
    read(validation_size=None)


def test_a_copy_continues_with_the_same_batches():
  data_set = small_set(10, seed=1)
  data_set.next_batch(4)
  twin = pickle.loads(pickle.dumps(data_set))
  for size in (4, 9, 30):
    assert data_set.next_batch(size)[1].tolist() == twin.next_batch(size)[1].tolist()


def test_properties_are_read_only():
  for name in ('images', 'labels', 'num_examples', 'epochs_completed'):
    with pytest.raises(AttributeError):
      setattr(small_set(3), name, 0)


def test_wrong_arguments_are_refused():
  for dtype in (np.float64, np.int32, 'float16', bool, None):
    with pytest.raises(TypeError, match='uint8 or float32'):
      small_set(3, dtype=dtype)
  for size in (-1, 60001):
    with pytest.raises(ValueError, match=f'size should be between 0 and 60000. Received: {size}.'):
      read(validation_size=size)
  with pytest.raises(ValueError, match='There are 2 images and 3 labels'):
    input_data.DataSet(np.zeros((2, 28, 28, 1), np.uint8), np.zeros(3))


def test_one_hot_takes_labels_of_any_shape_but_none_out_of_range():
  assert input_data.dense_to_one_hot([[2], [0]], 3).tolist() == [[0, 0, 1], [1, 0, 0]]
  for wrong in (-1, 3):
    with pytest.raises(ValueError, match=f'between 0 and 2. Received: {wrong}.'):
      input_data.dense_to_one_hot([2, wrong], 3)


def test_below_the_second_banner_everything_may_be_deleted(tmp_path):
  head, data_room, *rest = re.split('(?m)^(?=# ---- )', (ROOT / 'input_data.py').read_text())
  assert rest and 'def extract_digit' not in head + data_room
  shutil.copytree(ROOT / 'tests', tmp_path / 'tests', ignore=shutil.ignore_patterns('__pycache__'))
  (tmp_path / 'MNIST_data').symlink_to(ROOT / 'MNIST_data')
  (tmp_path / 'input_data.py').write_text(head + data_room)
  files, skip = ['tests/test_input_data.py', 'tests/test_files.py'], 'not originals and not below'
  assert ' passed' in lines_of(run('-m', 'pytest', '-qn0', '-k', skip, *files, cwd=tmp_path))[-1]
