"""Downloads, reads and batches MNIST, as the module of TensorFlow 1's tutorials did."""

import ast
import builtins
import collections
import contextlib
import functools
import gzip
import hashlib
import http.client
import importlib.machinery
import io
import math
import operator
import os
import pathlib
import pkgutil
import re
import sys
import tempfile
import tokenize
import traceback
import types
import urllib.request
import warnings
import zlib
from functools import partial

import numpy as np

# ---- The data set -----------------------------------------------------------------------------

MIRRORS = (  # Tried in order for each file.
  'https://storage.googleapis.com/cvdf-datasets/mnist/',
  'https://ossci-datasets.s3.amazonaws.com/mnist/',
)
DEFAULT_SOURCE_URL = MIRRORS[0]
MNIST_URLS = (*MIRRORS, 'https://yann.lecun.com/exdb/mnist/')  # Each of these means all mirrors.
STALL_SECONDS = 30  # After this long without a byte, the next address is tried.
# The digests of the archives as first published; the mirrors have the same files.
SHA256 = {
  'train-images-idx3-ubyte.gz': '440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609',
  'train-labels-idx1-ubyte.gz': '3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c',
  't10k-images-idx3-ubyte.gz': '8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6',
  't10k-labels-idx1-ubyte.gz': 'f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6',
}
# The CRC-32 of the first 4096 bytes of each, gzipped and unpacked.
CRC32 = 'b1c29e56 a8e40fdc 681c473a 4f349a0f 9f4e7e4f bb57d16e 105d654d 68de2ec5'
IDX_TYPES = {8: 'u1', 9: 'i1', 11: '>i2', 12: '>i4', 13: '>f4', 14: '>f8'}
_default_graph = None  # A function, once there is TensorFlow 1: its seed is for NumPy, too.
Datasets = collections.namedtuple('Datasets', ['train', 'validation', 'test'])


def maybe_download(filename, work_directory, source_url=None):
  """Returns the path of `filename`, downloading it into `work_directory` if it is not there.

  An existing file is never overwritten. It may be unpacked, have a dot (`train-images.idx3-ubyte`)
  or be in a folder of its name. The folder and `source_url` are as in `read_data_sets`.
  """
  urls = [source_url] if isinstance(source_url, str) else source_url or []
  # Old scripts also gave the address of the file itself.
  urls = [url.removesuffix(filename).rstrip('/') + '/' for url in urls if url]
  is_mnist = {url.replace('http:', 'https:') for url in urls} <= {*MNIST_URLS}
  folder = os.path.expanduser(work_directory)
  with contextlib.suppress(OSError):  # Old scripts expect it, also if nothing is downloaded.
    os.makedirs(folder, exist_ok=True)
  if is_mnist and not os.path.isfile(folder):  # Other addresses have other data.
    here = os.path.dirname(os.path.abspath(__file__))
    places = folder, os.path.join(here, folder), os.path.join(here, 'MNIST_data')
    folder = next(filter(_idx_files, places), folder)
  path, files = os.path.join(folder, filename), _idx_files(folder)
  found = [path] if os.path.isfile(path) else [p for p in files if files[p] == filename]
  _refuse_mixture(files, filename, is_mnist)
  if found:
    return found[0]
  os.makedirs(folder, exist_ok=True)
  failures = ''
  for url in [f'{url}{filename}' for url in (MIRRORS if is_mnist else urls)]:
    with tempfile.TemporaryDirectory(suffix='.part', dir=folder) as partial:
      try:
        with urllib.request.urlopen(url, timeout=STALL_SECONDS) as response:
          content = response.read()
        if url.startswith(MIRRORS) and hashlib.sha256(content).hexdigest() != SHA256.get(filename):
          raise ValueError(f'these {len(content)} bytes do not have the published SHA-256')
        if filename in SHA256:
          _parse_idx(content, filename)
      except (OSError, ValueError, http.client.HTTPException) as error:
        failures += f'\n  {url}: {str(error).encode("unicode_escape")[:200].decode()}'
        continue
      # The file appears under its own name only once it is complete.
      pathlib.Path(partial, filename).write_bytes(content)
      os.replace(os.path.join(partial, filename), path)
    print('Successfully downloaded', filename, len(content), 'bytes.')
    return path
  raise OSError(
    f'{filename} could not be downloaded.{failures}\nREADME.md says what to do, under "The data". '
    f'Or put {", ".join(SHA256)} into {os.path.abspath(folder)} yourself.'
  )


def _idx_files(folder):
  """Returns {path: the name that MNIST's archives would give it} of the IDX files in a folder."""
  paths = [
    p for form in ('[!.]*', '*ubyte*/[!.]*', 'raw/[!.]*') for p in pathlib.Path(folder).glob(form)
  ]
  names = {p: p.name.removesuffix('.gz').replace('.idx', '-idx') for p in sorted(paths)}
  names = {p: name for p, name in names.items() if re.search(r'(?i)ubyte|idx\d|idx$', name)}
  return {str(p): f'{name}.gz' for p, name in names.items() if p.is_file()}


def _is_mnist(path):
  """Returns whether a file is one of MNIST's, gzipped as first published or unpacked."""
  return f'{zlib.crc32(np.fromfile(path, np.uint8, 4096)):08x}' in CRC32


def _refuse_mixture(files, filename, is_mnist):
  """Raises an `OSError` if MNIST's and other data, in {path: name}, would be used together."""
  others, state = [path for path in files if not _is_mnist(path)], 'is there'
  cure = 'Move one of them to another folder.'
  if filename not in files.values():
    others = [path for path in files if files[path] not in SHA256 or is_mnist and path in others]
    state, cure = 'is missing', f'Rename what you mean to {filename}, or use another folder.'
  elif not {*SHA256} <= {files[path] for path in files if path not in others}:
    return
  if others and filename in SHA256:
    problem = f'{filename} {state}, and MNIST is not mixed with other data: {", ".join(others)}.'
    raise FileExistsError(f'{problem} {cure}')


def _parse_idx(content, name):
  """Returns the array in `content`, the bytes of the IDX file `name`, gzipped or not."""
  f = gzip.open(io.BytesIO(content)) if content[:2] == b'\x1f\x8b' else io.BytesIO(content)
  try:
    magic = f.read(4)
    dtype = IDX_TYPES[int.from_bytes(magic[:3], 'big')]
    array = np.empty(np.frombuffer(f.read(4 * magic[3]), '>u4', magic[3]), dtype)
    if f.readinto(array) != array.nbytes or f.read(1):  # Unpacks no more than was promised.
      raise ValueError(f'it does not end after the promised {array.size} values')
    return array
  except KeyError:
    raise ValueError(f'{name} is not an IDX file. It begins with {content[:15]!r}.') from None
  except (OSError, EOFError, IndexError, ValueError, MemoryError, zlib.error) as error:
    raise ValueError(f'{name} is damaged: {error}') from error


def _read_idx(f, shape):
  """Returns the uint8 array in the IDX file `f`: [n, *shape], or stored as [n, 784] or [n, 1]."""
  name, content = (f.name, f.read()) if hasattr(f, 'read') else (f, pathlib.Path(f).read_bytes())
  print(printable(f'Extracting {name}'))
  array = _parse_idx(content, name)
  examples = array.reshape(-1, *shape) if array.shape[1:] == (math.prod(shape),) else array
  if array.dtype != np.uint8 or examples.ndim != 1 + len(shape):
    holds, wanted = list(array.shape), '[n, rows, columns]' if shape else '[n]'
    raise ValueError(f'{name} holds {array.dtype.name} {holds}, not uint8 {wanted}.')
  return examples


def printable(text):
  """Returns `text` with escapes for the characters that standard output cannot show."""
  encoding = getattr(sys.stdout, 'encoding', None) or 'utf-8'
  return text.encode(encoding, 'backslashreplace').decode(encoding)


def extract_images(f):
  """Returns the images in IDX file `f`, a name or an open file: uint8 [n, rows, columns, 1]."""
  return _read_idx(f, (28, 28))[..., np.newaxis]


def extract_labels(f, one_hot=False, num_classes=10):
  """Returns the labels in IDX file `f`: uint8 [n], or with `one_hot` float32 [n, num_classes]."""
  labels = _read_idx(f, ())
  return dense_to_one_hot(labels, num_classes, getattr(f, 'name', f)) if one_hot else labels


def dense_to_one_hot(labels_dense, num_classes=10, name='labels_dense'):
  """Returns float32 [n, num_classes], 1 at the index of each label [n] or [n, 1], 0 elsewhere."""
  labels = np.ravel(labels_dense)
  wrong = labels[(labels < 0) | (labels >= num_classes)]
  if wrong.size:
    limits = f'Labels should be between 0 and {num_classes - 1}. Received: {wrong[0]}.'
    raise ValueError(f'{name}: {limits} Pass a larger num_classes.')
  return np.eye(num_classes, dtype=np.float32)[labels]


class DataSet:
  """Images and labels in batches. Its private attributes are TensorFlow 1's, for old scripts."""

  def __init__(
    self, images, labels, fake_data=False, one_hot=False, dtype=np.float32, reshape=True, seed=None
  ):
    """Takes images [n, rows, columns, 1] of 0 to 255, and labels; options as `read_data_sets`."""
    kind = np.float32 if dtype is float else getattr(dtype, 'as_numpy_dtype', dtype)  # As 1.x.
    if np.dtype(kind) not in (np.uint8, np.float32):
      raise TypeError(f'Invalid image dtype {dtype!r}, expected uint8 or float32')
    if len(images) != len(labels):
      raise ValueError(f'There are {len(images)} images and {len(labels)} labels.')
    images, self._labels = np.asarray(images), np.asarray(labels)
    if reshape:
      images = images.reshape(len(images), math.prod(images.shape[1:]))
    # Bytes, a quarter of the memory, until all are asked for. Threads always see both together.
    self._stored = images, np.dtype(kind) == np.float32
    self._num_examples = 10000 if fake_data else len(images)
    self._fake_data, self.one_hot = fake_data, one_hot
    if seed is None and _default_graph and _default_graph().seed is not None:
      np.random.seed(_default_graph().seed)
    self._random = None if seed is None else np.random.RandomState(seed)
    self._order = np.arange(self._num_examples)
    self._index_in_epoch = self._epochs_completed = 0

  @property
  def _images(self):
    images, are_bytes = self._stored
    if are_bytes:
      self._images = images = np.multiply(images, np.float32(1 / 255), dtype=np.float32)
    return images

  @_images.setter
  def _images(self, images):
    self._stored = images, False

  images = property(lambda self: self._images, doc='All images, in the order of the file.')
  labels = property(lambda self: self._labels, doc='All labels, in the order of the file.')
  num_examples = property(lambda self: self._num_examples, doc='The number of examples.')
  epochs_completed = property(lambda self: self._epochs_completed, doc='Passes over all examples.')

  def next_batch(self, batch_size, fake_data=False, shuffle=True):
    """Returns copies of the next `batch_size` images and labels; `shuffle` mixes each epoch.

    As in TensorFlow 1, a negative `batch_size` goes back, and `fake_data` returns made-up lists.
    """
    if fake_data or self._fake_data:
      fake_label = [1] + [0] * 9 if self.one_hot else 0
      return [[1] * 784 for _ in range(batch_size)], [fake_label for _ in range(batch_size)]
    images, are_bytes = self._stored
    # A script may have assigned more or fewer examples than there were, or another index.
    n = min(self._num_examples, len(images), len(self._labels))
    order = self._order if len(self._order) == n else np.arange(n)
    start = self._index_in_epoch
    if batch_size > 0 and not 0 <= start <= n:
      start = n
    if shuffle and self._epochs_completed == 0 and start == 0:
      order = order[(self._random or np.random).permutation(n)]
    end = start + batch_size
    rows = order[start:end]
    while end > n:
      self._epochs_completed += 1
      if shuffle:
        order = order[(self._random or np.random).permutation(n)]
      end = end - n if n else 0
      rows = np.concatenate([rows, order[:end]])
    self._order, self._index_in_epoch = order, end
    images, labels = np.take(images, rows, 0), np.take(self._labels, rows, 0)
    if are_bytes:
      images = np.multiply(images, np.float32(1 / 255), dtype=np.float32)
    return images, labels


def read_data_sets(train_dir='MNIST_data', fake_data=False, one_hot=False, dtype=np.float32,
                   reshape=True, validation_size=5000, seed=None, source_url=DEFAULT_SOURCE_URL,
                   num_classes=10):  # fmt: skip
  """Reads the four files in `train_dir`, or MNIST's, from beside this module or the mirrors.

  Returns a named tuple of `DataSet`s: train, validation, test. Images are float32 [n, 784] of 0 to
  1; without `reshape` [n, 28, 28, 1], as `dtype` uint8 of 0 to 255. Labels are uint8 [n], with
  `one_hot` float32 [n, num_classes]. The first `validation_size` examples are for validation; None
  is 5,000, or a tenth of fewer than 10,000. `seed` is for `numpy.random.RandomState`, without one
  `numpy.random` shuffles. `source_url` is the address of a folder of other data, or a list, tried
  in order. `fake_data` reads nothing. Raises `OSError` for files that cannot be had or do not
  belong together, `ValueError` for what is not of this form.
  """
  if fake_data:
    return Datasets(*[DataSet([], [], True, one_hot, dtype, seed=seed) for _ in range(3)])
  paths = [maybe_download(name, train_dir, source_url) for name in SHA256]
  classes = one_hot, num_classes
  train_images, train_labels = extract_images(paths[0]), extract_labels(paths[1], *classes)
  test_images, test_labels = extract_images(paths[2]), extract_labels(paths[3], *classes)
  n = len(train_images)
  for i, images, labels in (0, train_images, train_labels), (2, test_images, test_labels):
    if len(images) != len(labels):
      sizes = f'{paths[i]} holds {len(images)} images, and {paths[i + 1]} {len(labels)} labels.'
      raise ValueError(sizes)
    if not one_hot:  # The largest label is checked.
      dense_to_one_hot(np.max(labels, initial=0), num_classes, paths[i + 1])
    if len(images) not in (60000, 10000) and any(map(_is_mnist, paths)):
      raise FileExistsError(f'MNIST is not mixed with other data: {paths[i]}. Use another folder.')
  if validation_size is None:
    validation_size = 5000 if n >= 10000 else math.ceil(n / 10)
    if n < 2:
      raise ValueError(f'{train_dir} has {n} training images, too few to train and validate.')
  if not 0 <= validation_size <= n:
    limits = f'Validation size should be between 0 and {n}. Received: {validation_size}.'
    raise ValueError(f'{limits} Pass another validation_size to read_data_sets.')
  options = {'one_hot': one_hot, 'dtype': dtype, 'reshape': reshape, 'seed': seed}
  train = DataSet(train_images[validation_size:], train_labels[validation_size:], **options)
  validation = DataSet(train_images[:validation_size], train_labels[:validation_size], **options)
  return Datasets(train, validation, DataSet(test_images, test_labels, **options))


# ---- A digit in a picture: may be deleted, with all below, beside an old script ----------------


def extract_digit(pixels):
  """Turns a picture of a digit, dark on light or light on dark, into an image like MNIST's.

  `pixels` is [rows, columns] or [rows, columns, channels], grey or RGB, maybe with alpha, from 0
  to 1, 255 or more. Returns float32 [784]: 28x28 pixels from 0 for paper to 1 for the darker half
  of the ink. The digit fits into 20x20, its centre of mass in the middle, as described at
  http://yann.lecun.com/exdb/mnist/. A `ValueError` says: no picture, blank, or several digits.
  """
  pixels = np.asarray(pixels)
  if pixels.ndim not in (2, 3) or 0 in pixels.shape or pixels.shape[2:] > (4,):
    raise ValueError(f'pass [rows, columns] or [rows, columns, channels], not {pixels.shape}')
  if pixels.dtype.kind not in 'buif' or not 0 <= np.min(pixels) <= np.max(pixels) < np.inf:
    raise ValueError(f'pass numbers from 0 to 1 or 255, none below 0, inf or nan ({pixels.dtype})')
  ink = _find_ink(pixels)
  soft = _filter(np.add, np.pad(ink, 1, mode='edge'), 1) / 16  # It has less noise and no gaps.
  if np.max(soft) - np.median(soft) < max(13 * np.quantile(np.abs(ink - soft), 0.25), 0.12):
    raise ValueError('blank')  # Less than four standard deviations of the noise, or very pale.
  mask = soft > 0.28 * np.max(soft)  # Ruled lines are fainter.
  labels, before = mask * np.arange(1, mask.size + 1).reshape(mask.shape), None
  while not np.array_equal(labels, before):  # The largest number spreads, in leaps for speed.
    before, labels = labels, mask * _filter(np.maximum, np.pad(labels, 1), 1)
    labels = mask * labels.ravel()[labels - 1]
  parts = [labels == n for n in np.unique(labels[mask])]  # Specks have less than 2 % of the ink.
  parts = [part for part in parts if np.mean(part[mask]) > 0.02 and not _is_line(part)] or [mask]
  length = max(np.max(np.ptp(np.nonzero(part), 1)) for part in parts) + 1
  digit = np.any(parts, axis=0)
  if max(np.max(np.diff(np.unique(at)), initial=0) for at in np.nonzero(digit)) > length / 8 + 1:
    raise ValueError('several digits')  # The strokes of one are nearer.
  scale = 19 / (np.max(np.ptp(np.nonzero(digit), 1)) + 1)  # Soft edges make it 20 pixels.
  ink = ink * _filter(np.maximum, np.pad(digit, 1), 1)
  for _ in range(2):  # The rows, then the columns.
    at = np.arange(len(ink)) + 0.5
    places = (at - np.average(at, weights=np.sum(ink, 1))) * scale + 14
    away = np.abs(np.arange(28)[:, np.newaxis] - places) / max(scale, 1)
    ink = (np.maximum(1 - away, 0) @ ink).T
  return np.float32(np.minimum(ink / np.median(ink[ink > 0.1 * np.max(ink)]), 1)).ravel()


def _find_ink(pixels):
  """Returns how much darker each pixel is than the paper, the picture's morphological closing."""
  step = min(-(-max(pixels.shape) // 160), *pixels.shape[:2])  # 160x160 still show a digit.
  rows, columns = (n // step for n in pixels.shape[:2])
  small = pixels[: rows * step, : columns * step].reshape(rows, step, columns * step, -1)
  small = np.mean(small, 1, np.float32).reshape(rows, columns, step, -1)
  small = np.mean(small, 2) / (1 if np.max(pixels) <= 1 else max(np.max(pixels), 255))
  alpha = small[..., -1] if small.shape[2] in (2, 4) else 1
  grey = alpha * np.mean(small[..., :3] if small.shape[2] > 2 else small[..., :1], 2)
  grey += (1 - alpha) * (np.sum(grey) < np.sum(alpha) / 2)  # White, or black around light ink.
  if np.mean(grey) < (np.min(grey) + np.max(grey)) / 2:  # There is less ink than paper.
    grey = 1 - grey
  n = max(grey.shape) // 5 + 1  # What is dark and narrower than 2/5 of the picture is filled.
  paper = _filter(np.minimum, _filter(np.maximum, np.pad(grey, 2 * n, mode='edge'), n), n)
  return 1 - grey / np.maximum(paper, 1 / 255)


def _is_line(part):
  """Returns whether a part is a line as long as the picture, a frame, or the edge of a table."""
  places = (np.argwhere(part) + 0.5) / part.shape - 0.5
  narrow, long = sorted(np.ptp(places, 0))
  is_outside = np.mean(np.max(np.abs(places), 1) > 1 / 3) > 0.8
  return is_outside and (narrow < 0.025 or long > 0.75) or narrow < 0.05 and long > 0.9


def _filter(function, image, n):
  """Applies np.maximum, np.minimum or np.add (binomial) to windows of 2 n + 1 rows and columns."""
  for _ in range(4 * n):  # A pair of rows, a pair of columns, and so on.
    image = function(image[1:], image[:-1]).T
  return image


def apply_exif(pixels, content):
  """Turns the pixels of a JPEG file, whose bytes are `content`, as EXIF (CIPA DC-008) says."""
  tag = rb'\x01\x12\0\x03\0{3}\x01\0|\x12\x01\x03\0\x01\0{3}'  # Orientation (274), a short.
  found = re.match(rb'(?s)\xff\xd8.*?Exif\0\0.{,999}?(?:%b)([\x02-\x08])' % tag, content[:65536])
  orientation = found[1][0] if found else 1
  pixels = np.rot90(pixels, (0, 0, 2, 2, 3, 3, 1, 1)[orientation - 1])
  return pixels[:, ::-1] if orientation in (2, 4, 5, 7) else pixels


# ---- Old texts: what lets a program of 2015 to 2019 run unchanged ------------------------------

# TensorFlow 1's names, each with today's name in tensorflow.compat.v1, or with MODULE:NAME.
_OLD = """
mul=multiply sub=subtract neg=negative inv=reciprocal pack=stack unpack=unstack select=where
batch_matmul=matmul listdiff=setdiff1d complex_abs=abs initialize_all_tables=tables_initializer
scalar_summary=summary.scalar histogram_summary=summary.histogram image_summary=summary.image
audio_summary=summary.audio merge_summary=summary.merge merge_all_summaries=summary.merge_all
nn.rnn=nn.static_rnn nn.bidirectional_rnn=nn.static_bidirectional_rnn contrib.slim=tf_slim:
train.SummaryWriter=summary.FileWriter train.SyncReplicasOptimizerV2=train.SyncReplicasOptimizer
contrib.framework.get_or_create_global_step=train.get_or_create_global_step
contrib.rnn.static_rnn=nn.static_rnn layers=tensorflow.python.layers.layers:
contrib.rnn.static_bidirectional_rnn=nn.static_bidirectional_rnn
contrib.rnn=tensorflow.python.keras.layers.legacy_rnn.rnn_cell_impl:
nn.rnn_cell=tensorflow.python.keras.layers.legacy_rnn.rnn_cell_impl:
contrib.tensorboard.plugins.projector=tensorboard.plugins.projector:
contrib.learn.datasets.base=input_data: contrib.learn.datasets.mnist=input_data:
contrib.learn.datasets.load_mnist=input_data:read_data_sets
examples.tutorials.mnist.input_data=input_data: python=tensorflow.python: core=tensorflow.core:
compat=tensorflow.compat: keras=tensorflow.keras:
"""
_OLD = dict(row.split('=') for row in _OLD.split())
_GONE = {  # What to do about a name that is gone, by how it begins.
  'contrib.slim': 'is the package tf_slim today: pip install tf_slim',
  'contrib.tensorboard': 'is the package tensorboard today: pip install tensorboard',
  'examples.tutorials.mnist': 'is of another tutorial, "TensorFlow Mechanics 101": put the file '
  'beside your script, and write `import mnist`',
  'estimator': 'left TensorFlow with version 2.16: train in a loop, or with Keras',
  'contrib': 'left TensorFlow with version 2.0: use tf.nn, tf.layers and tf.train',
  '': 'is not in TensorFlow today',
}
# TensorFlow 1's arguments in their order, with today's names, and its keywords with today's.
_ORDERS = {
  'concat': 'axis values name',
  'split': 'axis num_or_size_splits value name',
  'nn.softmax_cross_entropy_with_logits': 'logits labels dim name',
  'nn.sparse_softmax_cross_entropy_with_logits': 'logits labels name',
  'nn.sigmoid_cross_entropy_with_logits': 'logits labels name',
}
_KEYWORDS = """
concat_dim=axis split_dim=axis num_split=num_or_size_splits targets=labels stride=strides
decay=momentum is_training=training scope=name rate=dilation_rate
weights_initializer=kernel_initializer weights_regularizer=kernel_regularizer
biases_initializer=bias_initializer biases_regularizer=bias_regularizer
"""
_KEYWORDS = dict(row.split('=') for row in _KEYWORDS.split())
_folder = None  # Of the script that runs, with a separator at the end.


class _Module(types.ModuleType):
  """A module of TensorFlow 1: the names in `_OLD`, and all others as they are today."""

  def __getattr__(self, name):
    path = f'{self.__name__}.{name}'.removeprefix('tensorflow.')
    parent = path.rpartition('.')[0]
    found = _OLD.get(path) or _OLD.get(parent, f'{parent}.'.lstrip('.')) + name
    if path.startswith('contrib.') and name in ('python', 'ops', parent.rpartition('.')[2]):
      found = self  # contrib.layers.python.layers has what contrib.layers has.
    elif any(old.startswith(path + '.') for old in _OLD):
      found = _Module('tensorflow.' + path)
    elif isinstance(found, str):
      try:
        found = pkgutil.resolve_name(found if ':' in found else 'tensorflow.compat.v1:' + found)
      except (AttributeError, ImportError):
        advice = next(_GONE[gone] for gone in _GONE if path.startswith(gone))
        raise AttributeError(f'tf.{path} {advice}') from None
    setattr(self, name, found)
    return found


@functools.cache
def tensorflow_1():
  """Returns TensorFlow 1: its names, argument orders, contrib functions and seeds, for old code.

    tf = input_data.tensorflow_1()

  An operation without a seed of its own took the number of the graph's nodes as its seed
  (`random_seed.py` of TensorFlow 1.15). Here it does so again: the weights, dropout masks and
  batches of a seeded graph are 1.15's, bit for bit.
  """
  global _default_graph
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '1')  # Fast CPU kernels, also without AVX-512.
  import tensorflow.compat.v1 as tf
  from tensorflow.python.framework import random_seed
  from tensorflow.python.ops import random_ops

  tf.logging.set_verbosity(tf.logging.ERROR)
  warnings.filterwarnings('ignore', module='tensorflow.python')  # That tf.layers is deprecated.
  tf.disable_v2_behavior()
  get_seed, today_uniform = random_seed.get_seed, random_ops.random_uniform

  def get_seed_1(seed):
    graph = tf.get_default_graph()
    return get_seed(graph.version if seed is None and graph.seed is not None else seed)

  def random_uniform(shape, minval=0, maxval=None, dtype=tf.float32, seed=None, name=None):
    if tf.as_dtype(dtype).is_floating:  # Today's makes fewer nodes of integers.
      minval, maxval = (
        float(bound) if isinstance(bound, int) else bound
        for bound in (minval, 1 if maxval is None else maxval)
      )
    return today_uniform(shape, minval, maxval, dtype, seed, name)

  random_seed.get_seed, random_ops.random_uniform = get_seed_1, random_uniform
  _OLD.update({'random_uniform': random_uniform, 'random.uniform': random_uniform})
  _default_graph = tf.get_default_graph
  type(tf.flags.FLAGS)._parse_flags = lambda flags: flags(sys.argv)
  module = _Module('tensorflow')
  # For `from tensorflow import *`. The oldest versions had no tf.print.
  names = {*dir(tf), *(old.partition('.')[0] for old in _OLD)} - {'print'}
  module.__all__ = [name for name in names if name[0] != '_']
  return module


def _call(name, /, *arguments, **keywords):
  """Calls today's function `name` with TensorFlow 1's arguments."""
  if (
    '.' in name or arguments and isinstance(arguments[0], (int, np.integer))
  ):  # Else it is today's order.
    keywords.update(zip(_ORDERS[name].split(), arguments, strict=False))
    arguments = ()
  keywords = {_KEYWORDS.get(key, key): value for key, value in keywords.items()}
  return pkgutil.resolve_name('tensorflow.compat.v1:' + name)(*arguments, **keywords)


def _layer(name, order, /, *arguments, **keywords):
  """Calls `tf.layers` with the arguments of `tf.contrib.layers`."""
  keywords.update(zip(order.split(), arguments, strict=False))
  activation_fn = keywords.pop('activation_fn', None)
  normalizer_fn = keywords.pop('normalizer_fn', None)
  tf, parameters = tensorflow_1(), keywords.pop('normalizer_params', None) or {}
  first = 'inputs', 'num_outputs', 'kernel_size'
  arguments = [keywords.pop(key) for key in first if key in keywords]
  keywords = {_KEYWORDS.get(key, key): value for key, value in keywords.items()}
  if name in ('dense', 'conv2d', 'conv2d_transpose'):
    keywords['use_bias'] = not normalizer_fn and keywords.get('bias_initializer', '') is not None
  outputs = getattr(tf.layers, name)(*arguments, **keywords)
  outputs = normalizer_fn(outputs, **parameters) if normalizer_fn else outputs
  return activation_fn(outputs) if activation_fn else outputs


@contextlib.contextmanager
def _arg_scope(functions, **keywords):
  """Gives functions of `tf.contrib.layers` other defaults within a `with` block."""
  scope = functions if isinstance(functions, dict) else dict.fromkeys(functions, keywords)
  before = {function: function.keywords.copy() for function in scope}
  for function, defaults in scope.items():
    function.keywords.update(defaults)
  try:
    yield {function: function.keywords.copy() for function in scope}
  finally:
    for function, defaults in before.items():
      function.keywords.clear()
      function.keywords.update(defaults)


def _batch_normalization(inputs, axis=-1, momentum=0.99, epsilon=0.001, center=True, scale=True,
                         training=False, name=None, reuse=None, trainable=True,
                         updates_collections='update_ops', **_):  # fmt: skip
  """Is `tf.layers.batch_normalization` for the last axis, which TensorFlow's wheel lacks."""
  tf, size, trainable = tensorflow_1(), inputs.shape[-1:], {'trainable': trainable}
  with tf.variable_scope(name, 'batch_normalization', [inputs], reuse=reuse):
    gamma = tf.get_variable('gamma', initializer=tf.ones(size), **trainable) if scale else None
    beta = tf.get_variable('beta', initializer=tf.zeros(size), **trainable) if center else None
    averages = [
      tf.get_variable('moving_mean', initializer=tf.zeros(size), trainable=False),
      tf.get_variable('moving_variance', initializer=tf.ones(size), trainable=False),
    ]
    moments = tf.nn.moments(inputs, list(range(inputs.shape.ndims - 1)))
    training = tf.cast(training, tf.bool)
    moments = [tf.where(training, *pair) for pair in zip(moments, averages, strict=True)]
    updates = [
      tf.assign_sub(average, (1 - momentum) * (average - moment))
      for average, moment in zip(averages, moments, strict=True)
    ]
    for update in updates:
      tf.add_to_collection(updates_collections, update)  # None means at once.
    with tf.control_dependencies([] if updates_collections else updates):
      return tf.nn.batch_normalization(inputs, *moments, beta, gamma, epsilon)


def _dropout(x, keep_prob=None, noise_shape=None, seed=None, name=None, rate=None):
  """Makes the nodes of TensorFlow 1.15 in their order, because seeds count them."""
  tf = tensorflow_1()
  rate = 1.0 - keep_prob if rate is None else rate
  with tf.name_scope(name, 'dropout', [x]):
    x = tf.convert_to_tensor(x)
    if not tf.is_tensor(rate) and rate == 0:
      return x
    rate = tf.convert_to_tensor(rate, x.dtype)
    shape = tf.shape(x) if noise_shape is None else noise_shape
    random = tf.random_uniform(shape, dtype=x.dtype, seed=seed)
    scale = 1 / (1 - rate)
    kept = random >= rate
    outputs = x * scale * tf.cast(kept, x.dtype)
    outputs.set_shape(x.shape)
    return outputs


def _contrib_dropout(inputs, keep_prob=0.5, noise_shape=None, is_training=True, **_):
  return tensorflow_1().layers.dropout(inputs, 1 - keep_prob, noise_shape, training=is_training)


def _variance_scaling(factor=2.0, mode='FAN_IN', uniform=False, seed=None, dtype=None):
  """Divides by `sqrt(n / 1.3)`, as contrib did; today's function divides by `sqrt(n) * 0.88`."""
  scale = factor if uniform else factor * 1.3 * 0.87962566103423978**2
  kind = 'uniform' if uniform else 'truncated_normal'
  return tensorflow_1().variance_scaling_initializer(scale, mode.lower(), kind, seed)


def _xavier(uniform=True, seed=None, dtype=None):
  return _variance_scaling(1.0, 'FAN_AVG', uniform, seed)


load_mnist = read_data_sets  # Its name in contrib.learn.datasets.mnist.
_relu = {'activation_fn': lambda x: tensorflow_1().nn.relu(x)}
_dense = 'inputs num_outputs activation_fn normalizer_fn'
_window = 'inputs num_outputs kernel_size stride padding'
_conv2d = partial(_layer, 'conv2d', _window, padding='SAME', **_relu)
_OLD |= {
  **{name: partial(_call, name) for name in _ORDERS},
  'nn.dropout': _dropout,
  'layers.batch_normalization': _batch_normalization,
  'contrib.framework.arg_scope': _arg_scope,
  'contrib.learn.datasets.load_dataset': lambda name: {'mnist': load_mnist}[name](),
  'contrib.layers.avg_pool2d': partial(
    _layer, 'average_pooling2d', 'inputs kernel_size stride padding', stride=2
  ),
  'contrib.layers.batch_norm': partial(
    _layer, 'batch_normalization', 'inputs decay', decay=0.999, scale=False, is_training=True
  ),
  'contrib.layers.conv2d': _conv2d,
  'contrib.layers.convolution2d': _conv2d,
  'contrib.layers.conv2d_transpose': partial(
    _layer, 'conv2d_transpose', _window, padding='SAME', **_relu
  ),
  'contrib.layers.dropout': partial(_contrib_dropout),
  'contrib.layers.flatten': partial(_layer, 'flatten', 'inputs'),
  'contrib.layers.fully_connected': partial(_layer, 'dense', _dense, **_relu),
  'contrib.layers.linear': partial(_layer, 'dense', _dense),
  'contrib.layers.max_pool2d': partial(
    _layer, 'max_pooling2d', 'inputs kernel_size stride padding', stride=2
  ),
  'contrib.layers.variance_scaling_initializer': _variance_scaling,
  'contrib.layers.xavier_initializer': _xavier,
  'contrib.layers.xavier_initializer_conv2d': _xavier,
  'contrib.layers.l1_regularizer': lambda scale, scope=None: (
    lambda w: scale * tensorflow_1().reduce_sum(abs(w))
  ),
  'contrib.layers.l2_regularizer': lambda scale, scope=None: (
    lambda w: scale * tensorflow_1().nn.l2_loss(w)
  ),
}


def _import(name, globals=None, locals=None, fromlist=(), level=0, python=builtins.__import__):
  """Imports as Python does, but gives TensorFlow 1 to `__main__` and the script's folder."""
  caller = globals or {}
  is_old_text = caller.get('__name__') == '__main__' or _is_old(caller.get('__file__') or '')
  package, _, path = name.partition('.')
  if package != 'tensorflow' or level or not is_old_text:
    return python(name, globals, locals, fromlist, level)
  try:
    if path.split('.')[0] in ('python', 'core', 'compat', 'keras'):
      found = python(name, globals, locals, fromlist, level)
    else:
      found = operator.attrgetter(path)(tensorflow_1()) if path else tensorflow_1()
      for attribute in {*(fromlist or ())} - {'*'}:
        getattr(found, attribute)
  except AttributeError as error:
    raise ImportError(error) from None
  return found if fromlist else tensorflow_1()


def _excepthook(kind, error, trace):
  """Prints an error as Python does, without the calls of this file that run the script."""
  shown = link = traceback.TracebackException(kind, error, trace)
  hidden, here = '<module> _run _compile _import get_code', os.path.realpath(__file__)
  while link:
    link.stack[:] = [
      call
      for call in link.stack
      if call.name not in hidden.split() or os.path.realpath(call.filename) != here
      if not call.filename.startswith('<frozen importlib')
    ]
    link = link.__cause__ or link.__context__
  print(*shown.format(), sep='', end='', file=sys.stderr)


def _python_3(code):
  """Returns Python 3's code as it is, and Python 2's with brackets around what `print` prints."""
  edits, words = [], []
  with contextlib.suppress(tokenize.TokenError, IndentationError), warnings.catch_warnings():
    warnings.simplefilter('ignore')  # Compiling the code warns again.
    try:
      for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.BinOp) and ast.unparse(node).startswith('print >> '):
          raise SyntaxError('This is how Python 2 prints to a file.')
    except SyntaxError:
      for token in tokenize.generate_tokens(io.StringIO(code).readline):
        prints = bool(words) and words[0].string == 'print'
        if token.type == tokenize.NEWLINE or token.string in ('; ' if prints else '; :').split():
          edits += _brackets(words) if prints else []
          words = []
        elif token.type != tokenize.COMMENT and token.string.strip():
          words.append(token)
  lines = list(io.StringIO(code))
  for (row, column), old, new in reversed(edits):
    line = lines[row - 1]
    lines[row - 1] = line[:column] + new + line[column + len(old) :]
  return ''.join(lines)


def _brackets(words):
  """Returns the edits [(position, old, new)] that make a `print` statement a call."""
  edits, depth = [(words[0].end, '', '(')], 0
  end = " end=' ')" if words[-1].string == ',' else ')'
  if len(words) > 1 and words[1].string == '>>':
    edits.append((words[1].start, '>>', 'file='))
    for word in words[2:]:
      depth += (word.string in '([{') - (word.string in ')]}')
      if word.string == ',' and depth == 0:  # Behind `file=`, only `*(x, y)` may follow.
        edits.append((word.end, '', '*('))
        end = '),' + end if words[-1].string == ',' else ',))'
        break
  return [*edits, (words[-1].end, '', end)]


def _is_old(file):
  """Returns whether a file is the script's, or of a module in its folder or below."""
  return file.startswith(_folder) and '-packages' not in file[len(_folder) :] and file != __file__


def _find_modules(folder):
  """Makes what finds the modules in the script's folder and in packages below it."""
  if not _is_old(os.path.join(folder, '')) or not os.path.isdir(folder):
    raise ImportError
  kinds = importlib.machinery
  others = kinds.ExtensionFileLoader, kinds.EXTENSION_SUFFIXES
  return kinds.FileFinder(
    folder, others, (_Loader, ['.py']), (kinds.SourcelessFileLoader, ['.pyc'])
  )


class _Loader(importlib.machinery.SourceFileLoader):
  """Loads a module that may be Python 2's."""

  def get_code(self, fullname):
    return _compile(self.path)


def _compile(path):
  try:
    with tokenize.open(path) as f:
      code = f.read()
    if '\0' in code:
      raise ValueError('it holds zero bytes')
  except (ValueError, SyntaxError) as error:
    raise OSError(f'{path} is no Python script: {error}') from None
  try:
    return compile(_python_3(code), path, 'exec', dont_inherit=True)
  except SyntaxError as changed:
    try:
      compile(code, path, 'exec', dont_inherit=True)
    except SyntaxError as found:  # Whichever was read further says what is wrong.
      raise max(found, changed, key=lambda error: error.lineno or 0) from None


def _run(arguments):
  """Runs an old script as Python does, or prepares a prompt or a notebook for old pages."""
  global _folder
  is_prompt = sys.flags.inspect or hasattr(sys, 'ps1')
  if arguments[:1] and arguments[0].startswith('-') or not arguments and not is_prompt:
    sys.exit('Usage: python input_data.py OLD_SCRIPT [ITS_FLAGS], or python -i input_data.py')
  script = os.path.realpath(arguments[0] if arguments else 'prompt')
  sys.path[0], _folder = os.path.dirname(script), os.path.join(os.path.dirname(script), '')
  builtins.__import__, sys.excepthook = _import, _excepthook
  sys.path_hooks.insert(0, _find_modules)
  sys.path_importer_cache.clear()
  vars(builtins).update(xrange=range, raw_input=input, unicode=str)
  lost = {
    'int': int,
    'float': float,
    'bool': bool,
    'object': object,
    'complex': complex,
    'str': str,
  }
  lost |= {'infty': np.inf, 'Inf': np.inf, 'NaN': np.nan, 'float_': np.float64, 'product': np.prod}
  for name, value in lost.items():
    vars(np).setdefault(name, value)
  if np.lib.NumpyVersion(np.__version__) >= '2.0.0':
    np.set_printoptions(legacy='1.25')  # As np.float32(0.5), version 2 prints what was 0.5.
  if arguments:
    try:
      code = _compile(script)
    except OSError as error:
      sys.exit(str(error))
    main = types.ModuleType('__main__')
    main.__file__, sys.modules['__main__'] = os.path.abspath(arguments[0]), main
    sys.argv = arguments
    exec(code, vars(main))


if __name__ == '__main__':
  sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
  import input_data

  input_data._run(sys.argv[1:])
