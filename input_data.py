"""Downloads, reads and batches MNIST, as the module of TensorFlow 1's tutorials did."""

import ast
import builtins
import collections
import contextlib
import functools
import gzip
import hashlib
import http.client
import importlib
import importlib.machinery
import importlib.util
import io
import itertools
import math
import os
import pathlib
import re
import sys
import tempfile
import tokenize
import traceback
import types
import urllib.request
import warnings
import zlib

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
  if pixels.dtype.kind not in 'buif' or not 0 <= pixels.min() <= (most := pixels.max()) < np.inf:
    raise ValueError(f'pass numbers from 0 to 1 or 255, none below 0, inf or nan ({pixels.dtype})')
  ink = _find_ink(pixels, 1 if most <= 1 else max(most, 255))
  soft = _filter(np.add, np.pad(ink, 1, mode='edge'), 1) / 16  # It has less noise and no gaps.
  if np.max(soft) - np.median(soft) < max(13 * np.quantile(np.abs(ink - soft), 0.25), 0.12):
    raise ValueError('blank: no digit stands out')  # Not by four deviations of the noise.
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
    raise ValueError('several digits: cut out one')  # The strokes of one are nearer.
  scale = 19 / (np.max(np.ptp(np.nonzero(digit), 1)) + 1)  # Soft edges make it 20 pixels.
  ink = ink * _filter(np.maximum, np.pad(digit, 1), 1)
  for _ in range(2):  # The rows, then the columns.
    at = np.arange(len(ink)) + 0.5
    places = (at - np.average(at, weights=np.sum(ink, 1))) * scale + 14
    away = np.abs(np.arange(28)[:, np.newaxis] - places) / max(scale, 1)
    ink = (np.maximum(1 - away, 0) @ ink).T
  return np.float32(np.minimum(ink / np.median(ink[ink > 0.1 * np.max(ink)]), 1)).ravel()


def _find_ink(pixels, white):
  """Returns how much darker each pixel is than the paper, the picture's morphological closing."""
  step = min(-(-max(pixels.shape) // 160), *pixels.shape[:2])  # 160x160 still show a digit.
  rows, columns = (n // step for n in pixels.shape[:2])
  strips = (pixels[i : i + step, : columns * step].copy() for i in range(0, rows * step, step))
  small = np.array([np.mean(strip, 0, np.float32) for strip in strips])  # Fast when turned, too.
  small = np.mean(small.reshape(rows, columns, step, -1), 2) / white
  alpha = small[..., -1] if small.shape[2] in (2, 4) else 1
  grey = alpha * np.mean(small[..., :3] if small.shape[2] > 2 else small[..., :1], 2)
  grey += (1 - alpha) * (np.sum(grey) < np.sum(alpha) / 2)  # White, or black around light ink.
  if np.mean(grey) < (np.min(grey) + np.max(grey)) / 2:  # There is less ink than paper.
    grey = 1 - grey
  n = min(max(grey.shape), 160) // 5 + 1  # Ink narrower than 2/5 of the picture is filled.
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

_CELLS = 'tensorflow.python.keras.layers.legacy_rnn.rnn_cell_impl:'
_LAYER = 'tensorflow.python.layers.layers:'
_SIZES = "inputs,num_outputs,kernel_size,strides=1,padding='SAME',data_format"
_WEIGHTS = (
  "activation_fn='relu',normalizer_fn,normalizer_params,kernel_initializer,kernel_regularizer,"
  'bias_initializer,bias_regularizer,reuse'
)
_DENSE = f"inputs,num_outputs,{_WEIGHTS},default_name='fully_connected'"
_CONV = f"{_SIZES},dilation_rate,{_WEIGHTS},default_name='Conv'"
_TRANSPOSE = f"{_SIZES},{_WEIGHTS},default_name='Conv2d_transpose'"
_DROPOUT = 'inputs,keep_prob=0.5,noise_shape,training=True,outputs_collections,name,seed'
_POOL = "inputs,kernel_size,strides=2,padding='VALID',data_format,outputs_collections,name"
_NORM = (
  'inputs,momentum=0.999,center,scale=False,epsilon,activation_fn,param_initializers,'
  "param_regularizers,updates_collections,training=True,reuse,default_name='BatchNorm'"
)
_XAVIER = "here:_variance_scaling(uniform=True,seed,dtype,factor=1,mode='FAN_AVG')"
# TensorFlow 1's names, each with today's: one of tensorflow.compat.v1, or MODULE:NAME. In brackets
# are arguments in TensorFlow 1's order, with its defaults where today's are others; behind a bar
# the order if the first is not a number.
_OLD = f"""
mul=multiply sub=subtract neg=negative inv=reciprocal pack=stack unpack=unstack select=where
listdiff=setdiff1d complex_abs=abs initialize_all_tables=tables_initializer nn.rnn=nn.static_rnn
concat=concat(axis,values,name|values,axis,name)
split=split(axis,num_or_size_splits,value,name|value,num_or_size_splits,axis,num,name)
batch_matmul=matmul(a,b,adjoint_a,adjoint_b) scalar_summary=summary.scalar(name,tensor,collections)
image_summary=summary.image(name,tensor,max_outputs,collections)
histogram_summary=summary.histogram(name,values,collections) audio_summary=summary.audio
merge_summary=summary.merge merge_all_summaries=summary.merge_all
train.SummaryWriter=summary.FileWriter train.SyncReplicasOptimizerV2=train.SyncReplicasOptimizer
nn.bidirectional_rnn=nn.static_bidirectional_rnn nn.rnn_cell={_CELLS} layers={_LAYER}
nn.softmax_cross_entropy_with_logits=(logits,labels,dim,name)
nn.sparse_softmax_cross_entropy_with_logits=(logits,labels,name)
nn.sigmoid_cross_entropy_with_logits=(logits,labels,name) contrib.rnn.static_rnn=nn.static_rnn
layers.batch_normalization=here:_batch_norm contrib.framework.arg_scope=here:_arg_scope
contrib.framework.get_or_create_global_step=train.get_or_create_global_step
contrib.layers.arg_scope=here:_arg_scope contrib.layers.softmax=nn.softmax
contrib.layers.avg_pool2d={_LAYER}AveragePooling2D({_POOL},default_name='AvgPool2D')
contrib.layers.batch_norm=here:_batch_norm({_NORM})
contrib.layers.conv2d={_LAYER}Conv2D({_CONV}) contrib.layers.convolution2d={_LAYER}Conv2D({_CONV})
contrib.layers.conv2d_transpose={_LAYER}Conv2DTranspose({_TRANSPOSE})
contrib.layers.convolution2d_transpose={_LAYER}Conv2DTranspose({_TRANSPOSE})
contrib.layers.dropout={_LAYER}dropout({_DROPOUT})
contrib.layers.flatten={_LAYER}flatten(inputs,outputs_collections,name)
contrib.layers.fully_connected={_LAYER}Dense({_DENSE}) contrib.layers.relu={_LAYER}Dense({_DENSE})
contrib.layers.l1_regularizer=here:_regularizer(scale,name,norm='l1')
contrib.layers.l2_regularizer=here:_regularizer(scale,name)
contrib.layers.linear={_LAYER}Dense({_DENSE.replace("='relu'", '')})
contrib.layers.max_pool2d={_LAYER}MaxPooling2D({_POOL},default_name='MaxPool2D')
contrib.layers.variance_scaling_initializer=here:_variance_scaling
contrib.layers.xavier_initializer={_XAVIER} contrib.layers.xavier_initializer_conv2d={_XAVIER}
contrib.learn.datasets.base=here: contrib.learn.datasets.mnist=here:
contrib.learn.datasets.load_dataset=here:_load_dataset
contrib.learn.datasets.load_mnist=here:read_data_sets
contrib.rnn={_CELLS} contrib.rnn.static_bidirectional_rnn=nn.static_bidirectional_rnn
contrib.util=tensorflow.compat.v1: contrib.slim=tf_slim:
contrib.tensorboard.plugins.projector=tensorboard.plugins.projector:
examples.tutorials.mnist.input_data=here: compat=tensorflow.compat: core=tensorflow.core:
keras=tensorflow.keras: python=tensorflow.python:
"""
_OLD = dict(row.split('=', 1) for row in _OLD.split())
_KEYWORDS = """
adj_x=adjoint_a adj_y=adjoint_b biases_initializer=bias_initializer concat_dim=axis decay=momentum
biases_regularizer=bias_regularizer is_training=training max_images=max_outputs rate=dilation_rate
num_split=num_or_size_splits scope=name split_dim=axis stride=strides tag=name tags=name
targets=labels values=tensor weights_initializer=kernel_initializer
weights_regularizer=kernel_regularizer
"""
_KEYWORDS = dict(row.split('=') for row in _KEYWORDS.split())
# Folders within contrib's modules: contrib.layers.python.layers has what contrib.layers has.
_INNER = 'python ops learn layers framework initializers regularizers rnn core_rnn_cell'.split()
_GONE = {  # What to do about a name that is gone, by how it begins.
  'contrib.slim': 'is the package tf_slim today: pip install tf_slim',
  'contrib.tensorboard': 'is the package tensorboard today: pip install tensorboard',
  'examples': 'is of another tutorial ("Mechanics 101"): put it beside the script and import it',
  'estimator': 'left TensorFlow with version 2.16: train in a loop, or with Keras',
  'contrib': 'left TensorFlow with version 2.0: use tf.nn, tf.layers and tf.train',
  '': 'is not in TensorFlow today',
}
_HERE, _FILE = sys.modules[__name__], os.path.realpath(__file__)
_folder = None  # Of the script that runs, with a separator at the end.
load_mnist = read_data_sets  # Its name in contrib.learn.datasets.mnist.


class _Module(types.ModuleType):
  """A module of TensorFlow 1: the names in `_OLD`, and all others as they are today."""

  def __getattr__(self, name):
    path = f'{self.__name__}.{name}'.removeprefix('tensorflow.')
    parent = path.rpartition('.')[0]
    today = _OLD.get(path) or _OLD.get(parent, f'{parent}.'.lstrip('.')) + name
    if parent.startswith('contrib.') and name in _INNER:
      found = self
    elif any(old.startswith(path + '.') for old in _OLD):
      found = _Module('tensorflow.' + path)
    else:
      today, _, order = today.partition('(')
      try:
        found = _find(today or path)
      except (AttributeError, ImportError):
        advice = next(_GONE[gone] for gone in _GONE if path.startswith(gone))
        raise AttributeError(f'tf.{path} {advice}') from None
      found = functools.partial(_call, found, order.rstrip(')')) if order else found
    setattr(self, name, found)
    return found


def _find(name):
  """Returns what MODULE:NAME, or a name of tensorflow.compat.v1, means."""
  module, _, name = name.rpartition(':')
  module = _HERE if module == 'here' else importlib.import_module(module or 'tensorflow.compat.v1')
  return functools.reduce(getattr, filter(None, name.split('.')), module)


@functools.cache
def tensorflow_1():
  """Returns TensorFlow 1 for old code: its names, argument orders, contrib functions and seeds.

  In a graph with a seed, an operation without one takes the number of nodes as its seed, as in
  `random_seed.py` of 1.15: weights, dropout masks and batches are 1.15's, bit for bit.
  """
  global _default_graph
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '1')  # Fast CPU kernels, also without AVX-512.
  import tensorflow.compat.v1 as tf
  from tensorflow.python.framework import random_seed

  tf.logging.set_verbosity(tf.logging.ERROR)
  warnings.filterwarnings('ignore', module='tensorflow.python')  # That tf.layers is deprecated.
  tf.disable_v2_behavior()
  tf.flags.FlagValues._parse_flags = lambda flags: flags(sys.argv)
  _default_graph = tf.get_default_graph
  if random_seed.get_seed.__module__ == random_seed.__name__:  # Not if this has been reloaded.
    _take_seeds_of_1_15(tf)
    _add_nodes_of_1_15(tf)
  module = _Module('tensorflow')
  names = {*dir(tf), *_OLD, 'contrib'} - {'print'}  # The oldest versions had no tf.print.
  module.__all__ = [name for name in names if name[0] != '_' and '.' not in name]
  module.contrib.layers.__all__ = [old[15:] for old in _OLD if old.startswith('contrib.layers.')]
  return module


def _take_seeds_of_1_15(tf):
  """Replaces the functions whose seeds, or nodes, which seeds count, were others in 1.15."""
  from tensorflow.python.framework import random_seed
  from tensorflow.python.ops import math_ops, nn_ops, random_ops

  get_seed_today, uniform_today = random_seed.get_seed, random_ops.random_uniform

  def get_seed(seed):
    graph = tf.get_default_graph()
    return get_seed_today(graph.version if seed is None and graph.seed is not None else seed)

  def random_uniform(shape, minval=0, *rest, **keywords):
    # A Python integer makes fewer nodes today; NumPy's makes as many as it did.
    minval = np.int64(minval) if isinstance(minval, int) else minval
    return uniform_today(shape, minval, *rest, **keywords)

  def reduction_dims(x, axis):
    if axis is not None:
      return axis
    is_known = isinstance(x, tf.Tensor) and x.shape.ndims is not None
    return tf.constant(np.arange(x.shape.ndims), tf.int32) if is_known else tf.range(0, tf.rank(x))

  random_seed.get_seed, math_ops._ReductionDims = get_seed, reduction_dims
  random_ops.random_uniform = tf.random_uniform = tf.random.uniform = random_uniform
  nn_ops.dropout_v2 = _dropout


def _add_nodes_of_1_15(tf):
  """Lets functions that make fewer nodes than in 1.15 make the others first: seeds count them."""
  from tensorflow.python.layers import layers
  from tensorflow.python.ops import array_ops, math_grad, nn_ops
  from tensorflow.python.ops.tensor_array_ops import _GraphTensorArray

  def add(make, owner, name):
    today = getattr(owner, name)

    @functools.wraps(today)
    def function(*arguments, **keywords):
      make(*arguments, **keywords)
      return today(*arguments, **keywords)

    setattr(owner, name, function)
    return function

  def split(value, num_or_size_splits, *_, **__):
    if isinstance(num_or_size_splits, int):
      tf.no_op()

  def one_hot(indices, depth, on_value=None, off_value=None, *_, **__):
    for value in on_value, off_value:
      tf.no_op() if value is not None else None

  def zeros(value, shape, *_, **__):
    if isinstance(shape, (list, tuple)) and any(map(tf.is_tensor, shape)):
      tf.less(math.prod(shape[1:], start=shape[0]), 1000)

  def flatten(inputs, *_, **__):
    if inputs.shape[0].value is None and inputs.shape[1:].is_fully_defined():
      tf.no_op(), tf.shape(inputs)[0]

  def gradient_of_mean(op, _):  # It calls that of the sum, which is registered by itself.
    if not op.inputs[0].shape.is_fully_defined():
      tf.no_op()

  def size(array, name=None):
    if not array._dynamic_size and tf.is_tensor(array._size):
      tf.no_op()

  tf.split, tf.one_hot = add(split, array_ops, 'split'), add(one_hot, array_ops, 'one_hot')
  add(zeros, array_ops, '_constant_if_small')
  add(flatten, layers, 'flatten')
  add(lambda *_, **__: tf.no_op(), nn_ops, 'convolution_v2')
  add(gradient_of_mean, math_grad, '_SumGrad')
  add(size, _GraphTensorArray, 'size')
  math_grad._InferGradientReductionAxes = lambda x, y: (None, None)  # Not left to the shapes.


def _call(function, order, /, *arguments, **keywords):
  """Calls a function of today, or makes a layer, with TensorFlow 1's arguments."""
  orders = [dict(re.findall(r'(\w+)=?([^,]*)', names)) for names in order.split('|')]
  starts_with_number = not arguments or isinstance(arguments[0], (int, np.integer))
  order = orders[0 if starts_with_number else -1]
  if len(arguments) > len(order):
    raise TypeError(f'{len(arguments)} arguments were given, at most are {", ".join(order)}')
  defaults = {key: ast.literal_eval(value) for key, value in order.items() if value}
  keywords = {key if key in order else _KEYWORDS.get(key, key): keywords[key] for key in keywords}
  keywords = defaults | dict(zip(order, arguments, strict=False)) | keywords
  if 'keep_prob' in keywords:
    keywords['rate'] = 1 - keywords.pop('keep_prob')
  collections = keywords.pop('outputs_collections', None) or ()
  outputs = _layer(function, **keywords) if isinstance(function, type) else function(**keywords)
  tensorflow_1().add_to_collections(collections, outputs)
  return outputs


def _layer(function, inputs, default_name, num_outputs=None, kernel_size=None, data_format=None,
           activation_fn=None, normalizer_fn=None, normalizer_params=None, name=None, reuse=None,
           variables_collections=None, **keywords):  # fmt: skip
  """Makes a layer of `tf.layers` with the names and the additions of `tf.contrib.layers`."""
  tf = tensorflow_1()
  sizes = [size for size in (num_outputs, kernel_size) if size is not None]
  if kernel_size is not None:
    keywords['data_format'] = 'channels_first' if data_format == 'NCHW' else 'channels_last'
  if normalizer_fn or keywords.get('bias_initializer', '') is None:
    keywords['use_bias'] = False
  getter = functools.partial(_get_variable, variables_collections or ())
  with tf.variable_scope(name, default_name, [inputs], reuse=reuse, custom_getter=getter) as scope:
    outputs = function(*sizes, name=scope.name, _scope=scope, _reuse=reuse, **keywords)(inputs)
    outputs = normalizer_fn(outputs, **normalizer_params or {}) if normalizer_fn else outputs
    activation_fn = tf.nn.relu if activation_fn == 'relu' else activation_fn
    return activation_fn(outputs) if activation_fn else outputs


def _get_variable(more, getter, name, collections=None, **keywords):
  """Makes a variable with its name and its collections, and `more`, in `tf.contrib.layers`."""
  name = re.sub('/kernel$', '/weights', re.sub('/bias$', '/biases', name))
  more = more.get(name.rpartition('/')[2], ()) if isinstance(more, dict) else more
  collections = [*(collections or ['variables']), 'model_variables', *more]
  return getter(name, collections=collections, **keywords)


@contextlib.contextmanager
def _arg_scope(functions, **keywords):
  """Gives functions of `tf.contrib.layers` other defaults within a `with` block."""
  scope = functions if isinstance(functions, dict) else dict.fromkeys(functions, keywords)
  before = [(function.keywords, {**function.keywords}) for function in scope]
  try:
    for function in scope:
      function.keywords.update(scope[function])
    yield {function: {**function.keywords} for function in scope}
  finally:
    for defaults, old in before:
      defaults.clear()
      defaults.update(old)


def _batch_norm(inputs, axis=-1, momentum=0.99, epsilon=0.001, center=True, scale=True,
                beta_initializer=None, gamma_initializer=None, training=False, name=None,
                reuse=None, trainable=True, updates_collections='update_ops', fused=None,
                activation_fn=None, data_format='NHWC', renorm=False,
                default_name='batch_normalization'):  # fmt: skip
  """Is `tf.layers.batch_normalization` for the last axis, which TensorFlow's wheel lacks."""
  tf = tensorflow_1()
  inputs = tf.convert_to_tensor(inputs)
  if axis not in (-1, inputs.shape.ndims - 1) or data_format != 'NHWC' or renorm:
    raise ValueError('batch normalization is of the last axis here, and without renorm')
  with tf.variable_scope(name, default_name, [inputs], reuse=reuse):
    variable = functools.partial(tf.get_variable, shape=inputs.shape[-1:], trainable=trainable)
    ones, zeros = tf.ones_initializer(), tf.zeros_initializer()
    gamma = variable('gamma', initializer=gamma_initializer or ones) if scale else None
    beta = variable('beta', initializer=beta_initializer or zeros) if center else None
    mean = variable('moving_mean', initializer=zeros, trainable=False)
    variance = variable('moving_variance', initializer=ones, trainable=False)
    old, new, updates = [mean, variance], [mean, variance], []
    if training is not False:
      moments = tf.nn.moments(inputs, [*range(inputs.shape.ndims - 1)])
      new = [
        tf.where(tf.cast(training, tf.bool), *pair) for pair in zip(moments, old, strict=True)
      ]
      updates = [tf.assign_sub(o, (1 - momentum) * (o - n)) for o, n in zip(old, new, strict=True)]
    tf.get_collection_ref(updates_collections).extend(updates)
    with tf.control_dependencies([] if updates_collections else updates):  # None means at once.
      outputs = tf.nn.batch_normalization(inputs, *new, beta, gamma, epsilon)
    return activation_fn(outputs) if activation_fn else outputs


def _dropout(x, rate, noise_shape=None, seed=None, name=None):
  """Makes the nodes of TensorFlow 1.15 in their order, because seeds count them."""
  tf = tensorflow_1()
  if not tf.is_tensor(rate) and not 0 <= rate < 1:
    raise ValueError(f'rate, which is 1 - keep_prob, must be in the range [0, 1). Got {rate}.')
  with tf.name_scope(name, 'dropout', [x]):
    x = tf.convert_to_tensor(x)
    if not tf.is_tensor(rate) and rate == 0:
      return x
    rate = tf.convert_to_tensor(rate, x.dtype)
    shape = tf.shape(x) if noise_shape is None else noise_shape
    random = tf.random_uniform(shape, dtype=x.dtype, seed=seed)
    scale, kept = 1 / (1 - rate), random >= rate
    outputs = x * scale * tf.cast(kept, x.dtype)
    outputs.set_shape(x.shape)
    return outputs


def _load_dataset(name, **_):
  return getattr(tensorflow_1().contrib.learn.datasets, 'load_' + name)()


def _regularizer(scale, name=None, norm='l2'):
  tf = tensorflow_1()
  norm = tf.nn.l2_loss if norm == 'l2' else lambda w: tf.reduce_sum(tf.abs(w))
  # Today's get_variable calls it twice.
  return functools.cache(lambda w: tf.multiply(tf.constant(scale, w.dtype.base_dtype), norm(w)))


def _variance_scaling(factor=2.0, mode='FAN_IN', uniform=False, seed=None, dtype=None):
  """Divides by `sqrt(n / 1.3)`, as contrib did; today's function divides by `sqrt(n) * 0.88`."""
  scale = factor if uniform else factor * 1.3 * 0.87962566103423978**2
  kind = 'uniform' if uniform else 'truncated_normal'
  return tensorflow_1().variance_scaling_initializer(scale, mode.lower(), kind, seed)


def _import(name, globals=None, locals=None, fromlist=(), level=0, python=builtins.__import__):
  """Imports as Python does, but gives TensorFlow 1 to `__main__` and the script's folder."""
  caller = globals or sys._getframe(1).f_globals
  is_old = caller.get('__name__') == '__main__' or _is_old(caller.get('__file__') or '')
  package, *path = name.split('.')
  if package != 'tensorflow' or level or not is_old:
    return python(name, globals, locals, fromlist, level)
  if path[:1] and path[0] in ('python', 'core', 'compat', 'keras'):
    python(name, globals, locals, fromlist)
  __tracebackhide__ = True  # In IPython.
  try:
    found = functools.reduce(getattr, path, tensorflow_1())
    for attribute in {*(fromlist or ())} - {'*'}:
      getattr(found, attribute)
  except AttributeError as error:
    raise ImportError(error) from None
  return found if fromlist else tensorflow_1()


@functools.cache
def _is_old(file):
  """Returns whether a file is the script's, or of a module in its folder or below."""
  file = os.path.realpath(file)
  return file.startswith(_folder) and '-packages' not in file[len(_folder) :] and file != _FILE


def _excepthook(kind, error, trace):
  """Prints an error as Python does, without the calls of this file that run the script."""
  here = rf'{re.escape(__file__)}", line \d+, in (<module>|<lambda>|_run|_import|_get_code)'
  text = ''.join(traceback.format_exception(kind, error, trace))
  text = re.sub(rf'(?m)^( +)File "(<frozen importlib.*|{here})\n(\1  .*\n)*', '', text)
  text = re.sub(r'(?m)^Traceback .*\n(?!  File ".*, in )', '', text)
  print(text, end='', file=sys.stderr)


def _python_3(code):
  """Returns Python 3's code as it is, and Python 2's with brackets around what `print` prints."""
  statements, ends = [[]], [0, *itertools.accumulate(map(len, io.StringIO(code)))]
  with contextlib.suppress(tokenize.TokenError, SyntaxError):
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
      prints = statements[-1] and statements[-1][0].string == 'print'
      if token.string.strip() in ('', ';', '' if prints else ':') and token.type != tokenize.NL:
        statements.append([])  # The ends of lines are empty.
      elif token.type not in (tokenize.COMMENT, tokenize.NL):
        statements[-1].append(token)
  statements = [words for words in statements if words and words[0].string == 'print']
  kinds = tokenize.NAME, tokenize.NUMBER, tokenize.STRING
  if any(
    w[1].type in kinds or w[1].string in ('>>', '[', '{', '~') for w in statements if len(w) > 1
  ):
    for words in reversed(statements):
      start, end = (ends[word.end[0] - 1] + word.end[1] for word in (words[0], words[-1]))
      values, close = code[start:end], " end=' ')" if words[-1].string == ',' else ')'
      opening = '_to(' if values.lstrip().startswith('>>') else '('
      values = values.replace('>>', '', 1) if opening == '_to(' else values
      code = code[:start] + opening + values + close + code[end:]
  return code


def _get_code(loader, name, python=importlib.machinery.SourceFileLoader.get_code):
  """Returns a module's code as Python does, but that of an old text also from Python 2's."""
  if not _is_old(loader.path):
    return python(loader, name)
  if loader.path.endswith('.ipynb'):
    raise OSError(f'{loader.path} is a notebook. Save it as a Python script.')
  try:
    code = importlib.util.decode_source(loader.get_data(loader.path))
    if '\0' in code:
      raise ValueError('it holds zero bytes')
  except (ValueError, SyntaxError) as error:
    advice = 'If it is in another encoding, its first line has to be such as # coding: latin-1'
    raise OSError(f'{loader.path} is not a Python script in UTF-8: {error}. {advice}') from None
  if f'.{name}'.endswith('.input_data') and 'train-images-idx3-ubyte' in code:  # An old copy.
    code = 'import tensorflow.examples.tutorials.mnist.input_data as m, sys\n'
    code += 'sys.modules[__name__] = m'
  errors = []
  for text in _python_3(code), code:
    try:
      return compile(text, loader.path, 'exec')
    except SyntaxError as error:
      errors.append(error)
  raise max(errors, key=lambda error: error.lineno or 0)  # This one was read further.


def _run(arguments):
  """Runs an old script as Python does, or prepares a prompt or a notebook for old pages."""
  global _folder
  is_prompt = sys.flags.inspect or hasattr(sys, 'ps1')
  if arguments[:1] and arguments[0].startswith('-') or not arguments and not is_prompt:
    sys.exit('Usage: python input_data.py OLD_SCRIPT [ITS_FLAGS], or python -i input_data.py')
  script = os.path.realpath(arguments[0] if arguments else 'prompt')
  sys.path[0], _folder = os.path.dirname(script), os.path.join(os.path.dirname(script), '')
  if _is_old(own := _folder + 'input_data.py') and os.path.isfile(own):
    del sys.modules['input_data']  # `_get_code` sees whether it is a copy, or of other data.
  builtins.__import__, sys.excepthook = _import, _excepthook
  loader = importlib.machinery.SourceFileLoader
  loader.get_code = _get_code
  vars(builtins).update(xrange=range, raw_input=input, unicode=str, reload=importlib.reload)
  builtins.print_to = lambda f, *values, **end: print(*values, file=f, **end)  # Was `print >>f`.
  sys.setdefaultencoding = str  # Does nothing. It was called behind `reload(sys)`.
  for name in 'int float bool object complex str'.split():
    vars(np).setdefault(name, getattr(builtins, name))
  vars(np).update(infty=np.inf, Inf=np.inf, NaN=np.nan, float_=np.float64, product=np.prod)
  if np.lib.NumpyVersion(np.__version__) >= '2.0.0':
    np.set_printoptions(legacy='1.25')  # As np.float32(0.5), version 2 prints what was 0.5.
  if arguments:
    main = types.ModuleType('__main__')
    main.__file__, main.__builtins__ = os.path.abspath(arguments[0]), builtins
    sys.modules['__main__'] = main
    sys.argv = arguments
    exec(loader('__main__', script).get_code('__main__'), vars(main))


if __name__ == '__main__':
  # Not normalized, so that both loads of this file have one name in a traceback.
  sys.path.insert(0, os.path.dirname(os.path.join(os.getcwd(), __file__)))
  import input_data

  input_data._run(sys.argv[1:])
