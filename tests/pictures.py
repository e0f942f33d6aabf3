"""Makes the pictures of README.md from a run of both programs.

python tests/pictures.py [FOLDER]

The nets of FOLDER are used, and trained if it has none. The two pictures that show TensorBoard are
made only where it and Chromium are installed.
"""

import glob
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import tensorflow as tf

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import input_data  # noqa: E402

PICTURES = ROOT / '.pictures'
PROGRAMS = {
  'softmax': 'mnist_softmax.py --seed 0 --log_dir',
  'deep': 'mnist_deep.py --seed 1 --steps 2000 --log_dir',
}
# What to show of TensorBoard's page: its address, its size, and the part from left, top to
# right, bottom.
PAGES = {
  'graph.png': ('#graphs', '1300,1000', (330, 125, 830, 715)),
  'curves.png': (
    '#scalars&_smoothingWeight=0&tagFilter=(training|validation)&regexInput=deep',
    '1500,600',
    (362, 182, 1390, 421),
  ),
}


def main():
  logs = pathlib.Path(sys.argv[1] if sys.argv[1:] else tempfile.mkdtemp()).resolve()
  PICTURES.mkdir(exist_ok=True)
  for name, command in PROGRAMS.items():
    subprocess.run([sys.executable, *command.split(), logs / name], cwd=ROOT, check=True)
  write('weights.png', weights(logs / 'softmax'))
  write('mistakes.png', mistakes(logs / 'deep'))
  write('seven.png', photograph())
  if shutil.which('chromium') and shutil.which('tensorboard'):
    screenshots(logs)


def last_image(folder, tag):
  """Returns the newest image with a tag that ends so, uint8 [rows, columns, channels]."""
  found = None
  for file in sorted(glob.glob(f'{folder}/events*')):
    for event in tf.compat.v1.train.summary_iterator(file):
      for value in event.summary.value:
        if re.search(f'{tag}$', value.tag):
          found = value.image.encoded_image_string
  return decoded(found)


def computed(operation, *arguments, **options):
  """Returns the value of a TensorFlow operation, whether or not the process is eager."""
  with tf.Graph().as_default(), tf.compat.v1.Session() as sess:
    return sess.run(operation(*arguments, **options))


def decoded(png):
  return computed(tf.io.decode_png, png)


def weights(folder):
  """Returns the weights of the ten digits, blue for and red against, on white instead of black."""
  images = np.int32([last_image(folder, f'weights/image/{i}') for i in range(10)])
  red, blue = images[..., 0], images[..., 2]
  images = np.stack([255 - blue, 255 - blue - red, 255 - red], axis=-1)
  return enlarged(np.vstack([np.hstack(images[:5]), np.hstack(images[5:])]), 4)


def mistakes(folder):
  return enlarged(last_image(folder, 'mistakes/image.*'), 2)


def enlarged(image, times):
  return np.kron(image, np.ones([times, times, 1], image.dtype))


def write(name, pixels):
  (PICTURES / name).write_bytes(computed(tf.io.encode_png, np.uint8(pixels), compression=9))


def photograph():
  """Returns the first test digit, a 7, as a pen would write it on paper in light from the left."""
  mnist = input_data.read_data_sets(str(ROOT / 'MNIST_data'))
  digit = mnist.test.images[0].reshape(28, 28, 1)
  digit = computed(tf.image.resize, digit, [196, 196], 'bicubic')
  ink = np.pad(np.clip(3 * digit - 1, 0, 1), [[20, 40], [70, 30], [0, 0]])
  light = np.linspace(1, 0.7, ink.shape[1])[:, np.newaxis]
  return 255 * light * ((1 - ink) * [0.94, 0.92, 0.86] + ink * [0.12, 0.16, 0.45])


def screenshots(logs):
  """Writes the pictures that TensorBoard draws of the run in `logs`."""
  command = ['tensorboard', '--logdir', logs, '--port', '0', '--load_fast=false']
  board = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
  try:
    url = next(match[0] for line in board.stderr if (match := re.search(r'http://\S+', line)))
    for name, (page, size, (left, top, right, bottom)) in PAGES.items():
      with tempfile.TemporaryDirectory() as folder:
        flags = f'--headless --no-sandbox --disable-gpu --window-size={size}'
        file = f'{folder}/page.png'
        for _ in range(2):  # The first time, TensorBoard may still be reading.
          subprocess.run(
            ['chromium', *flags.split(), '--virtual-time-budget=30000']
            + [f'--screenshot={file}', f'{url}?darkMode=false{page}'],
            stderr=subprocess.DEVNULL,
            check=True,
          )
        pixels = decoded(pathlib.Path(file).read_bytes())
      write(name, pixels[top:bottom, left:right])
  finally:
    board.kill()
    board.wait()


if __name__ == '__main__':
  main()
