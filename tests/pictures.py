"""Makes the pictures of README.md: python tests/pictures.py

The two of TensorBoard need it and Chromium; a net is trained for them.
"""

import pathlib
import re
import subprocess
import tempfile

import numpy as np

from conftest import ROOT, input_data, lines_of, run
from mnist_deep import tf
from photographs import compute, encode

# What to show of TensorBoard's page: its address, its size, and the part from left, top to
# right, bottom.
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


def seven(mnist):
  """Returns the first test digit, a 7, as a pen would write it on paper in light from the left."""
  digit = mnist.test.images[0].reshape(28, 28, 1)
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
  mnist = input_data.read_data_sets(str(ROOT / 'MNIST_data'), one_hot=True, seed=0)
  pictures = {'weights.png': weights(), 'seven.png': seven(mnist)}
  with tempfile.TemporaryDirectory() as logs:
    lines_of(run('mnist_deep.py', '--seed', 1, '--steps', 3000, '--log_dir', logs))
    pictures |= screenshots(logs)
  for name, pixels in pictures.items():
    (ROOT / '.pictures' / name).write_bytes(encode(pixels))


if __name__ == '__main__':
  main()
