#!/usr/bin/env bash
# TensorFlow 2.21.0, Pillow 11.3.0, NumPy 2.2.6, Python 3.10 to 3.13 (python3, or what PYTHON
# names).
#
# tf.image.decode_bmp and decode_image read a BMP of 256 colours without its palette: they return
# the numbers of the colours as if they were grey values, and nothing is said. A drawing in black
# (colour 1) on white (colour 0) becomes black all over, and channels=3 repeats the numbers three
# times. A PNG of the same picture, with the same palette, has its colours. BMPs of 2 and 16
# colours raise an error. TensorFlow 1.15.5 returns the numbers, too.
#
# Output, a picture of one row, white, black and red:
#   Pillow, BMP:        [[255, 255, 255], [0, 0, 0], [255, 0, 0]]
#   decode_image, PNG:  [[255, 255, 255], [0, 0, 0], [255, 0, 0]]
#   decode_image, BMP:  [[0, 0, 0], [1, 1, 1], [2, 2, 2]]
#   decode_bmp, BMP:    [[0, 0, 0], [1, 1, 1], [2, 2, 2]]
#   decode_bmp, BMP, channels=0: [[0], [1], [2]]
#
# Expected: the colours, or an error.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -qq tensorflow==2.21.0 pillow==11.3.0 numpy==2.2.6
cat > "$work/see.py" <<'PYTHON_CODE'
import io

import numpy as np
import tensorflow as tf
from PIL import Image

colours = [[255, 255, 255], [0, 0, 0], [255, 0, 0]]
picture = Image.new('P', (3, 1))
picture.putdata([0, 1, 2])
picture.putpalette(sum(colours, []))


def saved(form):
  file = io.BytesIO()
  picture.save(file, form)
  return file.getvalue()


bmp, png = saved('BMP'), saved('PNG')
pillow = np.array(Image.open(io.BytesIO(bmp)).convert('RGB'))[0].tolist()
from_png = tf.io.decode_image(png, channels=3).numpy()[0].tolist()
from_image = tf.io.decode_image(bmp, channels=3).numpy()[0].tolist()
from_bmp = tf.io.decode_bmp(bmp, channels=3).numpy()[0].tolist()
numbers = tf.io.decode_bmp(bmp, channels=0).numpy()[0].tolist()
print('Pillow, BMP:       ', pillow)
print('decode_image, PNG: ', from_png)
print('decode_image, BMP: ', from_image)
print('decode_bmp, BMP:   ', from_bmp)
print('decode_bmp, BMP, channels=0:', numbers)
assert pillow == from_png == colours
assert from_image == from_bmp == [[0, 0, 0], [1, 1, 1], [2, 2, 2]]
assert numbers == [[0], [1], [2]]
PYTHON_CODE
TF_CPP_MIN_LOG_LEVEL=3 "$work/venv/bin/python" "$work/see.py" 2> "$work/log" ||
  { cat "$work/log" >&2; exit 1; }
