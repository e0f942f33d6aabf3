"""Softmax regression on MNIST: a single layer that recognises 92 % of handwritten digits."""

import os
import signal
import sys

# A prompt, a notebook or IDLE must stay open after an error; a shell needs an exit status.
PROMPT = hasattr(sys, 'ps1') or sys.flags.inspect or 'idlelib.run' in sys.modules
STOP = RuntimeError if PROMPT else SystemExit
if __name__ == '__main__' and not PROMPT:
  # Ctrl-C should show no traceback. While TensorFlow loads, an exception could be lost.
  signal.signal(signal.SIGINT, lambda *_: (sys.exit if 'tf' in globals() else os._exit)(130))

import argparse

import numpy as np

import input_data


def parse_flags():
  """Returns the flags; reports a mistake at once, before TensorFlow, which is slow to load."""
  parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
  add = parser.add_argument
  add('--data_dir', type=os.path.expanduser, default='MNIST_data', help='folder of the MNIST data')
  add('--steps', type=int, default=1000, help='training steps')
  add('--batch_size', type=int, default=100, help='images in a training step')
  add('--learning_rate', type=float, default=0.5, help='learning rate of gradient descent')
  add('--seed', type=int, help='makes a run repeatable')
  add('--log_dir', type=os.path.expanduser, help='folder of curves and pictures for TensorBoard')
  # Pasted into a prompt or a notebook, the program has no command line of its own.
  own = os.path.basename(sys.argv[0]) == os.path.basename(globals().get('__file__', ''))
  flags = parser.parse_args(None if own else [])
  limits = dict(steps=(0, 1e9), batch_size=(1, 1e9), learning_rate=(1e-38, 3e38), seed=(0, 2**32))
  for name, (low, high) in limits.items():
    value = getattr(flags, name)
    if value is not None and not low <= value < high:
      parser.error(f'argument --{name}: must be at least {low:g} and below {high:.10g}: {value}')
  return flags


FLAGS = parse_flags() if __name__ == '__main__' else None

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # Set it to 0 to see TensorFlow's own log.
import tensorflow.compat.v1 as tf

tf.logging.set_verbosity(tf.logging.ERROR)
tf.disable_v2_behavior()


def main(flags):
  """Trains the model, and prints the share of the test digits that it recognises."""
  print('Running on:', 'GPU' if tf.config.list_physical_devices('GPU') else 'CPU', flush=True)
  try:
    mnist = input_data.read_data_sets(flags.data_dir, one_hot=True, seed=flags.seed)
  except (OSError, ValueError) as error:
    raise STOP(f'The data cannot be read: {error}') from None
  with tf.Graph().as_default():
    tf.set_random_seed(flags.seed)
    # The model: the evidence for each digit is a weighted sum of the pixels, plus a bias.
    x = tf.placeholder(tf.float32, [None, 784], name='x')
    with tf.name_scope('softmax'):
      W = tf.Variable(tf.zeros([784, 10]))
      b = tf.Variable(tf.zeros([10]))
      y = tf.matmul(x, W) + b
    # The loss takes y, not tf.nn.softmax(y), which can round to 0, and 0 has no logarithm.
    y_ = tf.placeholder(tf.float32, [None, 10], name='y_')
    with tf.name_scope('loss'):
      cross_entropy = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=y))
    with tf.name_scope('gradient_descent'):
      train_step = tf.train.GradientDescentOptimizer(flags.learning_rate).minimize(cross_entropy)
    with tf.name_scope('accuracy'):
      correct_prediction = tf.equal(tf.argmax(y, 1), tf.argmax(y_, 1))
      accuracy = tf.reduce_mean(tf.cast(correct_prediction, tf.float32))
    with tf.Session(config=tf.ConfigProto(gpu_options={'allow_growth': True})) as sess:
      sess.run(tf.global_variables_initializer())
      metrics, curves = {'cross_entropy': cross_entropy, 'accuracy': accuracy}, {}
      for i in training_steps(sess, flags, mnist, metrics, curves):
        batch = mnist.train.next_batch(flags.batch_size)
        if i % 100 == 0:
          curves[i] = sess.run(metrics, feed_dict={x: batch[0], y_: batch[1]})
        sess.run(train_step, feed_dict={x: batch[0], y_: batch[1]})
      test_accuracy = accuracy.eval(feed_dict={x: mnist.test.images, y_: mnist.test.labels})
      print(f'test accuracy {test_accuracy:g}', flush=True)


def training_steps(sess, flags, mnist, metrics, curves):
  """Yields the number of each training step, and draws the curves for TensorBoard in between.

  Every 100 steps, `main` puts the values of `metrics`, the loss and accuracy, into `curves[i]`.
  """
  if {d.images.shape[1:] for d in mnist[1:]} != {(784,)} or not all(d.num_examples for d in mnist):
    raise STOP(f'{flags.data_dir} must hold images of 28x28: over 5,000 to train, some to test.')
  validation = {'x:0': mnist.validation.images, 'y_:0': mnist.validation.labels}
  with tf.name_scope('pictures'):  # Blue pixels are evidence for a digit, and red ones against it.
    W = tf.transpose(tf.reshape(tf.trainable_variables()[0], [28, 28, 10]), [2, 0, 1])
    colours = tf.stack([tf.nn.relu(-W), tf.zeros_like(W), tf.nn.relu(W)], axis=3)
    pictures = tf.summary.image('weights', colours, max_outputs=10)
  try:
    writer = flags.log_dir and tf.summary.FileWriter(flags.log_dir, sess.graph, session=sess)
    if writer:  # So that TensorBoard shows this run, not an earlier one in the same folder.
      writer.add_session_log(tf.SessionLog(status=tf.SessionLog.START), 0)
    for i in input_data.count_steps(0, flags.steps):
      yield i
      step = i + 1
      measured = [('training', n, curves.pop(n)) for n in list(curves)]
      if step % 1000 == 0 or step == flags.steps:
        measured.append(('validation', step, sess.run(metrics, validation)))
      for name, n, values in measured:
        if not np.isfinite(loss := values['cross_entropy']):
          raise STOP(f'The loss is {loss} at step {n}. Try a smaller --learning_rate.')
        if writer:
          points = [tf.Summary.Value(tag=f'{name}/{t}', simple_value=v) for t, v in values.items()]
          writer.add_summary(sess.run(pictures), n)
          writer.add_summary(tf.Summary(value=points), n)  # Small, to notice a full disk.
          writer.flush()
  except tf.errors.OpError as error:
    reason = str(error).partition('; ')[2].partition('\n')[0]  # TensorFlow says 'PATH; REASON'.
    raise STOP(f'{flags.log_dir} cannot be written: {reason or error}') from None


if __name__ == '__main__':
  try:
    main(FLAGS)
  except OSError as error:  # From standard output, unless it names a file.
    if PROMPT or error.filename:
      raise
    if not isinstance(error, BrokenPipeError):
      print(f'Standard output cannot be written: {error.strerror}', file=sys.stderr)
    os._exit(141 if isinstance(error, BrokenPipeError) else 1)
