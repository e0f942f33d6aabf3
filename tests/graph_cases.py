"""Pieces of TensorFlow 1 code whose values the graph's seed decides.

`make_reference.py` runs them on TensorFlow 1.15.5 and Python 3.7, the tests on today's TensorFlow,
so that both answer the same question.
"""

import hashlib

import numpy as np

# Each makes `fetches`, and `feed` if there are placeholders to feed.
GRAPHS = {
  'truncated_normal first': """
fetches = [tf.truncated_normal([5, 5, 1, 32], stddev=0.1)]
""",
  'random_normal variables after two placeholders': """
x, y_ = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.float32, [None, 10])
fetches = [tf.Variable(tf.random_normal([784, 256])), tf.Variable(tf.random_normal([256]))]
""",
  'random_uniform, then random_normal': """
fetches = [tf.random_uniform([3, 4]), tf.random_normal([2, 2])]
""",
  'random_uniform of floats from -1 to 1, then of integers from 0 to 9': """
fetches = [tf.random_uniform([3, 4], -1., 1.), tf.random_uniform([5], 0, 10, dtype=tf.int32)]
""",
  'dropout by a placeholder, run twice, then random_normal': """
x, keep_prob = tf.placeholder(tf.float32, [None, 20]), tf.placeholder(tf.float32)
drop = tf.nn.dropout(x, keep_prob)
fetches = [drop, drop, tf.random_normal([2, 2])]
feed = {x: np.ones([3, 20]), keep_prob: 0.5}
""",
  'dropout(x, 0.7), dropout(x, rate=0.3), then random_normal': """
x = tf.ones([3, 20])
fetches = [tf.nn.dropout(x, 0.7), tf.nn.dropout(x, rate=0.3), tf.random_normal([2, 2])]
""",
  'dropout with a seed of its own': """
fetches = [tf.nn.dropout(tf.ones([3, 20]), 0.5, seed=5)]
""",
  'get_variable with each initializer': """
fetches = [
  tf.get_variable('a', [30, 20]),
  tf.get_variable('b', [30, 20], initializer=tf.truncated_normal_initializer(stddev=0.1)),
  tf.get_variable('c', [30, 20], initializer=tf.random_uniform_initializer(-1, 1)),
  tf.get_variable('d', [30, 20], initializer=tf.random_normal_initializer()),
  tf.get_variable('e', [5, 5, 3, 8], initializer=tf.glorot_uniform_initializer()),
]
""",
  'get_variable with initializers of contrib': """
layers = tf.contrib.layers
fetches = [
  tf.get_variable('a', [30, 20], initializer=layers.xavier_initializer()),
  tf.get_variable('b', [5, 5, 3, 8], initializer=layers.xavier_initializer_conv2d()),
  tf.get_variable('c', [30, 20], initializer=layers.variance_scaling_initializer()),
]
""",
  'truncated_normal with a seed of its own, then two without': """
fetches = [tf.truncated_normal([4], seed=5)]
fetches += [tf.random_shuffle(tf.range(10)), tf.random_normal([3])]
""",
  'two alike after three constants, in a scope': """
tf.constant(0), tf.constant(1), tf.constant(2)
with tf.name_scope('a'):
  fetches = [tf.truncated_normal([4]), tf.truncated_normal([4])]
""",
  "weights of the tutorial's net": """
x, y_ = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.float32, [None, 10])
fetches = []
def weight_variable(shape):
  fetches.append(tf.Variable(tf.truncated_normal(shape, stddev=0.1)))
  return fetches[-1]
def bias_variable(shape):
  return tf.Variable(tf.constant(0.1, shape=shape))
def convolve_and_pool(x, shape):
  W, b = weight_variable(shape), bias_variable(shape[3:])
  h = tf.nn.relu(tf.nn.conv2d(x, W, strides=[1, 1, 1, 1], padding='SAME') + b)
  return tf.nn.max_pool(h, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding='SAME')
h_pool1 = convolve_and_pool(tf.reshape(x, [-1, 28, 28, 1]), [5, 5, 1, 32])
h_pool2 = convolve_and_pool(h_pool1, [5, 5, 32, 64])
W_fc1, b_fc1 = weight_variable([7 * 7 * 64, 1024]), bias_variable([1024])
h_fc1 = tf.nn.relu(tf.matmul(tf.reshape(h_pool2, [-1, 7 * 7 * 64]), W_fc1) + b_fc1)
h_fc1_drop = tf.nn.dropout(h_fc1, tf.placeholder(tf.float32))
W_fc2, b_fc2 = weight_variable([1024, 10]), bias_variable([10])
""",
}
SEEDS = 777, 1


def digest(array):
  return hashlib.sha256(np.ascontiguousarray(array)).hexdigest()[:24]


def graph_digests(tf, code, seed):
  """Returns the digest of each of `fetches`, run one by one in a graph with this seed."""
  with tf.Graph().as_default():
    tf.set_random_seed(seed)
    names = {'np': np, 'tf': tf}
    exec(code, names)
    with tf.Session() as sess:
      sess.run(tf.global_variables_initializer())
      return [digest(sess.run(fetch, names.get('feed'))) for fetch in names['fetches']]


def answers(tf, read_data_sets):
  """Returns {question: digests} for each seed."""
  found = {}
  for seed in SEEDS:
    for question, code in GRAPHS.items():
      found[f'{question}, graph seed {seed}'] = graph_digests(tf, code, seed)
    with tf.Graph().as_default():
      tf.set_random_seed(seed)
      train, _, test = read_data_sets()
      labels = [digest(data.next_batch(100)[1]) for data in (train, test)]
      found[f'labels of a batch of train, then of test, graph seed {seed}'] = labels
  code = 'fetches = [tf.truncated_normal([4], seed=5)]'
  question = 'truncated_normal with a seed of its own, no graph seed'
  return {**found, question: graph_digests(tf, code, None)}
