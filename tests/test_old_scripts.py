"""Old texts run unchanged: they see TensorFlow 1, and print what they printed."""

import json
import re
import shutil
import signal
import sys

import pytest
from make_reference import PAGES, scripts
from terminal import Terminal

import input_data
from conftest import REFERENCE, ROOT, lines_of, run

# Forms of an import, and what 1.15 made the name `found`.
IMPORTS = re.findall('(.+?) -> ([^\n]+)\n', """
import tensorflow as found -> tf
import tensorflow.python.framework.ops; found = tensorflow -> tf
found = __import__('tensorflow') -> tf
from tensorflow import *; assert mul and contrib; found = placeholder -> tf.placeholder
import input_data as found -> input_data
from package import input_data as found -> input_data
from package.my_input_data import found -> sys
import tensorflow.examples.tutorials.mnist.input_data as found -> input_data
from tensorflow.contrib import learn; found = learn.datasets.base -> input_data
from tensorflow.contrib.learn.python.learn.datasets import mnist as found -> input_data
import tensorflow.keras as found -> real.keras
from tensorflow.contrib.layers import *; found = avg_pool2d -> tf.contrib.layers.avg_pool2d
from tensorflow.contrib.rnn.python.ops import core_rnn_cell as found -> tf.contrib.rnn
import tensorflow.compat.v1 as found -> real.compat.v1
""", re.DOTALL)  # fmt: skip

# What 1.15 computed: `check` compares the values of tensors; `a` and `b` are [1, 2] and [3, 4].
VALUES = scripts("""
# names gone
check([tf.mul(a, b), tf.sub(a, b), tf.neg(a)], [[3, 8], [-2, -2], [-1, -2]])
check([tf.inv(b), tf.select(a > 1.0, a, b)], [[1 / 3, 0.25], [3, 2]])
check([tf.pack([a, b]), *tf.unpack(a)], [[[1, 2], [3, 4]], 1, 2])
check([tf.batch_matmul([[a]], [[a]], adj_y=True)], [[[[5]]]])
# concat and split
forms = [tf.concat(0, [a, b]), tf.concat([a, b], 0), tf.concat(concat_dim=0, values=[a, b])]
check(forms, [[1, 2, 3, 4]] * 3)
forms = [*tf.split(0, 2, a), *tf.split(a, 2), *tf.split(split_dim=0, num_split=2, value=a)]
check(forms, [[1], [2]] * 3)
# softmax cross-entropy
y, y_, f = tf.constant([[1.0, 3.0]]), [[0.0, 1.0]], tf.nn.softmax_cross_entropy_with_logits
check([f(y, y_), f(labels=y_, logits=y), f(y, labels=y_)], [[0.126928]] * 3)
# sparse cross-entropy
y, y_, f = tf.constant([[1.0, 3.0]]), [1], tf.nn.sparse_softmax_cross_entropy_with_logits
check([f(y, y_), f(labels=y_, logits=y), f(y, y_, name='loss')], [[0.126928]] * 3)
# sigmoid cross-entropy
f = tf.nn.sigmoid_cross_entropy_with_logits
check([f(a, b), f(logits=a, targets=b), f(labels=b, logits=a)], [[-1.686738, -5.873072]] * 3)
# dropout keeps its shape
assert tf.nn.dropout(tf.ones([2, 3]), tf.placeholder('float')).shape.as_list() == [2, 3]
# contrib.layers by position
L = tf.contrib.layers
h = L.conv2d(L.max_pool2d(tf.ones([2, 8, 8, 3]), 2, 2), 4, 3, 1, 'VALID')
y = L.fully_connected(L.flatten(h), 10, None, weights_regularizer=L.l2_regularizer(scale=1.0))
assert y.shape.as_list() == [2, 10] and h.op.type == 'Relu' != y.op.type
assert len(tf.losses.get_regularization_losses()) == 1
check([L.fully_connected(tf.ones([1, 2]), 1, tf.neg, None, None, tf.ones_initializer())], [[[-2]]])
w = tf.get_variable('w', [500, 500], initializer=L.xavier_initializer(False))
check([tf.reduce_max(w) > 0.08], [True])  # From a uniform distribution, at most 0.0775.
# load_dataset
assert tf.contrib.learn.datasets.load_dataset('mnist').test.num_examples == 10000
# summaries
tf.scalar_summary('loss', 1.0), tf.scalar_summary(tags='cost', values=1.0)
tf.histogram_summary('b', a)
tf.image_summary('x', tf.zeros([1, 28, 28, 1]), max_images=1)
tf.train.SummaryWriter('logs', sess.graph)
assert tf.merge_summary([tf.merge_all_summaries()]).dtype == tf.string
# contrib.layers
L, x = tf.contrib.layers, tf.ones([2, 8, 8, 3])
with tf.contrib.framework.arg_scope([L.convolution2d], normalizer_fn=L.batch_norm):
  h = L.max_pool2d(L.convolution2d(x, num_outputs=4, kernel_size=3, stride=2, scope='c'), [2, 2])
check([L.dropout(h, 0.5, is_training=False) - h], [np.zeros([2, 2, 2, 4])])
names = ['weights', 'BatchNorm/beta', 'BatchNorm/moving_mean', 'BatchNorm/moving_variance']
assert [v.op.name for v in tf.global_variables()][:4] == ['c/' + name for name in names]
# two towers
L, x = tf.contrib.layers, tf.ones([2, 3])
for is_training in True, False:
  options = {'is_training': is_training}
  L.fully_connected(x, 4, None, L.batch_norm, options, scope='fc', reuse=not is_training)
  L.batch_norm(x, 0.9, True, False, is_training=is_training, scope='bn', reuse=not is_training)
assert len(tf.global_variables()) == 7 and len(tf.get_collection(tf.GraphKeys.UPDATE_OPS)) == 4
# batch_normalization
training = tf.placeholder(tf.bool)
y = tf.layers.batch_normalization(tf.stack([a, b]), momentum=0.5, training=training)
z = tf.layers.batch_normalization(tf.stack([a, b]), beta_initializer=tf.ones_initializer())
check([y, z - y], [[[0.9995, 1.999], [2.9985, 3.998]], [[1, 1]] * 2], {training: False})
sess.run(tf.get_collection(tf.GraphKeys.UPDATE_OPS), {training: True})
check(tf.global_variables()[2:4], [[1, 1.5], [1, 1]])
check([y], [[[-0.9995] * 2, [0.9995] * 2]], {training: True})
# flags of the oldest versions
tf.app.flags.DEFINE_integer('steps', 3, '')
tf.app.flags.FLAGS._parse_flags()
assert tf.app.flags.FLAGS.steps == 3
# cells
rnn, h = tf.contrib.rnn, tf.ones([2, 6])
cell = rnn.MultiRNNCell([tf.nn.rnn_cell.BasicLSTMCell(5), rnn.GRUCell(7)])
outputs, _ = rnn.static_rnn(cell, [h, h], dtype=tf.float32)
cells = rnn.BasicRNNCell(2), rnn.LSTMCell(3)
with tf.variable_scope('both'):
  both, _, _ = rnn.static_bidirectional_rnn(*cells, [h, h], dtype=tf.float32)
check([tf.shape(outputs[1]), tf.shape(both[0])], [[2, 7], [2, 5]])
# NumPy 1
assert (np.int(3.5), np.float(1), np.infty) == (3, 1, float('inf'))
assert str([np.float32(0.5)]) == '[0.5]'
""")

# What is gone, or makes no sense, says so.
REFUSED = {
  'from tensorflow.examples.tutorials.mnist import mnist': 'ImportError: .*"Mechanics 101"',
  'import tensorflow.contrib.slim as slim': 'ImportError: tf.contrib.slim .*pip install tf_slim',
  'tf.estimator.Estimator': 'AttributeError: tf.estimator left TensorFlow with version 2.16',
  'from tensorflow.contrib.learn import SVM': 'ImportError: tf.contrib.learn.SVM left TensorFlow',
  'tf.nn.seq2seq': 'AttributeError: tf.nn.seq2seq is not in TensorFlow today',
  "tf.contrib.learn.datasets.load_dataset('iris')": 'AttributeError: .*load_iris left',
  'tf.contrib.layers.flatten(a, None, "a", 0)': 'TypeError: 4 arguments were given',
  'tf.nn.dropout(a, 50)': 'ValueError: rate, which is 1 - keep_prob, must be in the range',
  'tf.nn.dropout(a, keep_prob=0)': 'ValueError: rate, which is 1 - keep_prob, must be',
}

# An old text that runs all of these, each in a graph of its own, and the graphs of the seeds.
PROGRAM = """
import importlib, json, sys
from tensorflow.examples.tutorials.mnist import input_data
import numpy as np
import tensorflow as tf
import make_reference

real, answers = importlib.import_module('tensorflow'), {}
for name, code in json.load(open('texts.json')).items():
  with tf.Graph().as_default(), tf.Session() as sess:
    def check(tensors, expected, feed=None):
      if len(sess.run(tf.report_uninitialized_variables())):
        sess.run(tf.global_variables_initializer())
      for value, right in zip(sess.run(tensors, feed), expected, strict=True):
        np.testing.assert_allclose(value, right, atol=1e-5)
    a, b = tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0])
    try:
      exec(code, dict(globals()))
      answers[name] = 'right'
    except Exception as error:
      answers[name] = '%s: %s' % (type(error).__name__, error)
read = lambda: input_data.read_data_sets('none/such/folder')
answers.update(make_reference.graph_answers(tf, read))
json.dump(answers, open('answers.json', 'w'))
"""


def run_old(folder, code, *flags):
  """Runs a text as an old script."""
  (folder / 'old.py').write_text(code)
  return run(ROOT / 'input_data.py', 'old.py', *flags, cwd=folder)


@pytest.fixture(scope='module')
def answers(tmp_path_factory):
  """What the program above has found."""
  folder = tmp_path_factory.mktemp('old texts')
  texts = VALUES | {code: code for code in REFUSED}
  texts |= {form: f'{form}\nassert found is {name}' for form, name in IMPORTS}
  (folder / 'texts.json').write_text(json.dumps(texts))
  (folder / 'package').mkdir()
  for name in 'input_data.py', 'package/input_data.py':  # An old copy, which must not be taken.
    (folder / name).write_text("raise ImportError\nTRAIN_IMAGES = 'train-images-idx3-ubyte.gz'\n")
  (folder / 'package/my_input_data.py').write_text('import sys as found;"train-images-idx3-ubyte"')
  shutil.copy(ROOT / 'tests' / 'make_reference.py', folder)
  lines_of(run_old(folder, PROGRAM))
  return json.loads((folder / 'answers.json').read_text())


@pytest.mark.parametrize('text', [form for form, _ in IMPORTS] + list(VALUES))
def test_an_old_text_finds_and_computes_what_it_did(answers, text):
  assert answers[text] == 'right'


@pytest.mark.parametrize('code', REFUSED)
def test_what_is_refused_says_what_to_do(answers, code):
  assert re.match(REFUSED[code], answers[code])


@pytest.mark.parametrize('question', [q for q in REFERENCE if 'graph' in q])
def test_seeds_give_what_tensorflow_1_15_gave(answers, question):
  assert answers[question] == REFERENCE[question]


# Python 2's statements, and what they become.
PYTHON_2 = {
  'print': 'print()',
  'print x,  # c': "print( x, end=' ')  # c",
  'if x: print"%d" % x; print y': 'if x: print("%d" % x); print( y)',
  'print (x), y': 'print( (x), y)',
  'print x, \\\n  y[1:2], {3: z}': 'print( x, \\\n  y[1:2], {3: z})',
  'print f(g(x),  # c\n  y), z\n': 'print( f(g(x),  # c\n  y), z)\n',
  'print >>f, x': 'print_to( f, x)',
  'print >>f': 'print_to( f)',
  'print [n for n in x]': 'print( [n for n in x])',
  's = """\nprint x"""; print s': 's = """\nprint x"""; print( s)',
  '\x0cprint "l\u2028s"': '\x0cprint( "l\u2028s")',
  'try:\n\tprint x\nexcept E, e:\n\tpass': 'try:\n\tprint( x)\nexcept E, e:\n\tpass',
}


@pytest.mark.oldest
@pytest.mark.parametrize('old', PYTHON_2)
def test_python_2_gets_brackets_around_what_it_prints(old):
  # The statement behind it keeps the text from being Python 3's, whatever the first line is.
  new = input_data._python_3(old + '\nprint 0')
  assert new == PYTHON_2[old] + '\nprint( 0)'


@pytest.mark.parametrize('code', ['print (x), y', 'print', 'x = [print]', 'x = "print y"\n\r'])
def test_python_3_stays_as_it_is(code):
  assert input_data._python_3(code) == code


def test_python_2_prints_what_it_printed(tmp_path):
  (tmp_path / 'package' / 'inner').mkdir(parents=True)
  (tmp_path / 'package' / 'inner' / 'helper.py').write_text('print "helper", 0\n')
  code = 'import package.inner.helper, sys\nreload(sys).setdefaultencoding("utf8")\n'
  code += 'for i in xrange(2): print i,\nprint (i, unicode(2))\n'
  assert lines_of(run_old(tmp_path, code)) == ['helper 0', "0 1 (1, '2')"]
  assert run_old(tmp_path, 'import sys\nprint >>sys.stderr, "a", 1').stderr == 'a 1\n'
  assert 'input_data' not in run_old(tmp_path, 'print >>open("old.py"), "not writable"').stderr


def test_an_input_data_of_other_data_is_the_scripts_own(tmp_path):
  (tmp_path / 'input_data.py').write_text('def get_files(): return "cats"\n')
  code = 'import input_data\nfrom tensorflow.examples.tutorials.mnist import input_data as mnist\n'
  code += 'print(input_data.get_files(), mnist.read_data_sets.__name__)\n'
  assert lines_of(run_old(tmp_path, code)) == ['cats read_data_sets']


def test_a_script_has_its_own_arguments_name_and_status(tmp_path):
  code = 'import sys\nprint(sys.argv, __name__, sys.path[0], hasattr(__builtins__, "unicode"))\n'
  done = run_old(tmp_path, code + 'sys.exit(3)\n', '--x', 1)
  assert done.stdout == f"['old.py', '--x', '1'] __main__ {tmp_path} True\n"
  assert (done.returncode, done.stderr) == (3, '')


def test_a_module_of_a_linked_folder_is_old_too_also_beside_input_data(tmp_path):
  (tmp_path / 'real').mkdir()
  (tmp_path / 'link').symlink_to(tmp_path / 'real')
  (tmp_path / 'real' / 'helper.py').write_text('import tensorflow as tf\nprint(tf.mul.__name__)\n')
  code = f'import sys\nsys.path[0] = {str(tmp_path / "link")!r}\nimport helper\n'
  assert lines_of(run_old(tmp_path / 'link', code)) == ['multiply']
  shutil.copy(ROOT / 'input_data.py', tmp_path / 'real')
  assert lines_of(run(tmp_path / 'link/input_data.py', tmp_path / 'link/old.py')) == ['multiply']


ERRORS = {
  'syntax of a module': 'import wrong\n',
  'chained': 'def f():\n  1 / 0\ntry:\n  f()\nexcept Exception as e:\n  raise ValueError from e\n',
  'its own input_data': 'import input_data\n',
  'a module': 'import os\nimport no_such_module\n',
  'syntax': 'print("a", end="")\nx = 1\ny = (2\n',
}


@pytest.mark.parametrize('code', ERRORS.values(), ids=ERRORS)
def test_an_error_is_shown_as_python_shows_it(tmp_path, code):
  (tmp_path / 'wrong.py').write_text('x = (1\n')
  (tmp_path / 'input_data.py').write_text('x = 1 / 0\n')
  done = run_old(tmp_path, code)
  python = run('old.py', cwd=tmp_path)
  assert (done.returncode, done.stderr) == (python.returncode, python.stderr)


def test_an_error_of_an_operation_names_the_scripts_lines_only(tmp_path):
  code = 'import tensorflow as tf\nx = tf.placeholder(tf.float32)\ntf.Session().run(x)\n'
  error = run_old(tmp_path, code).stderr
  assert 'old.py", line 2, in <module>' in error and 'input_data.py' not in error


def test_what_is_no_script_is_refused_in_one_sentence(tmp_path):
  (tmp_path / 'nul.py').write_bytes(b'print(1)\0')
  (tmp_path / 'latin_1.py').write_bytes(b'print("\xb0")')
  (tmp_path / 'page.ipynb').write_text('{"cells": []}')
  for name in 'none.py', 'nul.py', 'latin_1.py', 'page.ipynb', '.':
    done = run('input_data.py', tmp_path / name)
    assert done.returncode == 1 and done.stderr.count('\n') == 1
    assert str(tmp_path / name) in done.stderr and 'Traceback' not in done.stderr
  done = run('input_data.py')
  assert done.returncode == 1 and done.stderr.startswith('Usage: python input_data.py OLD_SCRIPT')


def test_ctrl_c_ends_a_script_as_it_ends_python(tmp_path):
  (tmp_path / 'old.py').write_text('import time\nprint("ready")\ntime.sleep(60)\n')
  with Terminal(sys.executable, ROOT / 'input_data.py', 'old.py', cwd=tmp_path) as terminal:
    terminal.wait_for('^ready')
    terminal.type('\3')
    terminal.wait_for('^KeyboardInterrupt')
    assert terminal.process.wait(60) == -signal.SIGINT
    assert 'input_data.py' not in terminal.shown


def check_figures(shown, question):
  accuracy, biases = re.search(r'^figures (0\.\d+) (\[.*\])', shown, re.MULTILINE).groups()
  assert float(accuracy) == REFERENCE[question][0]
  assert json.loads(biases) == pytest.approx(REFERENCE[question][1], abs=1e-4)


@pytest.mark.oldest
def test_a_page_is_pasted_into_the_prompt_and_prints_what_it_printed():
  question = 'figures of a page, seed 0'
  with Terminal(sys.executable, '-i', 'input_data.py') as terminal:
    terminal.paste(PAGES[question])
    terminal.wait_for(r'^figures 0.*\]')
    assert terminal.leave() == 0
  check_figures(terminal.shown, question)


def test_a_page_is_a_cell_behind_one_that_runs_the_module(cell):
  question = 'figures of a page, seed 5, sum of logarithms'
  assert cell('%run input_data.py') == ('', None)
  shown, error = cell(PAGES[question])
  assert error is None
  check_figures(shown, question)


def test_importing_the_module_loads_no_tensorflow_and_hooks_nothing():
  code = 'import builtins, sys; before = builtins.__import__, sys.excepthook; import input_data'
  code += '; print("tensorflow" in sys.modules, before == (builtins.__import__, sys.excepthook))'
  assert lines_of(run('-c', code)) == ['False True']
