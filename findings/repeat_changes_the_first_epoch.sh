#!/usr/bin/env bash
# TensorFlow 2.21.0, NumPy 2.2.6, Python 3.10 to 3.13 (python3, or what PYTHON names), and
# TensorFlow 1.15.5, NumPy 1.18.5, Python 3.7 (python3.7, one that "pyenv install 3.7" installed,
# or what PYTHON37 names). 1.15.5 is for x86-64 only.
#
# In TensorFlow 1.15.5, range(10).shuffle(10, seed=3) in a graph with a seed gives another order
# if .repeat(2) stands behind it, in the first epoch already: its optimizer fuses the two, and the
# fused one draws differently. 2.21.0 does not, so a seeded pipeline with repeat gives other
# batches there, and the same pipeline without repeat gives those of 1.15.5. In both versions
# reshuffle_each_iteration=False changes the first epoch, too, and that order is the one of the
# fused pair of 1.15.5.
#
# Output:
#   1.15.5 shuffle            [7, 8, 5, 2, 9, 6, 0, 3, 4, 1]
#   1.15.5 shuffle, repeat    [7, 5, 9, 8, 0, 3, 1, 4, 6, 2]
#   1.15.5 no reshuffling     [7, 5, 9, 8, 0, 3, 1, 4, 6, 2]
#   2.21.0 shuffle            [7, 8, 5, 2, 9, 6, 0, 3, 4, 1]
#   2.21.0 shuffle, repeat    [7, 8, 5, 2, 9, 6, 0, 3, 4, 1]
#   2.21.0 no reshuffling     [7, 5, 9, 8, 0, 3, 1, 4, 6, 2]
#
# Expected: six times the same first epoch.
set -euo pipefail
python37=
for candidate in "${PYTHON37:-python3.7}" ~/.pyenv/versions/3.7.*/bin/python; do
  if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 7))' 2> /dev/null; then
    python37=$candidate
    break
  fi
done
if [ -z "$python37" ]; then
  echo 'TensorFlow 1.15.5 needs Python 3.7: get it with "pyenv install 3.7", or set PYTHON37.' >&2
  exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python37" -m venv "$work/old"
"$work/old/bin/pip" install -qq tensorflow==1.15.5 numpy==1.18.5 \
  protobuf==3.20.3 h5py==2.10.0
"${PYTHON:-python3}" -m venv "$work/new"
"$work/new/bin/pip" install -qq tensorflow==2.21.0 numpy==2.2.6
cat > "$work/see.py" <<'PYTHON_CODE'
import sys

import tensorflow.compat.v1 as tf

tf.disable_v2_behavior()


def first_epoch(label, repeat, **options):
  with tf.Graph().as_default(), tf.Session() as sess:
    tf.set_random_seed(1)
    data = tf.data.Dataset.range(10).shuffle(10, seed=3, **options).repeat(repeat).batch(10)
    found = sess.run(tf.data.make_one_shot_iterator(data).get_next()).tolist()
  print(tf.__version__, label.ljust(18), found)
  return found


usual, other = [7, 8, 5, 2, 9, 6, 0, 3, 4, 1], [7, 5, 9, 8, 0, 3, 1, 4, 6, 2]
assert first_epoch('shuffle', 1) == usual
assert first_epoch('shuffle, repeat', 2) == (other if sys.argv[1] == 'old' else usual)
assert first_epoch('no reshuffling', 2, reshuffle_each_iteration=False) == other
PYTHON_CODE
for which in old new; do
  TF_CPP_MIN_LOG_LEVEL=3 "$work/$which/bin/python" "$work/see.py" $which 2> "$work/log" ||
    { cat "$work/log" >&2; exit 1; }
done
