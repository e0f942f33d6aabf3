"""A convolutional net on MNIST: two layers of features recognise 99.2 % of handwritten digits."""

import argparse
import gc
import os
import signal
import sys
import tempfile

import numpy as np

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # Set it to 0 to see TensorFlow's own log.
os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '1')  # Fast CPU kernels, also without AVX-512.
sys.modules.setdefault('keras.src.optimizers', None)  # Keeps TensorFlow from loading Keras.
import tensorflow.compat.v1 as tf

from input_data import apply_exif, extract_digit, printable, read_data_sets

tf.logging.set_verbosity(tf.logging.ERROR)
tf.disable_v2_behavior()
gc.freeze()  # What is loaded stays: no search for garbage goes through it, not even at exit.
sys.modules['keras.src.optimizers'] or sys.modules.pop('keras.src.optimizers')  # As it was.


def deepnn(x):
  """Builds the net that recognises the digits in the images `x`: [n, 784] pixels from 0 to 1.

  Returns the logits, [n, 10], a score for each digit, and the placeholder for the probability,
  from 0 to 1, that dropout keeps a neuron.
  """
  with tf.name_scope('reshape'):
    x_image = tf.reshape(x, [-1, 28, 28, 1])  # [None, 28, 28, 1]
  # The first layer looks for 32 features, each of 5x5 pixels.
  with tf.name_scope('conv1'):
    W_conv1 = weight_variable([5, 5, 1, 32])
    b_conv1 = bias_variable([32])
    h_conv1 = tf.nn.relu(conv2d(x_image, W_conv1) + b_conv1)  # [None, 28, 28, 32]
  with tf.name_scope('pool1'):
    h_pool1 = max_pool_2x2(h_conv1)  # [None, 14, 14, 32]
  # The second layer combines them into 64 larger features.
  with tf.name_scope('conv2'):
    W_conv2 = weight_variable([5, 5, 32, 64])
    b_conv2 = bias_variable([64])
    h_conv2 = tf.nn.relu(conv2d(h_pool1, W_conv2) + b_conv2)  # [None, 14, 14, 64]
  with tf.name_scope('pool2'):
    h_pool2 = max_pool_2x2(h_conv2)  # [None, 7, 7, 64]
  # Pooling twice has left 7x7 of 28x28 pixels; each of 1024 neurons sees them all.
  with tf.name_scope('fc1'):
    W_fc1 = weight_variable([7 * 7 * 64, 1024])
    b_fc1 = bias_variable([1024])
    h_pool2_flat = tf.reshape(h_pool2, [-1, 7 * 7 * 64])  # [None, 3136]
    h_fc1 = tf.nn.relu(tf.matmul(h_pool2_flat, W_fc1) + b_fc1)  # [None, 1024]
  # While training, neurons drop out at random, so that none can rely on any other.
  with tf.name_scope('dropout'):
    keep_prob = tf.placeholder(tf.float32)
    h_fc1_drop = tf.nn.dropout(h_fc1, rate=1 - keep_prob)
  with tf.name_scope('fc2'):
    W_fc2 = weight_variable([1024, 10])
    b_fc2 = bias_variable([10])
    y_conv = tf.matmul(h_fc1_drop, W_fc2) + b_fc2  # [None, 10]
  return y_conv, keep_prob


def conv2d(x, W):
  """Convolves images [n, rows, columns, in] with `W` [5, 5, in, out]; they keep their size."""
  return tf.nn.conv2d(x, W, strides=[1, 1, 1, 1], padding='SAME')


def max_pool_2x2(x):
  """Keeps the largest of each 2x2 pixels, which halves height and width of the images."""
  return tf.nn.max_pool(x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding='SAME')


def weight_variable(shape):
  """Makes a variable of small random numbers, so that neurons do not all learn the same thing."""
  return tf.Variable(tf.truncated_normal(shape, stddev=0.1))


def bias_variable(shape):
  """Makes a variable filled with 0.1, because a ReLU that starts below 0 may never learn."""
  return tf.Variable(tf.constant(0.1, shape=shape))


def main(flags):
  """Trains the net and prints its accuracy on the test digits; returns 130 after Ctrl-C."""
  mnist = read_data_sets(flags.data_dir, one_hot=True, validation_size=None, seed=flags.seed)
  tf.set_random_seed(flags.seed)
  x = tf.placeholder(tf.float32, [None, 784], name='x')
  y_ = tf.placeholder(tf.float32, [None, 10], name='y_')
  y_conv, keep_prob = deepnn(x)
  with tf.name_scope('loss'):
    losses = tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=y_conv)
    cross_entropy = tf.reduce_mean(losses)
  global_step = tf.train.create_global_step()
  with tf.name_scope('adam_optimizer'):
    rate = fast_rate(flags, global_step) if flags.fast else flags.learning_rate
    adam = tf.train.AdamOptimizer(rate, beta2=flags.beta2)
    train_step = adam.minimize(cross_entropy, global_step)
    if flags.fast:  # The features are learned first, and at the end only the layers behind them.
      train_fc = adam.minimize(cross_entropy, global_step, tf.trainable_variables('fc'))
  with tf.name_scope('accuracy'):
    correct_prediction = tf.equal(tf.argmax(y_conv, 1), tf.argmax(y_, 1))
    accuracy = tf.reduce_mean(tf.cast(correct_prediction, tf.float32))
  with tf.name_scope('summaries'):
    tf.summary.scalar('cross_entropy', cross_entropy)
    tf.summary.scalar('accuracy', accuracy)
    tf.summary.image('filters', tf.transpose(tf.trainable_variables('conv1')[0], [3, 0, 1, 2]), 32)
    merged = tf.summary.merge_all()
  norm = tf.global_norm([v for v in tf.global_variables() if v.dtype.is_floating])
  config = tf.ConfigProto()
  if flags.bfloat16:
    print('bfloat16 is fast on processors with AVX512_BF16 or AMX, and slower on others.')
    config.graph_options.rewrite_options.auto_mixed_precision_onednn_bfloat16 = 1  # It is ON.
  folder = flags.log_dir or tempfile.mkdtemp()
  print(printable('Saving graph to: %s' % folder), flush=True)
  saver = tf.train.Saver(max_to_keep=2, save_relative_paths=True)
  train_writer = tf.summary.FileWriter(folder + '/training', tf.get_default_graph(), flush_secs=0)
  validation_writer = tf.summary.FileWriter(folder + '/validation', flush_secs=0)
  with tf.Session(config=config) as sess, train_writer, validation_writer:
    initialize(sess, saver, folder, flags, global_step)
    random = np.random.RandomState(flags.seed)
    try:
      for i in range(global_step.eval(), flags.steps):
        batch = mnist.train.next_batch(flags.batch_size)
        images = shift(batch[0], random) if flags.fast else batch[0]
        if i % 100 == 0:
          acc, summary = sess.run([accuracy, merged], {x: images, y_: batch[1], keep_prob: 1.0})
          print('step %d, training accuracy %g' % (i, acc), flush=True)
          check_weights(norm, global_step)
          train_writer.add_summary(summary, i)
        step = train_fc if flags.fast and i >= 0.75 * flags.steps else train_step
        step.run(feed_dict={x: images, y_: batch[1], keep_prob: flags.keep_prob})
        if flags.log_dir and ((i + 1) % 1000 == 0 or i + 1 == flags.steps):
          check_weights(norm, global_step)
          saver.save(sess, folder + '/model.ckpt', global_step)
          loss, acc = evaluate(sess, [cross_entropy, accuracy], mnist.validation, x, y_, keep_prob)
          validation_writer.add_summary(merged.eval({cross_entropy: loss, accuracy: acc}), i + 1)
      check_weights(norm, global_step)  # A checkpoint may hold a lost net.
      print('test accuracy %g' % evaluate(sess, accuracy, mnist.test, x, y_, keep_prob))
    except KeyboardInterrupt:
      return save_after_ctrl_c(sess, saver, folder, norm, global_step)


def initialize(sess, saver, folder, flags, global_step):
  """Gives the variables their first values, or those of the last checkpoint in a folder."""
  sess.run(tf.global_variables_initializer())
  if flags.fast:  # Biases of 0, and weights of deviation 1 / sqrt(inputs): LeCun et al., 1998.
    for v in tf.trainable_variables():
      deviation = v.shape[:-1].num_elements() ** -0.5 if len(v.shape) > 1 else 0
      v.load(v.eval() / 0.1 * deviation, sess)
  checkpoint = tf.train.get_checkpoint_state(folder)
  if checkpoint:
    saver.restore(sess, checkpoint.model_checkpoint_path)
    saver.recover_last_checkpoints(checkpoint.all_model_checkpoint_paths)
    print('Resuming at step %d of %d.' % (global_step.eval(), flags.steps), flush=True)


def check_weights(norm, global_step):
  """Raises an error if the norm of the variables is not finite, so that no such net is saved."""
  if not np.isfinite(norm.eval()):
    message = 'The weights are no longer finite at step %d. Try a smaller --learning_rate.'
    raise FloatingPointError(message % global_step.eval())


def save_after_ctrl_c(sess, saver, folder, norm, global_step):
  """Saves the net, while a second Ctrl-C does nothing, and says how to resume; returns 130."""
  handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
  try:
    check_weights(norm, global_step)
    saver.save(sess, folder + '/model.ckpt', global_step)
    message = 'Stopped after %d steps. To resume, use the same flags and --log_dir "%s"'
    print(printable(message % (global_step.eval(), folder)), flush=True)
    return 130
  finally:
    signal.signal(signal.SIGINT, handler)


def evaluate(sess, fetches, data, x, y_, keep_prob):
  """Returns the mean of `fetches` over a data set; 10,000 images at once would take a gigabyte."""
  total = 0
  for i in range(0, data.num_examples, 500):
    feed = {x: data.images[i : i + 500], y_: data.labels[i : i + 500], keep_prob: 1.0}
    total += len(feed[x]) * np.array(sess.run(fetches, feed), float)
  return total / data.num_examples


def shift(images, random):
  """Shifts each of the images [n, 784], with 28 pixels in a row, by up to a pixel at random."""
  moves = random.randint(-1, 2, [len(images), 1, 2]) @ [28, 1]
  return np.take_along_axis(images, (np.arange(784) + moves) % 784, axis=1)


def fast_rate(flags, step):
  """Returns a learning rate that rises to the flag's for a tenth of the steps, then falls to 0."""
  rise = tf.cast(step + 1, tf.float32) / (flags.steps / 10)
  fall = tf.cast(flags.steps - step, tf.float32) / (flags.steps * 9 / 10)
  return flags.learning_rate * tf.minimum(rise, fall)


def predict(flags):
  """Prints the digit in each picture file; returns 1 if a file could not be read, otherwise 0."""
  x = tf.placeholder(tf.float32, [None, 784])
  y_conv, keep_prob = deepnn(x)
  y = tf.nn.softmax(y_conv)
  contents = tf.placeholder(tf.string, [])
  picture = tf.image.decode_image(contents, expand_animations=False)
  checkpoint = tf.train.latest_checkpoint(flags.log_dir) or flags.log_dir
  status = 0
  with tf.Session() as sess:
    try:
      tf.train.Saver().restore(sess, checkpoint)
    except (ValueError, tf.errors.OpError):
      sys.exit(f'{checkpoint} is no net of deepnn. Name one in --log_dir, or train with --fast.')
    for file in flags.predict:
      try:
        with open(file, 'rb') as f:
          content = f.read()
        if content[:2] == b'BM' and b'' < content[28:29] <= b'\x08':  # A colour's index.
          raise ValueError('a BMP with a palette. Save it as PNG')
        pixels = apply_exif(picture.eval({contents: content}), content)
        probabilities = y.eval({x: [extract_digit(pixels)], keep_prob: 1.0})[0]
        # Of 249 pictures that other people made, 0.2 % were wrong and yet above this.
        unsure = ', not sure' if probabilities.max() < 0.975 else ''
        print(printable(f'{file}: {probabilities.argmax()} ({probabilities.max():.1%}{unsure})'))
      except (OSError, ValueError, tf.errors.OpError) as error:
        reason = str(error).partition('\n\t [[')[0].splitlines()[-1]  # Without TensorFlow's trace.
        print(f'{file}: {reason}', file=sys.stderr)
        status = 1
  return status


if __name__ == '__main__':
  # A prompt, a notebook or an editor's interactive window has no command line for this program.
  from_shell = os.path.basename(globals().get('__file__', '-')) == os.path.basename(sys.argv[0])
  argv = sys.argv[1:] if from_shell else []
  parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
  parser.add_argument('--data_dir', default='MNIST_data', help='folder of the MNIST archives')
  parser.add_argument('--steps', type=int, default=20000, help='training steps in all')
  parser.add_argument('--batch_size', type=int, default=50, help='images in a training step')
  parser.add_argument('--learning_rate', type=float, default=1e-4, help='of Adam')
  parser.add_argument('--fast', action='store_true', help='99.2 %% in 620 steps of 100 images')
  parser.add_argument('--bfloat16', action='store_true', help='for AVX512_BF16 or AMX only')
  parser.add_argument('--seed', type=int, help='makes a run repeatable')
  parser.add_argument('--log_dir', help='folder to save the net in and to resume from')
  parser.add_argument('--predict', nargs='+', metavar='FILE', help='pictures to recognise')
  parser.set_defaults(beta2=0.999, keep_prob=0.5)
  if '--fast' in argv:
    parser.set_defaults(steps=620, batch_size=100, learning_rate=4e-3, beta2=0.97, keep_prob=0.7)
  flags = parser.parse_args(argv)
  if flags.predict and not flags.log_dir:
    parser.error('--predict needs --log_dir, the folder of a trained net')
  if flags.steps < 0 or flags.batch_size < 1:
    parser.error('--steps has to be at least 0, and --batch_size at least 1')
  with tf.Graph().as_default():
    status = predict(flags) if flags.predict else main(flags)
  if from_shell:
    sys.exit(status)
