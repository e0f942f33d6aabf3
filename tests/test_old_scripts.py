"""What scripts, books and courses do with `input_data` beyond its documented names.

Keys of the reference that begin with 'old/' are digests of what TensorFlow 1.15.5 returned.
"""

import copy
import gzip
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
from test_input_data import REFERENCE, batches_digest, small_set

import input_data
from conftest import ROOT, write_idx


@pytest.fixture
def mnist(archives):
  """A data set without a seed of its own, after the caller's `numpy.random.seed(0)`."""
  mnist = input_data.read_data_sets(str(archives), one_hot=True)
  np.random.seed(0)
  return mnist


def labels(data_set, *sizes, **options):
  return [data_set.next_batch(size, **options)[1].tolist() for size in sizes]


def test_numpy_random_seed_after_reading_gives_the_originals_batches(mnist):
  found = [
    batches_digest(mnist.train, [(600, 100)])[0],
    batches_digest(mnist.test, [(30, 500)])[0],
    batches_digest(mnist.train, [(50, 64)])[0],
  ]
  assert found == REFERENCE['old/numpy.random.seed(0)']


def test_numpy_random_seed_before_reading_gives_the_same_batches(mnist, archives):
  np.random.seed(0)
  again = input_data.read_data_sets(str(archives), one_hot=True)
  found = batches_digest(again.train, [(600, 100)])[0]
  assert found == REFERENCE['old/numpy.random.seed(0)'][0]


def test_private_images_are_floats_of_0_to_1(mnist):
  for data_set in mnist:
    assert data_set._images is data_set.images and data_set._images.dtype == np.float32
    assert data_set._images.min() == 0 and data_set._images.max() == 1
    assert data_set._labels is data_set.labels


def test_images_scaled_by_the_script_are_not_scaled_again(mnist):
  mnist.train.next_batch(100)
  mnist.train._images = mnist.train._images * 2 - 1
  assert mnist.train.images.min() == -1
  assert batches_digest(mnist.train, [(600, 100)])[0] == REFERENCE['old/_images * 2 - 1']


def test_a_scripts_own_floats_are_served_as_they_are():
  own = np.random.RandomState(0).standard_normal((300, 5))
  data_set = coded_set(300)
  data_set._images = own
  images, got = data_set.next_batch(200)
  np.testing.assert_array_equal(images, own[got])
  assert data_set.images is own


def test_a_script_that_keeps_some_classes(mnist):
  train = mnist.train
  keep = train._labels.argmax(1) < 2
  train._images = train._images[keep]
  train._labels = train._labels[keep]
  train._num_examples = int(keep.sum())
  assert len(train.images) == len(train.labels) == train.num_examples == 11623
  assert batches_digest(train, [(300, 100)])[0] == REFERENCE['old/two classes']


def test_a_script_that_joins_training_and_validation(mnist):
  train, validation = mnist.train, mnist.validation
  train._images = np.concatenate([train._images, validation._images])
  train._labels = np.concatenate([train._labels, validation._labels])
  train._num_examples = 60000
  assert batches_digest(train, [(700, 100)])[0] == REFERENCE['old/joined']


def test_a_script_that_starts_the_epochs_again(mnist):
  for _ in range(100):
    mnist.train.next_batch(70)
  mnist.train._index_in_epoch = 0
  mnist.train._epochs_completed = 0
  assert batches_digest(mnist.train, [(700, 100)])[0] == REFERENCE['old/reset']


# Batches of 3 of ten examples 0 to 9 under numpy.random.seed(0), some after another batch.
@pytest.mark.parametrize(
  'first, assigned, original',
  [
    (None, {}, [[2, 8, 4], [9, 1, 6], [7, 3, 0], [5, 9, 6]]),
    (None, {'_num_examples': 5}, [[2, 0, 1], [3, 4, 2], [1, 0, 4]]),
    (4, {'_index_in_epoch': 0}, [[9, 6, 8], [4, 5, 0], [2, 7, 3], [1, 8, 4]]),
    (None, {'n': 7}, [[60, 20, 10], [30, 0, 50], [40, 20, 60]]),
    (4, {'n': 7}, [[40, 50, 60], [30, 10, 20], [60, 50, 0]]),
    (4, {'n': 17}, [[40, 50, 60], [70, 80, 90], [100, 110, 120], [130, 140, 150], [160, 50, 20]]),
  ],
)
def test_what_a_script_assigns_is_served_as_by_the_original(first, assigned, original):
  data_set = small_set(10)
  np.random.seed(0)
  if first:
    data_set.next_batch(first)
  assign(data_set, **assigned)
  assert labels(data_set, *[3] * len(original)) == original


def assign(data_set, n=None, **values):
  """Assigns n images with labels of 0, 10, 20 and so on, or attributes by name."""
  if n is not None:
    values = {'_images': np.arange(n)[:, None] * 10.0, '_labels': np.arange(n) * 10}
    values['_num_examples'] = n
  for name, value in values.items():
    setattr(data_set, name, value)


# The original returned batches that were too long or empty, or failed with an IndexError.
@pytest.mark.parametrize('taken', [0, 8])
@pytest.mark.parametrize('shuffle', [True, False])
@pytest.mark.parametrize(
  'assigned',
  [
    {'_index_in_epoch': 12},
    {'_index_in_epoch': -2},
    {'_num_examples': 5},
    {'_num_examples': 15},
    {'n': 7},
    {'n': 1},
    {'_images': np.zeros((4, 2, 2))},
    {'_labels': np.arange(4)},
  ],
)
def test_whatever_is_assigned_the_next_batches_are_whole(taken, shuffle, assigned):
  data_set = small_set(10)
  if taken:
    data_set.next_batch(taken)
  assign(data_set, **assigned)
  for size in (3, 3, 3, 30):
    images, got = data_set.next_batch(size, shuffle=shuffle)
    assert len(images) == len(got) == size
    assert set(got) <= set(np.asarray(data_set.labels))
  assert len(set(got)) == min(data_set._num_examples, len(data_set.images), len(data_set.labels))


@pytest.mark.parametrize('n', [9, 10, 11])
@pytest.mark.parametrize('order', [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
@pytest.mark.parametrize('shape', [(), (4,), (2, 2, 3)])
def test_images_and_labels_are_assigned_in_any_order_with_batches_between(n, order, shape):
  data_set = small_set(10)
  images = np.broadcast_to(np.arange(n).reshape(n, *[1] * len(shape)) / 3, (n, *shape))
  values = [('_images', images), ('_labels', np.arange(n)), ('_num_examples', n)]
  for i in order:
    setattr(data_set, *values[i])
    data_set.next_batch(4)
  assert data_set.images is images and data_set.num_examples == n
  got, of = data_set.next_batch(25)
  assert got.shape == (25, *shape) and got.dtype == np.float64
  np.testing.assert_array_equal(got, images[of])


class OneByOne(input_data.DataSet):
  """A script's own data set, with the batches of TensorFlow 0.x."""

  def next_batch(self, batch_size, fake_data=False):
    start = self._index_in_epoch
    self._index_in_epoch += batch_size
    if self._index_in_epoch > self._num_examples:
      self._epochs_completed += 1
      perm = np.arange(self._num_examples)
      np.random.shuffle(perm)
      self._images = self._images[perm]
      self._labels = self._labels[perm]
      start = 0
      self._index_in_epoch = batch_size
    end = self._index_in_epoch
    return self._images[start:end], self._labels[start:end]


def test_a_subclass_with_batches_of_its_own():
  pixels = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
  data_set = OneByOne(pixels, np.arange(10), dtype=np.float32)
  images, got = data_set.next_batch(4)
  assert images.dtype == np.float32 and got.tolist() == [0, 1, 2, 3]
  data_set.next_batch(4)
  images, got = data_set.next_batch(4)
  np.testing.assert_allclose(images[:, 0] * 255, got, rtol=1e-6)
  assert data_set.epochs_completed == 1


def coded_set(n):
  """A data set whose first two pixels say which label belongs to them."""
  pixels = np.zeros((n, 28, 28, 1), np.uint8)
  pixels[:, 0, 0, 0], pixels[:, 0, 1, 0] = np.divmod(np.arange(n), 256)
  return input_data.DataSet(pixels, np.arange(n))


def test_threads_get_whole_batches_of_floats_while_another_asks_for_the_images():
  interval = sys.getswitchinterval()
  sys.setswitchinterval(1e-5)
  try:
    for _ in range(5):
      data_set = coded_set(6000)
      batches, seen = [], []

      def take(data_set=data_set, batches=batches):
        for _ in range(120):
          batches.append(data_set.next_batch(50))

      def look(data_set=data_set, seen=seen):
        seen.append(data_set.images)

      threads = [
        threading.Thread(target=target) for target in (take, look, take, look, take, take)
      ]
      for thread in threads:
        thread.start()
      for thread in threads:
        thread.join()
      assert seen[0] is seen[1]
      assert len(batches) == 480 and data_set.epochs_completed == 3
      for images, got in batches:
        assert images.shape == (50, 784) and images.dtype == np.float32
        np.testing.assert_array_equal(np.rint(images[:, :2] * 255) @ [256, 1], got)
      counts = np.bincount(np.concatenate([got for _, got in batches]))
      assert counts.tolist() == [4] * 6000
  finally:
    sys.setswitchinterval(interval)


@pytest.mark.parametrize('seed', [1, None])
@pytest.mark.parametrize(
  'how', [copy.copy, copy.deepcopy, lambda d: pickle.loads(pickle.dumps(d))]
)
def test_a_copy_goes_on_with_the_same_batches(how, seed):
  sizes = (4, 4, 9, 30)
  data_set = small_set(10, seed=seed)
  data_set.next_batch(4)
  twin = how(data_set)
  np.random.seed(2)
  expected = labels(data_set, *sizes)
  np.random.seed(2)
  assert labels(twin, *sizes) == expected


def test_dense_to_one_hot_flattens_and_has_ten_classes():
  for shape in ([3], [3, 1]):
    one_hot = input_data.dense_to_one_hot(np.array([1, 9, 0], np.uint8).reshape(shape))
    assert one_hot.shape == (3, 10) and one_hot.argmax(1).tolist() == [1, 9, 0]


def test_extract_functions_take_a_name(archives, capsys):
  for name in (archives / input_data.TEST_LABELS, str(archives / input_data.TEST_LABELS)):
    assert input_data.extract_labels(name, one_hot=True).shape == (10000, 10)
    assert capsys.readouterr().out == f'Extracting {name}\n'
  images = input_data.extract_images(str(archives / input_data.TEST_IMAGES))
  assert images.shape == (10000, 28, 28, 1)


@pytest.mark.parametrize('unpacked', [False, True])
def test_extract_functions_read_a_pipe(archives, tmp_path, unpacked):
  path = archives / input_data.TEST_LABELS
  expected = input_data.extract_labels(path).tolist()
  if unpacked:
    (tmp_path / 'labels').write_bytes(gzip.decompress(path.read_bytes()))
    path = tmp_path / 'labels'
  with subprocess.Popen(['cat', path], stdout=subprocess.PIPE) as cat:
    assert input_data.extract_labels(cat.stdout).tolist() == expected


def test_extract_functions_read_gzip_of_standard_input(archives):
  script = (
    'import gzip, sys, input_data; f = gzip.open(sys.stdin.buffer); '
    'print(input_data.extract_labels(f).sum())'
  )
  done = subprocess.run(
    [sys.executable, '-c', script],
    cwd=ROOT,
    input=(archives / input_data.TEST_LABELS).read_bytes(),
    capture_output=True,
    check=True,
  )
  total = input_data.extract_labels(archives / input_data.TEST_LABELS).sum()
  assert done.stdout.split()[-1] == b'%d' % total


def write_data_set(folder, n_train, n_test, rows, columns):
  for kind, n in (('train', n_train), ('t10k', n_test)):
    data = bytes(i % 251 for i in range(n * rows * columns))
    write_idx(folder / f'{kind}-images-idx3-ubyte.gz', 2051, n, rows, columns, data=data)
    write_idx(
      folder / f'{kind}-labels-idx1-ubyte.gz', 2049, n, data=bytes(i % 10 for i in range(n))
    )


def test_images_of_another_size(tmp_path):
  write_data_set(tmp_path, 60, 10, 32, 20)
  mnist = input_data.read_data_sets(tmp_path, validation_size=10)
  assert [data_set.images.shape for data_set in mnist] == [(50, 640), (10, 640), (10, 640)]
  mnist = input_data.read_data_sets(tmp_path, validation_size=10, reshape=False)
  assert mnist.train.next_batch(7)[0].shape == (7, 32, 20, 1)


def test_an_empty_data_set_is_served_and_has_no_batch(tmp_path):
  write_data_set(tmp_path, 60, 0, 28, 28)
  mnist = input_data.read_data_sets(tmp_path, validation_size=0, one_hot=True)
  for empty in (mnist.test, mnist.validation):
    assert empty.num_examples == 0 and empty.images.shape == (0, 784)
    assert empty.labels.shape == (0, 10)
    with pytest.raises(ValueError, match='empty'):
      empty.next_batch(3)


def test_fewer_training_examples_than_validation_asks_for(tmp_path):
  write_data_set(tmp_path, 60, 10, 2, 2)
  message = 'Validation size should be between 0 and 60. Received: 5000.'
  with pytest.raises(ValueError, match=message) as info:
    input_data.read_data_sets(tmp_path)
  assert 'argument validation_size' in str(info.value) and '60 training' in str(info.value)


def test_the_folder_may_begin_with_a_tilde(tmp_path, monkeypatch):
  monkeypatch.setenv('HOME', str(tmp_path))
  write_data_set(tmp_path, 60, 10, 2, 2)
  mnist = input_data.read_data_sets('~/', validation_size=0)
  assert mnist.train.num_examples == 60
