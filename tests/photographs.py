"""Makes photographs of handwriting: test digits of MNIST as ink on paper, in good and bad light.

They have what few pictures of other people have: shadows, tables, hairlines, and light ink.
As a program, it makes the pictures of README.md: python tests/photographs.py
The two of TensorBoard need it and Chromium; a net is trained for them.
"""

import pathlib
import re
import subprocess
import tempfile

import numpy as np

from conftest import ROOT, input_data, lines_of, run
from mnist_deep import tf

# How a picture differs from one in even light: `room` is the share of each side that stays free of
# ink, `part` the size of the digit, `least` the smallest side in pixels.
CONDITIONS = dict.fromkeys(['even light', 'uneven light', 'vignette', 'soft shadow', 'JPEG'], {})
CONDITIONS |= {
  'sharp shadow': {'least': 100},
  'sheet on a table': {'room': 0.22, 'least': 160},
  'pencil': {'black': (0.71, 0.7, 0.69)},
  'light on dark': {'paper': (0.12, 0.12, 0.14), 'black': (0.95, 0.94, 0.92)},
  'hairline': {'least': 400},
  'small': {'part': (0.08, 0.15), 'least': 700},
}


def photograph(digit, condition, random, side):
  """Photographs an image [28, 28] of 0 to 1; returns uint8 [rows, columns, 3].

  `condition` is a key of CONDITIONS, and `random` a numpy.random.RandomState, which chooses what
  the condition leaves open. The longer side has `side` pixels, or as many as the condition needs.
  """
  options = CONDITIONS[condition]
  side, room = max(side, options.get('least', 0)), options.get('room', 0)
  shape = [side, max(int(side * random.uniform(0.7, 1)), 28)]
  random.shuffle(shape)
  part = random.uniform(*options.get('part', (0.4, 0.9)))
  size = max(int(part * min(shape) * (1 - 2 * room)), 28)
  ink = enlarge(digit, size, size)
  if condition == 'hairline':
    ink = hairline(ink, max(random.randint(2, 5) * side // 400, 1))
  before = [int(random.uniform(room, 1 - room) * (n - size)) for n in shape]
  ink = np.pad(ink, [(i, n - size - i) for i, n in zip(before, shape, strict=True)])[..., None]
  paper = np.array(options.get('paper', (0.95, 0.94, 0.92)))
  black = np.array(options.get('black', (0.12, 0.12, 0.14)))
  picture = (paper + (black - paper) * ink) * light(condition, shape, random)[..., None]
  picture = 255 * np.clip(picture + 0.008 * random.standard_normal(picture.shape), 0, 1)  # Noise.
  pixels = np.rint(picture).astype(np.uint8)
  return compute(tf.io.decode_jpeg, encode(pixels, 'jpg')) if condition == 'JPEG' else pixels


def light(condition, shape, random):
  """Returns the light on the paper under a condition: [rows, columns], 1 where it is brightest."""
  rows, columns = np.ogrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
  angle = random.uniform(0, 2 * np.pi)
  across = np.cos(angle) * rows + np.sin(angle) * columns
  across /= np.max(across)  # From -1 to 1, in any direction.
  if condition == 'uneven light':  # It falls off by up to a half.
    return 1 - random.uniform(0.1, 0.25) * (1 + across)
  if condition == 'vignette':  # It falls off to the corners, as in a cheap lens.
    return 1 - random.uniform(0.15, 0.25) * (rows**2 + columns**2)
  if 'shadow' in condition:  # Of a hand or a telephone.
    width = 0.02 if condition == 'sharp shadow' else random.uniform(0.08, 0.3)
    away = (across - random.uniform(-0.4, 0.4)) / width
    return 1 - random.uniform(0.1, 0.18) * (1 + np.tanh(2 * away))
  paper = np.ones(shape)
  if condition == 'sheet on a table':  # The table is on one to four sides, and darker.
    dark = random.uniform(0.2, 0.6)
    for side in random.permutation(4)[: random.randint(1, 5)]:
      away = [1 + rows, 1 - rows, 1 + columns, 1 - columns][side]
      paper = np.where(away > random.uniform(0.1, 0.4), paper, dark)
  return paper


def hairline(drawn, width):
  """Draws a line `width` pixels wide along the middle of the strokes (Zhang and Suen, 1984)."""
  mask = np.pad(drawn[::width, ::width] > 0.5, 1)
  # To the neighbours, clockwise from the one above.
  steps = (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1)
  before = None
  while not np.array_equal(mask, before):
    before = mask.copy()
    for a, b, c, d in (2, 4, 0, 6), (0, 6, 2, 4):
      near = np.array([np.roll(mask, step, (0, 1)) for step in steps])
      count, starts = np.sum(near, 0), np.sum(~near & np.roll(near, -1, 0), 0)
      kept = near[a] & near[b] & (near[c] | near[d])
      mask &= (count < 2) | (count > 6) | (starts != 1) | kept
  line = np.kron(mask[1:-1, 1:-1], np.ones((width, width)))
  return line[: len(drawn), : len(drawn)]


def enlarge(digit, rows, columns):
  """Draws an image [28, 28] larger, by cubic interpolation."""
  resize = tf.compat.v2.image.resize
  return np.clip(compute(resize, digit[..., np.newaxis], [rows, columns], 'bicubic')[..., 0], 0, 1)


def encode(pixels, kind='png'):
  """Returns pixels [rows, columns, channels] as a PNG file, or as a JPEG file of quality 50."""
  options = {'quality': 50} if kind == 'jpg' else {'compression': 9}
  encoder = tf.io.encode_jpeg if kind == 'jpg' else tf.io.encode_png
  return compute(encoder, np.rint(pixels).astype(np.uint8), **options)


def compute(operation, *arguments, **options):
  """Returns the value of a TensorFlow operation."""
  with tf.Graph().as_default(), tf.Session() as sess:
    return sess.run(operation(*arguments, **options))


# What to show of TensorBoard: its page, the window, and the part (left, top, right, bottom).
PAGES = {
  'graph.png': ('#graphs&run=training', '1300,1150', (340, 155, 860, 890)),
  'curves.png': ('#scalars&_smoothingWeight=0', '1500,600', (372, 182, 1070, 434)),
}


def weights():
  """Returns the weights that the blocks of README.md train and draw, four times as large."""
  blocks = re.findall(r'(?ms)^```python\n(.*?)^```', (ROOT / 'README.md').read_text())
  code, names = '\n'.join(blocks).partition('with open(')[0], {}
  exec(code, names)
  return np.kron(names['pixels'], np.ones([4, 4, 1]))


def seven():
  """Returns the first test digit, a 7, as a pen would write it on paper in light from the left."""
  digit = input_data.read_data_sets(ROOT / 'MNIST_data').test.images[0].reshape(28, 28, 1)
  digit = compute(tf.image.resize, digit, [196, 196], 'bicubic')
  ink = np.pad(np.clip(3 * digit - 1, 0, 1), [[20, 40], [70, 30], [0, 0]])
  light = np.linspace(1, 0.7, ink.shape[1])[:, np.newaxis]
  return np.uint8(255 * light * ((1 - ink) * [0.94, 0.92, 0.86] + ink * [0.12, 0.16, 0.45]))


def screenshots(logs):
  """Yields the name and the pixels of each picture that TensorBoard draws of the run in `logs`."""
  command = ['tensorboard', '--logdir', logs, '--port', '0', '--load_fast=false']
  with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as board:
    url = next(match[0] for line in board.stderr if (match := re.search(r'http://\S+', line)))
    chromium = 'chromium --headless --no-sandbox --disable-gpu --virtual-time-budget=30000'.split()
    for name, (page, size, (left, top, right, bottom)) in PAGES.items():
      file = pathlib.Path(logs, name)
      flags = f'--screenshot={file}', f'--window-size={size}', f'{url}?darkMode=false{page}'
      for _ in range(2):  # The first time, TensorBoard may still be reading.
        subprocess.run([*chromium, *flags], stderr=subprocess.DEVNULL, check=True)
      yield name, compute(tf.io.decode_png, file.read_bytes())[top:bottom, left:right]
    board.kill()


def main():
  pictures = {'weights.png': weights(), 'seven.png': seven()}
  with tempfile.TemporaryDirectory() as logs:
    lines_of(run('mnist_deep.py', '--seed', 1, '--steps', 3000, '--log_dir', logs))
    pictures |= screenshots(logs)
  for name, pixels in pictures.items():
    (ROOT / '.pictures' / name).write_bytes(encode(pixels))


if __name__ == '__main__':
  main()
