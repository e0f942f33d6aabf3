"""`input_data` returns what TensorFlow 1.15.5 returned, whose digests are in `reference.json`."""

import functools
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from make_reference import DATA, data_answers

import input_data
from conftest import REFERENCE, ROOT, lines_of, run, write_idx

read = functools.partial(input_data.read_data_sets, str(ROOT / 'MNIST_data'))


def small_set(n, **options):
  """Examples 0 to n - 1, whose one pixel is their label."""
  images = np.arange(n, dtype=np.uint8).reshape(n, 1, 1, 1)
  return input_data.DataSet(images, np.arange(n), **{'dtype': np.uint8} | options)


def test_the_data_are_the_originals():
  assert data_answers(read) == {question: REFERENCE[question] for question in DATA}


def test_fake_data_reads_nothing(tmp_path):
  mnist = input_data.read_data_sets(str(tmp_path / 'none'), fake_data=True)
  assert mnist.train.next_batch(2) == ([[1] * 784] * 2, [0, 0])
  assert small_set(5).next_batch(2, fake_data=True) == ([[1] * 784] * 2, [0, 0])
  assert not (tmp_path / 'none').exists()


# The original returned batches that were too long or empty, or failed with an IndexError.
@pytest.mark.parametrize('index, num_examples', [(12, 10), (-2, 10), (8, 5), (8, 15)])
def test_whatever_is_assigned_the_next_batches_are_whole(index, num_examples):
  data_set = small_set(10)
  data_set.next_batch(8)
  data_set._index_in_epoch, data_set._num_examples = index, num_examples
  sizes = 3, 3, 3, 34
  batches = [data_set.next_batch(size) for size in sizes]
  assert [(len(images), len(labels)) for images, labels in batches] == [(n, n) for n in sizes]
  assert len(set(batches[-1][1])) == min(num_examples, 10)


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


@pytest.mark.parametrize('size', [5, 7, 12, 99])
def test_a_large_batch_spans_as_many_epochs_as_it_needs(size):
  data_set = small_set(5, seed=1)
  labels = np.concatenate([data_set.next_batch(size)[1], data_set.next_batch(size)[1]])
  for start in range(0, 2 * size - 4, 5):
    assert sorted(labels[start : start + 5]) == [0, 1, 2, 3, 4]
  assert len(labels) == 2 * size and data_set.epochs_completed == (2 * size - 1) // 5


def test_reading_and_seeded_batches_leave_the_callers_random_numbers_alone():
  np.random.seed(0)
  read(seed=1, dtype=np.uint8).train.next_batch(60000)
  np.testing.assert_equal(np.random.get_state(), np.random.RandomState(0).get_state())


def test_threads_get_whole_batches_whose_images_have_their_labels():
  pixels = np.arange(200, dtype=np.uint8)[:, np.newaxis]
  labels = np.repeat(pixels, 9999, 1)  # Wide, as threads change while they are copied.
  sets = [input_data.DataSet(pixels, labels) for _ in range(40)]

  def take(i):
    if i % 20 == 10:
      assert sets[i // 20].images.dtype == np.float32
    images, labels = sets[i // 20].next_batch(50)
    return images[:, 0] * 255, labels[:, 0]

  interval = sys.getswitchinterval()
  sys.setswitchinterval(1e-6)
  with ThreadPoolExecutor(4) as threads:
    images, labels = np.concatenate(list(threads.map(take, range(800))), axis=1)
  sys.setswitchinterval(interval)
  np.testing.assert_allclose(images, labels, rtol=1e-6)
  assert len(labels) == 800 * 50 and len(set(labels)) == 200


@pytest.mark.parametrize('options', [{}, {'dtype': np.uint8}, {'one_hot': True, 'reshape': False}])
def test_a_batch_is_a_copy_and_what_is_written_into_the_arrays_is_served(digits, options):
  intact, read = (input_data.read_data_sets(digits, validation_size=200, **options) for _ in '12')
  for data_set, expected in zip(read, intact, strict=True):
    for array in (*data_set.next_batch(150), *data_set.next_batch(150)):
      array[:] = 3
    np.testing.assert_array_equal(data_set.images, expected.images)
    np.testing.assert_array_equal(data_set.labels, expected.labels)
    data_set.images[:, :1], data_set.labels[data_set.labels > 0] = 1, 0
    images, labels = data_set.next_batch(150)
    assert np.all(images[:, :1] == 1) and not labels.any() and images.std() > 0


def test_other_numbers_of_classes_and_of_images(tmp_path):
  for name, n in ('train', 30), ('t10k', 4):
    write_idx(tmp_path / f'{name}-images-idx3-ubyte.gz', 2051, n, 2, 1, data=bytes(2 * n))
    write_idx(tmp_path / f'{name}-labels-idx1-ubyte.gz', 2049, n, data=bytes([26] + [1] * (n - 1)))
  read = functools.partial(input_data.read_data_sets, tmp_path, num_classes=27)
  assert read(one_hot=True, validation_size=3).train.labels.shape == (27, 27)
  assert read(validation_size=None).validation.labels.tolist() == [26, 1, 1]
  nothing_left = read(one_hot=True, validation_size=30).train
  images, labels = nothing_left.next_batch(50)
  assert images.shape == (0, 2) and labels.shape == (0, 27) and nothing_left.epochs_completed == 1
  assert images.dtype == labels.dtype == np.float32
  for one_hot in True, False:
    with pytest.raises(ValueError, match=r'/train-labels.*0 and 9\. Received: 26\..* num_classes'):
      read(one_hot=one_hot, validation_size=3, num_classes=10)
  for size in -1, 31:
    with pytest.raises(ValueError, match=f'0 and 30. Received: {size}. .* validation_size'):
      read(validation_size=size)
  write_idx(tmp_path / 'train-images-idx3-ubyte.gz', 2051, 1, 2, 1, data=bytes(2))
  with pytest.raises(ValueError, match='/train-images.* 1 images, and .*/train-labels.* 30 label'):
    read()
  write_idx(tmp_path / 'train-labels-idx1-ubyte.gz', 2049, 1, data=bytes(1))
  with pytest.raises(ValueError, match='1 training images'):
    read(validation_size=None)


def test_what_is_no_data_set_is_refused():
  for dtype in np.float64, np.int32, 'float16', bool, None:
    with pytest.raises(TypeError, match='uint8 or float32'):
      small_set(3, dtype=dtype)
  with pytest.raises(ValueError, match='There are 2 images and 3 labels'):
    input_data.DataSet(np.zeros((2, 28, 28, 1), np.uint8), np.zeros(3))
  assert small_set(3, dtype=float).images.dtype == np.float32  # As in TensorFlow.
  assert input_data.dense_to_one_hot([[2], [0]], 3).tolist() == [[0, 0, 1], [1, 0, 0]]
  with pytest.raises(ValueError, match='between 0 and 2. Received: -1.'):
    input_data.dense_to_one_hot([2, -1], 3)


def test_below_the_second_banner_everything_may_be_deleted(tmp_path):
  head, data_room, *rest = re.split('(?m)^(?=# ---- )', (ROOT / 'input_data.py').read_text())
  assert rest and 'def extract_digit' not in head + data_room
  shutil.copytree(ROOT / 'tests', tmp_path / 'tests', ignore=shutil.ignore_patterns('__pycache__'))
  (tmp_path / 'MNIST_data').symlink_to(ROOT / 'MNIST_data')
  (tmp_path / 'input_data.py').write_text(head + data_room)
  files, skip = ['tests/test_input_data.py', 'tests/test_files.py'], 'not originals and not below'
  assert ' passed' in lines_of(run('-m', 'pytest', '-qn0', '-k', skip, *files, cwd=tmp_path))[-1]
