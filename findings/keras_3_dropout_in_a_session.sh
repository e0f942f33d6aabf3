#!/usr/bin/env bash
# TensorFlow 2.21.0, Keras 3.12.1 (3.15.1 does the same), NumPy 2.2.6, Python 3.10 to 3.13
# (python3, or what PYTHON names).
#
# A layer of Keras 3 takes a placeholder of TensorFlow 1, a session runs what it returns, and its
# weights learn. But with training=True its Dropout zeroes the same elements in every run of the
# session, GaussianNoise adds the same noise, and BatchNormalization leaves its moving averages as
# they were. A layer keeps such state by an assignment that eager code executes at once; in a
# graph nothing runs it, and the collection UPDATE_OPS is empty.
#
# Output:
#   masks of three runs equal: Dropout True - tf.nn.dropout False
#   noise of two runs equal: True
#   moving mean after 100 batches of nines: 0.0 - UPDATE_OPS: []
#   a Dense layer learned: True
#
# Expected: an error, as fit and predict raise one there; or a new mask in every run, and updates
# in UPDATE_OPS, as tf.layers had them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -qq tensorflow==2.21.0 keras==3.12.1 numpy==2.2.6
cat > "$work/see.py" <<'PYTHON_CODE'
import keras
import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_v2_behavior()
x = tf.placeholder(tf.float32, [None, 64])
drop = keras.layers.Dropout(0.5)(x, training=True)
tf_drop = tf.nn.dropout(x, rate=0.5)
noise = keras.layers.GaussianNoise(1.0)(x, training=True)
normalized = keras.layers.BatchNormalization()(x, training=True)
train_step = tf.train.GradientDescentOptimizer(0.1).minimize(keras.layers.Dense(1)(x))
averages = [v for v in tf.global_variables() if 'moving_mean' in v.name]
kernels = [v for v in tf.trainable_variables() if 'kernel' in v.name]
updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
with tf.Session() as sess:
  sess.run(tf.global_variables_initializer())
  ones, nines = {x: np.ones([1, 64])}, {x: np.full([8, 64], 9.0)}
  masks = [sess.run(drop, ones) for _ in range(3)]
  tf_masks = [sess.run(tf_drop, ones) for _ in range(3)]
  noises = [sess.run(noise, ones) for _ in range(2)]
  for _ in range(100):
    sess.run(normalized, nines)
  mean = np.abs(sess.run(averages)).max()
  before = sess.run(kernels)
  sess.run(train_step, ones)
  learned = not np.array_equal(before, sess.run(kernels))
same = all(np.array_equal(masks[0], mask) for mask in masks)
tf_same = all(np.array_equal(tf_masks[0], mask) for mask in tf_masks)
print('masks of three runs equal: Dropout', same, '- tf.nn.dropout', tf_same)
print('noise of two runs equal:', np.array_equal(*noises))
print('moving mean after 100 batches of nines:', mean, '- UPDATE_OPS:', updates)
print('a Dense layer learned:', learned)
assert 0 < masks[0].sum() < 128 and same and not tf_same and np.array_equal(*noises)
assert len(averages) == 1 and mean == 0 and updates == [] and learned
PYTHON_CODE
TF_CPP_MIN_LOG_LEVEL=3 "$work/venv/bin/python" "$work/see.py" 2> "$work/log" ||
  { cat "$work/log" >&2; exit 1; }
