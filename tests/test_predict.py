"""Asking a trained net about pictures of one's own handwriting: --predict, extract_digit."""

import re
import struct
import tracemalloc
import zlib

import numpy as np
import pytest

import input_data
import photographs
from conftest import run
from mnist_deep import deepnn, tf
from photographs import enlarge, photograph, png

PAPER_ONLY = {
  'even': photographs.even,
  'light off by 30 %': photographs.falling(0.3, 0.3),
  'light off by 50 %': photographs.falling(0.5, 0.5),
  'vignette': photographs.vignette,
}


@pytest.fixture(scope='module')
def jpeg():
  """Encodes pixels [rows, columns, channels] as the contents of a JPEG file."""
  with tf.Graph().as_default(), tf.Session() as sess:
    pixels = tf.placeholder(tf.uint8, [None, None, None])
    encoded = tf.image.encode_jpeg(pixels, quality=50)
    yield lambda values: sess.run(encoded, {pixels: values})


def decode(content):
  """Returns the pixels of a picture file."""
  with tf.Graph().as_default(), tf.Session() as sess:
    return sess.run(tf.image.decode_image(content))


@pytest.fixture
def ask():
  """Asks the net in a folder: images [n, 784] in, the chances of the digits [n, 10] out."""

  def chances(folder, images):
    with tf.Graph().as_default(), tf.Session() as sess:
      x = tf.placeholder(tf.float32, [None, 784])
      y_conv, keep_prob = deepnn(x)
      tf.train.Saver().restore(sess, tf.train.latest_checkpoint(str(folder)))
      parts = [images[i : i + 200] for i in range(0, len(images), 200)]
      found = [sess.run(tf.nn.softmax(y_conv), {x: part, keep_prob: 1.0}) for part in parts]
    return np.concatenate(found)

  return chances


def answers(done):
  """Returns the digit that standard output has for each file, and whether the net is sure."""
  pattern = r'(.+): (\d) \((\d+\.\d)%(, not sure)?\)'
  found = [re.fullmatch(pattern, line) for line in done.stdout.splitlines()]
  assert all((float(match[3]) < 90) == bool(match[4]) for match in found if match[3] != '90.0')
  return {match[1]: int(match[2]) for match in found}


def predict(trained_net, files):
  return run('mnist_deep.py', '--log_dir', trained_net.folder, '--predict', *files)


def shares(ask, folder, mnist, jpeg, count, sides):
  """Returns, for each condition, the share recognised of the digits that the net recognises.

  Those are recognised in MNIST's own form, and `count` of each condition are photographed. Last
  come the chances of all answers, and whether they are right.
  """
  labels = np.argmax(mnist.test.labels, 1)
  known = np.arange(0, 10000, 3)
  known = known[np.argmax(ask(folder, mnist.test.images[known]), 1) == labels[known]]
  images, chosen = [], []
  conditions = [*photographs.CONDITIONS, 'JPEG of quality 50', 'as in MNIST']
  for condition in conditions:
    random = np.random.RandomState(zlib.crc32(condition.encode()))
    for i in range(count):
      n = random.choice(known)
      digit = mnist.test.images[n].reshape(28, 28)
      kind = condition if condition in photographs.CONDITIONS else 'even light'
      pixels = photograph(digit, kind, random, sides[i % len(sides)], *random.randint(2, size=2))
      if condition == 'as in MNIST':
        pixels = np.rint(255 * digit).astype(np.uint8)
      if condition.startswith('JPEG'):
        pixels = decode(jpeg(pixels))
      try:
        images.append(input_data.extract_digit(pixels))
      except ValueError:
        images.append(np.zeros(784, np.float32))
      chosen.append(n)
  chances = ask(folder, np.array(images))
  right = np.argmax(chances, 1) == labels[chosen]
  return dict(zip(conditions, np.mean(right.reshape(-1, count), 1), strict=True)), chances, right


def test_photographed_digits_are_recognised_as_the_net_recognises_the_originals(
  trained_net, mnist, jpeg, ask
):
  sides = [28, 40, 64, 100, 160, 320, 500]
  found, _, right = shares(ask, trained_net.folder, mnist, jpeg, 14, sides)
  # This net is quickly trained, and 14 are few: the full test below is stricter.
  assert np.mean(right) >= 0.97, found
  assert min(found.values()) >= 12 / 14, found


@pytest.mark.full
def test_every_kind_of_photograph_is_recognised(mnist, jpeg, ask, tmp_path):
  done = run('mnist_deep.py', '--seed', '1', '--fast', '--log_dir', tmp_path, timeout=3600)
  assert done.returncode == 0, done.stderr
  sides = [28, 36, 50, 80, 120, 160, 240, 400, 800, 1500]
  found, chances, right = shares(ask, tmp_path, mnist, jpeg, 200, sides)
  sure = np.max(chances, 1) >= 0.9
  for condition, share in found.items():
    print(f'{condition:22}{share:.3f}')
  unsure = np.mean(~sure[right]), np.mean(~sure[~right])
  print('below 90 %: {:.3f} of the right answers, {:.3f} of the wrong ones'.format(*unsure))
  large = [4000, 3000]
  few, _, _ = shares(ask, tmp_path, mnist, jpeg, 4, large)
  assert min(few.values()) >= 0.75, few
  assert min(found.values()) >= 0.965 and np.mean(right) >= 0.985, found
  assert np.mean(~sure[right]) < 0.04 and np.mean(~sure[~right]) > 0.5


def test_an_image_of_mnist_stays_as_it_is(mnist):
  digits = np.rint(255 * mnist.test.images[:200]).astype(np.uint8)
  found = [input_data.extract_digit(digit.reshape(28, 28)) for digit in digits]
  same = np.max(np.abs(found - digits / np.max(digits, 1, keepdims=True)), 1) < 0.1
  assert np.mean(same) > 0.97


@pytest.mark.parametrize('light', PAPER_ONLY)
@pytest.mark.parametrize('side', [1, 2, 5, 28, 150, 161, 700])
def test_paper_without_a_digit_is_blank(light, side):
  random = np.random.RandomState(side)
  for noise in (0, 0.01, 0.03, 0.06):
    paper = random.uniform(0.3, 1) * PAPER_ONLY[light]((side, side), random)
    pixels = 255 * np.clip(paper + noise * random.standard_normal(paper.shape), 0, 1)
    if side >= 28 or not noise:  # Of less, noise is as good as ink.
      with pytest.raises(ValueError, match='^blank$'):
        input_data.extract_digit(np.rint(pixels).astype(np.uint8))
    else:
      try:
        input_data.extract_digit(np.rint(pixels).astype(np.uint8))
      except ValueError as error:
        assert str(error) in ('blank', 'several digits side by side')


def test_several_digits_side_by_side_are_not_squeezed_into_one(mnist):
  random = np.random.RandomState(0)
  named = 0
  for _ in range(50):
    row = [mnist.test.images[random.randint(10000)].reshape(28, 28) for _ in range(2)]
    row = np.pad(np.concatenate([digit[:, 4:24] for digit in row], 1), 5)
    row = np.insert(row, [25] * random.randint(2, 8), 0, axis=1)
    try:
      input_data.extract_digit(np.rint(255 - 200 * np.kron(row, np.ones([4, 4]))).astype(np.uint8))
    except ValueError as error:
      named += str(error) == 'several digits side by side'
  assert named >= 47


@pytest.mark.parametrize(
  'pixels',
  [
    np.zeros([28, 28]),
    np.zeros([28, 28], bool),
    np.zeros([28], np.uint8),
    np.zeros([0, 28], np.uint8),
    np.zeros([28, 28, 5], np.uint8),
    np.zeros([1, 28, 28, 1], np.uint8),
  ],
)
def test_what_is_no_picture_says_what_to_pass(pixels):
  with pytest.raises(ValueError, match=r'^pass uint8 \[rows, columns, channels\], not '):
    input_data.extract_digit(pixels)


def test_a_picture_of_12_megapixels_takes_less_memory_than_it_has(mnist):
  pixels = np.full([3000, 4000, 3], 230, np.uint8)
  pixels[600:2600, 1000:3000] -= np.rint(
    200 * enlarge(mnist.test.images[0].reshape(28, 28), 2000, 2000)
  ).astype(np.uint8)[..., np.newaxis]
  for turned in (pixels, pixels.swapaxes(0, 1)[:, ::-1], pixels[::-1, ::-1]):
    tracemalloc.start()
    input_data.extract_digit(turned)
    assert tracemalloc.get_traced_memory()[1] < pixels.nbytes
    tracemalloc.stop()


# Where the first row and the first column of the file are in the picture: CIPA DC-008, tag 274.
EXIF = {1: 'top left', 2: 'top right', 3: 'bottom right', 4: 'bottom left'}
EXIF |= {5: 'left top', 6: 'right top', 7: 'right bottom', 8: 'left bottom'}


def exif(orientation, order='>'):
  """Returns the bytes that tell a JPEG file's orientation, to be put behind its first two."""
  fields = struct.pack(f'{order}HHHIIHHIHH', 2, 271, 2, 4, 0, 274, 3, 1, orientation, 0)
  tiff = (b'MM' if order == '>' else b'II') + struct.pack(f'{order}HI', 42, 8) + fields + b'\0' * 4
  return b'\xff\xe1' + struct.pack('>H', len(tiff) + 8) + b'Exif\0\0' + tiff


def stored(picture, orientation):
  """Returns the pixels as a camera held that way stores them."""
  rows, columns = EXIF[orientation].split()
  if rows in ('left', 'right'):  # Its rows are the picture's columns.
    picture = picture.swapaxes(0, 1)
  if rows in ('bottom', 'right'):
    picture = picture[::-1]
  if columns in ('bottom', 'right'):
    picture = picture[:, ::-1]
  return picture


@pytest.mark.parametrize('orientation', EXIF)
@pytest.mark.parametrize('order', '<>')
def test_a_jpeg_is_turned_as_its_exif_says(orientation, order):
  picture = np.arange(6).reshape(2, 3, 1)
  content = b'\xff\xd8' + exif(orientation, order)
  turned = input_data.upright(stored(picture, orientation), content)
  np.testing.assert_array_equal(turned, picture)


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


def test_any_format_size_colour_and_transparency(trained_net, mnist, tmp_path, jpeg):
  n = next(n for n in range(100) if mnist.test.labels[n][7])  # A seven, and a clear one.
  seven = enlarge(mnist.test.images[n].reshape(28, 28), 84, 84)
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
    pixels = np.rint(pixels).astype(np.uint8)
    files[-1].write_bytes(png(pixels) if name.endswith('png') else jpeg(pixels))
  for orientation in EXIF:
    content = jpeg(stored(np.rint(white).astype(np.uint8), orientation))
    files.append(tmp_path / f'turned {orientation}.jpg')
    files[-1].write_bytes(content[:2] + exif(orientation) + content[2:])
  files.append(tmp_path / 'of 16 bits.png')
  files[-1].write_bytes(png(np.rint(257 * white).astype(np.uint16)))
  grey = np.rint(white).astype(np.uint8)
  for name, contents in (('a.bmp', bmp(np.repeat(grey, 3, 2))), ('b.gif', gif(grey))):
    files.append(tmp_path / name)
    files[-1].write_bytes(contents)
  (tmp_path / 'no ending').write_bytes(files[0].read_bytes())
  files.append(tmp_path / 'no ending')
  done = predict(trained_net, files)
  assert done.returncode == 0, done.stderr
  assert 'Extracting' not in done.stdout  # It reads no MNIST.
  assert answers(done) == {str(file): 7 for file in files}


def test_what_is_no_picture_is_named_and_the_others_are_answered(trained_net, mnist, tmp_path):
  digit = enlarge(mnist.test.images[0].reshape(28, 28), 100, 100)[..., np.newaxis]
  good = png(np.rint(255 * digit).astype(np.uint8))
  contents = {
    'text.png': b'This is no picture.',
    'empty.png': b'',
    'cut.png': good[: len(good) // 2],
    'blank.png': png(np.full([50, 50, 3], 255, np.uint8)),
    'clear.png': png(np.zeros([50, 50, 4], np.uint8)),
    'two.png': png(np.rint(255 * np.tile(digit, [1, 2, 1])).astype(np.uint8)),
    'good.png': good,
  }
  for name, content in contents.items():
    (tmp_path / name).write_bytes(content)
  files = [tmp_path / name for name in ('missing.png', *contents)] + [tmp_path]
  done = predict(trained_net, files)
  assert done.returncode == 1 and 'Traceback' not in done.stderr
  assert answers(done) == {str(tmp_path / 'good.png'): 7}
  complaints = dict(
    line.split(': ', 1) for line in done.stderr.splitlines() if line.startswith(str(tmp_path))
  )
  assert complaints.keys() == {str(file) for file in files if file.name != 'good.png'}
  assert complaints[str(tmp_path / 'missing.png')].startswith('[Errno 2] No such file')
  assert 'Unknown image file format' in complaints[str(tmp_path / 'text.png')]
  assert complaints[str(tmp_path / 'blank.png')] == 'blank'
  assert complaints[str(tmp_path / 'two.png')] == 'several digits side by side'


def test_an_answer_below_90_percent_is_marked_as_unsure(trained_net, tmp_path):
  random = np.random.RandomState(0)
  files = [tmp_path / f'{n}.png' for n in range(8)]
  for file in files:  # Scribbles, which are no digit.
    scribble = random.uniform(size=[4, 4]) > 0.4
    pixels = np.pad(255 - 200 * np.kron(scribble, np.ones([9, 9])), 20, constant_values=255)
    file.write_bytes(png(np.rint(pixels).astype(np.uint8)[..., np.newaxis]))
  done = predict(trained_net, files)
  answers(done)
  assert ', not sure)' in done.stdout


def test_a_folder_without_a_net_says_how_to_train_one(tmp_path):
  done = run('mnist_deep.py', '--log_dir', tmp_path, '--predict', '.pictures/seven.png')
  assert done.returncode == 1 and done.stdout == ''
  command = f'python mnist_deep.py --fast --log_dir {tmp_path}'
  last = done.stderr.splitlines()[-1]
  assert last.endswith(f'{tmp_path} holds no trained net. To train one: {command}')


def test_predicting_without_a_folder_is_argparses_error():
  done = run('mnist_deep.py', '--predict', '.pictures/seven.png')
  assert done.returncode == 2
  assert done.stderr.splitlines()[-1].endswith(
    '--predict needs --log_dir, the folder of a trained net'
  )
