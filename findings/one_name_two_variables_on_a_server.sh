#!/usr/bin/env bash
# TensorFlow 2.21.0, NumPy 2.2.6, Python 3.10 to 3.13 (python3, or what PYTHON names).
#
# A tf.train.Server keeps variables after their session is closed. It keeps two under one name: a
# reference variable and a resource variable (use_resource=True) "v" have values of their own.
# They also differ when another graph makes "v" with another shape: the initializer of the
# reference variable fails, while that of the resource variable replaces what is there without a
# word. TensorFlow 1.15.5 does the same.
#
# Output:
#   reference v of 2 elements, initialized, + 1: [1.0, 1.0]
#   resource v of 2 elements, initialized, + 1: [1.0, 1.0]
#   resource v of 3 elements, initialized, + 1: [1.0, 1.0, 1.0]
#   reference v of 3 elements, initialized, + 1: InvalidArgumentError
#   reference v of 2 elements, + 1: [2.0, 2.0]
#   resource v of 3 elements, + 1: [2.0, 2.0, 2.0]
#
# Expected: one variable for one name, or an error for the second; and for another shape the same
# answer from both kinds.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -qq tensorflow==2.21.0 numpy==2.2.6
cat > "$work/see.py" <<'PYTHON_CODE'
import tensorflow.compat.v1 as tf

tf.disable_v2_behavior()
server = tf.train.Server.create_local_server()


def add_one(use_resource, size, initialize):
  with tf.Graph().as_default(), tf.Session(server.target) as sess:
    zeros = tf.zeros_initializer()
    v = tf.get_variable('v', [size], initializer=zeros, use_resource=use_resource)
    try:
      if initialize:
        sess.run(v.initializer)
      sess.run(v.assign_add(tf.ones([size])))
      found = sess.run(v).tolist()
    except tf.errors.OpError as error:
      found = type(error).__name__
  kind = 'resource' if use_resource else 'reference'
  print(f'{kind} v of {size} elements{", initialized" * initialize}, + 1: {found}')
  return found


assert add_one(False, 2, True) == [1, 1]
assert add_one(True, 2, True) == [1, 1]
assert add_one(True, 3, True) == [1, 1, 1]
assert add_one(False, 3, True) == 'InvalidArgumentError'
assert add_one(False, 2, False) == [2, 2]
assert add_one(True, 3, False) == [2, 2, 2]
PYTHON_CODE
TF_CPP_MIN_LOG_LEVEL=3 "$work/venv/bin/python" "$work/see.py" 2> "$work/log" ||
  { cat "$work/log" >&2; exit 1; }
