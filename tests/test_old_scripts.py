"""The converter of old scripts: what it writes and says, and that the scripts then run."""

import json

import pytest

from conftest import ROOT, lines_of, run

REFERENCE = json.loads((ROOT / 'tests' / 'reference.json').read_text())

# What becomes of single lines, converted in one file.
CHANGED = r"""
from tensorflow.examples.tutorials.mnist import input_data => import input_data
  from tensorflow.examples.tutorials.mnist import  input_data as d =>   import input_data as d
from tensorflow.examples.tutorials.mnist import input_data, mnist => import input_data
from tensorflow.compat.v1.examples.tutorials.mnist import input_data => import input_data
from tensorflow.examples.tutorials import mnist => import input_data as mnist
from tensorflow.contrib.learn.python.learn.datasets.mnist import x => from input_data import x
from tensorflow.contrib import learn => import input_data as learn
learn.datasets.load_dataset("mnist") => __import__('input_data').read_data_sets('MNIST_data')
import tensorflow as tf => import tensorflow.compat.v1 as tf; tf.disable_v2_behavior()
import tensorflow as t, os  # => import tensorflow.compat.v1 as t, os; t.disable_v2_behavior()  #
import os, tensorflow as t => import os, tensorflow.compat.v1 as t; t.disable_v2_behavior()
try: import tensorflow as t => try: import tensorflow.compat.v1 as t; t.disable_v2_behavior()
m = d.read_data_sets("/data/mnist", True) => m = d.read_data_sets('MNIST_data', True)
m = read_data_sets(train_dir="../MNIST") => m = read_data_sets(train_dir='MNIST_data')
folder = '/tmp/data' => folder = 'MNIST_data'
print x, "a # b"  # c => print(x, "a # b")  # c
if x: print"%d" % x; y = 1 => if x: print("%d" % x); y = 1
print sess.run(a, {x: b[0]}), => print(sess.run(a, {x: b[0]}),)
"""
CHANGED = dict(line.split(' => ') for line in CHANGED.strip().split('\n'))
UNCHANGED = r"""
# import tensorflow as tf, print x, xrange(3)
s = "import tensorflow as tf; tf.mul(a, b)", 'xrange(3)\'', 'C:\\', "it's"
s = '''
print x
'''
m = read_data_sets('MNIST_data/'); n = read_data_sets('data/fashion')
m = read_data_sets('other', one_hot=True, source_url='https://example.org/')
print(x); print (x, y); print = 3; x = [print]; print if x else y; print(x) if x else print(x) == y
from __future__ import print_function
tf.subtract(a, b); tf.concat([a], 0); tf.split(a, 2, 0); my_tf.mul(a); np.int32(1)
softmax_cross_entropy_with_logits(labels=y_, logits=y); weighted_cross_entropy_with_logits(a, b, 2)
from tensorflow.keras.datasets import mnist; import tensorflow.keras.datasets.mnist as mnist
learn.datasets.load_dataset('iris'); learn.datasets.base.load_iris()
"""

# What each row of the converter's table changes has to run.
ROWS = """
from tensorflow.examples.tutorials.mnist import input_data
import numpy as np, tensorflow as tf
sess = tf.InteractiveSession()
# names gone in 1.0
a, b = tf.constant([1., 2.]), tf.constant([3., 4.])
results = tf.pack([tf.mul(a, b), tf.sub(a, b), tf.neg(a), tf.inv(b), tf.select(a > 1., a, b)])
first, second = tf.unpack(tf.batch_matmul([[[1., 2.]]], [[[1.], [2.]]])[0][0] * a)
expected = [[3, 8], [-2, -2], [-1, -2], [1 / 3, 1 / 4], [3, 2]]
assert np.allclose(sess.run(results), expected) and sess.run([first, second]) == [5, 10]
# summaries
tf.scalar_summary('loss', tf.constant(1.)), tf.histogram_summary('b', tf.zeros([2]))
tf.image_summary('x', tf.zeros([1, 28, 28, 1]))
tf.train.SummaryWriter('logs', sess.graph).add_summary(sess.run(tf.merge_all_summaries()), 0)
assert sess.run(tf.merge_summary([tf.scalar_summary('accuracy', tf.constant(0.5))]))
# swapped arguments
both = tf.concat(1,
                 [tf.zeros([2, 3]), tf.ones([2, 1])])
left, right = tf.split(1, 2, both)
assert sess.run(left + right).tolist() == [[0, 1], [0, 1]]
# cross-entropy by position
y, y_ = tf.Variable([[0., 1.]]), tf.constant([[0., 1.]])
losses = [tf.nn.softmax_cross_entropy_with_logits(tf.add(y, [[1, 2]]) - [[1, 2]], y_),
          tf.nn.sparse_softmax_cross_entropy_with_logits(
              y,
              tf.to_int64([1]), name='loss'),
          tf.nn.sigmoid_cross_entropy_with_logits(y, y_)[:, 1]]
tf.train.AdamOptimizer().minimize(tf.add_n(losses))
sess.run(tf.initialize_all_variables())
assert np.allclose(sess.run(losses), 0.313262)
# contrib
from tensorflow.contrib import rnn
assert rnn.static_rnn == tf.contrib.rnn.static_rnn == tf.nn.static_rnn and rnn is tf.contrib.rnn
w = tf.get_variable('w', [3, 2], initializer=tf.contrib.layers.xavier_initializer(),
                    regularizer=tf.contrib.layers.l2_regularizer(0.5))
sess.run(tf.initialize_all_variables())
loss, w = sess.run([tf.losses.get_regularization_loss(), w])
assert loss > 0 and np.isclose(loss, 0.25 * (w ** 2).sum())
# the package of the tutorial
import tensorflow.examples.tutorials.mnist.input_data
from tensorflow.contrib.learn.python.learn.datasets import mnist
assert mnist.input_data.read_data_sets('data/').test.num_examples == 10000
assert tensorflow.examples.tutorials.mnist.input_data.extract_images == mnist.extract_images
from tensorflow.contrib import learn
assert learn.datasets.mnist.load_mnist().test.num_examples == 10000
# Python 2 and NumPy 1
total = np.int(0) + len(np.zeros(0).tostring())
for i in xrange(3):
  print 'i %d' % (
      i), \\
      total
  total += i
assert total == 3
"""

# A text for beginners.
SOFTMAX = """
from tensorflow.examples.tutorials.mnist import input_data
mnist = input_data.read_data_sets('MNIST_data/', one_hot=True, seed=0)
import tensorflow as tf
x, y_ = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.float32, [None, 10])
W, b = tf.Variable(tf.zeros([784, 10])), tf.Variable(tf.zeros([10]))
y = tf.nn.softmax(tf.matmul(x, W) + b)
cross_entropy = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(tf.matmul(x, W) + b, y_))
train_step = tf.train.GradientDescentOptimizer(0.5).minimize(cross_entropy)
sess = tf.InteractiveSession()
tf.global_variables_initializer().run()
for _ in range(1000):
  batch_xs, batch_ys = mnist.train.next_batch(100)
  sess.run(train_step, feed_dict={x: batch_xs, y_: batch_ys})
accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(y, 1), tf.argmax(y_, 1)), tf.float32))
feed = {x: mnist.test.images, y_: mnist.test.labels}
print('figures', [round(float(sess.run(accuracy, feed_dict=feed)), 4), b.eval().tolist()])
"""
LOSS = SOFTMAX[SOFTMAX.index('tf.reduce_mean') : SOFTMAX.index('train_step')]

# A text for experts, as the first version had it, and with the square images of "without a PhD".
EXPERT = """
import input_data
mnist = input_data.read_data_sets("MNIST_data/", one_hot=True, reshape=False, validation_size=0)
import tensorflow as tf
sess = tf.InteractiveSession()
x = tf.placeholder("float", shape=[None, 28, 28, 1])
y_, keep_prob = tf.placeholder("float", shape=[None, 10]), tf.placeholder("float")
def weights(*shape): return tf.Variable(tf.truncated_normal(shape, stddev=0.1))
def biases(*shape): return tf.Variable(tf.constant(0.1, shape=shape))
def layer(x, W, b):
  h = tf.nn.relu(tf.nn.conv2d(x, W, strides=[1, 1, 1, 1], padding='SAME') + b)
  return tf.nn.max_pool(h, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding='SAME')
h_pool1 = layer(x, weights(5, 5, 1, 32), biases(32))
h_pool2 = tf.reshape(layer(h_pool1, weights(5, 5, 32, 64), biases(64)), [-1, 7*7*64])
h_fc1 = tf.nn.relu(tf.matmul(h_pool2, weights(3136, 1024)) + biases(1024))
y_conv = tf.nn.softmax(tf.matmul(tf.nn.dropout(h_fc1, keep_prob), weights(1024, 10)) + biases(10))
train_step = tf.train.AdamOptimizer(1e-4).minimize(-tf.reduce_sum(y_ * tf.log(y_conv)))
accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(y_conv,1), tf.argmax(y_,1)), "float"))
sess.run(tf.initialize_all_variables())
for i in range(40):
  batch = mnist.train.next_batch(50)
  train_step.run(feed_dict={x: batch[0], y_: batch[1], keep_prob: 0.5})
test = mnist.test.next_batch(500, shuffle=False)
print "figures", accuracy.eval(feed_dict={x: test[0], y_: test[1], keep_prob: 1.0})
"""
SUM = SOFTMAX.replace(LOSS, '-tf.reduce_sum(y_ * tf.log(y))\n').replace('0.5', '0.01')
TEXTS = [SOFTMAX, SUM.replace('seed=0', 'seed=5'), EXPERT]


def convert(folder, old, name='old.py'):
  """Converts the bytes `old` in `folder`; returns the new ones and the lines printed."""
  (folder / name).write_bytes(old)
  lines = lines_of(run('input_data.py', folder / name, folder / f'new.{name}'))
  return (folder / f'new.{name}').read_bytes(), lines


def test_converted_scripts_run_and_reach_the_originals_figures(tmp_path):
  convert(tmp_path, '\n'.join([ROWS, *TEXTS]).encode())
  for name in 'MNIST_data', 'input_data.py':
    (tmp_path / name).symlink_to(ROOT / name)
  lines = lines_of(run(tmp_path / 'new.old.py', cwd=tmp_path))
  *beginners, expert = [json.loads(line[8:]) for line in lines if line.startswith('figures ')]
  for (accuracy, b), case in zip(beginners, ['0', '5, sum of logarithms'], strict=True):
    expected = REFERENCE[f'accuracy and biases of softmax regression, seed {case}']
    assert accuracy == expected[0]
    assert b == pytest.approx(expected[1], abs=1.5e-5)
  assert expert > 0.3  # After 40 steps.


def test_each_form_of_a_line_is_replaced_and_said(tmp_path):
  new, lines = convert(tmp_path, '\n'.join(CHANGED).encode())
  assert new.decode().split('\n') == list(CHANGED.values())
  said = [f'{old.strip()}  ->  {new.strip()}' for old, new in CHANGED.items()]
  assert lines == [f'line {i}: {change}' for i, change in enumerate(said, 1)]


def test_strings_comments_and_new_code_stay(tmp_path):
  assert convert(tmp_path, UNCHANGED.encode()) == (UNCHANGED.encode(), [])


def test_what_cannot_be_changed_is_named(tmp_path):
  names = ['tensorflow.contrib.slim', 'tf.layers.dense', 'tf.estimator.Estimator', 'LSTMCell']
  old = '\n'.join(f"{name}(9)  # tf.contrib.slim, 'tf.layers'" for name in names).encode()
  said = [line.split(' stays: use ')[0] for line in convert(tmp_path, old)[1]]
  assert said == [f'line {i}: {name}' for i, name in enumerate(names, 1)]


def test_a_converted_file_converts_to_itself(tmp_path):
  new, _ = convert(tmp_path, '\n'.join([*CHANGED, UNCHANGED, ROWS, *TEXTS]).encode())
  assert convert(tmp_path, new, 'again.py') == (new, [])


def test_encoding_line_ends_and_tabs_stay(tmp_path):
  old = b"\xef\xbb\xbfif 1:\r\n\tx = tf.mul(a, b) # \xe9\xa0\r\nprint '\xa0\xff', x\r\n\f\x85"
  new, _ = convert(tmp_path, old)
  assert new == old.replace(b'mul', b'multiply').replace(b" '\xa0\xff', x", b"('\xa0\xff', x)")


def test_a_notebook_stays_one(tmp_path):
  source = 'print "é", tf.neg(a,\n "\\n")\ns = """\nprint x"""'
  expected = 'print("é", tf.negative(a,\n "\\n"))\ns = """\nprint x"""'.splitlines(True)
  text = {'cell_type': 'markdown', 'source': source}
  code = {'cell_type': 'code', 'source': source.splitlines(True), 'n': 0.1}
  notebook = {'cells': [text, code], 'nbformat': 4}
  old = json.dumps(notebook, ensure_ascii=False).encode()
  new, lines = convert(tmp_path, old, 'old.ipynb')
  code['source'] = expected
  assert json.loads(new) == notebook and 'é' in new.decode()
  assert lines[0] == 'cell 2, line 1: print "é", tf.neg(a,  ->  print("é", tf.negative(a,'


def test_a_refusal_is_one_sentence_and_writes_nothing(tmp_path):
  before = {'binary.py': b'\x7fELF\0\0', 'text.ipynb': b'import os', 'old.py': b'xrange(3)'}
  for name, content in before.items():
    (tmp_path / name).write_bytes(content)
  for old, new, reason in (
    ('none.py', 'new.py', 'No such file'),
    ('binary.py', 'new.py', 'not text'),
    ('text.ipynb', 'new.ipynb', 'Expecting value'),
    ('old.py', 'old.py', 'exists'),
  ):
    done = run('input_data.py', tmp_path / old, tmp_path / new)
    assert done.returncode == 1 and reason in done.stderr and done.stderr.count('\n') == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_no_tensorflow_is_loaded(tmp_path):
  (tmp_path / 'old.py').write_text('import tensorflow as tf')
  done = run('-X', 'importtime', 'input_data.py', tmp_path / 'old.py', tmp_path / 'new.py')
  assert 'numpy' in done.stderr and 'tensorflow' not in done.stderr
