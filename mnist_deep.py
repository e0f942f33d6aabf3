"""A convolutional net on MNIST: two layers of features recognise 99.2 % of handwritten digits."""

import argparse
import contextlib
import math
import os
import re
import signal
import sys
import tempfile
import threading
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
  parser.add_argument('--decay', action='store_true', help='lower the rate to 0 over the steps')
  parser.add_argument('--bfloat16', action='store_true', help='compute in mixed precision')
  parser.add_argument('--seed', type=int, help='makes a run repeatable')
  parser.add_argument('--log_dir', help='folder of curves and checkpoints, to go on from')
  parser.add_argument('--predict', nargs='+', metavar='FILE', help='pictures to recognise')
  flags = parser.parse_args()
  if flags.steps < 0:
    parser.error(f'argument --steps: must be at least 0, not {flags.steps}')
  if flags.batch_size < 1:
    parser.error(f'argument --batch_size: must be at least 1, not {flags.batch_size}')
  if not 0 < flags.learning_rate < math.inf:
    parser.error('argument --learning_rate: must be a positive finite number')
  if flags.seed is not None and not 0 <= flags.seed < 2**32:
    parser.error(f'argument --seed: must be from 0 to {2**32 - 1}, not {flags.seed}')
  if set('*?[]') & set(flags.log_dir or ''):
    parser.error('argument --log_dir: must not contain * ? [ or ], as TensorFlow matches them')
  if flags.predict and not flags.log_dir:
    parser.error('argument --predict: needs --log_dir, the folder of a trained net')
  return flags


if __name__ == '__main__':
  # Before TensorFlow, which takes seconds to load: a mistyped flag is answered at once.
  FLAGS = parse_flags()
  # Ctrl-C while it loads has nothing to save; main() has.
  signal.signal(signal.SIGINT, lambda *_: os._exit(130))

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # Set it to 0 to see TensorFlow's own log.
import tensorflow.compat.v1 as tf

tf.logging.set_verbosity(tf.logging.ERROR)
tf.disable_v2_behavior()

SAVE_STEPS = 1000  # From one checkpoint to the next.


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
  # The data.
  try:
    mnist = input_data.read_data_sets(flags.data_dir, one_hot=True, seed=flags.seed)
  except (OSError, ValueError) as error:
    sys.exit(f'The data cannot be read: {error}')
  # The graph.
  tf.set_random_seed(flags.seed)
  x = tf.placeholder(tf.float32, [None, 784], name='x')
  y_ = tf.placeholder(tf.float32, [None, 10], name='y_')
  y_conv, keep_prob = deepnn(x)
  # The loss.
  with tf.name_scope('loss'):
    cross_entropy = tf.reduce_mean(
      tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=y_conv)
    )
  global_step = tf.train.get_or_create_global_step()
  with tf.name_scope('adam_optimizer'):
    learning_rate = flags.learning_rate
    if flags.decay:
      learning_rate = tf.train.polynomial_decay(learning_rate, global_step, flags.steps, 0.0)
    train_step = tf.train.AdamOptimizer(learning_rate).minimize(cross_entropy, global_step)
  with tf.name_scope('accuracy'):
    correct_prediction = tf.equal(tf.argmax(y_conv, 1), tf.argmax(y_, 1))
    accuracy = tf.reduce_mean(tf.cast(correct_prediction, tf.float32))
  # What TensorBoard shows.
  with tf.name_scope('training'):
    curves = tf.summary.merge(
      [tf.summary.scalar('cross_entropy', cross_entropy), tf.summary.scalar('accuracy', accuracy)]
    )
  with tf.name_scope('pictures'):
    filters = tf.summary.image('filters', filter_grid(tf.trainable_variables('conv1')[0]), 1)
  log_dir = flags.log_dir or tempfile.mkdtemp()
  print('Saving graph to:', log_dir, flush=True)
  config = tf.ConfigProto(gpu_options={'allow_growth': True})
  if flags.bfloat16:
    rewriter = config.graph_options.rewrite_options
    rewriter.auto_mixed_precision_onednn_bfloat16 = rewriter.ON
  with tf.Session(config=config) as sess:
    sess.run(tf.global_variables_initializer())
    if flags.bfloat16:
      check_bfloat16(sess, y_conv, {x: mnist.test.images[:1], keep_prob: 1.0})
    saver = tf.train.Saver(max_to_keep=2, save_relative_paths=True)
    restore(sess, saver, log_dir)
    first = int(sess.run(global_step))
    with writing_to(log_dir):
      os.makedirs(log_dir, exist_ok=True)
      writer = tf.summary.FileWriter(log_dir, tf.get_default_graph())
      # From there on, TensorBoard drops what a killed run drew after its last checkpoint.
      after = first + 1 if first else 0
      writer.add_session_log(tf.SessionLog(status=tf.SessionLog.START), after)
      writer.flush()
    for _ in range(first):  # The batches that an earlier run has had.
      mnist.train.next_batch(flags.batch_size)
    # Training.
    signals = []
    handlers = {
      number: signal.signal(number, lambda number, _: signals.append(number))
      for number in (signal.SIGINT, signal.SIGTERM)
    }
    started = time.perf_counter()
    for i in range(first, flags.steps):
      batch = mnist.train.next_batch(flags.batch_size)
      if i % 100 == 0:
        train_accuracy, summary = sess.run(
          [accuracy, curves], feed_dict={x: batch[0], y_: batch[1], keep_prob: 1.0}
        )
        with writing_to(log_dir):
          writer.add_summary(summary, i)
          writer.flush()
        show_progress('')
        print(f'step {i}, training accuracy {train_accuracy:g}', flush=True)
      _, loss = sess.run(
        [train_step, cross_entropy], feed_dict={x: batch[0], y_: batch[1], keep_prob: 0.5}
      )
      check_finite(loss, i)
      step = i + 1
      if step % SAVE_STEPS == 0 or step == flags.steps or signals:
        logits = run_net(sess, y_conv, x, keep_prob, mnist.validation.images)
        check_finite(np.sum(logits), step)
        right = np.argmax(logits, 1) == np.argmax(mnist.validation.labels, 1)
        curve = tf.Summary.Value(tag='validation/accuracy', simple_value=np.mean(right))
        with writing_to(log_dir):
          writer.add_summary(tf.Summary(value=[curve]), step)
          writer.add_summary(sess.run(filters), step)
          writer.flush()
          saver.save(sess, os.path.join(log_dir, 'model.ckpt'), step, write_meta_graph=False)
      if signals:
        show_progress('')
        print(f'Stopped after {step} steps. To go on, run this again with --log_dir {log_dir}')
        sys.exit(128 + signals[0])
      if step % 10 == 0:
        left = (time.perf_counter() - started) / (step - first) * (flags.steps - step)
        show_progress(f'step {step} of {flags.steps}, {left:.0f} seconds left')
    seconds = time.perf_counter() - started
    for number, handler in handlers.items():
      signal.signal(number, handler)
    steps = max(flags.steps - first, 0)
    show_progress('')
    print(f'{steps} steps in {seconds:.1f} seconds, {steps / seconds:.1f} steps per second')
    # Evaluation.
    logits = run_net(sess, y_conv, x, keep_prob, mnist.test.images)
    check_finite(np.sum(logits), flags.steps)
    digits, labels = np.argmax(logits, 1), np.argmax(mnist.test.labels, 1)
    print(f'test accuracy {np.mean(digits == labels):g}')
    for n in np.flatnonzero(digits != labels)[:25]:
      name = f'mistakes/{n}_is_{labels[n]}_not_{digits[n]}'
      picture = tf.summary.image(name, mnist.test.images[n].reshape(1, 28, 28, 1), 1)
      writer.add_summary(sess.run(picture), max(first, flags.steps))
    with writing_to(log_dir):
      writer.close()


def recognise(flags):
  """Prints the digit in each file of --predict; returns the exit status, 1 if one has none."""
  status = 0
  config = tf.ConfigProto(gpu_options={'allow_growth': True})
  with tf.Graph().as_default(), tf.Session(config=config) as sess:
    contents = tf.placeholder(tf.string, [])
    picture = tf.image.decode_image(contents, expand_animations=False)
    jpeg_shape = tf.image.extract_jpeg_shape(contents)
    x = tf.placeholder(tf.float32, [None, 784])
    y_conv, keep_prob = deepnn(x)
    y = tf.nn.softmax(y_conv)
    if not restore(sess, tf.train.Saver(), flags.log_dir):
      command = f'python mnist_deep.py --log_dir {flags.log_dir}'
      sys.exit(f'{flags.log_dir} holds no trained net. To train one there: {command}')
    for file in flags.predict:
      try:
        with open(file, 'rb') as f:
          content = f.read()
        if count_pixels(content, sess, jpeg_shape, contents) > 100e6:
          raise ValueError('larger than 100 megapixels')
        pixels = upright(picture.eval({contents: content}), content)
        chances = y.eval({x: [input_data.extract_digit(pixels)], keep_prob: 1.0})[0]
      except (OSError, ValueError, tf.errors.OpError) as error:
        reason = getattr(error, 'strerror', error)
        if isinstance(error, tf.errors.OpError):
          reason = 'not a PNG, JPEG, BMP or GIF picture, or a damaged one'
        print(f'{file}: {reason}', file=sys.stderr)
        status = 1
      else:
        # Of made photographs, 70 % of the wrong answers are below that and 2 % of the right ones.
        sure = '' if np.max(chances) >= 0.9 else ', not sure'
        print(f'{file}: {np.argmax(chances)} ({np.max(chances):.1%}{sure})', flush=True)
  return status


def count_pixels(content, sess, jpeg_shape, contents):
  """Returns how many pixels a picture file says it has, before decoding makes room for them."""
  if re.match(rb'RIFF....WEBP|....ftyp|II\*\0|MM\0\*', content, re.DOTALL):
    raise ValueError('WebP, HEIC, AVIF or TIFF, which is not read; save it as PNG or JPEG')
  if content.startswith(b'BM') and content[28:29] not in b'\x18\x20':
    raise ValueError(
      'a BMP of less than 24 bits a pixel, which is not read; save it as PNG or JPEG'
    )
  if content.startswith(b'\x89PNG'):
    return int.from_bytes(content[16:20], 'big') * int.from_bytes(content[20:24], 'big')
  if content.startswith(b'GIF8'):
    columns, rows = (int.from_bytes(content[n : n + 2], 'little') for n in (6, 8))
    return rows * columns * max(content.count(b'\0,\0\0\0\0'), 1)  # Frame after frame.
  if content.startswith(b'\xff\xd8'):
    return np.prod(sess.run(jpeg_shape, feed_dict={contents: content})[:2], dtype=np.int64)
  return 0  # A BMP file is itself as large as its pixels.


def upright(pixels, content):
  """Turns the pixels of a JPEG file as its EXIF orientation, tag 274 (CIPA DC-008), says."""
  start = content.find(b'Exif\0\0', 0, 1 << 16) + 6
  order = 'big' if content[start : start + 1] == b'M' else 'little'
  table = start + int.from_bytes(content[start + 4 : start + 8], order)
  for at in range(table + 2, min(table + 1000, len(content)), 12):
    tag, value = (int.from_bytes(content[n : n + 2], order) for n in (at, at + 8))
    if start > 5 and content.startswith(b'\xff\xd8') and tag == 274 and 1 < value < 9:
      pixels = pixels.swapaxes(0, 1) if value > 4 else pixels
      return pixels[:: -1 if value in (3, 4, 7, 8) else 1, :: -1 if value in (2, 3, 6, 7) else 1]
  return pixels


def run_net(sess, tensor, x, keep_prob, images):
  """Returns `tensor` for `images` [n, 784], 200 at a time: 10,000 at once take a gigabyte."""
  batches = [images[i : i + 200] for i in range(0, len(images), 200)]
  return np.concatenate(
    [sess.run(tensor, feed_dict={x: batch, keep_prob: 1.0}) for batch in batches]
  )


def filter_grid(W):
  """Lays filters [5, 5, 1, 32] out in 4 rows of 8, as one picture: white is their largest."""
  W = (W - tf.reduce_min(W)) / (tf.reduce_max(W) - tf.reduce_min(W))
  tiles = tf.pad(tf.transpose(W[:, :, 0, :], [2, 0, 1]), [[0, 0], [0, 1], [0, 1]])
  rows = tf.transpose(tf.reshape(tiles, [4, 8, 6, 6]), [0, 2, 1, 3])
  return tf.reshape(rows, [1, 4 * 6, 8 * 6, 1])


def restore(sess, saver, log_dir):
  """Restores the last checkpoint in `log_dir`, and returns whether there is one."""
  if not os.path.exists(os.path.join(log_dir, 'checkpoint')):
    return False
  try:
    saver.restore(sess, tf.train.latest_checkpoint(log_dir))
    # So that those of an earlier run, too, give way to newer ones.
    saver.recover_last_checkpoints(
      tf.train.get_checkpoint_state(log_dir).all_model_checkpoint_paths
    )
  except (ValueError, tf.errors.OpError) as error:
    reason = 'is of another model'
    if not isinstance(error, (tf.errors.NotFoundError, tf.errors.InvalidArgumentError)):
      reason = 'is damaged'
    sys.exit(f'The checkpoint in {log_dir} {reason}: choose another --log_dir.')
  return True


def check_bfloat16(sess, y_conv, feed_dict):
  """Ends the program where bfloat16 does not work, and warns where it is not fast."""
  if tf.config.list_physical_devices('GPU'):
    sys.exit('--bfloat16 is for processors, and this run would be on the GPU: leave it out.')
  try:
    sess.run(y_conv, feed_dict=feed_dict)
  except tf.errors.OpError:
    sys.exit('TensorFlow refuses bfloat16 here: it needs AVX-512, and AMX to be fast.')
  # What the processor has, up to what the environment lets oneDNN use of it.
  most = os.environ.get('ONEDNN_MAX_CPU_ISA', 'DEFAULT')
  with contextlib.suppress(OSError), open('/proc/cpuinfo') as f:
    found = f.read()
    if 'amx_bf16' in found and ('AMX' in most or most == 'DEFAULT'):
      return
    if 'avx512_bf16' in found and most not in ('AVX512_CORE', 'AVX512_CORE_VNNI'):
      print('This processor has no AMX: bfloat16 is less fast on it than it could be.')
    else:
      print('This processor has no AMX: bfloat16 is slower on it than float32.')


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
  signal.signal(signal.SIGINT, signal.default_int_handler)
  try:
    if FLAGS.predict:
      sys.exit(recognise(FLAGS))
    main(FLAGS)
  except KeyboardInterrupt:
    sys.exit(130)
