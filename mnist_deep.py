"""A convolutional net on MNIST: two layers of features recognise 99.2 % of handwritten digits."""

import os
import signal
import sys

# A prompt, a notebook or IDLE lives on when the program ends; a shell wants an exit status.
PROMPT = hasattr(sys, 'ps1') or sys.flags.inspect or 'idlelib.run' in sys.modules
STOP = RuntimeError if PROMPT else SystemExit
if __name__ == '__main__' and not PROMPT:
  # Ctrl-C needs no traceback. While TensorFlow loads, it could lose an exception.
  signal.signal(signal.SIGINT, lambda *_: (sys.exit if 'tf' in globals() else os._exit)(130))
  sys.stdout and sys.stdout.reconfigure(errors='backslashreplace')  # For names like caf\u00e9.

import argparse
import contextlib
import functools
import glob
import re
import shlex
import tempfile

import numpy as np

import input_data


def parse_flags():
  """Returns the flags; answers a wrong one before TensorFlow takes its seconds to load."""
  parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
  add = parser.add_argument
  add('--data_dir', type=os.path.expanduser, default='MNIST_data', help='folder of the archives')
  add('--steps', type=int, default=20000, help='training steps')
  add('--batch_size', type=int, default=50, help='images in a training step')
  add('--learning_rate', type=float, default=1e-4, help='of Adam; with --fast, the highest')
  add('--fast', action='store_true', help='reach 99.2 %% in 750 steps of 100 images')
  add('--bfloat16', action='store_true', help='compute in mixed precision')
  add('--seed', type=int, help='makes a run repeatable')
  add('--log_dir', type=os.path.expanduser, help='folder of curves and checkpoints, to go on from')
  add('--predict', nargs='+', metavar='FILE', help='pictures to recognise instead of training')
  # Pasted into a prompt or a notebook, the program has no command line of its own.
  own = os.path.basename(sys.argv[0]) == os.path.basename(globals().get('__file__', ''))
  command_line = None if own else []
  if parser.parse_args(command_line).fast:
    parser.set_defaults(steps=750, batch_size=100, learning_rate=3e-3)
  flags = parser.parse_args(command_line)
  limits = dict(steps=(0, 1e9), batch_size=(1, 1e9), learning_rate=(1e-38, 3e38), seed=(0, 2**32))
  for name, (low, high) in limits.items():
    value = getattr(flags, name)
    if value is not None and not low <= value < high:
      parser.error(f'argument --{name}: must be at least {low:g} and below {high:.10g}: {value}')
  if set('*?[]') & set(flags.log_dir or ''):
    parser.error('argument --log_dir: must not contain * ? [ or ], as TensorFlow matches them')
  if flags.predict and not flags.log_dir:
    parser.error('argument --predict: needs --log_dir, the folder of a trained net')
  return flags


FLAGS = parse_flags() if __name__ == '__main__' else None

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # Set it to 0 to see TensorFlow's own log.
import tensorflow.compat.v1 as tf

tf.logging.set_verbosity(tf.logging.ERROR)
tf.disable_v2_behavior()

SAVE_STEPS = 1000  # From one checkpoint to the next.
SIGNALS = []  # The signals that came during training.


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
  print('Running on:', 'GPU' if tf.config.list_physical_devices('GPU') else 'CPU', flush=True)
  try:
    mnist = input_data.read_data_sets(flags.data_dir, one_hot=True, seed=flags.seed)
  except (OSError, ValueError) as error:
    raise STOP(f'The data cannot be read: {error}') from None
  with tf.Graph().as_default():
    tf.set_random_seed(flags.seed)
    # The model.
    x = tf.placeholder(tf.float32, [None, 784], name='x')
    y_ = tf.placeholder(tf.float32, [None, 10], name='y_')
    y_conv, keep_prob = deepnn(x)
    # The loss, and what makes it small.
    with tf.name_scope('loss'):
      cross_entropy = tf.reduce_mean(
        tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=y_conv)
      )
    global_step = tf.train.get_or_create_global_step()
    with tf.name_scope('adam_optimizer'):
      train_step = tf.train.AdamOptimizer(flags.learning_rate).minimize(cross_entropy, global_step)
    with tf.name_scope('accuracy'):
      correct_prediction = tf.equal(tf.argmax(y_conv, 1), tf.argmax(y_, 1))
      accuracy = tf.reduce_mean(tf.cast(correct_prediction, tf.float32))
    config = tf.ConfigProto(gpu_options={'allow_growth': True})
    config.graph_options.rewrite_options.auto_mixed_precision_onednn_bfloat16 = int(flags.bfloat16)
    with tf.Session(config=config) as sess:
      sess.run(tf.global_variables_initializer())
      net = functools.partial(run_net, sess, y_conv, x, keep_prob)
      metrics, curves = {'cross_entropy': cross_entropy, 'accuracy': accuracy}, {}
      for i in training_steps(sess, flags, mnist, net, curves):
        batch = mnist.train.next_batch(flags.batch_size)
        if i % 100 == 0:
          curves[i] = sess.run(metrics, feed_dict={x: batch[0], y_: batch[1], keep_prob: 1.0})
          print('step %d, training accuracy %g' % (i, curves[i]['accuracy']))
        train_step.run(feed_dict={x: batch[0], y_: batch[1], keep_prob: 0.5})
      print('test accuracy %g' % test_accuracy(sess, flags, mnist.test, net), flush=True)


def run_net(sess, y_conv, x, keep_prob, images):
  """Returns the logits of `images` [n, 784], 200 at a time: 10,000 at once take a gigabyte."""
  batches = [images[i : i + 200] for i in range(0, len(images), 200)]
  return np.concatenate([sess.run(y_conv, {x: batch, keep_prob: 1.0}) for batch in batches])


def training_steps(sess, flags, mnist, net, curves):
  """Yields the number of each training step, and serves the loop between one step and the next.

  It goes on from the newest checkpoint in the folder, draws what the loop leaves in `curves`, and
  saves the net: every 1,000 steps, at the end, and when a signal is to end the program.
  """
  if {data.images.shape[1] for data in mnist[1:]} != {784} or not mnist.train.num_examples:
    raise STOP(f'{flags.data_dir} must hold images of 28x28, more than 5,000 of them to train.')
  if flags.bfloat16:
    check_bfloat16(net)
  folder = flags.log_dir or tempfile.mkdtemp()
  print('Saving graph to:', folder, flush=True)
  saver = tf.train.Saver(max_to_keep=2, save_relative_paths=True)
  first = restore(sess, saver, folder) or 0
  if first:
    print(f'Going on from step {first}.', flush=True)
  if first >= flags.steps > 0:
    print(f'The net in {folder} has had {first} steps already. A larger --steps trains it on.')
  for _ in range(first):  # The batches that it has had.
    mnist.train.next_batch(flags.batch_size)
  # The filters of the first layer, in 4 rows of 8: white is their largest weight.
  W = tf.pad(tf.trainable_variables('conv1')[0][:, :, 0], [[0, 1], [0, 1], [0, 0]])
  grid = tf.reshape(tf.transpose(tf.reshape(W, [6, 6, 4, 8]), [2, 0, 3, 1]), [1, 24, 48, 1])
  filters = tf.summary.image('pictures/filters', grid)
  SIGNALS.clear()
  numbers = {signal.SIGINT, signal.SIGTERM, getattr(signal, 'SIGHUP', signal.SIGTERM)}
  numbers = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
  handlers = [
    signal.signal(number, lambda number, _: SIGNALS.append(number)) for number in numbers
  ]
  try:
    writer = tf.summary.FileWriter(folder, sess.graph, session=sess)
    # From here on, TensorBoard drops what a killed run drew after its last checkpoint.
    writer.add_session_log(tf.SessionLog(status=tf.SessionLog.START), first and first + 1)
    save_net = functools.partial(save, sess, saver, writer, filters, mnist.validation, net)
    try:
      for i in input_data.count_steps(first, flags.steps):
        yield i
        if i in curves:
          values = curves.pop(i)
          draw(writer, 'training', i, values['cross_entropy'], values)
          print(end='', flush=True)
        if (i + 1) % SAVE_STEPS == 0 or i + 1 == flags.steps:
          save_net(flags.log_dir)
        if SIGNALS:
          raise KeyboardInterrupt if PROMPT else SystemExit(128 + SIGNALS[0])
    finally:
      if SIGNALS:  # Also if the loop has failed because nobody reads what it prints any more.
        step = save_net(folder)
        with contextlib.suppress(OSError):
          advice = f'To go on, run this again with --log_dir {shlex.quote(folder)}'
          print(f'Stopped after {step} steps. {advice}', flush=True)
  except tf.errors.OpError as error:
    reason = str(error).partition('; ')[2].partition('\n')[0]  # TensorFlow says 'PATH; REASON'.
    raise STOP(f'{folder} cannot be written: {reason or error}') from None
  finally:
    for number, handler in zip(numbers, handlers, strict=True):
      signal.signal(number, handler)


def save(sess, saver, writer, filters, validation, net, folder):
  """Draws the accuracy on the validation images; saves and draws the net if it has a folder."""
  step = sess.run(tf.train.get_global_step())
  logits = net(validation.images)
  accuracy = np.mean(np.argmax(logits, 1) == np.argmax(validation.labels, 1))
  draw(writer, 'validation', step, np.sum(logits), {'accuracy': accuracy})
  if folder:
    writer.add_summary(sess.run(filters), step)
    writer.flush()
    saver.save(sess, os.path.join(folder, 'model.ckpt'), step, write_meta_graph=False)
  return step


def draw(writer, name, step, loss, values):
  """Draws a point of each curve, or ends the program if the loss is no number any more."""
  if not np.isfinite(loss):
    raise STOP(f'The loss is {loss} at step {step}. Try a smaller --learning_rate.')
  points = [tf.Summary.Value(tag=f'{name}/{t}', simple_value=v) for t, v in values.items()]
  writer.add_summary(tf.Summary(value=points), step)
  writer.flush()


def restore(sess, saver, folder):
  """Loads the newest whole checkpoint in `folder`; returns its steps, or None if there is none."""
  paths = [path.removesuffix('.index') for path in glob.glob(os.path.join(folder, '*.index'))]
  paths.sort(key=lambda path: (len(path), path))  # -900 comes before -1000.
  reason = 'damaged' if os.path.exists(os.path.join(folder, 'checkpoint')) else None
  while paths:
    try:
      saver.restore(sess, paths[-1])
      saver.recover_last_checkpoints(paths)  # So that these, too, give way to newer ones.
      return int(sess.run(tf.train.get_global_step()))
    except (tf.errors.NotFoundError, tf.errors.InvalidArgumentError):
      reason = 'of another model'
      break
    except (ValueError, tf.errors.OpError):
      reason = 'damaged'
      print(f'{paths.pop()} is damaged: it is left out.', file=sys.stderr)
  if reason:
    raise STOP(f'The checkpoint in {folder} is {reason}: choose another --log_dir.')


def check_bfloat16(net):
  """Ends the program where bfloat16 does not work, and says so where it is slow."""
  if tf.config.list_physical_devices('GPU'):
    raise STOP('--bfloat16 is for processors, and this run would be on the GPU: leave it out.')
  try:
    net(np.zeros([1, 784]))
  except tf.errors.OpError:
    raise STOP('TensorFlow refuses bfloat16 here: it needs a processor with AVX-512.') from None
  with contextlib.suppress(OSError), open('/proc/cpuinfo') as f:
    if not re.search('bf16|amx', os.environ.get('ONEDNN_MAX_CPU_ISA') or f.read(), re.IGNORECASE):
      print('This processor has no instructions for bfloat16: it is slower here than float32.')


def test_accuracy(sess, flags, test, net):
  """Returns the share of the test digits that the net recognises, and draws its mistakes."""
  digits, labels = np.argmax(net(test.images), 1), np.argmax(test.labels, 1)
  if flags.log_dir:
    # A table: each row has the mistaken digits of a kind, each column what they were taken for.
    table = np.zeros([11, 11, 28, 28])
    for digit in range(10):
      mean = np.mean(test.images[labels == digit], axis=0).reshape(28, 28)
      table[1 + digit, 0] = table[0, 1 + digit] = mean
    for n in np.flatnonzero(digits != labels):
      table[1 + labels[n], 1 + digits[n]] = test.images[n].reshape(28, 28)
    table = table.swapaxes(1, 2).reshape(1, 308, 308, 1)
    writer = tf.summary.FileWriter(flags.log_dir, session=sess)
    writer.add_summary(
      sess.run(tf.summary.image('mistakes', table)), sess.run(tf.train.get_global_step())
    )
    writer.close()
  return np.mean(digits == labels)


def recognise(flags):
  """Prints the digit in each file of --predict; returns the exit status, 1 if one has none."""
  contents = tf.placeholder(tf.string, [])
  picture = tf.image.decode_image(contents, expand_animations=False)
  jpeg_shape = tf.image.extract_jpeg_shape(contents)
  ink, scale = tf.placeholder(tf.float32, [None, None]), tf.placeholder(tf.float32, [])
  translation = tf.placeholder(tf.float32, [2])
  image = tf.raw_ops.ScaleAndTranslate(
    images=ink[tf.newaxis, :, :, tf.newaxis],
    size=[28, 28],
    scale=[scale, scale],
    translation=translation,
    kernel_type='triangle',
    antialias=True,
  )
  y_conv, keep_prob = deepnn(tf.reshape(image / tf.reduce_max(image), [1, 784]))
  probabilities = tf.nn.softmax(y_conv)
  tf.train.get_or_create_global_step()  # The net's steps, which restore returns.
  status = 0
  with tf.Session(config=tf.ConfigProto(gpu_options={'allow_growth': True})) as sess:
    if not restore(sess, tf.train.Saver(), flags.log_dir):
      command = f'python mnist_deep.py --log_dir {flags.log_dir}'
      sys.exit(f'{flags.log_dir} holds no trained net. To train one there: {command}')
    for file in flags.predict:
      try:
        with open(file, 'rb') as f:
          content = f.read()
        if count_pixels(content, sess, jpeg_shape, contents) > 100e6:
          raise ValueError('larger than 100 megapixels')
        values = prepare(sess.run(picture, feed_dict={contents: content}))
      except (OSError, ValueError, tf.errors.OpError) as error:
        reason = getattr(error, 'strerror', error)
        if isinstance(error, tf.errors.OpError):
          reason = 'not a PNG, JPEG, BMP or GIF picture, or a damaged one'
        print(f'{file}: {reason}', file=sys.stderr)
        status = 1
      else:
        feed = dict(zip((ink, scale, translation, keep_prob), (*values, 1.0), strict=True))
        chances = sess.run(probabilities, feed_dict=feed)[0]
        print(f'{file}: {np.argmax(chances)} ({np.max(chances):.1%})', flush=True)
  return status


def count_pixels(content, sess, jpeg_shape, contents):
  """Returns how many pixels a picture file says it has, before decoding makes room for them."""
  if content.startswith(b'\x89PNG'):
    return int.from_bytes(content[16:20], 'big') * int.from_bytes(content[20:24], 'big')
  if content.startswith(b'GIF8'):
    return int.from_bytes(content[6:8], 'little') * int.from_bytes(content[8:10], 'little')
  if content.startswith(b'\xff\xd8'):
    return np.prod(sess.run(jpeg_shape, feed_dict={contents: content})[:2], dtype=np.int64)
  return 0  # A BMP file is itself as large as its pixels.


def prepare(pixels):
  """Finds the digit in a picture, and how to make of it what NIST's pictures were made for MNIST.

  Light on dark, it is cropped to the ink, to be fitted into 20x20 with its shape kept, and to be
  put with its centre of mass in the middle of 28x28: http://yann.lecun.com/exdb/mnist/.

  Args:
    pixels: uint8 [rows, columns, channels], grey or RGB; of 2 or 4 channels, the last is alpha.

  Returns:
    The cropped ink, float32 from 0 to 1, its scale, and its translation in rows and columns.

  Raises:
    ValueError: the picture is blank.
  """
  weights = [0.299, 0.587, 0.114] if pixels.shape[2] > 2 else [1]
  grey = sum(pixels[..., i] * np.float32(weight / 255) for i, weight in enumerate(weights))
  if pixels.shape[2] in (2, 4) and np.any(pixels[..., -1]):
    alpha = pixels[..., -1] / np.float32(255)
    # Where it is transparent comes its own paper; or if all there is is ink, paper unlike it.
    opaque = grey[alpha > 0.5]
    paper = np.median(opaque) if opaque.size > alpha.size / 2 else np.mean(opaque) < 0.5
    grey = alpha * grey + (1 - alpha) * paper
  ink = grey - np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]]))
  if -np.min(ink) > np.max(ink):
    ink = -ink
  if np.max(ink) < 0.1:
    raise ValueError('blank')
  ink = np.maximum(ink / np.max(ink), 0)
  rows, columns = np.flatnonzero(np.max(ink, 1) > 0.2), np.flatnonzero(np.max(ink, 0) > 0.2)
  ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
  scale = 20 / max(ink.shape)
  row = np.average(np.arange(ink.shape[0]) + 0.5, weights=np.sum(ink, 1))
  column = np.average(np.arange(ink.shape[1]) + 0.5, weights=np.sum(ink, 0))
  # Of 28 pixels the middle one, number 14, reaches from 14 to 15.
  return ink, scale, [14.5 - scale * row, 14.5 - scale * column]


if __name__ == '__main__':
  try:
    with tf.Graph().as_default():
      sys.exit(recognise(FLAGS)) if FLAGS.predict else main(FLAGS)
  except OSError as error:  # Of standard output; all others are answered where they arise.
    if PROMPT or error.filename:
      raise
    if not isinstance(error, BrokenPipeError):
      print(f'Standard output cannot be written: {error.strerror}', file=sys.stderr)
    os._exit(128 + SIGNALS[0] if SIGNALS else 141 if isinstance(error, BrokenPipeError) else 1)
