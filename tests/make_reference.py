"""Writes reference.json: what TensorFlow 1.15.5 and its `input_data` answer.

TensorFlow 1.15.5 needs Python 3.7, which pyenv and conda still install:

  python3.7 -m venv tf1
  tf1/bin/pip install tensorflow==1.15.5 'numpy<1.19' 'protobuf<3.21' 'h5py<3'
  tf1/bin/python tests/make_reference.py

A digest is the first 24 hexadecimal digits of SHA-256.
"""

import hashlib
import json
import os
import pathlib

os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'

import graph_cases
import numpy as np
import tensorflow as tf
from graph_cases import digest
from tensorflow.contrib.learn.python.learn.datasets.mnist import read_data_sets

tf.logging.set_verbosity(tf.logging.ERROR)
FOLDER = pathlib.Path(__file__).resolve().parent
ANSWERS = {}


def read(**options):
  return read_data_sets(str(FOLDER.parent / 'MNIST_data'), **options)


def read_seeded(**options):
  """Reads sets that have no seed; each made one resets NumPy's, so theirs is given afterwards."""
  sets = read(**options)
  np.random.seed(0)
  return sets


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


def softmax(seed, rate, cross_entropy):
  """Trains softmax regression; returns its test accuracy and its biases."""
  mnist = read(one_hot=True, seed=seed)
  with tf.Graph().as_default(), tf.Session() as sess:
    x, y_ = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.float32, [None, 10])
    W, b = tf.Variable(tf.zeros([784, 10])), tf.Variable(tf.zeros([10]))
    y = tf.matmul(x, W) + b
    train_step = tf.train.GradientDescentOptimizer(rate).minimize(cross_entropy(y_, y))
    correct_prediction = tf.equal(tf.argmax(y, 1), tf.argmax(y_, 1))
    accuracy = tf.reduce_mean(tf.cast(correct_prediction, tf.float32))
    sess.run(tf.global_variables_initializer())
    for _ in range(1000):
      images, labels = mnist.train.next_batch(100)
      sess.run(train_step, {x: images, y_: labels})
    found = sess.run(accuracy, {x: mnist.test.images, y_: mnist.test.labels})
    return [round(float(found), 4), [round(float(value), 5) for value in sess.run(b)]]


def mean_of_logits(y_, y):
  return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(labels=y_, logits=y))


def sum_of_logarithms(y_, y):
  return -tf.reduce_sum(y_ * tf.log(tf.nn.softmax(y)))


# The data sets as they are read.
sets = read(one_hot=True)
ANSWERS['images of the three sets, then labels, one_hot'] = [
  *[digest(s.images) for s in sets],
  *[digest(np.float64(s.labels)) for s in sets],
]
ANSWERS['images and labels, validation_size=12000'] = [
  [*s.images.shape, digest(s.images), digest(s.labels)] for s in read(validation_size=12000)
]
ANSWERS['images, dtype=uint8, reshape=False'] = [
  [*s.images.shape, s.images.dtype.name, digest(s.images)]
  for s in read(dtype=np.uint8, reshape=False)
]
ANSWERS['images of train and test, reshape=False, validation_size=0'] = [
  [*s.images.shape, digest(s.images)] for s in read(reshape=False, validation_size=0)[::2]
]
train = read(fake_data=True, one_hot=True).train
images, labels = train.next_batch(3, fake_data=True)
ANSWERS['a batch of fake data, one_hot'] = [images == [[1] * 784] * 3, labels, train.num_examples]

# Batches.
SIZES = (600, 100), (300, 50), (50, 64), (500, 128), (60, 1000), (2, 55000), (9, 7)
for seed, one_hot in (1, False), (1, True), (7, True):
  question = f'batches of train, seed {seed}' + ', one_hot' * one_hot
  ANSWERS[question] = batches_digest(read(seed=seed, one_hot=one_hot).train, SIZES)
sets = read(seed=1, one_hot=True)
ANSWERS['batches of test, seed 1, one_hot'] = batches_digest(sets.test, [(130, 96)])[0]
found = batches_digest(sets.validation, [(12, 999)], shuffle=False)
ANSWERS['batches of validation, one_hot, shuffle=False'] = found[0]

# What old scripts do to a data set.
sets = read_seeded(one_hot=True)
ANSWERS['batches of train, test, train after numpy.random.seed(0)'] = [
  batches_digest(sets.train, [(600, 100)])[0],
  batches_digest(sets.test, [(30, 500)])[0],
  batches_digest(sets.train, [(50, 64)])[0],
]
train = read_seeded(one_hot=True).train
train.next_batch(100)
train._images = train._images * 2 - 1
found = batches_digest(train, [(600, 100)])
ANSWERS['batches after _images = _images * 2 - 1'] = found[0]

train = read_seeded(one_hot=True).train
keep = train._labels.argmax(1) < 2
train._images, train._labels = train._images[keep], train._labels[keep]
train._num_examples = int(keep.sum())
found = batches_digest(train, [(300, 100)])
ANSWERS['batches after two classes are kept'] = found[0]

train, validation, _ = read_seeded(one_hot=True)
train._images = np.concatenate([train._images, validation._images])
train._labels = np.concatenate([train._labels, validation._labels])
train._num_examples = 60000
found = batches_digest(train, [(700, 100)])
ANSWERS['batches after train and validation are joined'] = found[0]

train = read_seeded(one_hot=True).train
batches_digest(train, [(100, 70)])
train._index_in_epoch = train._epochs_completed = 0
found = batches_digest(train, [(700, 100)])
ANSWERS['batches after _index_in_epoch = _epochs_completed = 0'] = found[0]

# What is learned. The weights start at 0, so the batches decide everything.
for seed in 0, 1:
  question = f'accuracy and biases of softmax regression, seed {seed}'
  ANSWERS[question] = softmax(seed, 0.5, mean_of_logits)
question = 'accuracy and biases of softmax regression, seed 5, sum of logarithms'
ANSWERS[question] = softmax(5, 0.01, sum_of_logarithms)

# What the seed of a graph decides.
for seed in graph_cases.SEEDS:
  for question, code in graph_cases.GRAPHS.items():
    found = graph_cases.graph_digests(tf, code, seed)
    ANSWERS[f'{question}, graph seed {seed}'] = found
  with tf.Graph().as_default():
    tf.set_random_seed(seed)
    sets = read()
    labels = [s.next_batch(100)[1] for s in (sets.train, sets.test)]
    question = f'labels of a batch of train, then of test, graph seed {seed}'
    ANSWERS[question] = [digest(batch) for batch in labels]
code = 'fetches = [tf.truncated_normal([4], seed=5)]'
found = graph_cases.graph_digests(tf, code, None)
ANSWERS['truncated_normal with a seed of its own, no graph seed'] = found

lines = [
  f'{json.dumps(question)}: {json.dumps(ANSWERS[question])}' for question in sorted(ANSWERS)
]
text = ',\n'.join(lines)
(FOLDER / 'reference.json').write_text(f'{{\n{text}\n}}\n')
