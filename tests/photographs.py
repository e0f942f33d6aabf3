"""Makes photographs of handwriting: test digits of MNIST as ink on paper, in good and bad light.

As a program, it draws some of each kind on a sheet, each beside the 28x28 pixels that
`input_data.extract_digit` finds in it: python tests/photographs.py SHEET.png
"""

import pathlib
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import input_data  # noqa: E402
from mnist_deep import tf  # noqa: E402

# A picture is made from one thing after the other: where there is ink (0 to 1 in each pixel), how
# much light falls there, and the colours of ink and paper (red, green and blue, 0 to 1).
WHITE, BLACK = np.array([0.95, 0.94, 0.92]), np.array([0.12, 0.12, 0.14])


def enlarge(digit, rows, columns):
  """Draws an image larger, by cubic interpolation (Catmull and Rom)."""
  for n in (rows, columns):
    away = np.abs((np.arange(n)[:, None] + 0.5) * len(digit) / n - 0.5 - np.arange(len(digit)))
    near = 1.5 * away**3 - 2.5 * away**2 + 1
    far = -0.5 * away**3 + 2.5 * away**2 - 4 * away + 2
    weights = np.where(away < 1, near, np.where(away < 2, far, 0))
    digit = (weights / np.sum(weights, 1, keepdims=True) @ digit).T
  return np.clip(digit, 0, 1).astype(np.float32)


def turn(drawn, degrees):
  """Turns what is drawn [n, n] about its middle."""
  n = len(drawn)
  rows, columns = np.indices((n, n)) - (n - 1) / 2
  sin, cos = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
  at = np.rint([cos * rows - sin * columns, sin * rows + cos * columns] + np.array((n - 1) / 2))
  return drawn[tuple(np.clip(at, 0, n - 1).astype(int))]


def hairline(drawn, width):
  """Draws a line `width` pixels wide along the middle of the strokes (Zhang and Suen, 1984)."""
  mask = np.pad(drawn[::width, ::width] > 0.5, 1)
  before = None
  while not np.array_equal(mask, before):
    before = mask.copy()
    for a, b, c, d in ((2, 4, 0, 6), (0, 6, 2, 4)):
      # The neighbours, clockwise from the one above.
      steps = ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))
      near = np.array([np.roll(mask, step, (0, 1)) for step in steps])
      count, starts = np.sum(near, 0), np.sum(~near & np.roll(near, -1, 0), 0)
      kept = near[a] & near[b] & (near[c] | near[d])
      mask &= (count < 2) | (count > 6) | (starts != 1) | kept
  line = np.kron(mask[1:-1, 1:-1], np.ones((width, width)))
  return line[: len(drawn), : len(drawn)]


def places(shape):
  """Returns the rows [n, 1] and columns [1, m] of the pixels, 1 for the longer side."""
  return [axis.astype(np.float32) / max(shape) for axis in np.ogrid[: shape[0], : shape[1]]]


def across(shape, random):
  """Returns numbers from 0 to 1 that grow across the picture, in any direction."""
  rows, columns = places(shape)
  angle = random.uniform(0, 2 * np.pi)
  slope = np.cos(angle) * rows + np.sin(angle) * columns
  return (slope - np.min(slope)) / max(np.max(slope) - np.min(slope), 1e-6)


def falling(least, most):
  """Light that falls off evenly to 1 - `least` or up to 1 - `most` of what it is."""

  def make(shape, random):
    return 1 - random.uniform(least, most) * across(shape, random)

  return make


def vignette(shape, random):
  """Light that falls off to the corners, as in a cheap lens."""
  rows, columns = places(shape)
  squares = (rows - np.max(rows) / 2) ** 2 + (columns - np.max(columns) / 2) ** 2
  return 1 - random.uniform(0.3, 0.5) * squares / max(np.max(squares), 1e-6)


def shadow(least, most):
  """The shadow of a hand or a telephone; how wide its edge is, as a share of the picture."""

  def make(shape, random):
    away = (across(shape, random) - random.uniform(0.3, 0.7)) / random.uniform(least, most)
    return 1 - random.uniform(0.2, 0.35) / (1 + np.exp(-np.clip(4 * away, -30, 30)))

  return make


def sheet(most):
  """A sheet on a darker table, turned by up to `most` degrees, that ends on one to four sides."""

  def make(shape, random):
    rows, columns = places(shape)
    height, width = np.max(rows), np.max(columns)
    angle = np.radians(random.uniform(-most, most))
    down = np.cos(angle) * (rows - height / 2) + np.sin(angle) * (columns - width / 2)
    right = np.cos(angle) * (columns - width / 2) - np.sin(angle) * (rows - height / 2)
    inside = np.full(shape, 1.0)
    for side in random.permutation(4)[: random.randint(1, 5)]:
      along = (down + height / 2, height / 2 - down, right + width / 2, width / 2 - right)[side]
      inside = np.minimum(inside, along - random.uniform(0.05, 0.2) * min(height, width))
    paper = np.clip(inside * max(shape) + 0.5, 0, 1)
    grain = 1 + 0.1 * np.sin(random.uniform(50, 150) * rows + 9 * columns)
    return paper + (1 - paper) * random.uniform(0.2, 0.6) * grain

  return make


def both(one, other):
  return lambda shape, random: one(shape, random) * other(shape, random)


def lines(crossing):
  """The lines of lined paper, or the squares of squared paper: how dark each pixel is by them."""

  def make(shape, random):
    rows, columns = places(shape)
    spacing = max(random.uniform(0.04, 0.12), 6 / max(shape))
    width = max(random.uniform(0.002, 0.005), 1 / max(shape))
    tilt, dark = random.uniform(-0.03, 0.03), random.uniform(0.15, 0.35)

    def ruled(along):
      away = np.abs((along / spacing + random.uniform()) % 1 - 0.5) * spacing
      return np.clip((width - away) * max(shape), 0, 1)

    marks = ruled(rows + tilt * columns)
    if crossing:
      marks = np.maximum(marks, ruled(columns - tilt * rows))
    return 1 - dark * marks

  return make


def specks(shape, random):
  """Three to eight specks of dirt."""
  rows, columns = places(shape)
  paper = np.ones(shape, np.float32)
  for _ in range(random.randint(3, 9)):
    row, column = random.uniform(0, np.max(rows)), random.uniform(0, np.max(columns))
    away = np.hypot(rows - row, columns - column)
    size = random.uniform(0.002, 0.01)
    paper *= 1 - random.uniform(0.3, 0.9) * np.clip((size - away) * max(shape) + 0.5, 0, 1)
  return paper


def even(shape, _):
  """The same light everywhere."""
  return np.ones(shape, np.float32)


# What is in front of the camera, by the name of the condition: the light on the paper, and how it
# differs from ink of 80 % contrast on white paper, in the middle, with a little noise.
CONDITIONS = {
  'even light': (even, {}),
  'light off by up to 50 %': (falling(0.2, 0.5), {}),
  'vignette': (vignette, {}),
  'soft shadow': (shadow(0.04, 0.15), {}),
  'sharp shadow': (shadow(0.01, 0.01), {'least': 100}),
  'sheet on a table': (sheet(0), {'room': 0.22, 'least': 160}),
  'turned sheet': (sheet(10), {'room': 0.25, 'least': 160}),
  'turned sheet, light off': (both(sheet(10), falling(0.2, 0.5)), {'room': 0.25, 'least': 160}),
  'lined paper': (lines(False), {}),
  'squared paper': (lines(True), {}),
  'specks': (specks, {}),
  'pencil': (even, {'contrast': 0.25, 'noise': 0.03}),
  'blue pen': (even, {'ink': [0.1, 0.2, 0.6]}),
  'red pen': (even, {'ink': [0.75, 0.1, 0.2]}),
  'blackboard': (even, {'board': True, 'noise': 0.02}),
  'tight crop': (even, {'crop': 'tight'}),
  'touching the border': (even, {'crop': 'touch'}),
  'hairline': (even, {'pen': True, 'least': 400}),
  'turned by 20 degrees': (even, {'turn': (20, 20)}),
  'turned by up to 20 degrees': (even, {'turn': (0, 20)}),
  'turned by 45 degrees': (even, {'turn': (45, 45)}),
  'scanned at 8x8': (even, {'coarse': True}),
  'small in a corner': (even, {'part': (0.08, 0.15), 'corner': True, 'least': 700}),
}


def photograph(digit, condition, random, side, light_on_dark=False, colour=True):
  """Photographs an image [28, 28] of 0 to 1; returns uint8 [rows, columns, channels].

  `condition` is a key of CONDITIONS, and `random` a numpy.random.RandomState, which chooses what
  the condition leaves open. The longer side has `side` pixels, or as many as the condition needs.
  """
  light, options = CONDITIONS[condition]
  side = max(side, options.get('least', 0))
  part = random.uniform(*options.get('part', (0.4, 0.9)))
  room = options.get('room', 0)
  shape = [side, max(int(side * random.uniform(0.7, 1)), 28)]
  random.shuffle(shape)
  size = max(int(part * min(shape) * (1 - 2 * room)), 28)
  at = [
    int(random.uniform(min(room * n, (n - size) / 2), max((1 - room) * n - size, (n - size) / 2)))
    for n in shape
  ]
  if options.get('corner'):
    at = [random.choice([0, n - size]) for n in shape]
  ink = np.zeros(shape, np.float32)
  if 'coarse' in options:
    digit = np.pad(digit[2:26, 2:26].reshape(8, 3, 8, 3).mean((1, 3)), 1)
  drawn = enlarge(digit, size, size)
  if 'turn' in options:
    drawn = turn(drawn, random.choice([-1, 1]) * random.uniform(*options['turn']))
  if 'pen' in options:
    drawn = hairline(drawn, max(random.randint(2, 5) * side // 400, 1))
  elif 'coarse' not in options and random.randint(2) and size > 60:
    drawn = np.clip(3 * (drawn - 0.5) + 0.5, 0, 1)  # The edges of real ink are sharper.
  ink[at[0] : at[0] + size, at[1] : at[1] + size] = drawn
  if 'crop' in options:
    inked = np.argwhere(ink > 0.2)
    (top, left), (bottom, right) = np.min(inked, 0), np.max(inked, 0) + 1
    margin = max(int(random.uniform(0.02, 0.1) * size), 1)
    box = np.array([top - margin, bottom + margin, left - margin, right + margin])
    if options['crop'] == 'touch':
      box = np.array([0, shape[0], 0, shape[1]])
      edge = random.randint(4)
      box[edge] = (top, bottom, left, right)[edge]
    box = np.clip(box, 0, np.repeat(shape, 2))
    ink = ink[box[0] : box[1], box[2] : box[3]]
  paper, black = WHITE, np.array(options.get('ink', BLACK))
  if options.get('board'):
    paper, black = np.array([0.18, 0.24, 0.21]), np.array([0.8, 0.8, 0.76])
  elif light_on_dark:
    paper, black = (black, paper) if 'ink' not in options else (BLACK, 1 - black / 2)
  if 'contrast' in options:
    black = paper * (1 - options['contrast'])
    if light_on_dark:
      black = paper + options['contrast'] * (1 - paper)
  if not colour:
    paper, black = (np.array([np.dot(c, [0.299, 0.587, 0.114])]) for c in (paper, black))
  surface = light(ink.shape, random)
  noise = options.get('noise', 0.008)
  channels = []
  for p, b in zip(paper, black, strict=True):
    channel = (p + (b - p) * ink) * surface
    channel += noise * random.standard_normal(ink.shape).astype(np.float32)
    channels.append(np.rint(255 * np.clip(channel, 0, 1)).astype(np.uint8))
  return np.stack(channels, 2)


def encode(pixels, kind='png'):
  """Returns pixels [rows, columns, channels] as a PNG file, or as a JPEG file of quality 50."""
  pixels = np.rint(pixels).astype(np.uint8)
  with tf.Graph().as_default(), tf.Session() as sess:
    if kind == 'jpg':
      return sess.run(tf.image.encode_jpeg(pixels, quality=50))
    return sess.run(tf.image.encode_png(pixels))


def draw_sheet(digits, sides):
  """Draws a row of photographs for each condition, each with what `extract_digit` finds in it."""
  sheet = []
  for condition in CONDITIONS:
    random = np.random.RandomState(len(sheet))
    row = []
    for i, side in enumerate(sides):
      digit = digits[random.randint(len(digits))] / np.float32(255)
      pixels = photograph(digit, condition, random, side, i % 2 == 1, i % 4 < 2)
      try:
        found = np.rint(255 * input_data.extract_digit(pixels)).astype(np.uint8).reshape(28, 28)
      except ValueError:
        found = np.tile(np.uint8([0, 255]), (28, 14))  # Stripes: an error.
      box = [
        np.linspace(0, n - 1, max(112 * n // max(pixels.shape), 1)).astype(int)
        for n in pixels.shape[:2]
      ]
      small = np.broadcast_to(pixels[np.ix_(*box)], [*map(len, box), 3])
      tile = np.full([116, 232, 3], 128, np.uint8)
      tile[: small.shape[0], : small.shape[1]] = small
      tile[:112, 116:228] = np.kron(found, np.ones([4, 4], np.uint8))[..., np.newaxis]
      row.append(tile)
    sheet.append(np.concatenate(row, 1))
  return np.concatenate(sheet)


if __name__ == '__main__':
  mnist = input_data.read_data_sets(str(ROOT / 'MNIST_data'), dtype=np.uint8, reshape=False)
  drawn = draw_sheet(mnist.test.images[..., 0], [28, 40, 64, 100, 160, 320, 700, 2000])
  pathlib.Path(sys.argv[1]).write_bytes(encode(drawn))
  print('From the top:', ', '.join(CONDITIONS))
