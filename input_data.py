"""Downloads, reads and batches the MNIST data set of handwritten digits.

Does what the module of TensorFlow 1's tutorials did, and needs only NumPy:

  mnist = input_data.read_data_sets('MNIST_data', one_hot=True)
  images, labels = mnist.train.next_batch(100)

The archives are in the IDX format, described at http://yann.lecun.com/exdb/mnist/.
"""

import collections
import hashlib
import http.client
import json
import math
import os
import pathlib
import re
import sys
import tempfile
import threading
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
STALL_SECONDS = 30  # After this long without a byte, the next address is tried.

# The digests of the archives as first published; the mirrors have the same files.
SHA256 = {
  'train-images-idx3-ubyte.gz': '440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609',
  'train-labels-idx1-ubyte.gz': '3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c',
  't10k-images-idx3-ubyte.gz': '8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6',
  't10k-labels-idx1-ubyte.gz': 'f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6',
}
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = SHA256

Datasets = collections.namedtuple('Datasets', ['train', 'validation', 'test'])


def maybe_download(filename, work_directory, source_url=None):
  """Returns the path of `filename` in `work_directory`, downloading it if it is not there.

  Existing files, gzipped or unpacked (without '.gz'), are never overwritten. The folder and
  `source_url` are as in `read_data_sets`. An `OSError` gives the reason for each address.
  """
  if source_url in (None, '', DEFAULT_SOURCE_URL):
    source_url = MIRRORS
  folder = os.path.expanduser(work_directory)
  beside = os.path.join(os.path.dirname(os.path.abspath(__file__)), folder)
  if source_url == MIRRORS and not os.path.exists(folder):  # Other addresses have other data.
    folder = beside if any(pathlib.Path(beside).glob('*-ubyte*')) else folder
  path = os.path.join(folder, filename)
  for existing in (path, path.removesuffix('.gz')):
    if os.path.isfile(existing):
      return existing
  failures = ''
  for address in [source_url] if isinstance(source_url, str) else source_url:
    url = f'{address.rstrip("/")}/{filename}'
    try:
      content = _download(url, filename)
    except (OSError, ValueError) as error:
      without_password = re.sub(r'^(\w+://)?.*@', r'\1***@', url)
      failures += f'\n  {without_password}: {error}'
      continue
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory(suffix='.part', dir=folder) as partial:
      # The file appears under its own name only once it is complete.
      with open(os.path.join(partial, filename), 'wb') as f:
        f.write(content)
      os.replace(f.name, path)
    print('Successfully downloaded', filename, len(content), 'bytes.')
    return path
  raise OSError(
    f'{filename} could not be downloaded.{failures}\nREADME.md says what to do, under "The data". '
    f'Or put {", ".join(SHA256)} into {os.path.abspath(folder)} yourself.'
  )


def _download(url, filename):
  """Returns the bytes at `url`. An `OSError` or `ValueError` says why they are not the file."""
  try:
    with urllib.request.urlopen(url, timeout=STALL_SECONDS) as response:
      content = response.read()
  # A server may send anything, so only messages that do not quote it are shown.
  except urllib.error.HTTPError as error:
    raise OSError(f'HTTP Error {error.code}') from error
  except (ValueError, http.client.HTTPException) as error:
    raise OSError(f'no valid address or answer ({type(error).__name__})') from error
  if url.startswith(MIRRORS) and hashlib.sha256(content).hexdigest() != SHA256.get(filename):
    raise ValueError(f'the {len(content)} bytes that came do not have the published SHA-256')
  if filename in SHA256:
    _parse_idx(content, filename, num_dims=3 if 'images' in filename else 1)
  return content


def _parse_idx(content, name, num_dims):
  """Returns the uint8 array in `content`, the bytes of the IDX file `name`, gzipped or not."""
  try:
    if content[:1] != b'\0':  # Every IDX file begins with a zero byte, and no gzip file does.
      content = zlib.decompress(content, wbits=31)  # 31 stands for gzip, with its checksum.
    magic = int.from_bytes(content[:4], 'big')
    if magic != 2048 + num_dims:  # 2048 stands for unsigned bytes.
      raise ValueError(f'its magic number is {magic} instead of {2048 + num_dims}')
    dims = np.frombuffer(content, '>u4', num_dims, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * num_dims).reshape(dims)
  except (zlib.error, ValueError) as error:
    raise ValueError(f'{name} is damaged: {error}') from error


def _read_idx(f, num_dims):
  """Returns the uint8 array in the IDX file `f`, a name or an open file."""
  is_name = isinstance(f, (str, os.PathLike))
  name = f if is_name else f.name
  print('Extracting', name)
  return _parse_idx(pathlib.Path(f).read_bytes() if is_name else f.read(), name, num_dims)


def extract_images(f):
  """Returns the images in IDX file `f`: uint8 [n, rows, columns, 1], 0 for paper, 255 for ink.

  `f` is a file's name or an open file, gzipped or not. A `ValueError` says how it is damaged.
  """
  return _read_idx(f, num_dims=3)[..., np.newaxis]


def extract_labels(f, one_hot=False, num_classes=10):
  """Returns the labels in IDX file `f`: uint8 [n], or with `one_hot` float32 [n, num_classes]."""
  labels = _read_idx(f, num_dims=1)
  return dense_to_one_hot(labels, num_classes) if one_hot else labels


def dense_to_one_hot(labels_dense, num_classes=10):
  """Returns float32 [n, num_classes], 1 at the index of each label [n] or [n, 1], 0 elsewhere."""
  labels = np.ravel(labels_dense)
  wrong = labels[(labels < 0) | (labels >= num_classes)]
  if wrong.size:
    raise ValueError(f'Labels should be between 0 and {num_classes - 1}. Received: {wrong[0]}.')
  return np.eye(num_classes, dtype=np.float32)[labels]


def _to_float(pixels):
  """Turns pixels from 0 to 255 into float32 numbers from 0 to 1."""
  return np.multiply(pixels, np.float32(1 / 255), dtype=np.float32)


_lock = threading.RLock()  # One for all data sets: a lock inside each could not be pickled.
if hasattr(os, 'register_at_fork'):  # A child would wait forever for a lock that a thread held.
  release = _lock.release
  os.register_at_fork(before=_lock.acquire, after_in_parent=release, after_in_child=release)


class DataSet:
  """Images and their labels, served in batches. Several threads may share it.

  Old scripts assign its private attributes, so these mean what they meant in TensorFlow 1.
  """

  def __init__(
    self, images, labels, fake_data=False, one_hot=False, dtype=np.float32, reshape=True, seed=None
  ):
    """Takes images [n, rows, columns, 1] of 0 to 255, and labels; options as `read_data_sets`."""
    # As in TensorFlow, float means float32.
    numpy_dtype = np.float32 if dtype is float else getattr(dtype, 'as_numpy_dtype', dtype)
    if np.dtype(numpy_dtype) not in (np.uint8, np.float32):
      raise TypeError(f'Invalid image dtype {dtype!r}, expected uint8 or float32')
    if not fake_data:
      images, labels = np.asarray(images), np.asarray(labels)
      if len(images) != len(labels):
        raise ValueError(f'There are {len(images)} images and {len(labels)} labels.')
      if reshape:
        images = images.reshape(len(images), math.prod(images.shape[1:]))
    self._num_examples = 10000 if fake_data else len(images)
    # The pixels stay bytes, a quarter of the memory, until somebody asks for all images.
    self._stored_images = images
    self._is_unscaled = not fake_data and np.dtype(numpy_dtype) == np.float32
    self._labels = labels
    self._fake_data = fake_data
    self.one_hot = one_hot
    self._random = None if seed is None else np.random.RandomState(seed)
    self._order = np.arange(self._num_examples)
    self._index_in_epoch = 0
    self._epochs_completed = 0

  @property
  def _images(self):
    with _lock:
      if self._is_unscaled:
        self._stored_images, self._is_unscaled = _to_float(self._stored_images), False
      return self._stored_images

  @_images.setter
  def _images(self, images):
    with _lock:
      self._stored_images, self._is_unscaled = images, False

  images = property(lambda self: self._images, doc='All images, in the order of the file.')
  labels = property(lambda self: self._labels, doc='All labels, in the order of the file.')
  num_examples = property(lambda self: self._num_examples, doc='The number of examples.')
  epochs_completed = property(lambda self: self._epochs_completed, doc='Passes over all examples.')

  def next_batch(self, batch_size, fake_data=False, shuffle=True):
    """Returns copies of the next `batch_size` images and labels, as two arrays.

    After the last example, the batch goes on with the next epoch; with `shuffle`, each epoch has
    a new random order. As in TensorFlow 1, a negative `batch_size` goes back by as many and
    returns empty arrays. With `fake_data`, made-up examples are returned, as lists.
    """
    if fake_data or self._fake_data:
      fake_label = [1] + [0] * 9 if self.one_hot else 0
      return [[1] * 784 for _ in range(batch_size)], [fake_label for _ in range(batch_size)]
    with _lock:
      # A script may have assigned more or fewer examples than there were, or another index.
      n = min(self._num_examples, len(self._stored_images), len(self._labels))
      if len(self._order) != n:
        self._order = np.arange(n)
      start = self._index_in_epoch
      if batch_size > 0 and not 0 <= start <= n:
        start = n
      if shuffle and self._epochs_completed == 0 and start == 0:
        self._shuffle()
      end = start + batch_size
      rows = self._order[start:end]
      while end > n:
        self._epochs_completed += 1
        if shuffle:
          self._shuffle()
        if n == 0:
          break
        end -= n
        rows = np.concatenate([rows, self._order[:end]])
      self._index_in_epoch = end
      # np.take gathers whole rows, in about half the time of indexing.
      images, labels = np.take(self._stored_images, rows, 0), np.take(self._labels, rows, 0)
      return _to_float(images) if self._is_unscaled else images, labels

  def _shuffle(self):
    """Permutes the order as the original did, so that the same seed gives the same batches."""
    permutation = np.arange(len(self._order))
    (self._random or np.random).shuffle(permutation)
    self._order = self._order[permutation]


def read_data_sets(
  train_dir='MNIST_data',
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
    train_dir: the folder of the archives; without a `source_url`, also sought beside this module.
    fake_data: whether to read nothing and serve 10,000 made-up examples.
    one_hot: whether each label becomes ten numbers: 1 at its index, 0 elsewhere.
    dtype: float32 for pixels of 0 to 1, uint8 for 0 to 255; a NumPy dtype or a TensorFlow one.
    reshape: whether images are flattened: [n, 784] instead of [n, 28, 28, 1].
    validation_size: how many of the first training examples become the validation set.
    seed: for shuffling by `numpy.random.RandomState(seed)`, or None for `numpy.random` itself.
    source_url: the address of a folder (http, https or file) that has the four files, or several
      such addresses, tried in order; None or '' for the mirrors of MNIST.

  Returns a named tuple of three `DataSet`s: train, validation and test. Raises `OSError` if a file
  cannot be downloaded, written or read, and `ValueError` if it is damaged.
  """
  if fake_data:
    return Datasets(*[DataSet([], [], True, one_hot, dtype, seed=seed) for _ in range(3)])
  if source_url and not isinstance(source_url, str):
    source_url = tuple(source_url)  # The first file would use up an iterator.
  train_images = extract_images(maybe_download(TRAIN_IMAGES, train_dir, source_url))
  train_labels = extract_labels(maybe_download(TRAIN_LABELS, train_dir, source_url), one_hot)
  test_images = extract_images(maybe_download(TEST_IMAGES, train_dir, source_url))
  test_labels = extract_labels(maybe_download(TEST_LABELS, train_dir, source_url), one_hot)
  n = len(train_images)
  if not 0 <= validation_size <= n:
    raise ValueError(f'Validation size should be between 0 and {n}. Received: {validation_size}.')
  options = {'one_hot': one_hot, 'dtype': dtype, 'reshape': reshape, 'seed': seed}
  train = DataSet(train_images[validation_size:], train_labels[validation_size:], **options)
  validation = DataSet(train_images[:validation_size], train_labels[:validation_size], **options)
  return Datasets(train, validation, DataSet(test_images, test_labels, **options))


def extract_digit(pixels):
  """Turns a picture of a digit, dark on light or light on dark, into an image like MNIST's.

  `pixels` is uint8 [rows, columns] or [rows, columns, channels], grey or RGB, maybe with alpha.
  Returns float32 [784]: 28x28 pixels from 0 for paper to 1 for ink. The digit fits into 20x20 of
  them, its centre of mass in the middle, as http://yann.lecun.com/exdb/mnist/ describes. A
  `ValueError` says that the picture is blank, holds several digits, or is not such an array.
  """
  pixels = np.asarray(pixels)
  is_picture = pixels.ndim == 2 or pixels.ndim == 3 and pixels.shape[2] <= 4
  if not is_picture or pixels.size == 0 or pixels.dtype != np.uint8:
    raise ValueError(f'pass uint8 [rows, columns, channels], not {pixels.dtype} {pixels.shape}')
  step = math.ceil(max(pixels.shape) / 160)  # 160x160 pixels still show the digit.
  grey = _to_grey(pixels, step)
  found = []
  for picture, white in ((grey, 1), (255 - grey, 255)):  # Dark ink, then light ink.
    ink = _remove_light(picture, white)
    soft = _slide(np.mean, ink, 1)  # Less noise, and the pixels of a thin line are connected.
    if not _is_blank(ink, soft):
      digit = _choose_parts(ink, soft)
      found.append((_skewness(picture, digit), ink, digit))
  if not found:
    raise ValueError('blank')
  _, ink, digit = min(found, key=lambda item: item[0])  # There is less ink than paper around it.
  if _are_side_by_side(digit):
    raise ValueError('several digits side by side')
  size = max(map(np.ptp, np.nonzero(digit))) + 1
  if step > 1 and size < 40:  # Small in a large picture: again with the part around it.
    top, left = (max(min(at) - size // 2, 0) * step for at in np.nonzero(digit))
    return extract_digit(pixels[top : top + 2 * size * step, left : left + 2 * size * step])
  return _scale_and_centre(ink * _slide(np.max, digit, round(len(ink) / 128) + 1))  # Soft edges.


def _to_grey(pixels, step):
  """Averages step x step pixels and their colours, weighted as in ITU-R BT.601."""
  small = pixels.reshape(*pixels.shape[:2], -1)
  for _ in range(2):  # The rows, then the columns; in strips, as floats take more memory.
    strips = (np.ascontiguousarray(small[i : i + step]) for i in range(0, len(small), step))
    small = np.stack([np.mean(strip, 0, np.float32) for strip in strips]).swapaxes(0, 1)
  channels = small.shape[2]
  grey = small[..., :3] @ np.float32([0.299, 0.587, 0.114]) if channels > 2 else small[..., 0]
  alpha = small[..., -1] / 255 if channels in (2, 4) else np.ones_like(grey)
  # Transparent pixels become white, or black if the others are light.
  return alpha * grey + (1 - alpha) * 255 * (np.sum(alpha * grey) < 128 * np.sum(alpha))


def _extend(picture, margin):
  """Continues a picture beyond its border with the table or shadow there, but without the ink."""
  picture = picture.copy()
  for line in (picture[0], picture[-1], picture[:, 0], picture[:, -1]):
    # Tables and shadows reach a corner. What is dark between two lighter places is ink.
    from_end = np.maximum.accumulate(line[::-1])[::-1]
    line[:] = np.minimum(np.maximum.accumulate(line), from_end)
  return np.pad(picture, margin, mode='edge')


def _remove_light(picture, white):
  """Returns how much darker each pixel is than the paper, the picture's morphological closing."""
  n = max(picture.shape) // 5 + 1  # What is dark and narrower than 2/5 of the picture is filled.
  paper = _slide(np.min, _slide(np.max, _extend(picture, n), n), n)[n:-n, n:-n]
  return (paper - picture) / np.maximum(paper, white)


def _is_blank(ink, soft):
  """Tells whether nothing stands out from both the noise and the light around it."""
  noise = np.quantile(np.abs(ink - soft), 0.25) / 0.3  # Mostly of the paper.
  around = _slide(np.mean, ink, max(ink.shape) // 4)
  return np.max(soft - around) < np.clip(4 * noise, 0.12, 0.4)


def _choose_parts(ink, soft):
  """Returns which pixels belong to the digit: its connected parts, without specks."""
  mask = (ink > 0.4 * np.max(ink)) | (soft > 0.4 * np.max(soft))  # Ruled lines are fainter.
  labels, before = mask * np.arange(1, mask.size + 1).reshape(mask.shape), None
  while not np.array_equal(labels, before):  # The largest number spreads, in leaps for speed.
    before, labels = labels, mask * _slide(np.max, labels, 1)
    labels = mask * labels.ravel()[labels - 1]
  mass = np.bincount(labels.ravel(), (mask * ink).ravel())
  return (mass > np.max(mass) / 8)[labels]


def _skewness(picture, digit):
  """Returns the skewness of the pixels around the digit: below 0 if the darker ones are rarer."""
  margin = int(0.4 * max(map(np.ptp, np.nonzero(digit))))
  around = _extend(picture, margin)[_slide(np.max, np.pad(digit, margin), margin)]
  return np.mean((around - np.mean(around)) ** 3) / max(np.std(around) ** 3, 1e-9)


def _are_side_by_side(digit):
  """Tells whether there are parts of half the height on both sides of a gap."""
  rows, columns = np.nonzero(digit)
  inked = np.unique(columns)
  gaps = np.diff(inked, append=inked[-1])
  is_left = columns <= inked[np.argmax(gaps)]
  return max(gaps) > 1 and min(np.ptp(rows[is_left]), np.ptp(rows[~is_left])) > np.ptp(rows) / 2


def _scale_and_centre(ink):
  """Fits the ink into 20x20 pixels and moves its centre of mass to the middle of 28x28."""
  ink = ink / np.max(ink)
  rows, columns = np.nonzero(ink > 0.2)
  scale = 20 / (max(np.ptp(rows), np.ptp(columns)) + 1)
  if scale < 1:  # NIST's digits were black and white before they were made smaller.
    ink = np.clip(1.5 * ink - 0.4, 0, 1)
  for _ in range(2):  # The rows, then the columns.
    at = np.arange(len(ink)) + 0.5
    centre = np.floor(scale * np.average(at, weights=np.sum(ink, 1))) + 0.5
    away = np.abs((np.arange(28)[:, np.newaxis] - 14 + centre) / scale - at)
    ink = (np.maximum(1 - away * min(scale, 1), 0) @ ink).T
  return np.float32(ink / np.max(ink)).ravel()


def _slide(function, image, n):
  """Applies `function`, such as np.max, to each pixel and those up to `n` rows or columns away."""
  for _ in range(2):
    padded = np.pad(image, ((n, n), (0, 0)), mode='edge')
    image = function(np.lib.stride_tricks.sliding_window_view(padded, 2 * n + 1, 0), -1).T
  return image


def upright(pixels, content):
  """Turns the pixels of a JPEG file, whose bytes are `content`, as EXIF (CIPA DC-008) says."""
  # The orientation: tag 274, type 3 (short), one value, and the value, in either byte order.
  big, little = rb'\x01\x12 \x00\x03 \x00\x00\x00\x01 \x00', rb'\x12\x01 \x03\x00 \x01\x00\x00\x00'
  entry = rb'\xff\xd8 .*? Exif\x00\x00 .{,999}? (?: %b | %b ) ([\x02-\x08])' % (big, little)
  found = re.match(entry, content[: 1 << 16], re.DOTALL | re.VERBOSE)
  orientation = found[1][0] if found else 1
  pixels = pixels.swapaxes(0, 1) if orientation >= 5 else pixels
  pixels = pixels[::-1] if orientation in (3, 4, 7, 8) else pixels
  return pixels[:, ::-1] if orientation in (2, 3, 6, 7) else pixels


def turned(image):
  """Returns [5, 784]: an image [784], not slanted, turned by -24, -12, 0, 12 and 24 degrees.

  The mean of a net's answers to them is right more often, and less sure where it is wrong. The
  slant is taken out by second moments, as in LeCun et al., 1998; the digits become 5 % smaller.
  """
  rows, columns = np.indices((28, 28)).reshape(2, 784) - 13.5
  slant = image @ (rows * columns) / (image @ rows**2)
  turns = np.exp(1j * np.radians([[-24], [-12], [0], [12], [24]])) / 0.95  # Complex rotation.
  at = (rows + 1j * columns) * turns
  away = np.stack([at.real, at.imag + slant * at.real])[..., np.newaxis] + 13.5 - np.arange(28)
  near_rows, near_columns = np.maximum(1 - np.abs(away), 0)  # Bilinear interpolation.
  return np.sum(near_rows @ image.reshape(28, 28) * near_columns, axis=2)


def _convert(code, table, place):
  """Returns Python code with the replacements of `table` made, and prints a line about each."""
  # Comments and strings become characters that no pattern matches; data folders are replaced.
  hidden = {i: 0x10F000 + i for i in range(32, 127)}
  folder = r'(?<=data_sets\(|train_dir=)["\'](?!MNIST_data|[^)]*(?:ashion|emnist|_url))[^"\']*.'
  folder = rf'{folder}|["\'](?:/tmp/[\w/]*|\./MNIST_)data/?["\']|(?<=dataset\()["\']mnist.'
  literal = re.compile(rf'(?<=#)[^\n]+|({folder})|("""|\'\'\'|"|\')(?:\\.|.)*?\2', re.DOTALL)
  new = literal.sub(lambda m: "'MNIST_data'" if m[1] else m[0].translate(hidden), code)
  for old, replacement in table:
    new = re.sub(rf'(?<!\w){old}(?!\w)'.replace('.', r'\.'), replacement, new, flags=re.ASCII)
  shown = {there: here for here, there in hidden.items()}
  for i, (was, line) in enumerate(zip(code.split('\n'), new.split('\n'), strict=True), 1):
    if was != line.translate(shown):
      print(f'{place}line {i}: {was.strip()}  ->  {line.translate(shown).strip()}')
    for name in re.findall(r'\bt\w+\.(?:contrib|estimator|layers)[\w.]*|\w+Cell\b', line):
      print(f'{place}line {i}: {name} stays: use tf.nn; tf.layers and cells need tf_keras')
  return new.translate(shown)


if __name__ == '__main__':
  # A regular expression for whole names -> its replacement. A dot is a dot, ARG an argument.
  rows = r"""
from tensorflow[\w.]*mnist import +(mnist, )?input_data(, mnist)? -> import input_data
from tensorflow.(ex|con)[\w.]* import (mnist|learn)(?! as|,) -> import input_data as \2
[\w.]*learn.datasets[\w.]*load_(mnist|dataset(?=\('M)) -> __import__('input_data').read_data_sets
tensorflow.(examples|contrib|compat)[\w.]*mnist(.input_data)?(?! import mnist) -> input_data
(import [^#;\n]*tensorflow) as (\w+)([\w., ]*\w)? -> \1.compat.v1 as \2\3; \2.disable_v2_behavior()
from tensorflow.contrib import rnn -> from tensorflow.compat.v1.nn import rnn_cell as rnn
(tf.contrib.)?rnn.static_rnn -> tf.nn.static_rnn   tf.train.SummaryWriter -> tf.summary.FileWriter
tf.contrib.rnn -> tf.nn.rnn_cell   np.(int|float|bool) -> \1   tostring(?=\(\)) -> tobytes
tf.contrib.layers.l2_regularizer -> (lambda scale: lambda w: scale * tf.nn.l2_loss(w))
tf.contrib.layers.xavier_initializer(_conv2d)? -> tf.glorot_uniform_initializer
tf.mul -> tf.multiply   tf.sub -> tf.subtract   tf.neg -> tf.negative   tf.inv -> tf.reciprocal
tf.(un)?pack -> tf.\1stack   tf.select -> tf.where   tf.batch_matmul -> tf.matmul   xrange -> range
tf.(scalar|histogram|image|merge(_all)?)_summar(y|ies) -> tf.summary.\1   mnist.input_data -> mnist
tf.concat\((-?\d)(,\s*)ARG -> tf.concat(\3\2\1   tf.split\((\d), *ARG, *ARG -> tf.split(\3, \2, \1
(\w*(max|oid)_cross_entropy_with_logits\(\s*)ARG(,\s*)ARG -> \1logits=\3\4labels=\5
print\b *(?![\s(=>]|if |for )(ARG(,ARG)*,?)(?=\s*([;#\n]|\Z)) -> print(\1)
"""
  call = r'\((?:[^()]|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))*\)'
  arg = rf'((?:[^][(),=;#\\\r\n]|\\\r?\n|{call}|\[(?:[^][]|\[[^][]*\])*\])+(?<! ))'
  table = [row.split(' -> ') for row in re.split('\n|   ', rows.strip().replace('ARG', arg))]
  sys.stdout.reconfigure(errors='backslashreplace')
  try:
    _, old_name, new_name = sys.argv
    text = pathlib.Path(old_name).read_bytes().decode('utf-8', 'surrogateescape')
    if '\0' in text:
      raise ValueError(f'{old_name} is not text')
    if old_name.endswith('.ipynb'):
      notebook = json.loads(text)
      for i, cell in enumerate(notebook['cells'], 1):
        if cell['cell_type'] == 'code':
          cell['source'] = _convert(''.join(cell['source']), table, f'cell {i}, ').splitlines(True)
      text = json.dumps(notebook, indent=1, ensure_ascii=text.isascii()) + '\n'
    else:
      text = _convert(text, table, '')
    with open(new_name, 'xb') as f:
      f.write(text.encode('utf-8', 'surrogateescape'))
  except (OSError, ValueError, KeyError) as error:
    sys.exit(f'Usage: python input_data.py old.py new.py ({error})')
