"""A convolutional net on MNIST: two layers of features recognise 99.2 % of handwritten digits."""

import argparse
import math
import os
import sys
import tempfile
import time

import numpy as np

import input_data


def parse_flags():
  """Returns the flags of the command line; exits with argparse's error if one is wrong."""
  parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
  parser.add_argument('--data_dir', default='MNIST_data', help='folder of the MNIST archives')
  parser.add_argument('--steps', type=int, default=20000, help='training steps')
  parser.add_argument('--batch_size', type=int, default=50, help='images in a training step')
  parser.add_argument('--learning_rate', type=float, default=1e-4, help='of Adam')
  parser.add_argument('--seed', type=int, help='makes a run repeatable')
  flags = parser.parse_args()
  if flags.steps < 0:
    parser.error(f'argument --steps: must be at least 0, not {flags.steps}')
  if flags.batch_size < 1:
    parser.error(f'argument --batch_size: must be at least 1, not {flags.batch_size}')
  if not 0 < flags.learning_rate < math.inf:
    parser.error('argument --learning_rate: must be a positive finite number')
  if flags.seed is not None and not 0 <= flags.seed < 2**32:
    parser.error(f'argument --seed: must be from 0 to {2**32 - 1}, not {flags.seed}')
  return flags


if __name__ == '__main__':
  # Before TensorFlow, which takes seconds to load: a mistyped flag is answered at once.
  FLAGS = parse_flags()

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # Set it to 0 to see TensorFlow's own log.
import tensorflow.compat.v1 as tf

tf.logging.set_verbosity(tf.logging.ERROR)
tf.disable_v2_behavior()


def device_name():
  """Returns what a session of this process runs on: the first GPU, or else the CPU."""
  for gpu in tf.config.list_physical_devices('GPU'):
    return tf.config.experimental.get_device_details(gpu).get('device_name', 'GPU')
  return 'CPU'


def show_progress(text):
  """Rewrites one line on standard error, if that is a terminal."""
  if sys.stderr.isatty():
    print(f'\r\033[K{text}', end='', file=sys.stderr, flush=True)


def check_finite(loss, step):
  """Ends the program if the loss is no longer a number: training on would not bring it back."""
  if not np.isfinite(loss):
    show_progress('')
    sys.exit(f'The loss is {loss} at step {step}. Try a smaller --learning_rate.')


def deepnn(x):
  """Builds the net that tells which digit an image shows.

  Args:
    x: images, a float32 tensor [n, 784] of pixels from 0 to 1.

  Returns:
    A pair: the logits of the ten digits, [n, 10], and the scalar placeholder for the probability
    that dropout keeps a neuron.
  """
  with tf.name_scope('reshape'):
    x_image = tf.reshape(x, [-1, 28, 28, 1])
  # 32 features of 5x5 pixels.
  with tf.name_scope('conv1'):
    W_conv1 = weight_variable([5, 5, 1, 32])
    b_conv1 = bias_variable([32])
    h_conv1 = tf.nn.relu(conv2d(x_image, W_conv1) + b_conv1)
  with tf.name_scope('pool1'):
    h_pool1 = max_pool_2x2(h_conv1)
  # 64 features of those features.
  with tf.name_scope('conv2'):
    W_conv2 = weight_variable([5, 5, 32, 64])
    b_conv2 = bias_variable([64])
    h_conv2 = tf.nn.relu(conv2d(h_pool1, W_conv2) + b_conv2)
  with tf.name_scope('pool2'):
    h_pool2 = max_pool_2x2(h_conv2)
  # Pooled twice, an image is 7x7 by now; 1024 neurons see all of it.
  with tf.name_scope('fc1'):
    W_fc1 = weight_variable([7 * 7 * 64, 1024])
    b_fc1 = bias_variable([1024])
    h_pool2_flat = tf.reshape(h_pool2, [-1, 7 * 7 * 64])
    h_fc1 = tf.nn.relu(tf.matmul(h_pool2_flat, W_fc1) + b_fc1)
  # While training, neurons drop out at random, so that none can rely on any other.
  with tf.name_scope('dropout'):
    keep_prob = tf.placeholder(tf.float32)
    h_fc1_drop = tf.nn.dropout(h_fc1, rate=1 - keep_prob)
  with tf.name_scope('fc2'):
    W_fc2 = weight_variable([1024, 10])
    b_fc2 = bias_variable([10])
    y_conv = tf.matmul(h_fc1_drop, W_fc2) + b_fc2
  return y_conv, keep_prob


def conv2d(x, W):
  """Convolves images [n, rows, columns, in] with `W` [5, 5, in, out]; their size stays."""
  return tf.nn.conv2d(x, W, strides=[1, 1, 1, 1], padding='SAME')


def max_pool_2x2(x):
  """Keeps the largest of each 2x2 pixels, which halves both sides of the images."""
  return tf.nn.max_pool(x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding='SAME')


def weight_variable(shape):
  """Makes a variable of small random numbers, without which all neurons would learn the same."""
  return tf.Variable(tf.truncated_normal(shape, stddev=0.1))


def bias_variable(shape):
  """Makes a variable of 0.1, just positive, as a ReLU that starts below 0 may never learn."""
  return tf.Variable(tf.constant(0.1, shape=shape))


def main(flags):
  """Trains the net, and prints the share of the test digits that it recognises."""
  print('Running on:', device_name(), flush=True)
  # The data.
  try:
    mnist = input_data.read_data_sets(flags.data_dir, one_hot=True, seed=flags.seed)
  except (OSError, ValueError) as error:
    sys.exit(f'The data cannot be read: {error}')
  # The graph.
  tf.set_random_seed(flags.seed)
  x = tf.placeholder(tf.float32, [None, 784])
  y_ = tf.placeholder(tf.float32, [None, 10])
  y_conv, keep_prob = deepnn(x)
  with tf.name_scope('loss'):
    cross_entropy = tf.reduce_mean(
      tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=y_conv)
    )
  with tf.name_scope('adam_optimizer'):
    train_step = tf.train.AdamOptimizer(flags.learning_rate).minimize(cross_entropy)
  with tf.name_scope('accuracy'):
    correct_prediction = tf.equal(tf.argmax(y_conv, 1), tf.argmax(y_, 1))
    accuracy = tf.reduce_mean(tf.cast(correct_prediction, tf.float32))
  log_dir = tempfile.mkdtemp()
  print('Saving graph to:', log_dir, flush=True)
  with tf.summary.FileWriter(log_dir) as writer:
    writer.add_graph(tf.get_default_graph())
  with tf.Session(config=tf.ConfigProto(gpu_options={'allow_growth': True})) as sess:
    sess.run(tf.global_variables_initializer())
    # Training.
    started = time.perf_counter()
    for i in range(flags.steps):
      batch = mnist.train.next_batch(flags.batch_size)
      if i % 100 == 0:
        train_accuracy = accuracy.eval(feed_dict={x: batch[0], y_: batch[1], keep_prob: 1.0})
        show_progress('')
        print(f'step {i}, training accuracy {train_accuracy:g}', flush=True)
      _, loss = sess.run(
        [train_step, cross_entropy], feed_dict={x: batch[0], y_: batch[1], keep_prob: 0.5}
      )
      check_finite(loss, i)
      if i % 10 == 9:
        left = (time.perf_counter() - started) / (i + 1) * (flags.steps - i - 1)
        show_progress(f'step {i + 1} of {flags.steps}, {left:.0f} seconds left')
    seconds = time.perf_counter() - started
    show_progress('')
    rate = flags.steps / seconds
    print(f'{flags.steps} steps in {seconds:.1f} seconds, {rate:.1f} steps per second')
    # Evaluation, in batches: the first layer's features of 10,000 images are a gigabyte.
    correct = 0
    for i in range(0, mnist.test.num_examples, 200):
      batch = mnist.test.images[i : i + 200], mnist.test.labels[i : i + 200]
      loss, is_correct = sess.run(
        [cross_entropy, correct_prediction],
        feed_dict={x: batch[0], y_: batch[1], keep_prob: 1.0},
      )
      check_finite(loss, flags.steps)
      correct += np.sum(is_correct)
    print(f'test accuracy {correct / mnist.test.num_examples:g}')


if __name__ == '__main__':
  main(FLAGS)
