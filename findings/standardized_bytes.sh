#!/usr/bin/env bash
# TensorFlow 1.15.5 on Python 3.7 (PYTHON37 names it), 2.21.0 on Python 3.11 (PYTHON names
# another, 3.11 to 3.13).
#
# tf.image.per_image_standardization of an image of bytes: 2.21.0 returns floats of mean 0 and
# deviation 1, as documented. 1.15.5 computes them and converts them back to bytes, as if they
# were pictures of 0 to 1: all that is darker than the mean becomes 0, all that is brighter by one
# deviation becomes 255. Nothing is said, and the shape is right.
#
# Output, every hundredth pixel of a ramp:
#   1.15.5 uint8 mean 90.6: 0 0 0 0 11 124 237 255
#   2.21.0 float32 mean 0.0: -1.723 -1.281 -0.8395 -0.3977 0.04419 0.486 0.9279 1.37
#
# Expected: floats in both, or an error in 1.15.5; its documentation promises mean 0 and deviation
# 1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON37:-python3.7}" -m venv "$work/old"
"$work/old/bin/pip" install --quiet tensorflow==1.15.5 numpy==1.18.5 protobuf==3.20.3 h5py==2.10.0
"${PYTHON:-python3.11}" -m venv "$work/new"
"$work/new/bin/pip" install --quiet tensorflow==2.21.0 numpy==2.4.6
cat > "$work/see.py" <<'PYTHON_CODE'
import sys

import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_v2_behavior()
ramp = (np.arange(784) // 4).astype(np.uint8).reshape(28, 28, 1)
with tf.Session() as sess:
  found = sess.run(tf.image.per_image_standardization(ramp))
  floats = sess.run(tf.image.per_image_standardization(ramp.astype(np.float32)))
shown = ' '.join('%.4g' % value for value in found.ravel()[::100])
print(tf.__version__, found.dtype, 'mean %.1f:' % abs(found.mean()), shown)
assert abs(floats.mean()) < 1e-6 and abs(floats.std() - 1) < 1e-6
if sys.argv[1] == 'old':
  assert found.dtype == np.uint8
  assert found[floats < 0].max() == 0 and found[floats >= 1].min() == 255
else:
  assert found.dtype == np.float32 and np.array_equal(found, floats)
PYTHON_CODE
for which in old new; do
  TF_CPP_MIN_LOG_LEVEL=3 "$work/$which/bin/python" "$work/see.py" $which 2> "$work/log" ||
    { cat "$work/log"; exit 1; }
done
