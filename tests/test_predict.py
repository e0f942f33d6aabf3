"""Asking a trained net about pictures of one's own handwriting: --predict."""

import os
import re
import struct
import zlib

import numpy as np
import pytest

from conftest import run

os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
import tensorflow.compat.v1 as tf  # noqa: E402

import mnist_deep  # noqa: E402


@pytest.fixture(scope='module')
def encode():
  """Encodes pixels [rows, columns, channels] as the contents of a picture file."""
  with tf.Graph().as_default(), tf.Session() as sess:
    pixels = tf.placeholder(tf.uint8, [None, None, None])
    encoders = {
      'png': tf.image.encode_png(pixels),
      'jpg': tf.image.encode_jpeg(pixels, quality=80),
    }
    yield lambda kind, values: sess.run(encoders[kind], {pixels: values})


@pytest.fixture(scope='module')
def enlarge():
  """Draws an image [28, 28] of 0 to 1 larger, with smooth edges."""
  with tf.Graph().as_default(), tf.Session() as sess:
    image, size = tf.placeholder(tf.float32, [28, 28]), tf.placeholder(tf.int32, [2])
    large = tf.image.resize_images(image[tf.newaxis, :, :, tf.newaxis], size, 'bicubic')
    yield lambda digit, n: np.clip(sess.run(large, {image: digit, size: [n, n]})[0, :, :, 0], 0, 1)


def answers(done):
  """Returns the digit that standard output has for each file."""
  found = [re.fullmatch(r'(.+): (\d) \((\d+\.\d)%\)', line) for line in done.stdout.splitlines()]
  return {match[1]: int(match[2]) for match in found}


def predict(runs, files, **options):
  return run('mnist_deep.py', '--log_dir', runs('fast').folder, '--predict', *files, **options)


def test_drawn_digits_are_recognised_as_the_net_recognises_the_originals(
  runs, mnist, tmp_path, encode, enlarge
):
  random = np.random.RandomState(0)
  labels = np.argmax(mnist.test.labels, 1)
  chosen = random.permutation(10000)[:500]
  files = []
  for i, n in enumerate(chosen):
    size, margin = random.randint(60, 500), random.randint(0, 400, 4)
    digit = enlarge(mnist.test.images[n].reshape(28, 28), size)
    paper = np.pad(digit, margin.reshape(2, 2))
    pixels = np.rint(255 - random.randint(150, 256) * paper)[..., np.newaxis]
    files.append(tmp_path / f'{i}.{("png", "jpg")[i % 2]}')
    files[-1].write_bytes(encode(files[-1].suffix[1:], pixels.astype(np.uint8)))
  done = predict(runs, files)
  assert done.returncode == 0, done.stderr
  found = answers(done)
  right = np.mean([found[str(file)] == labels[n] for file, n in zip(files, chosen, strict=True)])
  with tf.Graph().as_default(), tf.Session() as sess:
    x = tf.placeholder(tf.float32, [None, 784])
    y_conv, keep_prob = mnist_deep.deepnn(x)
    mnist_deep.restore(sess, tf.train.Saver(), runs('fast').folder)
    logits = mnist_deep.run_net(sess, y_conv, x, keep_prob, mnist.test.images[chosen])
  originally_right = np.mean(np.argmax(logits, 1) == labels[chosen])
  assert originally_right > 0.94
  assert abs(right - originally_right) <= 0.01


def bmp(pixels):
  """Returns a 24-bit BMP file, which TensorFlow reads but does not write."""
  rows, columns, _ = pixels.shape
  body = b''.join(
    row.tobytes().ljust(-(-columns * 3 // 4) * 4, b'\0') for row in pixels[::-1, :, ::-1]
  )
  header = struct.pack(
    '<2sIHHIIiiHHIIiiII', b'BM', 54 + len(body), 0, 0, 54, 40, columns, rows, 1, 24, *[0] * 6
  )
  return header + body


def gif(pixels):
  """Returns a GIF file of two frames, the second black, as uncompressed codes of nine bits."""
  rows, columns, _ = pixels.shape

  def frame(values):
    codes = [c for v in values.ravel() for c in (256, int(v))] + [257]
    bits = sum(code << 9 * i for i, code in enumerate(codes))
    data = bits.to_bytes((9 * len(codes) + 7) // 8, 'little')
    blocks = [data[i : i + 255] for i in range(0, len(data), 255)]
    blocks = b''.join(bytes([len(block)]) + block for block in blocks) + b'\0'
    return b',' + struct.pack('<HHHHB', 0, 0, columns, rows, 0) + b'\x08' + blocks

  palette = bytes(v for i in range(256) for v in (i, i, i))
  screen = b'GIF89a' + struct.pack('<HHBBB', columns, rows, 0xF7, 0, 0) + palette
  return screen + frame(pixels[..., 0]) + frame(np.zeros_like(pixels[..., 0])) + b';'


def test_any_format_size_colour_and_transparency(runs, mnist, tmp_path, encode, enlarge):
  n = next(n for n in range(100) if mnist.test.labels[n][7])  # A seven, and a clear one.
  seven = enlarge(mnist.test.images[n].reshape(28, 28), 84)
  seven = np.pad(seven, ((30, 5), (2, 60)))[..., np.newaxis]
  solid = np.ones_like(seven)
  white, black = 255 * (1 - seven), 255 * seven
  ink = seven > 0.5
  pictures = {
    'dark.png': white,
    'light.png': black,
    'pale.png': 200 - 80 * seven,
    'rgb.jpg': np.concatenate([white, 255 * solid, 255 * solid], 2),
    'blue_on_yellow.png': np.concatenate([white, white, 100 * seven], 2),
    'grey_alpha.png': np.concatenate([0 * solid, black], 2),
    'black_ink_on_nothing.png': np.concatenate([0 * solid] * 3 + [black], 2),
    'white_ink_on_nothing.png': np.concatenate([255 * solid] * 3 + [black], 2),
    'opaque.png': np.concatenate([white] * 3 + [255 * solid], 2),
    'card.png': np.pad(np.concatenate([white] * 3 + [255 * solid], 2), ((9, 9), (9, 9), (0, 0))),
    'hard.png': 255 * ~ink,
    'small.png': white[::3, ::3],
    'tiny.png': 255 * (1 - mnist.test.images[n].reshape(28, 28, 1)),
  }
  files = []
  for name, pixels in pictures.items():
    files.append(tmp_path / name)
    files[-1].write_bytes(encode(name[-3:], np.rint(pixels).astype(np.uint8)))
  grey = np.rint(white).astype(np.uint8)
  for name, contents in (('a.bmp', bmp(np.repeat(grey, 3, 2))), ('b.gif', gif(grey))):
    files.append(tmp_path / name)
    files[-1].write_bytes(contents)
  (tmp_path / 'no ending').write_bytes(files[0].read_bytes())
  files.append(tmp_path / 'no ending')
  done = predict(runs, files)
  assert done.returncode == 0, done.stderr
  assert 'Extracting' not in done.stdout  # It reads no MNIST.
  assert answers(done) == {str(file): 7 for file in files}


def large_png(side):
  """Returns a white PNG that is small as a file."""

  def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

  deflate = zlib.compressobj(1)
  rows = b''.join(deflate.compress(b'\0' + b'\xff' * side) for _ in range(side)) + deflate.flush()
  header = struct.pack('>IIBBBBB', side, side, 8, 0, 0, 0, 0)
  parts = chunk(b'IHDR', header) + chunk(b'IDAT', rows) + chunk(b'IEND', b'')
  return b'\x89PNG\r\n\x1a\n' + parts


def test_what_is_no_picture_is_named_and_the_others_are_answered(
  runs, mnist, tmp_path, encode, enlarge
):
  digit = enlarge(mnist.test.images[0].reshape(28, 28), 100)[..., np.newaxis]
  good = encode('png', np.rint(255 * digit).astype(np.uint8))
  contents = {
    'text.png': b'This is no picture.',
    'empty.png': b'',
    'cut.png': good[: len(good) // 2],
    'blank.png': encode('png', np.full([50, 50, 3], 255, np.uint8)),
    'clear.png': encode('png', np.zeros([50, 50, 4], np.uint8)),
    'large.png': large_png(10001),
    'large.gif': b'GIF89a' + struct.pack('<HH', 20000, 20000),
    'good.png': good,
  }
  for name, content in contents.items():
    (tmp_path / name).write_bytes(content)
  files = [tmp_path / name for name in ('missing.png', *contents)] + [tmp_path]
  done = predict(runs, files)
  assert done.returncode == 1 and 'Traceback' not in done.stderr
  assert answers(done) == {str(tmp_path / 'good.png'): 7}
  complaints = dict(
    line.rsplit(': ', 1) for line in done.stderr.splitlines() if line.startswith(str(tmp_path))
  )
  assert complaints == {
    str(tmp_path / 'missing.png'): 'No such file or directory',
    str(tmp_path / 'text.png'): 'not a PNG, JPEG, BMP or GIF picture, or a damaged one',
    str(tmp_path / 'empty.png'): 'not a PNG, JPEG, BMP or GIF picture, or a damaged one',
    str(tmp_path / 'cut.png'): 'not a PNG, JPEG, BMP or GIF picture, or a damaged one',
    str(tmp_path / 'blank.png'): 'blank',
    str(tmp_path / 'clear.png'): 'blank',
    str(tmp_path / 'large.png'): 'larger than 100 megapixels',
    str(tmp_path / 'large.gif'): 'larger than 100 megapixels',
    str(tmp_path): 'Is a directory',
  }


def test_a_folder_without_a_net_says_how_to_train_one(runs):
  done = runs('no net')
  assert done.returncode == 1 and done.stdout == ''
  advice = (
    f'{done.folder} holds no trained net. To train one there: python mnist_deep.py --log_dir'
  )
  assert f'{advice} {done.folder}\n' in done.stderr
