"""Writes reference.json: what TensorFlow 1.15.5 and its `input_data` answer.

TensorFlow 1.15.5 needs Python 3.7, which pyenv and conda still install:

  python3.7 -m venv tf1
  tf1/bin/pip install tensorflow==1.15.5 'numpy<1.19' 'protobuf<3.21' 'h5py<3'
  tf1/bin/python tests/make_reference.py

The tests ask today's TensorFlow and `input_data` the same questions. A digest is the first 24
hexadecimal digits of SHA-256.
"""

import functools
import hashlib
import json
import os
import pathlib
import re

import numpy as np


def scripts(text):
  """Returns {heading: code} of a text whose headings begin with `# `."""
  return dict(re.findall(r'^# (.*)\n((?:(?!# ).*\n)+)', text, re.MULTILINE))


# Each makes `fetches`, whose values the seed of the graph decides, and `feed` for placeholders.
GRAPHS = scripts("""
# truncated_normal first
fetches = [tf.truncated_normal([5, 5, 1, 32], stddev=0.1)]
# random_normal variables after two placeholders
x, y_ = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.float32, [None, 10])
fetches = [tf.Variable(tf.random_normal([784, 256])), tf.Variable(tf.random_normal([256]))]
# random_uniform, then random_normal
fetches = [tf.random_uniform([3, 4]), tf.random_normal([2, 2])]
# random_uniform of floats from -1 to 1, then of integers from 0 to 9
fetches = [tf.random_uniform([3, 4], -1., 1.), tf.random_uniform([5], 0, 10, dtype=tf.int32)]
# dropout by a placeholder, run twice, then random_normal
x, keep_prob = tf.placeholder(tf.float32, [None, 20]), tf.placeholder(tf.float32)
drop = tf.nn.dropout(x, keep_prob)
fetches = [drop, drop, tf.random_normal([2, 2])]
feed = {x: np.ones([3, 20]), keep_prob: 0.5}
# dropout(x, 0.7), dropout(x, rate=0.3), then random_normal
x = tf.ones([3, 20])
fetches = [tf.nn.dropout(x, 0.7), tf.nn.dropout(x, rate=0.3), tf.random_normal([2, 2])]
# after the mean and the largest of a variable, and after minimize
w = tf.Variable(tf.random_normal([3]))
tf.reduce_max(w)
tf.train.AdamOptimizer().minimize(tf.reduce_mean(w))
fetches = [w, tf.random_normal([3])]
# dropout with a seed of its own
fetches = [tf.nn.dropout(tf.ones([3, 20]), 0.5, seed=5)]
# get_variable with each initializer
initializers = [None, tf.truncated_normal_initializer(0, 0.1)]
initializers += [tf.random_uniform_initializer(-1, 1), tf.random_normal_initializer()]
fetches = [tf.get_variable(n, [30, 20], initializer=i) for n, i in zip('abcd', initializers)]
fetches += [tf.get_variable('e', [5, 5, 3, 8], initializer=tf.glorot_uniform_initializer())]
# get_variable with initializers of contrib
layers = tf.contrib.layers
fetches = [tf.get_variable('a', [30, 20], initializer=layers.xavier_initializer())]
fetches += [tf.get_variable('b', [5, 5, 3, 8], initializer=layers.xavier_initializer_conv2d())]
fetches += [tf.get_variable('c', [30, 20], initializer=layers.variance_scaling_initializer())]
# a net of tf.layers
h = tf.layers.conv2d(tf.placeholder(tf.float32, [None, 8, 8, 1]), 4, 3, activation=tf.nn.relu)
h = tf.layers.dense(tf.layers.flatten(tf.layers.max_pooling2d(h, 2, 2)), 9)
tf.layers.dense(tf.layers.dropout(h, 0.5, training=True), 5)
fetches = tf.global_variables()
# a net of contrib, with a regularizer and a cell
l2 = tf.contrib.layers.l2_regularizer(0.1)
h = tf.contrib.layers.conv2d(tf.placeholder(tf.float32, [None, 8, 8, 1]), 4, [3, 3])
h = tf.contrib.layers.flatten(tf.contrib.layers.max_pool2d(h, [2, 2]))
h = tf.contrib.layers.fully_connected(h, 9, weights_regularizer=l2)
tf.contrib.rnn.static_rnn(tf.contrib.rnn.BasicLSTMCell(5), [h, h], dtype=tf.float32)
fetches = tf.global_variables() + [tf.random_normal([2])]
# split, one_hot and zeros, then random_normal
tf.split(tf.zeros([4, 4]), 2, 1), tf.one_hot([1, 2], 10, 1.0, 0.0)
n = tf.placeholder(tf.int32, [])
tf.zeros([n, 4]), tf.ones([n]), tf.zeros([2, n, n])
fetches = [tf.random_normal([2])]
# truncated_normal with a seed of its own
fetches = [tf.truncated_normal([4], seed=5)]
# truncated_normal with a seed of its own, then two without
fetches = [tf.truncated_normal([4], seed=5)]
fetches += [tf.random_shuffle(tf.range(10)), tf.random_normal([3])]
# labels of a batch of train, then of test
train, _, test = read()
fetches = [tf.constant(train.next_batch(100)[1]), tf.constant(test.next_batch(100)[1])]
# two alike after three constants, in a scope
tf.constant(0), tf.constant(1), tf.constant(2)
with tf.name_scope('a'):
  fetches = [tf.truncated_normal([4]), tf.truncated_normal([4])]
# weights of the tutorial's net
x, y_ = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.float32, [None, 10])
fetches, h = [], tf.reshape(x, [-1, 28, 28, 1])
for shape in [5, 5, 1, 32], [5, 5, 32, 64], [7 * 7 * 64, 1024], [1024, 10]:
  W = tf.Variable(tf.truncated_normal(shape, stddev=0.1))
  b = tf.Variable(tf.constant(0.1, shape=shape[-1:]))
  fetches.append(W)
  if len(shape) == 4:
    h = tf.nn.relu(tf.nn.conv2d(h, W, strides=[1, 1, 1, 1], padding='SAME') + b)
    h = tf.nn.max_pool(h, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding='SAME')
  else:
    h = tf.nn.relu(tf.matmul(tf.reshape(h, [-1, shape[0]]), W) + b)
    h = tf.nn.dropout(h, tf.placeholder(tf.float32))
""")

# Each finds an `answer` about the data sets; train, validation and test are one_hot and its own.
DATA = {
  'images and labels': 'answer = arrays(read())',
  'images and labels, validation_size=12000': 'answer = arrays(read(validation_size=12000))',
  'images and labels, dtype=uint8, one_hot': 'answer = arrays(read(dtype=np.uint8, one_hot=True))',
  'images and labels, reshape=False': 'answer = arrays(read(reshape=False))',
  'batches of train, seed 1': 'answer = of_many_sizes(read(seed=1).train)',
  'batches of train, seed 7, one_hot': 'answer = of_many_sizes(read(seed=7, one_hot=True).train)',
  'batches of test, seed 1, one_hot': 'answer = batches(read(seed=1, one_hot=True).test, 130, 96)',
  'batches of validation, shuffle=False': 'answer = batches(validation, 12, 999, shuffle=False)',
  **scripts("""
# a batch of fake data, one_hot
images, labels = read(fake_data=True, one_hot=True).train.next_batch(3, fake_data=True)
answer = [images == [[1] * 784] * 3, labels]
# batches of train, test, train
answer = [batches(train, 600, 100), batches(test, 30, 500), batches(train, 50, 64)]
# batches after _images = _images * 2 - 1
train.next_batch(100)
train._images = train._images * 2 - 1
answer = batches(train, 600, 100)
# batches after two classes are kept
keep = train._labels.argmax(1) < 2
train._images, train._labels = train._images[keep], train._labels[keep]
train._num_examples = int(keep.sum())
answer = batches(train, 300, 100)
# batches after train and validation are joined
train._images = np.concatenate([train._images, validation._images])
train._labels = np.concatenate([train._labels, validation._labels])
train._num_examples = 60000
answer = batches(train, 700, 100)
# batches after _index_in_epoch = _epochs_completed = 0
batches(train, 100, 70)
train._index_in_epoch = train._epochs_completed = 0
answer = batches(train, 700, 100)
"""),
}

# Each is a page for beginners, with the loss of 1.0 or that of 0.x. The weights start at 0, so the
# batches decide its `figures`: the accuracy and the biases.
PAGE = """
from tensorflow.examples.tutorials.mnist import input_data
mnist = input_data.read_data_sets('MNIST_data/', one_hot=True, seed={seed})
import tensorflow as tf
x, y_ = tf.placeholder("float", [None, 784]), tf.placeholder("float", [None, 10])
W, b = tf.Variable(tf.zeros([784, 10])), tf.Variable(tf.zeros([10]))
logits = tf.matmul(x, W) + b
y = tf.nn.softmax(logits)
cross_entropy = {loss}
train_step = tf.train.GradientDescentOptimizer({rate}).minimize(cross_entropy)
sess = tf.InteractiveSession()
sess.run(tf.initialize_all_variables())
for _ in range(1000):
  batch_xs, batch_ys = mnist.train.next_batch(100)
  sess.run(train_step, feed_dict={{x: batch_xs, y_: batch_ys}})

accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(y, 1), tf.argmax(y_, 1)), "float"))
figures = [sess.run(accuracy, {{x: mnist.test.images, y_: mnist.test.labels}}), b.eval().tolist()]
print("figures %.4f %s" % tuple(figures))
"""
MEAN = 'tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(logits=logits, labels=y_))'
SUM = '-tf.reduce_sum(y_ * tf.log(y))'
PAGES = {
  'figures of a page, seed 0': PAGE.format(seed=0, loss=MEAN, rate=0.5),
  'figures of a page, seed 1': PAGE.format(seed=1, loss=MEAN, rate=0.5),
  'figures of a page, seed 5, sum of logarithms': PAGE.format(seed=5, loss=SUM, rate=0.01),
}


def digest(array):
  return hashlib.sha256(np.ascontiguousarray(array)).hexdigest()[:24]


def arrays(data_sets):
  """Returns shape and type of the images, digests of images and labels, for each data set."""
  pairs = ((data_set.images, data_set.labels) for data_set in data_sets)
  return [[*x.shape, x.dtype.name, digest(x), digest(np.float64(y))] for x, y in pairs]


def batches(data_set, count, size, **options):
  """Returns the digest of so many batches."""
  sha = hashlib.sha256()
  for _ in range(count):
    images, labels = data_set.next_batch(size, **options)
    sha.update(np.ascontiguousarray(images, np.float32))
    sha.update(np.ascontiguousarray(labels, np.float64))
  return sha.hexdigest()[:24]


def of_many_sizes(train):
  """Returns the digests of batches of several sizes, one after the other, and the epochs."""
  sizes = (600, 100), (300, 50), (50, 64), (500, 128), (60, 1000), (2, 55000), (9, 7)
  return [[batches(train, *size), train.epochs_completed] for size in sizes]


def data_answers(read):
  """Returns {question: answer}; `read` is `read_data_sets` with the folder of the archives."""
  answers = {}
  for question, code in DATA.items():
    names = dict(globals(), read=read)
    names['train'], names['validation'], names['test'] = read(one_hot=True)
    np.random.seed(0)  # TensorFlow 1.15.5 has seeded it while it read.
    exec(code, names)
    answers[question] = names['answer']
  return answers


def graph_answers(tf, read):
  """Returns {question: the digests of `fetches`, each of them run by itself}."""
  questions, answers = [(name, seed) for name in GRAPHS for seed in (1, 777)], {}
  for name, seed in [*questions, ('truncated_normal with a seed of its own', None)]:
    with tf.Graph().as_default(), tf.Session() as sess:
      tf.set_random_seed(seed)
      names = dict(globals(), tf=tf, read=read)
      exec(GRAPHS[name], names)
      sess.run(tf.global_variables_initializer())
      values = [sess.run(fetch, names.get('feed')) for fetch in names['fetches']]
    answers[f'{name}, graph seed {seed}'] = [digest(value) for value in values]
  return answers


def main():
  os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
  os.chdir(pathlib.Path(__file__).resolve().parent.parent)
  import tensorflow as tf
  from tensorflow.examples.tutorials.mnist.input_data import read_data_sets

  tf.logging.set_verbosity(tf.logging.ERROR)
  read = functools.partial(read_data_sets, 'MNIST_data')
  answers = dict(data_answers(read), **graph_answers(tf, read))
  for question, code in PAGES.items():
    names = {}
    exec(code, names)
    accuracy, biases = names['figures']
    answers[question] = [round(float(accuracy), 4), [round(bias, 4) for bias in biases]]
  rows = [f'{json.dumps(key)}: {json.dumps(answer)}' for key, answer in sorted(answers.items())]
  pathlib.Path('tests/reference.json').write_text('{\n' + ',\n'.join(rows) + '\n}\n')


if __name__ == '__main__':
  main()
