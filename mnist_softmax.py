"""Softmax regression on MNIST: a single layer that recognises 92 % of handwritten digits."""

import argparse
import gc
import os
import sys

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # Set it to 0 to see TensorFlow's own log.
sys.modules.setdefault('keras.src.optimizers', None)  # Keeps TensorFlow from loading Keras.
import tensorflow.compat.v1 as tf

from input_data import read_data_sets

tf.logging.set_verbosity(tf.logging.ERROR)
tf.disable_v2_behavior()
gc.freeze()  # What is loaded stays: no search for garbage goes through it, not even at exit.
sys.modules['keras.src.optimizers'] or sys.modules.pop('keras.src.optimizers')  # As it was.


def main(flags):
  """Trains the model, and prints its accuracy on the test digits."""
  mnist = read_data_sets(flags.data_dir, one_hot=True, validation_size=None, seed=flags.seed)
  # The model: the evidence for each digit is a weighted sum of the pixels, plus a bias.
  x = tf.placeholder(tf.float32, [None, 784])
  W = tf.Variable(tf.zeros([784, 10]))
  b = tf.Variable(tf.zeros([10]))
  y = tf.matmul(x, W) + b
  # The loss takes y, not tf.nn.softmax(y), which can round to 0, and 0 has no logarithm.
  y_ = tf.placeholder(tf.float32, [None, 10])
  cross_entropy = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=y))
  train_step = tf.train.GradientDescentOptimizer(flags.learning_rate).minimize(cross_entropy)
  correct_prediction = tf.equal(tf.argmax(y, 1), tf.argmax(y_, 1))
  accuracy = tf.reduce_mean(tf.cast(correct_prediction, tf.float32))
  with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for _ in range(flags.steps):
      batch_xs, batch_ys = mnist.train.next_batch(flags.batch_size)
      sess.run(train_step, feed_dict={x: batch_xs, y_: batch_ys})
    print('test accuracy %g' % accuracy.eval({x: mnist.test.images, y_: mnist.test.labels}))


if __name__ == '__main__':
  parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
  parser.add_argument('--data_dir', default='MNIST_data', help='folder of the MNIST archives')
  parser.add_argument('--steps', type=int, default=1000, help='training steps')
  parser.add_argument('--batch_size', type=int, default=100, help='images in a training step')
  parser.add_argument('--learning_rate', type=float, default=0.5, help='of gradient descent')
  parser.add_argument('--seed', type=int, help='makes a run repeatable')
  # A prompt, a notebook or an editor's interactive window has no command line for this program.
  from_shell = os.path.basename(globals().get('__file__', '-')) == os.path.basename(sys.argv[0])
  with tf.Graph().as_default():
    main(parser.parse_args(None if from_shell else []))
