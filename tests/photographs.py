"""Makes photographs of handwriting: test digits of MNIST as ink on paper, in good and bad light.

They have what few pictures of other people have: shadows, tables, hairlines, and light ink.
"""

import numpy as np

from mnist_deep import tf


def enlarge(digit, rows, columns):
  """Draws an image larger, by cubic interpolation (Catmull and Rom)."""
  for n in (rows, columns):
    away = np.abs((np.arange(n)[:, None] + 0.5) * len(digit) / n - 0.5 - np.arange(len(digit)))
    near = 1.5 * away**3 - 2.5 * away**2 + 1
    far = -0.5 * away**3 + 2.5 * away**2 - 4 * away + 2
    weights = np.where(away < 1, near, np.where(away < 2, far, 0))
    digit = (weights / np.sum(weights, 1, keepdims=True) @ digit).T
  return np.clip(digit, 0, 1).astype(np.float32)


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


def sheet(shape, random):
  """A sheet on a darker table, with an edge on one to four sides of the picture."""
  rows, columns = places(shape)
  height, width = np.max(rows), np.max(columns)
  inside = np.full(shape, 1.0)
  for side in random.permutation(4)[: random.randint(1, 5)]:
    along = (rows, height - rows, columns, width - columns)[side]
    inside = np.minimum(inside, along - random.uniform(0.05, 0.2) * min(height, width))
  paper = np.clip(inside * max(shape) + 0.5, 0, 1)
  return paper + (1 - paper) * random.uniform(0.2, 0.6)


def even(shape, _):
  """The same light everywhere."""
  return np.ones(shape, np.float32)


# The light on the paper, and how the picture differs: `room` is the share of each side that stays
# free of ink, `least` the smallest side in pixels.
CONDITIONS = {
  'even light': (even, {}),
  'light off by up to 50 %': (falling(0.2, 0.5), {}),
  'vignette': (vignette, {}),
  'soft shadow': (shadow(0.04, 0.15), {}),
  'sharp shadow': (shadow(0.01, 0.01), {'least': 100}),
  'sheet on a table': (sheet, {'room': 0.22, 'least': 160}),
  'pencil': (even, {'contrast': 0.25}),
  'light on dark': (even, {'light': True}),
  'hairline': (even, {'pen': True, 'least': 400}),
  'small': (even, {'part': (0.08, 0.15), 'least': 700}),
}


def photograph(digit, condition, random, side):
  """Photographs an image [28, 28] of 0 to 1; returns uint8 [rows, columns, 3].

  `condition` is a key of CONDITIONS, and `random` a numpy.random.RandomState, which chooses what
  the condition leaves open. The longer side has `side` pixels, or as many as the condition needs.
  """
  light, options = CONDITIONS[condition]
  side, room = max(side, options.get('least', 0)), options.get('room', 0)
  shape = [side, max(int(side * random.uniform(0.7, 1)), 28)]
  random.shuffle(shape)
  part = random.uniform(*options.get('part', (0.4, 0.9)))
  size = max(int(part * min(shape) * (1 - 2 * room)), 28)
  top, left = (
    int(random.uniform(min(room * n, (n - size) / 2), max((1 - room) * n - size, (n - size) / 2)))
    for n in shape
  )
  drawn = enlarge(digit, size, size)
  if 'pen' in options:
    drawn = hairline(drawn, max(random.randint(2, 5) * side // 400, 1))
  ink = np.zeros([*shape, 1], np.float32)
  ink[top : top + size, left : left + size, 0] = drawn
  paper, black = np.array([0.95, 0.94, 0.92]), np.array([0.12, 0.12, 0.14])
  if 'contrast' in options:
    black = paper * (1 - options['contrast'])
  if 'light' in options:
    paper, black = black, paper
  picture = (paper + (black - paper) * ink) * light(shape, random)[..., np.newaxis]
  picture += 0.008 * random.standard_normal(picture.shape)  # Noise.
  return np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8)


def encode(pixels, kind='png'):
  """Returns pixels [rows, columns, channels] as a PNG file, or as a JPEG file of quality 50."""
  pixels = np.rint(pixels).astype(np.uint8)
  with tf.Graph().as_default(), tf.Session() as sess:
    if kind == 'jpg':
      return sess.run(tf.image.encode_jpeg(pixels, quality=50))
    return sess.run(tf.image.encode_png(pixels))
