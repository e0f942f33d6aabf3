"""Makes the pictures of README.md: python tests/pictures.py [LOG_DIR]

The two of TensorBoard need it, Chromium, and a run in LOG_DIR, or else a net is trained first.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import input_data  # noqa: E402
from mnist_deep import tf  # noqa: E402
from photographs import compute, encode  # noqa: E402

PICTURES = ROOT / '.pictures'
# What to show of TensorBoard's page: its address, its size, and the part from left, top to
# right, bottom.
PAGES = {
  'graph.png': ('#graphs&run=training', '1300,1150', (340, 155, 860, 890)),
  'curves.png': ('#scalars&_smoothingWeight=0', '1500,600', (372, 182, 1070, 434)),
}


def weights():
  """Returns the weights of the ten digits after the tutorial's training: blue for, red against."""
  mnist = input_data.read_data_sets(str(ROOT / 'MNIST_data'), one_hot=True, seed=0)
  W, b = np.zeros([784, 10]), np.zeros(10)
  for _ in range(1000):
    x, y_ = mnist.train.next_batch(100)
    odds = np.exp(x @ W + b)
    error = (odds / odds.sum(axis=1, keepdims=True) - y_) / 100
    W, b = W - 0.5 * x.T @ error, b - 0.5 * error.sum(axis=0)
  W = W.T.reshape(2, 5, 28, 28).swapaxes(1, 2).reshape(56, 140)
  blue, red = np.maximum(W, 0), np.maximum(-W, 0)
  image = 255 - 255 * np.stack([blue, blue + red, red], axis=2) / np.max(np.abs(W))
  return np.uint8(np.kron(image, np.ones([4, 4, 1])))


def seven():
  """Returns the first test digit, a 7, as a pen would write it on paper in light from the left."""
  mnist = input_data.read_data_sets(str(ROOT / 'MNIST_data'))
  digit = mnist.test.images[0].reshape(28, 28, 1)
  digit = compute(tf.image.resize, digit, [196, 196], 'bicubic')
  ink = np.pad(np.clip(3 * digit - 1, 0, 1), [[20, 40], [70, 30], [0, 0]])
  light = np.linspace(1, 0.7, ink.shape[1])[:, np.newaxis]
  return np.uint8(255 * light * ((1 - ink) * [0.94, 0.92, 0.86] + ink * [0.12, 0.16, 0.45]))


def screenshots(logs):
  """Writes the pictures that TensorBoard draws of the run in `logs`."""
  command = ['tensorboard', '--logdir', logs, '--port', '0', '--load_fast=false']
  board = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
  try:
    url = next(match[0] for line in board.stderr if (match := re.search(r'http://\S+', line)))
    for name, (page, size, (left, top, right, bottom)) in PAGES.items():
      file = PICTURES / name
      flags = (
        f'--headless --no-sandbox --disable-gpu --virtual-time-budget=30000 --screenshot={file}'
      )
      command = [
        'chromium',
        *flags.split(),
        f'--window-size={size}',
        f'{url}?darkMode=false{page}',
      ]
      for _ in range(2):  # The first time, TensorBoard may still be reading.
        subprocess.run(command, stderr=subprocess.DEVNULL, check=True)
      pixels = compute(tf.io.decode_png, file.read_bytes())
      file.write_bytes(encode(pixels[top:bottom, left:right]))
  finally:
    board.kill()
    board.wait()


def main():
  PICTURES.mkdir(exist_ok=True)
  (PICTURES / 'weights.png').write_bytes(encode(weights()))
  (PICTURES / 'seven.png').write_bytes(encode(seven()))
  if not shutil.which('chromium') or not shutil.which('tensorboard'):
    sys.exit('The pictures of TensorBoard need tensorboard and chromium.')
  if sys.argv[1:]:
    return screenshots(sys.argv[1])
  with tempfile.TemporaryDirectory() as logs:
    flags = ['--seed', '1', '--steps', '3000', '--log_dir', logs]
    subprocess.run([sys.executable, 'mnist_deep.py', *flags], cwd=ROOT, check=True)
    screenshots(logs)


if __name__ == '__main__':
  main()
