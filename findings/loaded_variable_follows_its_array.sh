#!/usr/bin/env bash
# TensorFlow 2.21.0, NumPy 2.2.6, Python 3.10 to 3.13 (python3, or what PYTHON names).
#
# In a session, a resource variable (use_resource=True) that is loaded from a NumPy array does not
# copy it if the array begins at a multiple of 64 bytes. It then uses the array's own memory until
# an operation changes the variable. Loading two variables one after the other through the same
# buffer leaves the second one's values in both. A reference variable gets a copy, and so does a
# resource variable whose array begins 4 bytes later, so it depends on where NumPy happens to put
# the array. TensorFlow 1.15.5 does the same.
#
# Output, both loaded through one buffer, the first with ones, the second with twos, and the
# buffer then filled with nines after one was subtracted from both:
#   reference, buffer at 0 of 64 bytes: first 1.0, second 2.0, after subtracting 0.0 and 1.0
#   reference, buffer at 4 of 64 bytes: first 1.0, second 2.0, after subtracting 0.0 and 1.0
#   resource, buffer at 0 of 64 bytes: first 2.0, second 2.0, after subtracting 1.0 and 1.0
#   resource, buffer at 4 of 64 bytes: first 1.0, second 2.0, after subtracting 0.0 and 1.0
#
# Expected: a variable changes by operations only, as the other three do.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -qq tensorflow==2.21.0 numpy==2.2.6
cat > "$work/see.py" <<'PYTHON_CODE'
import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_v2_behavior()


def loaded(use_resource, offset):
  """Loads two variables through one buffer; returns what they hold, and what after a change."""
  memory = np.zeros(128, np.uint8)
  start = -memory.ctypes.data % 64 + offset
  buffer = memory[start : start + 40].view(np.float32)
  with tf.Graph().as_default(), tf.Session() as sess:
    zeros = tf.zeros_initializer()
    first = tf.get_variable('first', [10], initializer=zeros, use_resource=use_resource)
    second = tf.get_variable('second', [10], initializer=zeros, use_resource=use_resource)
    subtract = [v.assign_sub(tf.ones([10])).op for v in (first, second)]
    sess.run(tf.global_variables_initializer())
    buffer[:] = 1
    first.load(buffer, sess)
    buffer[:] = 2
    second.load(buffer, sess)
    a, b = (float(value[0]) for value in sess.run([first, second]))
    sess.run(subtract)
    buffer[:] = 9
    c, d = (float(value[0]) for value in sess.run([first, second]))
  kind = 'resource' if use_resource else 'reference'
  print(f'{kind}, buffer at {offset} of 64 bytes: ', end='')
  print(f'first {a}, second {b}, after subtracting {c} and {d}')
  return [a, b, c, d]


assert loaded(False, 0) == [1, 2, 0, 1]
assert loaded(False, 4) == [1, 2, 0, 1]
assert loaded(True, 0) == [2, 2, 1, 1]
assert loaded(True, 4) == [1, 2, 0, 1]
PYTHON_CODE
TF_CPP_MIN_LOG_LEVEL=3 "$work/venv/bin/python" "$work/see.py" 2> "$work/log" ||
  { cat "$work/log" >&2; exit 1; }
