"""A convolutional net on MNIST: two layers of features recognise 99.2 % of handwritten digits."""

import os
import signal
import sys

# A prompt, a notebook or IDLE must stay open after an error; a shell needs an exit status.
PROMPT = hasattr(sys, 'ps1') or sys.flags.inspect or 'idlelib.run' in sys.modules
STOP = RuntimeError if PROMPT else SystemExit
if __name__ == '__main__' and not PROMPT:
  # Ctrl-C should show no traceback. While TensorFlow loads, an exception could be lost.
  signal.signal(signal.SIGINT, lambda *_: (sys.exit if 'tf' in globals() else os._exit)(130))
  sys.stdout and sys.stdout.reconfigure(errors='backslashreplace')  # For accents in file names.

import argparse
import contextlib
import functools
import re
import shlex
import tempfile

import numpy as np

import input_data


def parse_flags():
  """Returns the flags; reports a mistake at once, before TensorFlow, which is slow to load."""
  parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
  add = parser.add_argument
  add('--data_dir', type=os.path.expanduser, default='MNIST_data', help='folder of the MNIST data')
  add('--steps', type=int, default=20000, help='training steps in all')
  add('--batch_size', type=int, default=50, help='images in a training step')
  add('--learning_rate', type=float, default=1e-4, help='of Adam; with --fast, its highest value')
  add('--fast', action='store_true', help='reach 99.2 %% in 1,000 steps of 100 images')
  add('--bfloat16', action='store_true', help='compute partly in 16 bits')
  add('--seed', type=int, help='makes a run repeatable')
  add('--log_dir', type=os.path.expanduser, help='folder to save training in, and to go on from')
  add('--predict', nargs='+', metavar='FILE', help='pictures to recognise instead of training')
  # Pasted into a prompt or a notebook, the program has no command line of its own.
  own = os.path.basename(sys.argv[0]) == os.path.basename(globals().get('__file__', ''))
  command_line = None if own else []
  if parser.parse_args(command_line).fast:
    parser.set_defaults(steps=1000, batch_size=100, learning_rate=3e-3)
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
SIGNALS = []  # The signals that came during training, such as that of Ctrl-C.


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
  """Trains the net, and prints the share of the test digits that it recognises."""
  print('Running on:', 'GPU' if tf.config.list_physical_devices('GPU') else 'CPU', flush=True)
  try:
    mnist = input_data.read_data_sets(flags.data_dir, one_hot=True, seed=flags.seed)
  except (OSError, ValueError) as error:
    raise STOP(f'The data cannot be read: {error}') from None
  with tf.Graph().as_default():
    tf.set_random_seed(flags.seed)
    x = tf.placeholder(tf.float32, [None, 784], name='x')
    y_ = tf.placeholder(tf.float32, [None, 10], name='y_')
    y_conv, keep_prob = deepnn(x)
    with tf.name_scope('loss'):
      cross_entropy = tf.reduce_mean(
        tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=y_conv)
      )
    global_step = tf.train.get_or_create_global_step()
    with tf.name_scope('adam_optimizer'):
      rate = flags.learning_rate
      if flags.fast:  # The rate rises for a fifth of the steps, and then falls to 0.
        fall = tf.train.polynomial_decay(1.25 * rate, global_step, flags.steps, 0.0)
        rate = tf.train.polynomial_decay(0.0, global_step + 1, flags.steps / 5, rate)
        rate = tf.minimum(rate, fall)
      adam = tf.train.AdamOptimizer(rate, beta2=0.97 if flags.fast else 0.999)
      train_step = adam.minimize(cross_entropy, global_step)
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
  """Returns the logits of `images` [n, 784]; runs 200 at a time, as 10,000 take a gigabyte."""
  batches = [images[i : i + 200] for i in range(0, len(images), 200)]
  return np.concatenate([sess.run(y_conv, {x: batch, keep_prob: 1.0}) for batch in batches])


def training_steps(sess, flags, mnist, net, curves):
  """Yields the number of each training step; goes on from a checkpoint, if there is one.

  Between steps, it draws what `main` put into `curves`, and saves the net, also on Ctrl-C.
  """
  if {d.images.shape[1:] for d in mnist[1:]} != {(784,)} or not all(d.num_examples for d in mnist):
    raise STOP(f'{flags.data_dir} must hold images of 28x28: over 5,000 to train, some to test.')
  if flags.bfloat16:
    check_bfloat16(net)
  folder = flags.log_dir or tempfile.mkdtemp()
  print('Saving graph to:', folder, flush=True)
  saver = tf.train.Saver(max_to_keep=2, save_relative_paths=True)
  restore(sess, saver, folder)
  first = int(sess.run(tf.train.get_global_step()))
  if 0 < first < flags.steps:
    schedule = ' of the fast schedule' if flags.fast else ''
    print(f'Going on from step {first} of {flags.steps}{schedule}.', flush=True)
  elif first:
    print(f'The net in {folder} has had {first} steps already. A larger --steps trains it more.')
  mnist.train.max_shift = int(flags.fast)
  for _ in range(first):  # Skip the batches that the net has had.
    mnist.train.next_batch(flags.batch_size)
  with tf.name_scope('pictures'):
    # The filters of the first layer, 8 in a row: grey is 0, lighter is more, and darker less.
    W = tf.pad(tf.trainable_variables('conv1')[0][:, :, 0], [[0, 1], [0, 1], [0, 0]])
    tiles = tf.unstack(W, axis=2)
    rows = [tf.concat(tiles[n : n + 8], 1) for n in range(0, len(tiles) - 7, 8)]
    filters = tf.summary.image('filters', tf.concat(rows, 0)[tf.newaxis, :, :, tf.newaxis], 1)
  SIGNALS.clear()
  numbers = {signal.SIGINT, signal.SIGTERM, getattr(signal, 'SIGHUP', signal.SIGTERM)}
  handlers = {n: signal.getsignal(n) for n in numbers if signal.getsignal(n) != signal.SIG_IGN}
  try:
    for number in handlers:
      signal.signal(number, lambda number, _: SIGNALS.append(number))
    writer = tf.summary.FileWriter(folder, sess.graph, session=sess)
    # This has TensorBoard drop what a killed run drew after its last checkpoint.
    writer.add_session_log(tf.SessionLog(status=tf.SessionLog.START), first and first + 1)
    for i in input_data.count_steps(first, flags.steps):
      yield i
      if i in curves:
        draw(writer, 'training', i, curves.pop(i))
      step = i + 1
      if step % SAVE_STEPS == 0 or step == flags.steps or SIGNALS:
        draw(writer, 'validation', step, measure(net, mnist.validation))
        if flags.log_dir or SIGNALS:
          writer.add_summary(sess.run(filters), step)
          saver.save(sess, os.path.join(folder, 'model.ckpt'), step, write_meta_graph=False)
      if SIGNALS:
        with contextlib.suppress(OSError):  # The terminal may have been closed.
          advice = f'To go on, run this again with --log_dir {shlex.quote(folder)}'
          print(f'Stopped after {step} steps. {advice}', flush=True)
        raise KeyboardInterrupt if PROMPT else SystemExit(128 + SIGNALS[0])
      print(end='', flush=True)
  except tf.errors.OpError as error:
    reason = str(error).partition('; ')[2].partition('\n')[0]  # TensorFlow says 'PATH; REASON'.
    raise STOP(f'{folder} cannot be written: {reason or error}') from None
  finally:
    for number, handler in handlers.items():
      signal.signal(number, handler)


def measure(net, data):
  """Returns the loss and the accuracy of the net on a data set, for a curve."""
  logits, labels = net(data.images), data.labels
  logits -= np.max(logits, axis=1, keepdims=True)  # So that no exponential is too large.
  losses = np.log(np.sum(np.exp(logits), axis=1)) - np.sum(logits * labels, axis=1)
  right = np.argmax(logits, 1) == np.argmax(labels, 1)
  return {'cross_entropy': np.mean(losses), 'accuracy': np.mean(right)}


def draw(writer, name, step, values):
  """Draws a point of both curves; ends the program if the loss is infinite or not a number."""
  if not np.isfinite(loss := values['cross_entropy']):
    raise STOP(f'The loss is {loss} at step {step}. Try a smaller --learning_rate.')
  points = [tf.Summary.Value(tag=f'{name}/{t}', simple_value=v) for t, v in values.items()]
  writer.add_summary(tf.Summary(value=points), step)
  writer.flush()


def restore(sess, saver, folder):
  """Loads the newest undamaged checkpoint in `folder`, and returns whether there is one."""
  paths = [path.removesuffix('.index') for path in tf.gfile.Glob(f'{folder}/*.index')]
  paths.sort(key=lambda path: (len(path), path))  # -900 comes before -1000.
  reason = 'damaged' if os.path.exists(f'{folder}/checkpoint') else None
  while paths:
    try:
      saver.restore(sess, paths[-1])
      saver.recover_last_checkpoints(paths)  # So that newer ones replace these, too.
      return True
    except (tf.errors.NotFoundError, tf.errors.InvalidArgumentError):
      paths, reason = [], 'of another model'
    except (ValueError, tf.errors.OpError):
      reason = 'damaged'
      print(f'{paths.pop()} is damaged: it is left out.', file=sys.stderr)
  if reason:
    raise STOP(f'The checkpoint in {folder} is {reason}: choose another --log_dir.')


def check_bfloat16(net):
  """Ends the program where bfloat16 does not work, and says where it is fast."""
  if tf.config.list_physical_devices('GPU'):
    raise STOP('--bfloat16 is for the CPU, and this run would be on the GPU: leave it out.')
  try:
    net(np.zeros([1, 784]))
  except tf.errors.OpError:
    raise STOP('TensorFlow refuses bfloat16 here: it needs a processor with AVX-512.') from None
  print('bfloat16 is fast on processors with AMX or AVX512_BF16, slower than float32 on others.')


def test_accuracy(sess, flags, test, net):
  """Returns the share of the test digits that the net recognises, and draws its mistakes."""
  digits, labels = np.argmax(net(test.images), 1), np.argmax(test.labels, 1)
  if flags.log_dir:
    # A table: a row for what a digit is, and a column for what the net took it for.
    images, table = test.images.reshape(-1, 28, 28), np.zeros([11, 11, 28, 28])
    table[1:, 0] = table[0, 1:] = [np.mean(images[labels == digit], 0) for digit in range(10)]
    for n in np.flatnonzero(digits != labels):
      table[1 + labels[n], 1 + digits[n]] = images[n]
    picture = tf.summary.image('mistakes', table.swapaxes(1, 2).reshape(1, 308, 308, 1), 1)
    with tf.summary.FileWriter(flags.log_dir, session=sess) as writer:
      writer.add_summary(*sess.run([picture, tf.train.get_global_step()]))
  return np.mean(digits == labels)


def recognise(flags):
  """Prints the digit in each file of --predict; returns the exit status, 1 if any file failed."""
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
      command = f'python mnist_deep.py --log_dir {shlex.quote(flags.log_dir)}'
      raise STOP(f'{flags.log_dir} holds no trained net. To train one there: {command}')
    for file in flags.predict:
      try:
        with open(file, 'rb') as f:
          content = f.read()
        if count_pixels(content, sess, jpeg_shape, contents) > 100e6:
          raise ValueError('larger than 100 megapixels')
        pixels = input_data.upright(picture.eval({contents: content}), content)
        chances = y.eval({x: [input_data.extract_digit(pixels)], keep_prob: 1.0})[0]
      except (OSError, ValueError, tf.errors.OpError) as error:
        reason = getattr(error, 'strerror', error)
        if isinstance(error, tf.errors.OpError):
          reason = 'not a PNG, JPEG, BMP or GIF picture, or a damaged one'
        print(f'{file}: {reason}', file=sys.stderr)
        status = 1
      else:
        # Below are, on synthetic photographs, 70 % of the wrong answers and 2 % of the right.
        sure = '' if np.max(chances) >= 0.9 else ', not sure'
        print(f'{file}: {np.argmax(chances)} ({np.max(chances):.1%}{sure})', flush=True)
  return status


def count_pixels(content, sess, jpeg_shape, contents):
  """Returns how many pixels a picture file says it has, to refuse a huge one before decoding."""
  if re.match(rb'RIFF....WEBP|....ftyp|II\*\0|MM\0\*|BM.{26}[^\x18\x20]', content, re.DOTALL):
    raise ValueError('WebP, HEIC, TIFF and paletted BMP are not read; save it as PNG or JPEG')
  if content.startswith(b'\x89PNG'):
    return int.from_bytes(content[16:20], 'big') * int.from_bytes(content[20:24], 'big')
  if content.startswith(b'GIF8'):
    columns, rows = (int.from_bytes(content[n : n + 2], 'little') for n in (6, 8))
    return rows * columns * max(content.count(b'\0,\0\0\0\0'), 1)  # In each of its frames.
  if content.startswith(b'\xff\xd8'):
    return np.prod(sess.run(jpeg_shape, feed_dict={contents: content})[:2], dtype=np.int64)
  return 0  # No BMP takes more memory than its file does.


if __name__ == '__main__':
  try:
    sys.exit(recognise(FLAGS)) if FLAGS.predict else main(FLAGS)
  except OSError as error:  # From standard output, unless it names a file.
    if PROMPT or error.filename:
      raise
    if not isinstance(error, BrokenPipeError):
      with contextlib.suppress(OSError):  # Standard error may be closed, too.
        print(f'Standard output cannot be written: {error.strerror}', file=sys.stderr)
    os._exit(128 + SIGNALS[0] if SIGNALS else 141 if isinstance(error, BrokenPipeError) else 1)
