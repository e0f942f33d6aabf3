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
from conftest import run, run_here
from mnist_deep import deepnn, tf
from photographs import CONDITIONS, encode, enlarge, light, photograph


@pytest.fixture(scope='module')
def seven(mnist):
  """A seven, the first test digit, drawn with 100x100 pixels: 0 for paper and 1 for ink."""
  return enlarge(mnist.test.images[0].reshape(28, 28), 100, 100)


def ask(folder, images):
  """Asks the net in a folder: images [n, 784] in, the chances of the digits [n, 10] out."""
  with tf.Graph().as_default(), tf.Session() as sess:
    x = tf.placeholder(tf.float32, [None, 784])
    y_conv, keep_prob = deepnn(x)
    tf.train.Saver().restore(sess, tf.train.latest_checkpoint(str(folder)))
    parts = [images[i : i + 200] for i in range(0, len(images), 200)]
    found = [sess.run(tf.nn.softmax(y_conv), {x: part, keep_prob: 1.0}) for part in parts]
  return np.concatenate(found)


def predict(net, *files):
  """Asks the trained net in this process about picture files; returns the lines."""
  return run_here('mnist_deep.py', '--log_dir', net.folder, '--predict', *files)


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
  labels, shares = np.argmax(mnist.test.labels, 1), {}
  known = np.arange(0, 10000, 3)
  known = known[np.argmax(ask(folder, mnist.test.images[known]), 1) == labels[known]]
  for condition in CONDITIONS:
    random = np.random.RandomState(zlib.crc32(condition.encode()))
    chosen, images = random.choice(known, count), []
    for i, n in enumerate(chosen):
      digit = mnist.test.images[n].reshape(28, 28)
      try:
        pixels = photograph(digit, condition, random, sides[i % len(sides)])
        images.append(input_data.extract_digit(pixels))
      except ValueError:
        images.append(np.full(784, np.nan))  # What is not found is never right and never sure.
    chances = ask(folder, np.array(images))
    right = (np.argmax(chances, 1) == labels[chosen]) & ~np.isnan(chances[:, 0])
    sure = np.max(chances, 1) >= 0.975
    shares[condition] = np.mean([right, sure, sure & ~right], 1)
    print(f'{condition:28}{shares[condition]}')
  return shares


def test_photographs_in_bad_light_become_images_near_to_those_of_mnist(mnist):
  digit = mnist.test.images[0].reshape(28, 28)
  seeds = dict.fromkeys(CONDITIONS, 0)
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
@pytest.mark.parametrize('condition', ['even light', 'uneven light', 'vignette', 'soft shadow'])
def test_paper_without_a_digit_is_blank(condition, side):
  random = np.random.RandomState(side)
  for noise in 0, 0.01, 0.03, 0.06:
    paper = random.uniform(0.3, 1) * light(condition, (side, side), random)
    pixels = 255 * np.clip(paper + noise * random.standard_normal(paper.shape), 0, 1)
    with pytest.raises(ValueError, match='^blank'):
      input_data.extract_digit(np.rint(pixels).astype(np.uint8))


def test_a_frame_and_the_lines_of_a_grid_are_no_part_of_a_digit(seven):
  plain = np.pad(np.uint8(240 - 200 * seven), ((20, 40), (30, 30)), constant_values=240)
  expected = input_data.extract_digit(plain)
  rows, columns = plain.shape
  for at in 0, 4:  # Also some pixels inside the border.
    top, bottom = np.s_[at : at + 3], np.s_[rows - at - 3 : rows - at]
    left, right = np.s_[:, at : at + 3], np.s_[:, columns - at - 3 : columns - at]
    for lines in [top], [bottom, right], [top, bottom, left, right], [np.s_[30:33]]:
      pixels = plain.copy()
      for line in lines:
        pixels[line] = 60
      pixels[10:14, 90:94] = 60  # A speck.
      np.testing.assert_allclose(input_data.extract_digit(pixels), expected, atol=0.02)
  pixels = np.pad(plain, ((60, 0), (0, 0)), constant_values=240)
  expected = input_data.extract_digit(pixels)
  pixels[50:53] = 60  # Not at the border: a quarter of the way down.
  np.testing.assert_allclose(input_data.extract_digit(pixels), expected, atol=0.02)


def test_several_digits_are_not_squeezed_into_one(seven, mnist):
  zero = enlarge(mnist.test.images[3].reshape(28, 28), 100, 100)
  half, tiny = (enlarge(mnist.test.images[0].reshape(28, 28), n, n) for n in (50, 30))
  low, middle = np.pad(half, ((50, 0), (0, 0))), np.pad(half, ((25, 25), (0, 0)))
  below, left = np.pad(half, ((0, 0), (25, 25))), np.pad(half[10:], ((0, 0), (0, 50)))
  beside = [zero, seven], [zero[:, 10:90], seven[:, 15:85]], [zero, low], [middle, seven]
  above = [zero, seven], [zero, below], [left, zero], [zero, np.pad(tiny, ((0, 0), (70, 0)))]
  pictures = [np.hstack(digits) for digits in (*beside, [zero, np.pad(tiny, ((70, 0), (0, 0)))])]
  for ink in pictures + [np.vstack(digits) for digits in above]:
    with pytest.raises(ValueError, match='^several digits'):
      input_data.extract_digit(np.uint8(250 - 200 * np.pad(ink, 30)))


def test_a_five_whose_bar_does_not_touch_it_is_one_digit(seven):
  cut, bar = seven.copy(), np.argmax(np.sum(seven > 0.5, 1))
  cut[bar + 8 : bar + 14] = 0  # A seven is a bar and a stroke, too.
  expected, found = (input_data.extract_digit(250 - 200 * np.pad(ink, 30)) for ink in (seven, cut))
  assert 0 < np.sum(np.abs(found - expected)) < 0.3 * np.sum(expected)


def test_arrays_of_image_libraries_give_the_same_digit(mnist):
  pixels = np.pad(mnist.test.images[0].reshape(28, 28), 10) * 255
  pixels = np.uint8(255 - np.kron(pixels, np.ones([3, 3])))
  expected = input_data.extract_digit(pixels)
  same = [pixels.astype(kind) for kind in ('int16', 'uint16', 'int64', 'float16', 'float64')]
  same += [pixels / 255, np.float32(pixels / 255), 257 * pixels.astype(np.uint16)]
  same += [np.asfortranarray(pixels), pixels[..., np.newaxis], np.stack([pixels] * 3, 2)]
  for array in same:
    found = input_data.extract_digit(array)
    np.testing.assert_allclose(found, expected, atol=0.02, err_msg=str((array.dtype, array.shape)))
  hard = pixels < 128
  expected = input_data.extract_digit(255 * np.uint8(hard))
  for array in hard, ~hard, np.int64(hard), np.uint8(hard):
    np.testing.assert_array_equal(input_data.extract_digit(array), expected)


def test_what_is_no_picture_says_what_to_pass():
  wrong = [np.zeros(shape, np.uint8) for shape in ([28], [0, 28], [28, 28, 5], [1, 28, 28, 1])]
  wrong += [np.zeros([28, 28], complex), np.full([28, 28], 'ink')]
  for pixels in wrong:
    with pytest.raises(ValueError, match='^pass '):
      input_data.extract_digit(pixels)
  for value in (np.nan, np.inf, -0.1):
    with pytest.raises(ValueError, match='^pass numbers from 0 to 1 or 255'):
      input_data.extract_digit(np.full([28, 28], value))


def test_a_picture_of_12_megapixels_takes_less_memory_than_it_has(seven):
  pixels = np.full([3000, 4000, 3], 230, np.uint8)
  ink = np.repeat(np.repeat(np.uint8(200 * seven), 20, 0), 20, 1)
  pixels[600:2600, 1000:3000] -= ink[..., np.newaxis]
  for turned in (pixels, pixels.swapaxes(0, 1)[:, ::-1], np.asfortranarray(pixels)):
    tracemalloc.start()
    input_data.extract_digit(turned)
    assert tracemalloc.get_traced_memory()[1] < pixels.nbytes
    tracemalloc.stop()


# Where the first row and the first column of the file are in the picture: CIPA DC-008, tag 274.
EXIF = {1: 'top left', 2: 'top right', 3: 'bottom right', 4: 'bottom left'}
EXIF |= {5: 'left top', 6: 'right top', 7: 'right bottom', 8: 'left bottom'}


def exif(orientation, order):
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


def test_colours_transparency_sizes_and_turned_photographs(trained_net, seven, tmp_path):
  seven = np.pad(seven, ((30, 5), (2, 60)))[..., np.newaxis]
  solid = np.ones_like(seven)
  white, black = 255 * (1 - seven), 255 * seven
  pictures = {
    'dark.png': white,
    'light.png': black,
    'pale.png': 200 - 80 * seven,
    'rgb.jpg': np.concatenate([white, 255 * solid, 255 * solid], 2),
    'red on white.png': np.concatenate([255 * solid, white, white], 2),
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
    content = content[:2] + exif(orientation, '<>'[orientation % 2]) + content[2:]
    (tmp_path / f'turned {orientation}.jpg').write_bytes(content)
  files = sorted(tmp_path.iterdir())
  lines = predict(trained_net, *files)
  assert not any('Extracting' in line for line in lines)  # It reads no MNIST.
  assert answers(lines) == {str(file): 7 for file in files}


def test_what_is_no_picture_is_named_and_the_others_are_answered(trained_net, seven, tmp_path):
  seven = 255 * seven[..., np.newaxis]
  files = {  # And what is said of each.
    'missing.png': (None, '[Errno 2] No such file'),
    'folder': (None, '[Errno 21] Is a directory'),
    'text.png': (b'This is no picture.', 'Unknown image file format'),
    'empty.png': (b'', 'Input is empty'),
    'cut.png': (encode(seven)[:500], 'Invalid PNG'),
    'blank.png': (encode(np.full([50, 50, 3], 255)), 'blank: no digit stands out'),
    'clear.png': (encode(np.zeros([50, 50, 4])), 'blank: no digit stands out'),
    'two.png': (encode(np.tile(seven, [1, 2, 1])), 'several digits: cut out one'),
    'good.png': (encode(seven), ''),
  }
  (tmp_path / 'folder').mkdir()
  for name, (content, _) in files.items():
    if content is not None:
      (tmp_path / name).write_bytes(content)
  paths = [tmp_path / name for name in files]
  done = run('mnist_deep.py', '--log_dir', trained_net.folder, '--predict', *paths)
  assert done.returncode == 1 and 'Traceback' not in done.stderr
  assert answers(done.stdout.splitlines()) == {str(tmp_path / 'good.png'): 7}
  lines = [line for line in done.stderr.splitlines() if line.startswith(str(tmp_path))]
  for line, (name, (_, reason)) in zip(lines, [*files.items()][:-1], strict=True):
    assert line.startswith(f'{tmp_path / name}: ') and reason in line


def test_an_answer_below_97_5_percent_is_marked_as_unsure(trained_net, tmp_path):
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


def test_what_is_no_net_of_this_form_is_named(trained_net, tmp_path):
  def is_named(place, name):
    done = run('mnist_deep.py', '--log_dir', place, '--predict', '.pictures/seven.png')
    error = f'{name} is no net of deepnn. Name one in --log_dir, or train with --fast.'
    return done.returncode == 1 and done.stderr.splitlines()[-1:] == [error]

  for file in trained_net.folder.glob('model.ckpt-140.*'):
    shutil.copy(file, tmp_path)
  assert is_named(tmp_path, tmp_path)  # It has no file `checkpoint`.
  command = 'mnist_deep.py', '--log_dir', tmp_path / 'model.ckpt-140', '--predict'
  assert answers(run_here(*command, '.pictures/seven.png')) == {'.pictures/seven.png': 7}
  with tf.Graph().as_default(), tf.Session() as sess:
    variable = tf.Variable(1.0)
    sess.run(variable.initializer)
    tf.train.Saver().save(sess, str(tmp_path / 'net'), 5)
  assert is_named(tmp_path, tmp_path / 'net-5')


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


def test_a_bmp_with_a_palette_says_how_to_save_it(trained_net, tmp_path, capsys):
  files = [tmp_path / f'{bits}.bmp' for bits in (1, 4, 8)]
  for file, bits in zip(files, (1, 4, 8), strict=True):
    indices, palette = bytes(8 * 8 * bits // 8), bytes(4 << bits)
    start = 54 + len(palette)
    header = struct.pack('<2sIII', b'BM', start + len(indices), 0, start)
    header += struct.pack('<IiiHHIIiiII', 40, 8, 8, 1, bits, 0, len(indices), 0, 0, 0, 0)
    file.write_bytes(header + palette + indices)
  with pytest.raises(SystemExit, match='1'):
    run_here('mnist_deep.py', '--log_dir', trained_net.folder, '--predict', *files)
  said = capsys.readouterr().err.splitlines()
  assert said == [f'{file}: a BMP with a palette. Save it as PNG' for file in files]
