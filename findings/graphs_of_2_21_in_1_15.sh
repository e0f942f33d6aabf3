#!/usr/bin/env bash
# TensorFlow 2.21.0, NumPy 2.2.6, Python 3.10 to 3.13 (python3, or what PYTHON names), and
# TensorFlow 1.15.5, NumPy 1.18.5, Python 3.7 (python3.7, one that "pyenv install 3.7" installed,
# or what PYTHON37 names). 1.15.5 is for x86-64 only.
#
# A graph of tf.compat.v1 with one matrix product, written by 2.21.0. 1.15.5 reads its checkpoint.
# It reads the net's meta graph, too, which lists the operations that it was written with. But it
# refuses the same net as a GraphDef, because MatMul now has the attributes grad_a and grad_b; and
# it refuses the meta graph as soon as an optimizer has been added, because the gradient of MatMul
# sets one of them. strip_default_attrs=True, made for older readers, does not help there. 2.21.0
# reads all of the same files of 1.15.5.
#
# Output (grad_a or grad_b, by chance):
#   checkpoint: ['W', 'b']
#   net, GraphDef: NodeDef mentions attr 'grad_b' not in Op<name=MatMul
#   net, meta graph: imported
#   net and training, meta graph: NodeDef mentions attr 'grad_a' not in Op<name=MatMul
#   net and training, meta graph, stripped: NodeDef mentions attr 'grad_a' not in Op<name=MatMul
#
# Expected: all of them imported, or none; every operation of the graph is one that 1.15.5 has.
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
cat > "$work/write.py" <<'PYTHON_CODE'
import sys

import tensorflow.compat.v1 as tf

tf.disable_v2_behavior()
x, y_ = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.float32, [None, 10])
W = tf.get_variable('W', [784, 10], initializer=tf.zeros_initializer())
b = tf.get_variable('b', [10], initializer=tf.zeros_initializer())
y = tf.matmul(x, W) + b
graph = tf.get_default_graph()
tf.io.write_graph(graph, sys.argv[1], 'net, GraphDef', as_text=False)
tf.train.export_meta_graph(sys.argv[1] + '/net, meta graph')
with tf.Session() as sess:
  sess.run(tf.global_variables_initializer())
  tf.train.Saver().save(sess, sys.argv[1] + '/model', write_meta_graph=False)
loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=y))
tf.train.GradientDescentOptimizer(0.5).minimize(loss)
name = sys.argv[1] + '/net and training, meta graph'
tf.train.export_meta_graph(name)
tf.train.export_meta_graph(name + ', stripped', strip_default_attrs=True)
PYTHON_CODE
cat > "$work/see.py" <<'PYTHON_CODE'
import re
import sys

import tensorflow.compat.v1 as tf

variables = sorted(name for name, _ in tf.train.list_variables(sys.argv[1] + '/model'))
print('checkpoint: %s' % variables)
assert tf.__version__ == '1.15.5' and variables == ['W', 'b']


def read(name):
  with tf.Graph().as_default():
    try:
      if name.endswith('GraphDef'):
        with open(sys.argv[1] + '/' + name, 'rb') as f:
          tf.import_graph_def(tf.GraphDef.FromString(f.read()))
      else:
        tf.train.import_meta_graph(sys.argv[1] + '/' + name)
      found = 'imported'
    except ValueError as error:
      found = re.search(r"NodeDef mentions attr '\w+' not in Op<name=\w+", str(error)).group()
  print('%s: %s' % (name, found))
  return found


refused = "NodeDef mentions attr 'grad_[ab]' not in Op<name=MatMul"
assert re.match(refused, read('net, GraphDef'))
assert read('net, meta graph') == 'imported'
assert re.match(refused, read('net and training, meta graph'))
assert re.match(refused, read('net and training, meta graph, stripped'))
PYTHON_CODE
export TF_CPP_MIN_LOG_LEVEL=3
"$work/new/bin/python" "$work/write.py" "$work" 2> "$work/log" ||
  { cat "$work/log" >&2; exit 1; }
"$work/old/bin/python" "$work/see.py" "$work" 2> "$work/log" ||
  { cat "$work/log" >&2; exit 1; }
