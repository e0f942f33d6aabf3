#!/usr/bin/env bash
# TensorFlow 2.21.0, NumPy 2.2.6, Python 3.10 to 3.13 (python3, or what PYTHON names).
#
# tf.train.shuffle_batch with a seed, in a graph with a seed, fed in a fixed order by the one
# thread that it starts itself, gives another order in nearly every run. With a capacity of
# min_after_dequeue + 1, the same code gives one order always. The seed draws positions in the
# queue, and how full the queue is when it draws depends on how far its thread has come.
# TensorFlow 1.15.5 does the same.
#
# Output (the first number differs from run to run):
#   orders of 20 runs, capacity 50, min_after_dequeue 10: 20
#   orders of 20 runs, capacity 11, min_after_dequeue 10: 1
#
# Expected: one order, as tf.data's shuffle(seed=3) has it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -qq tensorflow==2.21.0 numpy==2.2.6
cat > "$work/see.py" <<'PYTHON_CODE'
import tensorflow.compat.v1 as tf

tf.disable_v2_behavior()


def order(capacity, min_after_dequeue):
  with tf.Graph().as_default(), tf.Session() as sess:
    tf.set_random_seed(1)
    number = tf.train.range_input_producer(100, num_epochs=1, shuffle=False).dequeue()
    batch = tf.train.shuffle_batch([number], 3, capacity, min_after_dequeue, seed=3)
    sess.run(tf.local_variables_initializer())
    coordinator = tf.train.Coordinator()
    threads = tf.train.start_queue_runners(sess, coordinator)
    found = []
    try:
      while True:
        found += sess.run(batch).tolist()
    except tf.errors.OutOfRangeError:
      coordinator.request_stop()
    coordinator.join(threads)
  assert len(found) == len(set(found)) == 99
  return tuple(found)


loose = len({order(50, 10) for _ in range(20)})
tight = len({order(11, 10) for _ in range(20)})
print('orders of 20 runs, capacity 50, min_after_dequeue 10:', loose)
print('orders of 20 runs, capacity 11, min_after_dequeue 10:', tight)
assert loose > 1 and tight == 1
PYTHON_CODE
TF_CPP_MIN_LOG_LEVEL=3 "$work/venv/bin/python" "$work/see.py" 2> "$work/log" ||
  { cat "$work/log" >&2; exit 1; }
