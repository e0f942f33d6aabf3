"""Downloads, reads and batches the MNIST data set of handwritten digits.

The module of TensorFlow 1's tutorials, on NumPy and the standard library alone:

  import input_data
  mnist = input_data.read_data_sets('MNIST_data', one_hot=True)
  images, labels = mnist.train.next_batch(100)

The archives are in the IDX format, described at http://yann.lecun.com/exdb/mnist/.
"""

import collections
import gzip
import hashlib
import http.client
import math
import numbers
import os
import re
import secrets
import ssl
import struct
import sys
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
DEFAULT_SOURCE_URL = MIRRORS[0]  # Stands for all of them.

TRAIN_IMAGES = 'train-images-idx3-ubyte.gz'
TRAIN_LABELS = 'train-labels-idx1-ubyte.gz'
TEST_IMAGES = 't10k-images-idx3-ubyte.gz'
TEST_LABELS = 't10k-labels-idx1-ubyte.gz'

# Of the archives as first published, which is what the mirrors have.
SHA256 = {
  TRAIN_IMAGES: '440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609',
  TRAIN_LABELS: '3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c',
  TEST_IMAGES: '8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6',
  TEST_LABELS: 'f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6',
}

STALL_SECONDS = 30  # A server silent for longer is given up.

# The first four bytes of an IDX file: two zeros, 8 for unsigned bytes, the number of dimensions.
IMAGES_MAGIC = 2051
LABELS_MAGIC = 2049

Datasets = collections.namedtuple('Datasets', ['train', 'validation', 'test'])


def maybe_download(filename, work_directory, source_url):
  """Returns the path of `filename` in `work_directory`, downloading it if it is not there.

  A file that is there is never touched, whatever it holds, and may be unpacked, without '.gz'. A
  downloaded one appears under its name only when it is whole: from a mirror it must have the
  published SHA-256, and from elsewhere it must be a complete IDX archive.

  Args:
    filename: the file's name, such as 'train-images-idx3-ubyte.gz'.
    work_directory: the folder, which is made if need be.
    source_url: the address (http, https or file) of the file or of the folder that it is in; or a
      list of addresses, of which the first that serves it whole is taken.

  Raises:
    OSError: no address serves the file whole, or the folder cannot be written.
    ValueError: `work_directory` is an address.
  """
  if re.match(r'\w{2,}:/', str(work_directory)):
    raise ValueError(f'The data must be in a local folder, and {work_directory} is an address.')
  path = os.path.join(work_directory, filename)
  for there in (path, path.removesuffix('.gz')):
    if os.path.lexists(there):
      return there
  if source_url == DEFAULT_SOURCE_URL:
    source_url = MIRRORS
  failures = []
  size = None
  partial = f'{path}.{secrets.token_hex(4)}.part'
  try:
    os.makedirs(work_directory, exist_ok=True)
    for url in [source_url] if isinstance(source_url, str) else source_url:
      if not url.endswith(filename):
        url = f'{url.rstrip("/")}/{filename}'
      try:
        with open(partial, 'w+b') as f:
          size = _download(url, f, filename)
      except ValueError as failure:
        failures.append((url, failure))
        continue
      os.replace(partial, path)
      break
  except OSError as error:
    reason = f'{error.strerror}; make room there or choose another folder'
    raise OSError(error.errno, reason, path) from error
  finally:
    if os.path.lexists(partial):
      os.unlink(partial)
  if size is None:
    raise OSError(_no_address_left(filename, work_directory, failures))
  print('Successfully downloaded', filename, size, 'bytes.')
  return path


def _no_address_left(filename, work_directory, failures):
  """Returns why `filename` was not downloaded, address by address, and what its reader can do."""
  lines = [f'{filename} could not be downloaded.']
  lines += [f'  {url}: {failure}' for url, failure in failures]
  if any(isinstance(failure.args[0], ssl.SSLCertVerificationError) for _, failure in failures):
    python = f'Python {sys.version_info.major}.{sys.version_info.minor}'
    lines.append(
      'This Python cannot verify the server, for which it needs certificates. On macOS, run '
      f'"/Applications/{python}/Install Certificates.command"; on Debian or Ubuntu, "apt install '
      'ca-certificates"; elsewhere, "pip install certifi" and set the environment variable '
      'SSL_CERT_FILE to the path that "python -m certifi" prints.'
    )
  lines.append(
    f'Put {", ".join(SHA256)} into {os.path.abspath(work_directory)} yourself, or pass '
    'read_data_sets the address of a folder that has them: source_url=...'
  )
  return '\n'.join(lines)


def _download(url, f, filename):
  """Downloads `url` into the empty file `f`, makes sure that it is whole, and returns its size.

  Raises:
    ValueError: the address does not serve the file, or not whole.
    OSError: `f` cannot be written.
  """
  size = 0
  sha256 = hashlib.sha256()
  started = time.monotonic()
  try:
    for part, length in _body(url):
      f.write(part)
      sha256.update(part)
      size += len(part)
      if sys.stderr.isatty():
        total = f' of {length / 1e6:.1f}' if length else ''
        rate = size / 1e6 / max(time.monotonic() - started, 1e-3)
        text = f'{filename}: {size / 1e6:.1f}{total} MB, {rate:.1f} MB/s'
        print(f'\r\033[K{text}', end='', file=sys.stderr, flush=True)
  finally:
    if sys.stderr.isatty():
      print('\r\033[K', end='', file=sys.stderr, flush=True)
  f.flush()
  os.fsync(f.fileno())
  if url.startswith(MIRRORS):
    if sha256.hexdigest() != SHA256.get(filename):
      raise ValueError(f'the {size} bytes that came do not have the published SHA-256')
  elif filename in SHA256:
    f.seek(0)
    if f.read(2) != b'\x1f\x8b':
      raise ValueError(f'the {size} bytes that came are not a gzip archive')
    f.seek(0)
    for _ in _idx_parts(f, IMAGES_MAGIC if 'images' in filename else LABELS_MAGIC):
      pass
  return size


def _body(url):
  """Yields what `url` answers piece by piece, each with the length of the whole, 0 if unknown."""
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
    raise ValueError(reason) from error
  if received < length:
    raise ValueError(f'only {received} of {length} bytes came')


def _idx_parts(f, magic):
  """Yields the dimensions of IDX file `f`, gzipped or not, and then its bytes piece by piece.

  Whatever is wrong with the file is a `ValueError` as soon as the reading comes to it, so nobody
  need hold more than the file truly has, however much its header promises.
  """
  # No gzip file begins with two zero bytes, and every IDX file does.
  start = f.read(2)
  f.seek(-len(start), os.SEEK_CUR)
  stream = f if start == b'\0\0' else gzip.GzipFile(fileobj=f)
  try:
    found = stream.read(4)
    if found != struct.pack('>i', magic):
      number = int.from_bytes(found, 'big')
      raise ValueError(f'it begins with the magic number {number} instead of {magic}')
    num_dims = magic % 256
    header = stream.read(4 * num_dims)
    if len(header) < 4 * num_dims:
      raise ValueError('it ends within its header')
    dims = struct.unpack(f'>{num_dims}I', header)
    yield dims
    size = left = math.prod(dims)
    while left:
      part = stream.read(min(left, 1 << 20))
      if not part:
        raise ValueError(f'its header promises {size} bytes and it holds {size - left}')
      left -= len(part)
      yield part
    # Reading on past the data also makes gzip compare its checksum.
    if stream.read(1):
      raise ValueError(f'it holds more than the {size} bytes that its header promises')
  except (EOFError, zlib.error, gzip.BadGzipFile) as error:
    raise ValueError(error) from error


def _read_idx(f, magic):
  """Returns the uint8 array in IDX file `f`, in the shape that its header says."""
  start = f.tell()
  try:
    parts = _idx_parts(f, magic)
    dims = next(parts)
    if math.prod(dims) > 60000 * 28 * 28:
      # More than MNIST: it gets its memory once a first reading has found it whole.
      for _ in parts:
        pass
      f.seek(start)
      parts = _idx_parts(f, magic)
      next(parts)
    data = bytearray()
    for part in parts:
      data += part
    return np.frombuffer(data, np.uint8).reshape(dims)
  except ValueError as error:
    raise _damaged(f, error) from error


def _damaged(f, error):
  """Returns the exception that says what is wrong with file `f`, and what to do about it."""
  return ValueError(
    f'{f.name} is damaged: {error}. Delete it, and the next run downloads it again.'
  )


def extract_images(f):
  """Reads the images in an IDX file.

  Args:
    f: the file, open for reading bytes; gzip-compressed or plain.

  Returns:
    A uint8 array [number of images, rows, columns, 1], 0 for paper and 255 for ink.

  Raises:
    ValueError: the file is damaged, or is not one of images (magic number 2051).
  """
  print('Extracting', f.name)
  return _read_idx(f, IMAGES_MAGIC)[..., np.newaxis]


def extract_labels(f, one_hot=False, num_classes=10):
  """Reads the labels in an IDX file.

  Args:
    f: the file, open for reading bytes; gzip-compressed or plain.
    one_hot: whether each label becomes a row of `num_classes` numbers.
    num_classes: how many classes there are; labels are 0 to `num_classes - 1`.

  Returns:
    A uint8 array [number of labels], or with `one_hot` float32 [number of labels, num_classes].

  Raises:
    ValueError: the file is damaged, is not one of labels (magic number 2049), or `one_hot` is set
      and a label is not below `num_classes`.
  """
  print('Extracting', f.name)
  labels = _read_idx(f, LABELS_MAGIC)
  return dense_to_one_hot(labels, num_classes) if one_hot else labels


def dense_to_one_hot(labels_dense, num_classes):
  """Turns labels into rows that are 1 at the label's place and 0 elsewhere.

  Args:
    labels_dense: whole numbers from 0 to `num_classes - 1`, shape [n].
    num_classes: the length of a row.

  Returns:
    A float32 array [n, num_classes].

  Raises:
    ValueError: a label is outside that range.
  """
  labels_dense = np.asarray(labels_dense)
  wrong = np.flatnonzero((labels_dense < 0) | (labels_dense >= num_classes))
  if wrong.size:
    raise ValueError(
      f'Labels should be between 0 and {num_classes - 1}. '
      f'Label number {wrong[0]} is {labels_dense[wrong[0]]}.'
    )
  one_hot = np.zeros((len(labels_dense), num_classes), np.float32)
  one_hot[np.arange(len(labels_dense)), labels_dense] = 1
  return one_hot


def _to_float(pixels):
  """Scales pixels of 0 to 255 to float32 numbers of 0 to 1."""
  return np.multiply(pixels, np.float32(1 / 255), dtype=np.float32)


class DataSet:
  """Images and their labels, handed out in batches."""

  def __init__(
    self,
    images,
    labels,
    fake_data=False,
    one_hot=False,
    dtype=np.float32,
    reshape=True,
    seed=None,
  ):
    """Makes a data set of `images` and `labels`, which stay in the order they have.

    Args:
      images: array [n, rows, columns, 1] with pixels of 0 to 255.
      labels: array of n labels, or [n, number of classes].
      fake_data: whether to ignore both and serve 10,000 made-up examples, for trying out a graph.
      one_hot: whether the labels of made-up examples are one-hot.
      dtype: uint8 to leave pixels as they are, float32 to scale them to 0 to 1; a NumPy dtype or
        a TensorFlow one.
      reshape: whether to flatten the images to [n, rows * columns].
      seed: the order of shuffling is that of `numpy.random.RandomState(seed)`.

    Raises:
      TypeError: `dtype` is neither uint8 nor float32.
      ValueError: there are not as many labels as images.
    """
    numpy_dtype = getattr(dtype, 'as_numpy_dtype', dtype)
    if numpy_dtype is None or np.dtype(numpy_dtype) not in (np.uint8, np.float32):
      raise TypeError(f'Invalid image dtype {dtype!r}, expected uint8 or float32')
    if fake_data:
      self._num_examples = 10000
    else:
      images, labels = np.asarray(images), np.asarray(labels)
      if len(images) != len(labels):
        raise ValueError(f'There are {len(images)} images and {len(labels)} labels.')
      self._num_examples = len(images)
      if reshape:
        images = images.reshape(len(images), math.prod(images.shape[1:]))
    self._images = images
    self._labels = labels
    self._fake_data = fake_data
    self._one_hot = one_hot
    # The pixels stay bytes until somebody asks for all of them: a quarter of the memory, and
    # quicker to gather batches from.
    self._unscaled = not fake_data and np.dtype(numpy_dtype) == np.float32
    self._random = np.random.RandomState(seed)
    self._order = np.arange(self._num_examples)
    self._index_in_epoch = 0
    self._epochs_completed = 0

  @property
  def images(self):
    """All images, in the order of the file: [n, rows * columns] or [n, rows, columns, 1]."""
    if self._unscaled:
      self._images, self._unscaled = _to_float(self._images), False
    return self._images

  @property
  def labels(self):
    """All labels, in the order of the file: uint8 [n] or float32 [n, number of classes]."""
    return self._labels

  @property
  def num_examples(self):
    """How many images there are."""
    return self._num_examples

  @property
  def epochs_completed(self):
    """How many times the batches have gone through all examples."""
    return self._epochs_completed

  def next_batch(self, batch_size, fake_data=False, shuffle=True):
    """Returns the next `batch_size` examples; a batch that reaches the end goes on from the start.

    Args:
      batch_size: how many examples, at least 1; more than there are span several epochs.
      fake_data: whether to return made-up examples instead, as lists.
      shuffle: whether each epoch has a new random order.

    Returns:
      A pair of images and labels, copies both.

    Raises:
      ValueError: `batch_size` is not a whole number of at least 1, or the data set is empty.
    """
    if (
      not isinstance(batch_size, numbers.Integral)
      or isinstance(batch_size, bool)
      or batch_size < 1
    ):
      raise ValueError(f'Batch size should be a whole number of at least 1. Got: {batch_size!r}.')
    if fake_data or self._fake_data:
      fake_label = [1] + [0] * 9 if self._one_hot else 0
      return [[1] * 784 for _ in range(batch_size)], [fake_label for _ in range(batch_size)]
    if not self._num_examples:
      raise ValueError('There is no batch to take: this data set is empty.')
    rows = np.empty(batch_size, np.intp)
    filled = 0
    if shuffle and self._epochs_completed == 0 and self._index_in_epoch == 0:
      self._shuffle()
    while filled < batch_size:
      if self._index_in_epoch == self._num_examples:
        self._epochs_completed += 1
        self._index_in_epoch = 0
        if shuffle:
          self._shuffle()
      part = self._order[self._index_in_epoch : self._index_in_epoch + batch_size - filled]
      rows[filled : filled + len(part)] = part
      filled += len(part)
      self._index_in_epoch += len(part)
    # take gathers whole rows, in about half the time of indexing.
    images, labels = self._images.take(rows, axis=0), self._labels.take(rows, axis=0)
    return _to_float(images) if self._unscaled else images, labels

  def _shuffle(self):
    """Permutes the current order, as the original did, so that the same seed gives its batches."""
    permutation = np.arange(self._num_examples)
    self._random.shuffle(permutation)
    self._order = self._order[permutation]


def _read_pair(images_name, labels_name, train_dir, one_hot, source_url):
  """Returns the images and the labels in two files of `train_dir`, which must be as many."""
  images_path = maybe_download(images_name, train_dir, source_url)
  labels_path = maybe_download(labels_name, train_dir, source_url)
  with open(images_path, 'rb') as images_file, open(labels_path, 'rb') as labels_file:
    counts = []
    for f, magic in ((images_file, IMAGES_MAGIC), (labels_file, LABELS_MAGIC)):
      try:
        counts.append(next(_idx_parts(f, magic))[0])
      except ValueError as error:
        raise _damaged(f, error) from error
      f.seek(0)
    if counts[0] != counts[1]:
      raise ValueError(
        f'{images_path} holds {counts[0]} images and {labels_path} holds {counts[1]} labels, so '
        'they are not of one data set. Delete the wrong one, and the next run downloads it again.'
      )
    return extract_images(images_file), extract_labels(labels_file, one_hot)


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
    one_hot: whether each label becomes ten numbers, nine of them 0.
    dtype: float32 for pixels of 0 to 1, uint8 for 0 to 255; a NumPy dtype or a TensorFlow one.
    reshape: whether images are flattened, [n, 784] instead of [n, 28, 28, 1].
    validation_size: how many of the first training examples become the validation set.
    seed: fixes the order of shuffling.
    source_url: the address of a folder (http, https or file) that has the four files, or a list
      of such addresses, instead of the mirrors of MNIST.

  Returns:
    A named tuple `Datasets` of three `DataSet`s: train, validation and test.

  Raises:
    TypeError: `dtype` is neither uint8 nor float32.
    ValueError: a file is damaged, there are not as many labels as images, `train_dir` is an
      address, or `validation_size` is out of range.
    OSError: a file can be neither found nor downloaded, or not be written or read.
  """
  if fake_data:
    fake = [DataSet([], [], True, one_hot, dtype, seed=seed) for _ in Datasets._fields]
    return Datasets(*fake)
  train_images, train_labels = _read_pair(
    TRAIN_IMAGES, TRAIN_LABELS, train_dir, one_hot, source_url
  )
  test_images, test_labels = _read_pair(TEST_IMAGES, TEST_LABELS, train_dir, one_hot, source_url)
  if not 0 <= validation_size <= len(train_images):
    raise ValueError(
      f'Validation size should be between 0 and {len(train_images)}. Received: {validation_size}.'
    )
  options = {'one_hot': one_hot, 'dtype': dtype, 'reshape': reshape, 'seed': seed}
  return Datasets(
    DataSet(train_images[validation_size:], train_labels[validation_size:], **options),
    DataSet(train_images[:validation_size], train_labels[:validation_size], **options),
    DataSet(test_images, test_labels, **options),
  )


def extract_digit(pixels):
  """Makes one of MNIST's images of a picture of a digit, dark on light or light on dark.

  Args:
    pixels: uint8 [rows, columns] or [rows, columns, channels], grey or RGB, maybe with alpha.

  Returns:
    float32 [784]: 28x28 pixels from 0 for paper to 1 for ink. The digit fits into 20x20 of them,
    with its centre of mass in the middle, as http://yann.lecun.com/exdb/mnist/ describes.

  Raises:
    ValueError: the picture is blank, holds several digits side by side, or is no such array.
  """
  pixels = np.asarray(pixels)
  if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or not 0 < pixels[:1, :1].size < 5:
    raise ValueError(f'pass uint8 [rows, columns, channels], not {pixels.dtype} {pixels.shape}')
  # Averaged down to 160x160, strip by strip to save memory, a picture still shows its digit.
  step = math.ceil(max(pixels.shape[:2]) / 160)
  small = pixels.reshape(*pixels.shape[:2], -1)
  for _ in range(2):
    strips = (np.ascontiguousarray(small[i : i + step]) for i in range(0, len(small), step))
    small = np.stack([np.mean(strip, 0, np.float32) for strip in strips]).swapaxes(0, 1)
  grey = small[..., :3] @ [0.299, 0.587, 0.114] if small.shape[2] > 2 else small[..., 0]
  alpha = small[..., -1] / 255  # Through it shows more of the rest; or if that is ink, paper.
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
  # Light that falls off looks like a surface of second degree; noise is less in 3x3 pixels.
  rows, columns = np.indices(grey.shape).reshape(2, -1) / side
  terms = np.polynomial.polynomial.polyvander2d(rows, columns, [2, 2])
  light = terms @ np.linalg.lstsq(terms.T @ terms, terms.T @ grey.ravel(), rcond=None)[0]
  darker = np.minimum(ink, (light.reshape(grey.shape) - grey) / paper)
  noise = np.quantile(np.abs(grey - _slide(np.mean, grey, 3)) / paper, 0.25) / 0.3
  if np.max(_slide(np.mean, darker, 3)) < np.clip(3 * noise, 0.1, 0.4):
    raise ValueError('blank')
  # Connected parts get the number of one of their pixels: the greatest spreads, and in leaps.
  mask = ink > 0.4 * np.max(ink)  # The lines of the paper are fainter.
  labels, before = mask * np.arange(1, mask.size + 1).reshape(mask.shape), None
  while not np.array_equal(labels, before):
    before, labels = labels, mask * _slide(np.max, labels, 3)
    labels = mask * labels.ravel()[labels - 1]
  # Specks are small parts; what lies along an edge is a desk, and counts if there is little else.
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
  if step > 1 and size < 40:  # Small in a large picture, it is looked at from nearer.
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
