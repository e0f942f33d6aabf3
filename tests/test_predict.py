"""Asking a trained net about pictures of one's own handwriting: --predict, extract_digit."""

import os
import re
import shutil
import struct
import tracemalloc
import zlib

import numpy as np
import pytest

import input_data
import photographs
from conftest import run, run_here
from mnist_deep import deepnn, tf
from photographs import encode, enlarge, even, falling, photograph, shadow, vignette


def ask(folder, images):
  """Asks the net in a folder: images [n, 784] in, the chances of the digits [n, 10] out."""
  with tf.Graph().as_default(), tf.Session() as sess:
    x = tf.placeholder(tf.float32, [None, 784])
    y_conv, keep_prob = deepnn(x)
    tf.train.Saver().restore(sess, tf.train.latest_checkpoint(str(folder)))
    parts = [images[i : i + 200] for i in range(0, len(images), 200)]
    found = [sess.run(tf.nn.softmax(y_conv), {x: part, keep_prob: 1.0}) for part in parts]
  return np.concatenate(found)


def answers(lines):
  """Returns {file: its digit} of lines that --predict printed, and checks their form."""
  pattern = r'(.+): (\d) \((\d+\.\d)%(, not sure)?\)'
  found = [re.fullmatch(pattern, line) for line in lines]
  assert all((float(match[3]) < 97) == bool(match[4]) for match in found if match[3] != '97.0')
  return {match[1]: int(match[2]) for match in found}


def photographed(folder, mnist, count, sides):
  """Asks a net about `count` photographs of each condition, of digits that it knows.

  Those are recognised in MNIST's own form. Returns three shares for each condition: of the right
  answers, of the sure ones, and of those that are sure and wrong.
  """
  labels = np.argmax(mnist.test.labels, 1)
  known = np.arange(0, 10000, 3)
  known = known[np.argmax(ask(folder, mnist.test.images[known]), 1) == labels[known]]
  conditions, images, chosen = [*photographs.CONDITIONS, 'JPEG'], [], []
  for condition in conditions:
    random = np.random.RandomState(zlib.crc32(condition.encode()))
    chosen.append(random.choice(known, count))
    for i, n in enumerate(chosen[-1]):
      kind = condition if condition in photographs.CONDITIONS else 'even light'
      digit = mnist.test.images[n].reshape(28, 28)
      pixels = photograph(digit, kind, random, sides[i % len(sides)])
      if condition != kind:
        with tf.Graph().as_default(), tf.Session() as sess:
          pixels = sess.run(tf.image.decode_image(encode(pixels, 'jpg')))
      try:
        images.append(input_data.extract_digit(pixels))
      except ValueError:
        images.append(np.full(784, np.nan))  # What is not found is never right and never sure.
  chances = ask(folder, np.array(images)).reshape(len(conditions), count, 10)
  right, sure = np.argmax(chances, 2) == labels[chosen], np.max(chances, 2) >= 0.97
  right &= ~np.isnan(chances[..., 0])
  shares = np.mean([right, sure, sure & ~right], 2).T
  print(*(f'{name:28}{share}' for name, share in zip(conditions, shares, strict=True)), sep='\n')
  return dict(zip(conditions, shares, strict=True))


def test_photographs_in_bad_light_become_images_near_to_those_of_mnist(mnist):
  digit = mnist.test.images[0].reshape(28, 28)
  seeds = dict.fromkeys(photographs.CONDITIONS, 0)
  seeds['sheet on a table'] = 4  # Here the table touches the border.
  for condition, seed in seeds.items():
    pixels = photograph(digit, condition, np.random.RandomState(seed), 160)
    found = input_data.extract_digit(pixels)
    # Strokes may be thicker or move by part of a pixel. Another digit differs by more than 1.
    assert np.sum(np.abs(found - digit.ravel())) < 0.7 * np.sum(digit), condition


@pytest.mark.full
def test_every_kind_of_photograph_is_recognised(mnist, tmp_path):
  done = run('mnist_deep.py', '--seed', '1', '--fast', '--log_dir', tmp_path, timeout=3600)
  assert done.returncode == 0, done.stderr
  least = {'sharp shadow': 0.9, 'sheet on a table': 0.93, 'hairline': 0.9, 'light on dark': 0.97}
  least['small'] = 0.9  # A tenth of the picture is 16 of the 160 pixels that are looked at.
  shares = photographed(tmp_path, mnist, 200, [28, 50, 80, 120, 160, 240, 400, 800])
  for condition, (right, _, wrong_but_sure) in shares.items():
    assert right >= least.get(condition, 0.95) and wrong_but_sure <= 0.015, condition
  large = photographed(tmp_path, mnist, 4, [4000, 3000])
  assert min(right for right, _, _ in large.values()) >= 0.75


def test_a_digit_has_the_size_and_the_place_of_those_of_mnist(mnist):
  for digit in mnist.test.images[:50].reshape(-1, 28, 28):
    paper = np.pad(255 - 255 * enlarge(digit, 112, 112), (0, 40), constant_values=255)
    found = input_data.extract_digit(paper)
    for ink in np.sum(found.reshape(28, 28), 1), np.sum(found.reshape(28, 28), 0):
      assert abs(np.average(np.arange(28), weights=ink) - 14) < 0.5
    sides = np.ptp(np.nonzero(found.reshape(28, 28) > 0.3), axis=1) + 1
    assert 18 <= np.max(sides) <= 21


@pytest.mark.parametrize('side', [28, 150, 161, 700])
@pytest.mark.parametrize('light', [even, vignette, falling(0.5, 0.5), shadow(0.01, 0.15)])
def test_paper_without_a_digit_is_blank(light, side):
  random = np.random.RandomState(side)
  for noise in (0, 0.01, 0.03, 0.06):
    paper = random.uniform(0.3, 1) * light((side, side), random)
    pixels = 255 * np.clip(paper + noise * random.standard_normal(paper.shape), 0, 1)
    with pytest.raises(ValueError, match='^blank$'):
      input_data.extract_digit(np.rint(pixels).astype(np.uint8))


def test_a_frame_and_the_lines_of_a_grid_are_no_part_of_a_digit(mnist):
  digit = enlarge(mnist.test.images[0].reshape(28, 28), 90, 90)
  plain = np.pad(np.uint8(240 - 200 * digit), ((20, 40), (30, 30)), constant_values=240)
  expected = input_data.extract_digit(plain)
  rows, columns = plain.shape
  for at in (0, 4):  # Also some pixels inside the border.
    top, bottom = np.s_[at : at + 3], np.s_[rows - at - 3 : rows - at]
    left, right = np.s_[:, at : at + 3], np.s_[:, columns - at - 3 : columns - at]
    for lines in ([top], [bottom, right], [top, bottom, left, right]):
      pixels = plain.copy()
      for line in lines:
        pixels[line] = 60
      np.testing.assert_allclose(input_data.extract_digit(pixels), expected, atol=0.02)
  pixels = np.pad(plain, ((60, 0), (0, 0)), constant_values=240)
  expected = input_data.extract_digit(pixels)
  pixels[50:53] = 60  # Not at the border: a quarter of the way down.
  np.testing.assert_allclose(input_data.extract_digit(pixels), expected, atol=0.02)


def test_several_digits_are_not_squeezed_into_one(mnist):
  zero, seven = (np.float32(mnist.test.images[n].reshape(28, 28)) for n in (3, 0))
  zero, seven, small = enlarge(zero, 100, 100), enlarge(seven, 100, 100), enlarge(seven, 50, 50)
  tiny = enlarge(np.float32(mnist.test.images[0].reshape(28, 28)), 30, 30)
  pictures = [
    np.hstack([zero, seven]),
    np.hstack([zero[:, 10:90], seven[:, 15:85]]),
    np.hstack([zero, np.pad(small, ((50, 0), (0, 0)))]),
    np.hstack([np.pad(small, ((25, 25), (0, 0))), seven]),
    np.hstack([zero, np.pad(tiny, ((70, 0), (0, 0)))]),
    np.vstack([zero, seven]),
    np.vstack([zero, np.pad(small, ((0, 0), (25, 25)))]),
    np.vstack([np.pad(small[10:], ((0, 0), (0, 50))), zero]),
    np.vstack([zero, np.pad(tiny, ((0, 0), (70, 0)))]),
  ]
  for ink in pictures:
    with pytest.raises(ValueError, match='^several digits$'):
      input_data.extract_digit(np.uint8(250 - 200 * np.pad(ink, 30)))


def test_a_five_whose_bar_does_not_touch_it_is_one_digit(mnist):
  n = next(n for n in range(100) if mnist.test.labels[n][7])  # A seven is a bar and a stroke.
  seven = enlarge(mnist.test.images[n].reshape(28, 28), 100, 100)
  expected = input_data.extract_digit(np.uint8(250 - 200 * np.pad(seven, 30)))
  bar = np.argmax(np.sum(seven > 0.5, 1))
  cut = seven.copy()
  cut[bar + 8 : bar + 14] = 0
  found = input_data.extract_digit(np.uint8(250 - 200 * np.pad(cut, 30)))
  assert np.sum(np.abs(found - expected)) < 0.3 * np.sum(expected)


def test_arrays_of_image_libraries_give_the_same_digit(mnist):
  pixels = np.pad(mnist.test.images[0].reshape(28, 28), 10) * 255
  pixels = np.uint8(255 - np.kron(pixels, np.ones([3, 3])))
  expected = input_data.extract_digit(pixels)
  same = [
    pixels.astype(dtype) for dtype in (np.int16, np.uint16, np.int64, np.float16, np.float64)
  ]
  same += [pixels / 255, np.float32(pixels / 255), 257 * pixels.astype(np.uint16)]
  same += [np.asfortranarray(pixels), pixels[..., np.newaxis], np.stack([pixels] * 3, 2)]
  for array in same:
    found = input_data.extract_digit(array)
    np.testing.assert_allclose(found, expected, atol=0.02, err_msg=str((array.dtype, array.shape)))
  hard = pixels < 128
  for array in (hard, ~hard, np.int64(hard), np.uint8(hard)):
    found = input_data.extract_digit(array)
    np.testing.assert_array_equal(found, input_data.extract_digit(255 * np.uint8(hard)))


def test_what_is_no_picture_says_what_to_pass():
  wrong = [np.zeros(shape, np.uint8) for shape in ([28], [0, 28], [28, 28, 5], [1, 28, 28, 1])]
  wrong += [np.zeros([28, 28], complex), np.full([28, 28], 'ink')]
  for pixels in wrong:
    with pytest.raises(ValueError, match='^pass '):
      input_data.extract_digit(pixels)
  for value in (np.nan, np.inf, -0.1):
    with pytest.raises(ValueError, match='^pass numbers from 0 to 1 or 255'):
      input_data.extract_digit(np.full([28, 28], value))


def test_a_picture_of_12_megapixels_takes_less_memory_than_it_has(mnist):
  pixels = np.full([3000, 4000, 3], 230, np.uint8)
  pixels[600:2600, 1000:3000] -= np.rint(
    200 * enlarge(mnist.test.images[0].reshape(28, 28), 2000, 2000)
  ).astype(np.uint8)[..., np.newaxis]
  for turned in (pixels, pixels.swapaxes(0, 1)[:, ::-1], np.asfortranarray(pixels)):
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
  turned = input_data.apply_exif(stored(picture, orientation), content)
  np.testing.assert_array_equal(turned, picture)


def test_colours_transparency_sizes_and_turned_photographs(trained_net, mnist, tmp_path):
  n = next(n for n in range(100) if mnist.test.labels[n][7])  # A seven, and a clear one.
  seven = enlarge(mnist.test.images[n].reshape(28, 28), 84, 84)
  seven = np.pad(seven, ((30, 5), (2, 60)))[..., np.newaxis]
  solid = np.ones_like(seven)
  white, black = 255 * (1 - seven), 255 * seven
  pictures = {
    'dark.png': white,
    'light.png': black,
    'pale.png': 200 - 80 * seven,
    'rgb.jpg': np.concatenate([white, 255 * solid, 255 * solid], 2),
    'blue on yellow.png': np.concatenate([white, white, 100 * seven], 2),
    'black ink on nothing.png': np.concatenate([0 * solid, black], 2),
    'white ink on nothing.png': np.concatenate([255 * solid] * 3 + [black], 2),
    'card.png': np.pad(np.concatenate([white] * 3 + [255 * solid], 2), ((9, 9), (9, 9), (0, 0))),
    'hard.png': 255 * (seven < 0.5),
    'small.png': white[::3, ::3],
  }
  for name, pixels in pictures.items():
    (tmp_path / name).write_bytes(encode(pixels, name[-3:]))
  for orientation in EXIF:
    content = encode(stored(white, orientation), 'jpg')
    content = content[:2] + exif(orientation) + content[2:]
    (tmp_path / f'turned {orientation}.jpg').write_bytes(content)
  files = sorted(tmp_path.iterdir())
  lines = run_here('mnist_deep.py', '--log_dir', trained_net.folder, '--predict', *files)
  assert not any('Extracting' in line for line in lines)  # It reads no MNIST.
  assert answers(lines) == {str(file): 7 for file in files}


def test_what_is_no_picture_is_named_and_the_others_are_answered(trained_net, mnist, tmp_path):
  digit = enlarge(mnist.test.images[0].reshape(28, 28), 100, 100)[..., np.newaxis]
  good = encode(255 * digit)
  contents = {
    'text.png': b'This is no picture.',
    'empty.png': b'',
    'cut.png': good[: len(good) // 2],
    'blank.png': encode(np.full([50, 50, 3], 255)),
    'clear.png': encode(np.zeros([50, 50, 4])),
    'two.png': encode(255 * np.tile(digit, [1, 2, 1])),
    'good.png': good,
  }
  for name, content in contents.items():
    (tmp_path / name).write_bytes(content)
  files = [tmp_path / name for name in ('missing.png', *contents)] + [tmp_path]
  done = run('mnist_deep.py', '--log_dir', trained_net.folder, '--predict', *files)
  assert done.returncode == 1 and 'Traceback' not in done.stderr
  assert answers(done.stdout.splitlines()) == {str(tmp_path / 'good.png'): 7}
  lines = done.stderr.splitlines()
  complaints = dict(line.split(': ', 1) for line in lines if line.startswith(str(tmp_path)))
  assert complaints.keys() == {str(file) for file in files if file.name != 'good.png'}
  assert complaints[str(tmp_path / 'missing.png')].startswith('[Errno 2] No such file')
  assert 'Unknown image file format' in complaints[str(tmp_path / 'text.png')]
  assert complaints[str(tmp_path / 'blank.png')] == 'blank'
  assert complaints[str(tmp_path / 'two.png')] == 'several digits'


def test_an_answer_below_97_percent_is_marked_as_unsure(trained_net, tmp_path):
  random = np.random.RandomState(0)
  files = [tmp_path / f'{n}.png' for n in range(8)]
  for file in files:  # Scribbles, which are no digit.
    scribble = random.uniform(size=[4, 4]) > 0.4
    pixels = np.pad(255 - 200 * np.kron(scribble, np.ones([9, 9])), 20, constant_values=255)
    file.write_bytes(encode(pixels[..., np.newaxis]))
  done = run('mnist_deep.py', '--log_dir', trained_net.folder, '--predict', *files)
  lines = done.stdout.splitlines()  # Some may be refused as several digits.
  answers(lines)
  assert any(line.endswith(', not sure)') for line in lines)


def test_a_folder_without_a_net_says_how_to_train_one(tmp_path):
  done = run('mnist_deep.py', '--log_dir', tmp_path, '--predict', '.pictures/seven.png')
  assert done.returncode == 1 and done.stdout == ''
  error = f'{tmp_path} holds no trained net. Train one with --fast --log_dir {tmp_path}'
  assert done.stderr.splitlines()[-1].endswith(error)


def test_a_folder_of_another_net_is_named(tmp_path):
  with tf.Graph().as_default(), tf.Session() as sess:
    variable = tf.Variable(1.0)
    sess.run(variable.initializer)
    tf.train.Saver().save(sess, str(tmp_path / 'net'), 5)
  done = run('mnist_deep.py', '--log_dir', tmp_path, '--predict', '.pictures/seven.png')
  error = f'ValueError: {tmp_path / "net-5"} is damaged or holds a net other than deepnn.'
  assert done.returncode == 1 and done.stderr.splitlines()[-1] == error


def test_a_checkpoint_is_found_by_its_name_and_without_the_file_checkpoint(trained_net, tmp_path):
  for file in trained_net.folder.glob('model.ckpt-140.*'):
    shutil.copy(file, tmp_path)
  for place in (tmp_path, tmp_path / 'model.ckpt-140'):
    lines = run_here('mnist_deep.py', '--log_dir', place, '--predict', '.pictures/seven.png')
    assert answers(lines) == {'.pictures/seven.png': 7}


@pytest.mark.parametrize('encoding', ['ascii', 'cp1252'])
def test_a_name_that_the_output_cannot_show_is_escaped(trained_net, tmp_path, encoding):
  shutil.copy('.pictures/seven.png', tmp_path / '七.png')
  files = [tmp_path / '七.png', tmp_path / 'ноль.png', '.pictures/seven.png']
  environment = os.environ | {'PYTHONIOENCODING': encoding}
  command = ['mnist_deep.py', '--log_dir', trained_net.folder, '--predict', *files]
  done = run(*command, env=environment)
  assert done.returncode == 1 and len(done.stdout.splitlines()) == 2
  assert str(tmp_path / r'\u4e03.png') in done.stdout
  assert r'\u043d\u043e\u043b\u044c.png: ' in done.stderr


def test_a_bmp_with_a_palette_is_read_by_its_colours(trained_net, mnist, tmp_path):
  digit = np.pad(mnist.test.images[0].reshape(28, 28) > 0.5, 8)
  ink = np.kron(digit, np.ones([3, 3]))[::-1]  # BMP begins with the bottom row.
  # Paper is two colours of nearly the same light, whose indices stand for black and white.
  checks = np.indices(ink.shape).sum(0) % 16 < 8
  indices = np.where(ink > 0, 100, 200 * checks).astype(np.uint8)
  rows, columns = indices.shape  # 132 columns: rows need no padding to four bytes.
  palette = np.zeros([256, 4], np.uint8)
  palette[[0, 100, 200]] = [250, 240, 245, 0], [90, 20, 10, 0], [245, 240, 250, 0]
  palette = palette.tobytes()
  header = struct.pack('<2sIII', b'BM', 1078 + indices.size, 0, 1078)
  header += struct.pack('<IiiHHIIiiII', 40, columns, rows, 1, 8, 0, indices.size, 0, 0, 256, 0)
  (tmp_path / 'seven.bmp').write_bytes(header + palette + indices.tobytes())
  command = ['mnist_deep.py', '--log_dir', trained_net.folder, '--predict', tmp_path / 'seven.bmp']
  assert answers(run_here(*command)) == {str(tmp_path / 'seven.bmp'): 7}
