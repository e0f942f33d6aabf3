"""A convolutional net on MNIST: two layers of features recognise 99.2 % of handwritten digits."""

import argparse
import os
import re
import shlex
import sys
import tempfile

import numpy as np

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # Set it to 0 to see TensorFlow's own log.
# TensorFlow turns on its fast CPU kernels by itself only on processors with AVX-512.
os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '1')
import tensorflow.compat.v1 as tf

import input_data

tf.logging.set_verbosity(tf.logging.ERROR)
tf.disable_v2_behavior()


def deepnn(x):
  """Builds the net that recognises the digits in the images `x`: [n, 784] pixels from 0 to 1.

  Returns the logits, [n, 10], a score for each digit, and the placeholder for the probability,
  from 0 to 1, that dropout keeps a neuron.
  """
  with tf.name_scope('reshape'):
    x_image = tf.reshape(x, [-1, 28, 28, 1])
  # The first layer looks for 32 features, each of 5x5 pixels.
  with tf.name_scope('conv1'):
    W_conv1 = weight_variable([5, 5, 1, 32])
    b_conv1 = bias_variable([32])
    h_conv1 = tf.nn.relu(conv2d(x_image, W_conv1) + b_conv1)
  with tf.name_scope('pool1'):
    h_pool1 = max_pool_2x2(h_conv1)
  # The second layer combines them into 64 larger features.
  with tf.name_scope('conv2'):
    W_conv2 = weight_variable([5, 5, 32, 64])
    b_conv2 = bias_variable([64])
    h_conv2 = tf.nn.relu(conv2d(h_pool1, W_conv2) + b_conv2)
  with tf.name_scope('pool2'):
    h_pool2 = max_pool_2x2(h_conv2)
  # Pooling twice has left 7x7 of 28x28 pixels; each of 1024 neurons sees them all.
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
  mnist = input_data.read_data_sets(
    flags.data_dir, one_hot=True, validation_size=None, seed=flags.seed
  )
  mnist.train.max_shift = 1 if flags.fast else 0
  tf.set_random_seed(flags.seed)
  x = tf.placeholder(tf.float32, [None, 784], name='x')
  y_ = tf.placeholder(tf.float32, [None, 10], name='y_')
  y_conv, keep_prob = deepnn(x)
  with tf.name_scope('loss'):
    losses = tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=y_conv)
    cross_entropy = tf.reduce_mean(losses)
  global_step = tf.train.get_or_create_global_step()
  with tf.name_scope('adam_optimizer'):
    rate, beta2 = fast_schedule(flags) if flags.fast else (flags.learning_rate, 0.999)
    train_step = tf.train.AdamOptimizer(rate, beta2=beta2).minimize(cross_entropy, global_step)
  with tf.name_scope('accuracy'):
    correct_prediction = tf.equal(tf.argmax(y_conv, 1), tf.argmax(y_, 1))
    accuracy = tf.reduce_mean(tf.cast(correct_prediction, tf.float32))
  metrics = [cross_entropy, accuracy]
  with tf.name_scope('summaries'):
    tf.summary.scalar('cross_entropy', cross_entropy)
    tf.summary.scalar('accuracy', accuracy)
    tf.summary.image('filters', tf.transpose(tf.trainable_variables()[0], [3, 0, 1, 2]), 32)
    merged = tf.summary.merge_all()
  config = tf.ConfigProto()
  config.graph_options.rewrite_options.auto_mixed_precision_onednn_bfloat16 = int(flags.bfloat16)
  folder = flags.log_dir or tempfile.mkdtemp()
  print(input_data.printable('Saving graph to: %s' % folder), flush=True)
  saver = tf.train.Saver(max_to_keep=2, save_relative_paths=True)
  with tf.Session(config=config) as sess:
    train_writer = tf.summary.FileWriter(folder + '/training', sess.graph, flush_secs=0)
    validation_writer = tf.summary.FileWriter(folder + '/validation', flush_secs=0)
    sess.run(tf.global_variables_initializer())
    checkpoint = tf.train.get_checkpoint_state(folder)
    if checkpoint:
      saver.restore(sess, checkpoint.model_checkpoint_path)
      saver.recover_last_checkpoints(checkpoint.all_model_checkpoint_paths)
      print('Going on from step %d of %d.' % (global_step.eval(), flags.steps), flush=True)
    try:
      for i in input_data.time_left(range(global_step.eval(), flags.steps)):
        batch = mnist.train.next_batch(flags.batch_size)
        if i % 100 == 0:
          feed = {x: batch[0], y_: batch[1], keep_prob: 1.0}
          loss, train_accuracy, summary = sess.run([*metrics, merged], feed)
          print('step %d, training accuracy %g' % (i, train_accuracy), flush=True)
          check_loss(loss)
          train_writer.add_summary(summary, i)
        train_step.run(feed_dict={x: batch[0], y_: batch[1], keep_prob: 0.5})
        if (i + 1) % 1000 == 0 or i + 1 == flags.steps:
          means = evaluate(metrics, mnist.validation, x, y_, keep_prob)
          validation_writer.add_summary(sess.run(merged, means), i + 1)
          if flags.log_dir:
            saver.save(sess, folder + '/model.ckpt', i + 1)
    except KeyboardInterrupt:
      evaluate(metrics, mnist.validation, x, y_, keep_prob)  # A lost net is not saved.
      saver.save(sess, folder + '/model.ckpt', global_step)
      command = shlex.join(flags.command + ([] if flags.log_dir else ['--log_dir', folder]))
      stopped = 'Stopped after %d steps. To go on: %s' % (global_step.eval(), command)
      print(input_data.printable(stopped))
      return 130
    train_writer.close()
    validation_writer.close()
    print('test accuracy %g' % evaluate(metrics, mnist.test, x, y_, keep_prob)[accuracy])


def evaluate(metrics, data, x, y_, keep_prob):
  """Returns {metric: its mean over a data set}; the first of `metrics` is the loss.

  Runs 500 images at a time, because the features of 10,000 take more than a gigabyte.
  """
  totals = np.zeros(len(metrics))
  for i in range(0, data.num_examples, 500):
    feed = {x: data.images[i : i + 500], y_: data.labels[i : i + 500], keep_prob: 1.0}
    totals += np.multiply(tf.get_default_session().run(metrics, feed), len(feed[x]))
  check_loss(totals[0])
  return dict(zip(metrics, totals / data.num_examples, strict=True))


def check_loss(loss):
  """Raises an error if the loss is infinite or not a number, so that no such net is saved."""
  if not np.isfinite(loss):
    message = 'The loss is %g at step %d. Try a smaller --learning_rate.'
    raise FloatingPointError(message % (loss, tf.train.get_global_step().eval()))


def fast_schedule(flags):
  """Returns a learning rate that rises for a fifth of the steps and falls to 0, and beta2."""
  step = tf.train.get_global_step()
  rise = tf.train.polynomial_decay(0.0, step + 1, flags.steps / 5, flags.learning_rate)
  fall = tf.train.polynomial_decay(1.25 * flags.learning_rate, step, flags.steps, 0.0)
  return tf.minimum(rise, fall), 0.97


def predict(flags):
  """Prints the digit in each picture file; returns 1 if a file could not be read, otherwise 0.

  Below 97 % an answer is marked as not sure. That was chosen on 249 pictures by other people with
  ten nets of --fast: 10 % of the right answers are below it, and 0.4 % are above it and wrong.
  """
  x = tf.placeholder(tf.float32, [None, 784])
  y_conv, keep_prob = deepnn(x)
  y = tf.nn.softmax(y_conv)
  contents = tf.placeholder(tf.string, [])
  picture = tf.image.decode_image(contents, expand_animations=False)
  checkpoint = find_checkpoint(flags.log_dir)
  status = 0
  with tf.Session() as sess:
    try:
      tf.train.Saver().restore(sess, checkpoint)
    except (ValueError, tf.errors.OpError):
      raise ValueError(f'{checkpoint} is damaged or holds a net other than deepnn.') from None
    for file in flags.predict:
      try:
        with open(file, 'rb') as f:
          content = f.read()
        pixels = apply_palette(picture.eval({contents: content}), content)
        image = input_data.extract_digit(input_data.apply_exif(pixels, content))
        probabilities = y.eval({x: [image], keep_prob: 1.0})[0]
      except (OSError, ValueError, tf.errors.OpError) as error:
        reason = str(error).partition('\n\t [[')[0].splitlines()[-1]  # Without TensorFlow's trace.
        print(f'{file}: {reason}', file=sys.stderr)
        status = 1
      else:
        unsure = ', not sure' if np.max(probabilities) < 0.97 else ''
        answer = f'{np.argmax(probabilities)} ({np.max(probabilities):.1%}{unsure})'
        print(input_data.printable(f'{file}: {answer}'))
  return status


def find_checkpoint(log_dir):
  """Returns the newest checkpoint in a folder; `log_dir` may also be a checkpoint's own name."""
  checkpoint = tf.train.latest_checkpoint(log_dir)
  if checkpoint is None and os.path.isfile(log_dir + '.index'):
    checkpoint = log_dir
  if checkpoint is None and os.path.isdir(log_dir):  # The file `checkpoint` was not copied.
    found = [re.fullmatch(r'(model\.ckpt-(\d+))\.index', name) for name in os.listdir(log_dir)]
    newest = max(filter(None, found), key=lambda match: int(match[2]), default=None)
    checkpoint = newest and os.path.join(log_dir, newest[1])
  if checkpoint is None:
    command = f'--fast --log_dir {log_dir}'
    raise FileNotFoundError(f'{log_dir} holds no trained net. Train one with {command}')
  return checkpoint


def apply_palette(pixels, content):
  """Returns a BMP file's colours: TensorFlow decodes one of 8 bits as its palette's indices."""
  if content[:2] == b'BM' and content[28:30] == b'\x08\0':
    end, header = np.frombuffer(content, '<u4', 2, 10)
    palette = np.frombuffer(content[14 + header : end], np.uint8).reshape(-1, 4)
    pixels = np.take(palette, pixels[..., 0], 0, mode='clip')[..., 2::-1]  # Stored as BGR and 0.
  return pixels


if __name__ == '__main__':
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--data_dir', default='MNIST_data', help='folder of the MNIST archives')
  parser.add_argument('--steps', type=int, default=20000, help='training steps in all')
  parser.add_argument('--batch_size', type=int, default=50, help='images in a training step')
  parser.add_argument('--learning_rate', type=float, default=1e-4, help='of Adam')
  parser.add_argument('--fast', action='store_true', help='99.2 %% in 1,000 steps of 100 images')
  parser.add_argument('--bfloat16', action='store_true', help='for AVX512_BF16 or AMX only')
  parser.add_argument('--seed', type=int, help='makes a run repeatable')
  parser.add_argument('--log_dir', help='folder to save the net in and to go on from')
  parser.add_argument('--predict', nargs='+', metavar='FILE', help='pictures to recognise')
  # Pasted into a prompt or a notebook, the program has no command line of its own.
  own = os.path.basename(sys.argv[0] or '-') == os.path.basename(globals().get('__file__', ''))
  words = sys.argv if own else ['mnist_deep.py']
  arguments = parser.parse_args(words[1:])
  if arguments.fast:
    parser.set_defaults(steps=1000, batch_size=100, learning_rate=3e-3)
    arguments = parser.parse_args(words[1:])
  arguments.command = [sys.executable, *words]
  if arguments.predict and not arguments.log_dir:
    parser.error('--predict needs --log_dir, the folder of a trained net')
  if arguments.bfloat16:
    print('bfloat16 is fast on processors with AVX512_BF16 or AMX, and slower on others.')
  with tf.Graph().as_default():
    status = predict(arguments) if arguments.predict else main(arguments)
  if own:
    sys.exit(status)
