"""Questions about the data sets, with the code that finds the answers.

`make_reference.py` runs it on TensorFlow 1.15.5 and Python 3.7, the tests on today's `input_data`.
"""

import hashlib

import numpy as np
from graph_cases import digest

# What scripts do to `train`, `validation` and `test`. These have no seed, and NumPy's is 0.
QUESTIONS = {
  'batches of train, test, train': """
found = [batches(train, 600, 100), batches(test, 30, 500), batches(train, 50, 64)]
""",
  'batches of validation, shuffle=False': """
found = batches(validation, 12, 999, shuffle=False)
""",
  'batches after _images = _images * 2 - 1': """
train.next_batch(100)
train._images = train._images * 2 - 1
found = batches(train, 600, 100)
""",
  'batches after two classes are kept': """
keep = train._labels.argmax(1) < 2
train._images, train._labels = train._images[keep], train._labels[keep]
train._num_examples = int(keep.sum())
found = batches(train, 300, 100)
""",
  'batches after train and validation are joined': """
train._images = np.concatenate([train._images, validation._images])
train._labels = np.concatenate([train._labels, validation._labels])
train._num_examples = 60000
found = batches(train, 700, 100)
""",
  'batches after _index_in_epoch = _epochs_completed = 0': """
batches(train, 100, 70)
train._index_in_epoch = train._epochs_completed = 0
found = batches(train, 700, 100)
""",
}
# With which options the images and labels of the three sets are read.
READ = {
  'images and labels': {},
  'images and labels, validation_size=12000': {'validation_size': 12000},
  'images and labels, dtype=uint8, one_hot': {'dtype': np.uint8, 'one_hot': True},
  'images and labels, reshape=False': {'reshape': False},
}
# Of train with these options, batches of which size are taken how often, one after the other.
SEEDED = {
  'batches of train, seed 1': {'seed': 1},
  'batches of train, seed 1, one_hot': {'seed': 1, 'one_hot': True},
  'batches of train, seed 7, one_hot': {'seed': 7, 'one_hot': True},
}
SIZES = (600, 100), (300, 50), (50, 64), (500, 128), (60, 1000), (2, 55000), (9, 7)


def batches(data_set, count, size, **options):
  """Returns the digest of so many batches."""
  sha = hashlib.sha256()
  for _ in range(count):
    images, labels = data_set.next_batch(size, **options)
    sha.update(np.ascontiguousarray(images, np.float32))
    sha.update(np.ascontiguousarray(labels, np.float64))
  return sha.hexdigest()[:24]


def answers(read):
  """Returns {question: answer}; `read` is `read_data_sets` with the folder of the archives."""
  found = {}
  for question, options in READ.items():
    found[question] = [
      [*s.images.shape, s.images.dtype.name, digest(s.images), digest(np.float64(s.labels))]
      for s in read(**options)
    ]
  for question, options in SEEDED.items():
    train = read(**options).train
    found[question] = [[batches(train, *size), train.epochs_completed] for size in SIZES]
  test = read(seed=1, one_hot=True).test
  found['batches of test, seed 1, one_hot'] = batches(test, 130, 96)
  for question, code in QUESTIONS.items():
    train, validation, test = read(one_hot=True)
    np.random.seed(0)  # TensorFlow 1.15.5 has seeded it while it read.
    names = {'np': np, 'batches': batches}
    names.update(train=train, validation=validation, test=test)
    exec(code, names)
    found[question] = names['found']
  images, labels = read(fake_data=True, one_hot=True).train.next_batch(3, fake_data=True)
  found['a batch of fake data, one_hot'] = [images == [[1] * 784] * 3, labels]
  return found
