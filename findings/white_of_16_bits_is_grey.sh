#!/usr/bin/env bash
# TensorFlow 2.21.0, NumPy 2.2.6, Python 3.10 to 3.13 (python3, or what PYTHON names).
#
# tf.image.convert_image_dtype is documented to take the largest number of an integer type as
# white. From 8 to 16 bits it multiplies by 256, so that white becomes 65280 and not 65535, and
# 0.996 if it is then converted to floats. By way of floats, white stays white, as it does in
# decode_png with dtype=tf.uint16 on an 8-bit PNG; back in 8 bits all of them agree, so a round
# trip does not show it. TensorFlow 1.15.5 does the same.
#
# Output:
#   255 to uint16: 65280
#   255 to uint16, to float32: 0.9961089
#   255 to float32: 1.0
#   255 to float32, to uint16: 65535
#   decode_png with dtype=tf.uint16: 65535
#   0 to 255 to uint16, to uint8: as before
#
# Expected: 65535 each time.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -qq tensorflow==2.21.0 numpy==2.2.6
cat > "$work/see.py" <<'PYTHON_CODE'
import numpy as np
import tensorflow as tf


def converted(image, *dtypes):
  for dtype in dtypes:
    image = tf.image.convert_image_dtype(image, dtype)
  return image.numpy()


white, ramp = np.full([1, 1, 1], 255, np.uint8), np.arange(256, dtype=np.uint8)
wide = converted(white, tf.uint16).item()
wide_float = converted(white, tf.uint16, tf.float32).item()
direct = converted(white, tf.float32).item()
by_float = converted(white, tf.float32, tf.uint16).item()
decoded = tf.io.decode_png(tf.io.encode_png(white), dtype=tf.uint16).numpy().item()
same = np.array_equal(converted(ramp, tf.uint16, tf.uint8), ramp)
print('255 to uint16:', wide)
print('255 to uint16, to float32:', round(wide_float, 7))
print('255 to float32:', direct)
print('255 to float32, to uint16:', by_float)
print('decode_png with dtype=tf.uint16:', decoded)
print('0 to 255 to uint16, to uint8:', 'as before' if same else 'changed')
assert wide == 65280 and abs(wide_float - 65280 / 65535) < 1e-6
assert direct == 1 and by_float == decoded == 65535 and same
PYTHON_CODE
TF_CPP_MIN_LOG_LEVEL=3 "$work/venv/bin/python" "$work/see.py" 2> "$work/log" ||
  { cat "$work/log" >&2; exit 1; }
