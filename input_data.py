"""Downloads, reads and batches the MNIST data set of handwritten digits.

Does what the module of TensorFlow 1's tutorials did, and needs only NumPy:

  import input_data
  mnist = input_data.read_data_sets('MNIST_data', one_hot=True)
  images, labels = mnist.train.next_batch(100)

The archives are in the IDX format, described at http://yann.lecun.com/exdb/mnist/.
"""

import collections
import contextlib
import copy
import gzip
import hashlib
import http.client
import io
import math
import numbers
import os
import re
import secrets
import ssl
import struct
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zlib

import numpy as np

# Tried in order for each file.
MIRRORS = (
  'https://storage.googleapis.com/cvdf-datasets/mnist/',
  'https://ossci-datasets.s3.amazonaws.com/mnist/',
)
DEFAULT_SOURCE_URL = MIRRORS[0]  # As a source_url, this means all mirrors.

TRAIN_IMAGES = 'train-images-idx3-ubyte.gz'
TRAIN_LABELS = 'train-labels-idx1-ubyte.gz'
TEST_IMAGES = 't10k-images-idx3-ubyte.gz'
TEST_LABELS = 't10k-labels-idx1-ubyte.gz'

# The digests of the archives as they were first published; the mirrors have the same files.
SHA256 = {
  TRAIN_IMAGES: '440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609',
  TRAIN_LABELS: '3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c',
  TEST_IMAGES: '8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6',
  TEST_LABELS: 'f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6',
}

STALL_SECONDS = 30  # After this long without a byte, the next server is tried.

# The first four bytes of an IDX file: two zeros, 8 for unsigned bytes, the number of dimensions.
IMAGES_MAGIC = 2051
LABELS_MAGIC = 2049

Datasets = collections.namedtuple('Datasets', ['train', 'validation', 'test'])


def maybe_download(filename, work_directory, source_url=None):
  """Returns the path of `filename` in `work_directory`, downloading it if it is not there.

  A file that is there, packed or unpacked (without '.gz'), is never changed. A download gets its
  name when it is checked: by its SHA-256 if it comes from a mirror of MNIST, and as a whole IDX
  file if it is one of the four from elsewhere. `source_url` is as in `read_data_sets`, or the
  address of the file itself. An `OSError` says why each address failed, or that the folder cannot
  be written; a `ValueError` says that `work_directory` is an address.
  """
  if re.match(r'\w{2,}:/', str(work_directory)):
    raise ValueError(f'The data must be in a local folder, and {work_directory} is an address.')
  path = os.path.join(os.path.expanduser(work_directory), filename)
  for there in (path, path.removesuffix('.gz')):
    if os.path.lexists(there) and (there == path or not os.path.isdir(there)):
      return there
  failures = []
  size = None
  partial = f'{path}.{secrets.token_hex(4)}.part'
  try:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    for url in _addresses(source_url):
      address, mark, query = url.partition('?')
      if not address.endswith(filename) and filename not in query:
        url = f'{address.rstrip("/")}/{filename}{mark}{query}'
      try:
        with open(partial, 'w+b') as f:
          size = _download(url, f, filename)
        os.replace(partial, path)
        break
      except ValueError as failure:
        failures.append(f'\n  {url}: {failure}')
  except OSError as error:
    reason = f'{error.strerror}; make room there or choose another folder'
    raise OSError(error.errno, reason, path) from error
  finally:
    if os.path.lexists(partial):
      os.unlink(partial)
  if size is None:
    raise OSError(
      f'{filename} could not be downloaded.{"".join(failures)}\nPut {", ".join(SHA256)} into '
      f'{os.path.abspath(os.path.dirname(path))} yourself, or pass read_data_sets the address of '
      'a folder that has them: source_url=...'
    )
  _say('Successfully downloaded', filename, size, 'bytes.')
  return path


def _addresses(source_url):
  """Returns the addresses in `source_url`, one or several, as a list; the mirrors if none."""
  urls = [source_url] if isinstance(source_url, str) else list(source_url or ())
  return list(MIRRORS) if urls in ([], [''], [DEFAULT_SOURCE_URL]) else urls


def _download(url, f, filename):
  """Downloads `url` into the empty file `f`, checks it, and returns its size."""
  size = 0
  sha256 = hashlib.sha256()
  started = time.monotonic()
  try:
    for part, length in _body(url):
      f.write(part)
      sha256.update(part)
      size += len(part)
      total = f' of {length / 1e6:.1f}' if length else ''
      rate = size / 1e6 / max(time.monotonic() - started, 1e-3)
      show_progress(f'{filename}: {size / 1e6:.1f}{total} MB, {rate:.1f} MB/s')
  finally:
    show_progress('')
  f.flush()
  os.fsync(f.fileno())
  if url.startswith(MIRRORS):
    if sha256.hexdigest() != SHA256.get(filename):
      raise ValueError(f'the {size} bytes that came do not have the published SHA-256')
  elif filename in SHA256:
    f.seek(0)
    for _ in _idx_parts(f, IMAGES_MAGIC if 'images' in filename else LABELS_MAGIC):
      pass
  return size


def _body(url):
  """Yields each piece of the file at `url`, with the length of the file (0 if unknown)."""
  received = 0
  try:
    with urllib.request.urlopen(url, timeout=STALL_SECONDS) as response:
      length = int(response.headers.get('Content-Length', 0))
      while part := response.read(1 << 16):
        received += len(part)
        yield part, length
  except (OSError, ValueError, http.client.HTTPException) as error:
    reason = error.reason if type(error) is urllib.error.URLError else error
    if isinstance(reason, TimeoutError):
      reason = f'nothing came for {STALL_SECONDS} seconds'
    if isinstance(reason, ssl.SSLCertVerificationError):
      reason = f'{reason} (what to do is in README.md, under "The data")'
    raise ValueError(reason) from error
  if received < length:
    raise ValueError(f'only {received} of {length} bytes came')


def _idx_parts(f, magic):
  """Yields the dimensions of IDX file `f`, gzipped or not, and then its bytes piece by piece.

  A `ValueError` says what is wrong with a damaged file. It may come only after the last byte,
  so a caller must not reserve memory for what the header promises.
  """
  if not hasattr(f, 'peek'):  # Such as an io.BytesIO, or a file without a buffer.
    f = io.BufferedReader(io.BytesIO(f.read()))
  # Every IDX file begins with a zero byte, and no gzip file does.
  stream = f if f.peek(1)[:1] == b'\0' else gzip.GzipFile(fileobj=f)
  try:
    found = int.from_bytes(stream.read(4), 'big')
    if found != magic:
      raise ValueError(f'it begins with the magic number {found} instead of {magic}')
    num_dims = magic % 256
    header = stream.read(4 * num_dims)
    if len(header) < 4 * num_dims:
      raise ValueError('it ends within its header')
    dims = struct.unpack(f'>{num_dims}I', header)
    yield dims
    size = left = math.prod(dims)
    while part := stream.read(min(left, 1 << 20)):
      left -= len(part)
      yield part
    if left:
      raise ValueError(f'its header promises {size} bytes and it holds {size - left}')
    # Reading on past the end also makes gzip compare its checksum.
    if stream.read(1):
      raise ValueError(f'it holds more than the {size} bytes that its header promises')
  except (EOFError, zlib.error, gzip.BadGzipFile) as error:
    raise ValueError(error) from error


def _read_idx(f, magic):
  """Returns the uint8 array in IDX file `f`, a name or an open file."""
  is_name = isinstance(f, (str, os.PathLike))
  _say('Extracting', f if is_name else f.name)
  with open(f, 'rb') if is_name else contextlib.nullcontext(f) as f:
    try:
      parts = _idx_parts(f, magic)
      dims = next(parts)
      if math.prod(dims) <= 60000 * 28 * 28:
        data = bytearray()
        for part in parts:
          data += part
        return np.frombuffer(data, np.uint8).reshape(dims)
      # More than MNIST is unpacked to disk first: a hostile file must not fill the memory.
      with tempfile.TemporaryFile() as complete:
        complete.writelines(parts)
        complete.seek(0)
        return np.fromfile(complete, np.uint8).reshape(dims)
    except ValueError as error:
      raise ValueError(
        f"{f.name} is damaged: {error}. If it is deleted, the next run downloads MNIST's own file."
      ) from error


def extract_images(f):
  """Returns the images in IDX file `f`: uint8 [n, rows, columns, 1], 0 for paper, 255 for ink.

  `f` is a file's name, or a file opened for reading bytes; gzipped or plain. A `ValueError` says
  what is wrong with a file that is damaged or holds no images (magic number 2051).
  """
  return _read_idx(f, IMAGES_MAGIC)[..., np.newaxis]


def extract_labels(f, one_hot=False, num_classes=10):
  """Returns the labels in IDX file `f`: uint8 [n], or with `one_hot` float32 [n, num_classes].

  `f` is as in `extract_images`. A `ValueError` says what is wrong with a file that is damaged or
  holds no labels (magic number 2049), or which label is not below `num_classes`.
  """
  labels = _read_idx(f, LABELS_MAGIC)
  return dense_to_one_hot(labels, num_classes) if one_hot else labels


def dense_to_one_hot(labels_dense, num_classes=10):
  """Returns float32 [n, num_classes]: each row is 1 at the place of its label and 0 elsewhere.

  `labels_dense` is n whole numbers in any shape, such as [n] or [n, 1]. A `ValueError` says which
  one is not from 0 to `num_classes - 1`.
  """
  labels = np.ravel(labels_dense)
  wrong = np.flatnonzero((labels < 0) | (labels >= num_classes))
  if wrong.size:
    raise ValueError(
      f'Labels should be between 0 and {num_classes - 1}. '
      f'Label number {wrong[0]} is {labels[wrong[0]]}.'
    )
  one_hot = np.zeros((len(labels), num_classes), np.float32)
  one_hot[np.arange(len(labels)), labels] = 1
  return one_hot


def _to_float(pixels):
  """Turns pixels from 0 to 255 into float32 numbers from 0 to 1."""
  return np.multiply(pixels, np.float32(1 / 255), dtype=np.float32)


def _shift(images, most, random):
  """Shifts each image [n, 784] at random, by up to `most` pixels up or down and left or right."""
  padded = np.pad(images.reshape(-1, 28, 28), ((0, 0), (most, most), (most, most)))
  windows = np.lib.stride_tricks.sliding_window_view(padded, (28, 28), axis=(1, 2))
  rows, columns = random.randint(2 * most + 1, size=(2, len(images)))
  return windows[np.arange(len(images)), rows, columns].reshape(images.shape)


class DataSet:
  """Images and their labels, handed out in batches, to several threads if need be.

  Old scripts read and assign `_images`, `_labels`, `_num_examples`, `_index_in_epoch` and
  `_epochs_completed`, so these mean what they meant in TensorFlow 1.
  """

  _lock = threading.RLock()  # One for all data sets: a lock inside each could not be pickled.

  def __init__(
    self, images, labels, fake_data=False, one_hot=False, dtype=np.float32, reshape=True, seed=None
  ):
    """Makes a data set of images [n, rows, columns, 1], 0 to 255, and labels [n] or [n, classes].

    With `fake_data`, 10,000 examples are made up. All else is as in `read_data_sets`.
    """
    numpy_dtype = getattr(dtype, 'as_numpy_dtype', dtype)
    if numpy_dtype is None or np.dtype(numpy_dtype) not in (np.uint8, np.float32):
      raise TypeError(f'Invalid image dtype {dtype!r}, expected uint8 or float32')
    if not fake_data:
      images, labels = np.asarray(images), np.asarray(labels)
      if len(images) != len(labels):
        raise ValueError(f'There are {len(images)} images and {len(labels)} labels.')
      if reshape:
        images = images.reshape(len(images), math.prod(images.shape[1:]))
    self._num_examples = 10000 if fake_data else len(images)
    # The pixels stay bytes until somebody asks for all of them: a quarter of the memory, and
    # quicker to gather batches from.
    self._stored_images = images
    self._is_unscaled = not fake_data and np.dtype(numpy_dtype) == np.float32
    self._labels = labels
    self._fake_data = fake_data
    self.one_hot = one_hot
    self._random = None if seed is None else np.random.RandomState(seed)
    self._order = np.arange(self._num_examples)
    self._index_in_epoch = 0
    self._epochs_completed = 0
    self.max_shift = 0  # Images of a batch are shifted at random by up to so many pixels.

  @property
  def _images(self):
    with self._lock:
      if self._is_unscaled:
        self._stored_images, self._is_unscaled = _to_float(self._stored_images), False
      return self._stored_images

  @_images.setter
  def _images(self, images):
    with self._lock:
      self._stored_images, self._is_unscaled = images, False

  images = property(lambda self: self._images, doc='All images, in the order of the file.')
  labels = property(lambda self: self._labels, doc='All labels, in the order of the file.')
  num_examples = property(lambda self: self._num_examples, doc='The number of examples.')
  epochs_completed = property(lambda self: self._epochs_completed, doc='Passes over all examples.')

  def next_batch(self, batch_size, fake_data=False, shuffle=True):
    """Returns a pair of arrays: the next `batch_size` images and labels, as copies.

    After the last example, the batch goes on with the next epoch.

    Args:
      batch_size: how many examples, at least 1; if there are fewer, they repeat.
      fake_data: whether to return made-up examples instead, as lists.
      shuffle: whether each epoch has a new random order.

    Raises:
      ValueError: `batch_size` is not a whole number of at least 1, or the data set is empty.
    """
    if not isinstance(batch_size, numbers.Integral) or batch_size is True or batch_size < 1:
      raise ValueError(f'Batch size should be a whole number of at least 1. Got: {batch_size!r}.')
    if fake_data or self._fake_data:
      fake_label = [1] + [0] * 9 if self.one_hot else 0
      return [[1] * 784 for _ in range(batch_size)], [fake_label for _ in range(batch_size)]
    with self._lock:
      # A script may have assigned more or fewer examples than there were.
      n = min(self._num_examples, len(self._stored_images), len(self._labels))
      if not n:
        raise ValueError('There is no batch to take: this data set is empty.')
      if len(self._order) != n:
        self._order = np.arange(n)
      if shuffle and self._epochs_completed == 0 and self._index_in_epoch == 0:
        self._shuffle()
      parts = []
      left = batch_size
      while left > 0:
        if not 0 <= self._index_in_epoch < n:
          self._epochs_completed += 1
          self._index_in_epoch = 0
          if shuffle:
            self._shuffle()
        part = self._order[self._index_in_epoch : self._index_in_epoch + left]
        parts.append(part)
        self._index_in_epoch += len(part)
        left -= len(part)
      # np.take gathers whole rows, in about half the time of indexing.
      rows = np.concatenate(parts)
      images, labels = np.take(self._stored_images, rows, 0), np.take(self._labels, rows, 0)
      if self.max_shift:
        images = _shift(images, self.max_shift, self._random or np.random)
      return _to_float(images) if self._is_unscaled else images, labels

  def _shuffle(self):
    """Permutes the order as the original did, so that the same seed gives the same batches."""
    permutation = np.arange(len(self._order))
    (self._random or np.random).shuffle(permutation)
    self._order = self._order[permutation]

  def __getstate__(self):
    """Returns the state of a copy, which with a seed goes on with the same batches."""
    with self._lock:
      return self.__dict__ | {'_random': copy.deepcopy(self._random)}


def _read_pair(images_name, labels_name, train_dir, one_hot, urls):
  """Returns the images and the labels in two files of `train_dir`."""
  images_path = maybe_download(images_name, train_dir, urls)
  labels_path = maybe_download(labels_name, train_dir, urls)
  images, labels = extract_images(images_path), extract_labels(labels_path, one_hot)
  if len(images) != len(labels):
    raise ValueError(
      f'{images_path} holds {len(images)} images and {labels_path} holds {len(labels)} labels: '
      "the data sets differ. If one is deleted, the next run downloads MNIST's own file."
    )
  return images, labels


def read_data_sets(
  train_dir,
  fake_data=False,
  one_hot=False,
  dtype=np.float32,
  reshape=True,
  validation_size=5000,
  seed=None,
  source_url=DEFAULT_SOURCE_URL,
):
  """Reads the four MNIST archives in `train_dir`, downloading those that are missing.

  Args:
    train_dir: the folder of the archives, or of the same files unpacked.
    fake_data: whether to read nothing and serve made-up examples.
    one_hot: whether each label becomes ten numbers: 1 at its place, 0 elsewhere.
    dtype: float32 for pixels of 0 to 1, uint8 for 0 to 255; a NumPy dtype or a TensorFlow one.
    reshape: whether images are flattened: [n, 784] instead of [n, 28, 28, 1].
    validation_size: how many of the first training examples become the validation set.
    seed: for shuffling by `numpy.random.RandomState(seed)`, or None for `numpy.random` itself.
    source_url: the address of a folder (http, https or file) that has the four files, or several
      such addresses, tried in order; None or '' for the mirrors of MNIST.

  Returns:
    A named tuple `Datasets` of three `DataSet`s: train, validation and test.

  Raises:
    TypeError: `dtype` is neither uint8 nor float32.
    ValueError: a file is damaged, the numbers of images and labels differ, `train_dir` is an
      address, or `validation_size` is out of range.
    OSError: a file cannot be found, downloaded, written or read.
  """
  if fake_data:
    return Datasets(*[DataSet([], [], True, one_hot, dtype, seed=seed) for _ in range(3)])
  urls = _addresses(source_url)  # A list, as the first file would use up an iterator.
  train_images, train_labels = _read_pair(TRAIN_IMAGES, TRAIN_LABELS, train_dir, one_hot, urls)
  test_images, test_labels = _read_pair(TEST_IMAGES, TEST_LABELS, train_dir, one_hot, urls)
  if not 0 <= validation_size <= len(train_images):
    raise ValueError(
      f'Validation size should be between 0 and {len(train_images)}. Received: {validation_size}. '
      f'Pass the argument validation_size: there are {len(train_images)} training examples.'
    )
  options = {'one_hot': one_hot, 'dtype': dtype, 'reshape': reshape, 'seed': seed}
  return Datasets(
    DataSet(train_images[validation_size:], train_labels[validation_size:], **options),
    DataSet(train_images[:validation_size], train_labels[:validation_size], **options),
    DataSet(test_images, test_labels, **options),
  )


def _say(*words):
  """Prints, but does not fail when standard output is closed or cannot show the words."""
  with contextlib.suppress(OSError, ValueError):
    print(*words)


def show_progress(text):
  """Rewrites one line on standard error with `text`, if that is a terminal which can do so."""
  shown = sys.stderr and sys.stderr is sys.__stderr__ and os.environ.get('TERM') != 'dumb'
  with contextlib.suppress(OSError, ValueError):  # The terminal may have been closed.
    if shown and sys.stderr.isatty():
      print(f'\r\033[K{text}', end='', file=sys.stderr, flush=True)


def time_left(steps):
  """Yields each of `steps`, a range, and shows on a terminal how many seconds are left."""
  started = time.monotonic()
  try:
    for i in steps:
      if i % 100 == 0:
        show_progress('')  # The loop may print a line of its own.
      yield i
      if i % 10 == 9:
        left = (time.monotonic() - started) / (i + 1 - steps.start) * (steps.stop - i - 1)
        show_progress(f'step {i + 1} of {steps.stop}, {left:.0f} seconds left')
  finally:
    show_progress('')


def extract_digit(pixels):
  """Turns a picture of a digit, dark on light or light on dark, into an image like MNIST's.

  Args:
    pixels: uint8 [rows, columns] or [rows, columns, channels], grey or RGB, maybe with alpha.

  Returns:
    float32 [784]: 28x28 pixels from 0 for paper to 1 for ink. The digit fits into 20x20 of them,
    with its centre of mass in the middle, as http://yann.lecun.com/exdb/mnist/ describes.

  Raises:
    ValueError: the picture is blank, holds several digits side by side, or is not such an array.
  """
  pixels = np.asarray(pixels)
  if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or not 0 < pixels[:1, :1].size < 5:
    raise ValueError(f'pass uint8 [rows, columns, channels], not {pixels.dtype} {pixels.shape}')
  # Average it down to at most 160x160, which still shows the digit; strips save memory.
  step = math.ceil(max(pixels.shape[:2]) / 160)
  small = pixels.reshape(*pixels.shape[:2], -1)
  for _ in range(2):
    strips = (np.ascontiguousarray(small[i : i + step]) for i in range(0, len(small), step))
    small = np.stack([np.mean(strip, 0, np.float32) for strip in strips]).swapaxes(0, 1)
  grey = small[..., :3] @ [0.299, 0.587, 0.114] if small.shape[2] > 2 else small[..., 0]
  alpha = small[..., -1] / 255  # Where it is low: average grey, or paper if only ink is opaque.
  if small.shape[2] in (2, 4) and np.any(alpha):
    opaque = np.average(grey, weights=alpha)
    paper = opaque if np.mean(alpha) > 0.5 else 255 * (opaque < 128)
    grey = alpha * grey + (1 - alpha) * paper
  # Ink is rarer than paper, and so differs more from the average around it.
  side = max(grey.shape)
  window = side * 2 // 5 | 1  # Wider than a stroke.
  wide = np.pad(grey, side // 2, mode='edge')
  grey = grey if np.sum((wide - _slide(np.mean, wide, window)) ** 3) < 0 else 255 - grey
  # Paper is what remains when everything dark and narrow is filled: a morphological closing.
  paper = np.maximum(_slide(np.min, _slide(np.max, grey, window), window), 1)
  ink = 1 - grey / paper
  # Uneven light fits a quadratic surface; averages of 3x3 pixels have less noise.
  rows, columns = np.indices(grey.shape).reshape(2, -1) / side
  terms = np.polynomial.polynomial.polyvander2d(rows, columns, [2, 2])
  light = terms @ np.linalg.lstsq(terms.T @ terms, terms.T @ grey.ravel(), rcond=None)[0]
  darker = np.minimum(ink, (light.reshape(grey.shape) - grey) / paper)
  noise = np.quantile(np.abs(grey - _slide(np.mean, grey, 3)) / paper, 0.25) / 0.3
  if np.max(_slide(np.mean, darker, 3)) < np.clip(3 * noise, 0.1, 0.4):
    raise ValueError('blank')
  # Number the connected parts: the largest pixel number in each spreads, in leaps for speed.
  mask = ink > 0.4 * np.max(ink)  # Ruled lines on the paper are fainter.
  labels, before = mask * np.arange(1, mask.size + 1).reshape(mask.shape), None
  while not np.array_equal(labels, before):
    before, labels = labels, mask * _slide(np.max, labels, 3)
    labels = mask * labels.ravel()[labels - 1]
  # Drop specks, which are small, and a desk along an edge unless there is little else.
  mass = np.bincount(labels.ravel(), (mask * ink).ravel())
  rim = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
  mass[np.bincount(rim, minlength=len(mass)) > side / 2] /= 400
  parts = np.flatnonzero(mass > np.max(mass) / 8)
  ink = ink * _slide(np.max, np.isin(labels, parts), side // 64 + 3 | 1)  # With soft edges.
  rows, columns = np.nonzero(ink > 0.2 * np.max(ink))
  spots = (np.nonzero(labels == part) for part in parts)
  spans = sorted((min(at), max(at)) for tall, at in spots if np.ptp(tall) > np.ptp(rows) / 2)
  if any(left[1] < right[0] for left, right in zip(spans, spans[1:], strict=False)):
    raise ValueError('several digits side by side')
  size = max(np.ptp(rows), np.ptp(columns)) + 1
  if step > 1 and size < 40:  # Small in a large picture: again with the part around it.
    top, left = (max(min(at) - size // 2, 0) * step for at in (rows, columns))
    return extract_digit(pixels[top : top + 2 * size * step, left : left + 2 * size * step])
  scale = 20 / size
  for _ in range(2):  # Scale and centre it, in the rows and then in the columns.
    at = np.arange(len(ink)) + 0.5
    centre = np.floor(scale * np.average(at, weights=np.sum(ink, 1))) + 0.5
    away = np.abs((np.arange(28)[:, np.newaxis] - 14 + centre) / scale - at)
    ink = (np.maximum(1 - away * min(scale, 1), 0) @ ink).T
  return np.float32(ink / np.max(ink)).ravel()


def _slide(function, image, size):
  """Applies `function`, such as np.max, to the size x size pixels around each pixel."""
  for _ in range(2):
    padded = np.pad(image, ((size // 2, size // 2), (0, 0)), mode='edge')
    image = function(np.lib.stride_tricks.sliding_window_view(padded, size, 0), -1).T
  return image


def upright(pixels, content):
  """Turns the pixels of a JPEG file as its EXIF orientation (CIPA DC-008) says."""
  # Tag 274, type 3 (short), one value, in either byte order.
  big, little = rb'\x01\x12\x00\x03\x00\x00\x00\x01\x00', rb'\x12\x01\x03\x00\x01\x00\x00\x00'
  entry = rb'\xff\xd8.*?Exif\x00\x00.{8,999}?(?:%b|%b)([\x02-\x08])' % (big, little)
  found = re.match(entry, content[: 1 << 16], re.DOTALL)
  value = found[1][0] if found else 1
  pixels = pixels.swapaxes(0, 1) if value > 4 else pixels
  return pixels[:: -1 if value in (3, 4, 7, 8) else 1, :: -1 if value in (2, 3, 6, 7) else 1]
