"""Softmax regression on MNIST: a single layer that recognises 92 % of handwritten digits."""

import argparse
import contextlib
import math
import os
import re
import sys
import threading
import time

import numpy as np

import input_data


def parse_flags():
  """Returns the flags of the command line; exits with argparse's error if one is wrong."""
  parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
  parser.add_argument('--data_dir', default='MNIST_data', help='folder of the MNIST archives')
  parser.add_argument('--steps', type=int, default=1000, help='training steps')
  parser.add_argument('--batch_size', type=int, default=100, help='images in a training step')
  parser.add_argument('--learning_rate', type=float, default=0.5, help='of gradient descent')
  parser.add_argument('--seed', type=int, help='makes a run repeatable')
  parser.add_argument('--log_dir', help='folder of curves and pictures for TensorBoard')
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


def main(flags):
  """Trains the model, and prints the share of the test digits that it recognises."""
  print('Running on:', 'GPU' if tf.config.list_physical_devices('GPU') else 'CPU', flush=True)
  # The data.
  try:
    mnist = input_data.read_data_sets(flags.data_dir, one_hot=True, seed=flags.seed)
  except (OSError, ValueError) as error:
    sys.exit(f'The data cannot be read: {error}')
  # The graph: the evidence for each digit is a weighted sum of the pixels.
  tf.set_random_seed(flags.seed)
  x = tf.placeholder(tf.float32, [None, 784], name='x')
  with tf.name_scope('softmax'):
    W = tf.Variable(tf.zeros([784, 10]))
    b = tf.Variable(tf.zeros([10]))
    y = tf.matmul(x, W) + b
  # The loss, from y as it is: the logarithm of tf.nn.softmax(y) could be that of 0.
  y_ = tf.placeholder(tf.float32, [None, 10], name='y_')
  with tf.name_scope('loss'):
    cross_entropy = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=y))
  with tf.name_scope('gradient_descent'):
    train_step = tf.train.GradientDescentOptimizer(flags.learning_rate).minimize(cross_entropy)
  with tf.name_scope('accuracy'):
    correct_prediction = tf.equal(tf.argmax(y, 1), tf.argmax(y_, 1))
    accuracy = tf.reduce_mean(tf.cast(correct_prediction, tf.float32))
  with tf.name_scope('training'):
    curves = tf.summary.merge(
      [tf.summary.scalar('cross_entropy', cross_entropy), tf.summary.scalar('accuracy', accuracy)]
    )
  with tf.name_scope('validation'):
    validation_curve = tf.summary.scalar('accuracy', accuracy)
  with tf.name_scope('pictures'):
    pictures = tf.summary.image('weights', weight_images(W), max_outputs=10)
  with tf.Session(config=tf.ConfigProto(gpu_options={'allow_growth': True})) as sess:
    sess.run(tf.global_variables_initializer())
    if flags.log_dir:
      with writing_to(flags.log_dir):
        os.makedirs(flags.log_dir, exist_ok=True)
        writer = tf.summary.FileWriter(flags.log_dir, tf.get_default_graph())
        # TensorBoard then shows this run instead of an earlier one in the same folder.
        writer.add_session_log(tf.SessionLog(status=tf.SessionLog.START), 0)
        writer.flush()
    # Training.
    started = time.perf_counter()
    for i in range(flags.steps):
      batch = mnist.train.next_batch(flags.batch_size)
      if flags.log_dir and i % 100 == 0:
        summary = sess.run(curves, feed_dict={x: batch[0], y_: batch[1]})
        with writing_to(flags.log_dir):
          writer.add_summary(summary, i)
      _, loss = sess.run([train_step, cross_entropy], feed_dict={x: batch[0], y_: batch[1]})
      check_finite(loss, i)
      step = i + 1
      if flags.log_dir and (step % 1000 == 0 or step == flags.steps):
        batch = mnist.validation.images, mnist.validation.labels
        summary = sess.run(validation_curve, feed_dict={x: batch[0], y_: batch[1]})
        with writing_to(flags.log_dir):
          writer.add_summary(summary, step)
          writer.add_summary(sess.run(pictures), step)
          writer.flush()
      if step % 10 == 0:
        left = (time.perf_counter() - started) / step * (flags.steps - step)
        show_progress(f'step {step} of {flags.steps}, {left:.0f} seconds left')
    seconds = time.perf_counter() - started
    rate = flags.steps / seconds
    show_progress('')
    print(f'{flags.steps} steps in {seconds:.1f} seconds, {rate:.1f} steps per second')
    # Evaluation.
    correct = 0
    for i in range(0, mnist.test.num_examples, 1000):
      batch = mnist.test.images[i : i + 1000], mnist.test.labels[i : i + 1000]
      loss, is_correct = sess.run(
        [cross_entropy, correct_prediction], feed_dict={x: batch[0], y_: batch[1]}
      )
      check_finite(loss, flags.steps)
      correct += np.sum(is_correct)
    print(f'test accuracy {correct / mnist.test.num_examples:g}')


def weight_images(W):
  """Draws weights [784, 10] as ten images [10, 28, 28, 3], blue above 0 and red below."""
  W = tf.transpose(tf.reshape(W / tf.reduce_max(tf.abs(W)), [28, 28, 10]), [2, 0, 1])
  return tf.stack([tf.nn.relu(-W), tf.zeros_like(W), tf.nn.relu(W)], axis=3)


@contextlib.contextmanager
def writing_to(log_dir):
  """Ends the program, saying why, when the folder cannot be written; what it holds stays good."""
  threading.excepthook = lambda _: None  # FileWriter's thread hands what ends it to its caller.
  try:
    yield
  except Exception as error:  # Of any type: FileWriter translates a full disk into IndexError.
    reason = re.search('; (.+)', str(error))  # TensorFlow says 'PATH; REASON' amid a long trace.
    show_progress('')
    sys.exit(f'{log_dir} cannot be written: {reason[1] if reason else error}')


def check_finite(loss, step):
  """Ends the program if the loss is no longer a number: training on would not bring it back."""
  if not np.isfinite(loss):
    show_progress('')
    sys.exit(f'The loss is {loss} at step {step}. Try a smaller --learning_rate.')


def show_progress(text):
  """Rewrites one line on standard error, if that is a terminal."""
  if sys.stderr.isatty():
    print(f'\r\033[K{text}', end='', file=sys.stderr, flush=True)


if __name__ == '__main__':
  main(FLAGS)
