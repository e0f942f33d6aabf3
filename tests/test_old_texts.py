"""What books and blogs print, typed as it stands there: only the import lines are ours."""

import json

import pytest

from conftest import ROOT, lines_of, run

REFERENCE = json.loads((ROOT / 'tests' / 'reference.json').read_text())

IMPORTS = """
import input_data
import tensorflow.compat.v1 as tf
tf.disable_v2_behavior()
"""

# For beginners, as most texts have it; SEED, LOSS and STEP differ between them.
SOFTMAX = """
mnist = input_data.read_data_sets('MNIST_data/', one_hot=True, seed=SEED)
x = tf.placeholder(tf.float32, [None, 784])
W = tf.Variable(tf.zeros([784, 10]))
b = tf.Variable(tf.zeros([10]))
logits = tf.matmul(x, W) + b
y = tf.nn.softmax(logits)
y_ = tf.placeholder(tf.float32, [None, 10])
cross_entropy = LOSS
train_step = tf.train.GradientDescentOptimizer(STEP).minimize(cross_entropy)
sess = tf.InteractiveSession()
tf.global_variables_initializer().run()
for _ in range(1000):
  batch_xs, batch_ys = mnist.train.next_batch(100)
  sess.run(train_step, feed_dict={x: batch_xs, y_: batch_ys})
correct_prediction = tf.equal(tf.argmax(y, 1), tf.argmax(y_, 1))
accuracy = tf.reduce_mean(tf.cast(correct_prediction, tf.float32))
feed = {x: mnist.test.images, y_: mnist.test.labels}
print('figures', [round(float(sess.run(accuracy, feed_dict=feed)), 4), b.eval().tolist()])
"""

ON_LOGITS = 'tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=logits))'
SUM = '-tf.reduce_sum(y_ * tf.log(y))'
MEAN = 'tf.reduce_mean(-tf.reduce_sum(y_ * tf.log(y), reduction_indices=[1]))'

# For experts, as the first version had it: "float", InteractiveSession, initialize_all_variables.
EXPERT = """
mnist = input_data.read_data_sets('MNIST_data', one_hot=True)
sess = tf.InteractiveSession()
x = tf.placeholder("float", shape=[None, 784])
y_ = tf.placeholder("float", shape=[None, 10])
def weight_variable(shape):
  return tf.Variable(tf.truncated_normal(shape, stddev=0.1))
def bias_variable(shape):
  return tf.Variable(tf.constant(0.1, shape=shape))
def conv2d(x, W):
  return tf.nn.conv2d(x, W, strides=[1, 1, 1, 1], padding='SAME')
def max_pool_2x2(x):
  return tf.nn.max_pool(x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding='SAME')
x_image = tf.reshape(x, [-1, 28, 28, 1])
h_pool1 = max_pool_2x2(tf.nn.relu(conv2d(x_image, weight_variable([5, 5, 1, 32])) + bias_variable([32])))
h_pool2 = max_pool_2x2(tf.nn.relu(conv2d(h_pool1, weight_variable([5, 5, 32, 64])) + bias_variable([64])))
h_pool2_flat = tf.reshape(h_pool2, [-1, 7*7*64])
h_fc1 = tf.nn.relu(tf.matmul(h_pool2_flat, weight_variable([7 * 7 * 64, 1024])) + bias_variable([1024]))
keep_prob = tf.placeholder("float")
h_fc1_drop = tf.nn.dropout(h_fc1, keep_prob)
y_conv = tf.nn.softmax(tf.matmul(h_fc1_drop, weight_variable([1024, 10])) + bias_variable([10]))
cross_entropy = -tf.reduce_sum(y_ * tf.log(y_conv))
train_step = tf.train.AdamOptimizer(1e-4).minimize(cross_entropy)
correct_prediction = tf.equal(tf.argmax(y_conv, 1), tf.argmax(y_, 1))
accuracy = tf.reduce_mean(tf.cast(correct_prediction, "float"))
sess.run(tf.initialize_all_variables())
for i in range(101):
  batch = mnist.train.next_batch(50)
  if i % 100 == 0:
    train_accuracy = accuracy.eval(feed_dict={x: batch[0], y_: batch[1], keep_prob: 1.0})
    print("step %d, training accuracy %g" % (i, train_accuracy))
  train_step.run(feed_dict={x: batch[0], y_: batch[1], keep_prob: 0.5})
test = mnist.test.next_batch(1000, shuffle=False)
print('figures', accuracy.eval(feed_dict={x: test[0], y_: test[1], keep_prob: 1.0}))
"""  # noqa: E501

# After "TensorFlow without a PhD": square images, all 60,000 for training.
SQUARE = """
mnist = input_data.read_data_sets("MNIST_data", one_hot=True, reshape=False, validation_size=0)
X = tf.placeholder(tf.float32, [None, 28, 28, 1])
Y_ = tf.placeholder(tf.float32, [None, 10])
W = tf.Variable(tf.zeros([784, 10]))
b = tf.Variable(tf.zeros([10]))
Y = tf.nn.softmax(tf.matmul(tf.reshape(X, [-1, 784]), W) + b)
cross_entropy = -tf.reduce_sum(Y_ * tf.log(Y))
is_correct = tf.equal(tf.argmax(Y, 1), tf.argmax(Y_, 1))
accuracy = tf.reduce_mean(tf.cast(is_correct, tf.float32))
train_step = tf.train.GradientDescentOptimizer(0.003).minimize(cross_entropy)
sess = tf.Session()
sess.run(tf.global_variables_initializer())
for i in range(1000):
  batch_X, batch_Y = mnist.train.next_batch(100)
  sess.run(train_step, feed_dict={X: batch_X, Y_: batch_Y})
print('figures', sess.run(accuracy, {X: mnist.test.images, Y_: mnist.test.labels}))
"""


def softmax(seed, loss, step):
  return SOFTMAX.replace('SEED', str(seed)).replace('LOSS', loss).replace('STEP', str(step))


TEXTS = [
  softmax(0, ON_LOGITS, 0.5),
  softmax(1, ON_LOGITS, 0.5),
  softmax(5, SUM, 0.01),
  softmax(None, MEAN, 0.5),
  SQUARE,
  EXPERT,
]


DTYPES = """
for dtype in tf.uint8, tf.float32, tf.float64:
  try:
    print('figures', repr(input_data.read_data_sets('MNIST_data', dtype=dtype).test.images.dtype.name))
  except TypeError as error:
    print('figures', error)
"""  # noqa: E501


# All are typed one after another, in one Python.
NEW_GRAPH = '\nsess.close()\ntf.reset_default_graph()\n'


def typed(folder):
  return run('-c', IMPORTS + NEW_GRAPH.join([*TEXTS, DTYPES]))


@pytest.fixture
def figures(runs):
  """Returns what each text printed at its end."""
  lines = [line for line in lines_of(runs('old texts')) if line.startswith('figures ')]
  return [line.removeprefix('figures ') for line in lines]


@pytest.mark.parametrize('i, key', [(0, 'softmax/0'), (1, 'softmax/1'), (2, 'seed001')])
def test_softmax_reaches_the_originals_figures(figures, i, key):
  accuracy, b = json.loads(figures[i])
  assert accuracy == REFERENCE[key][0]
  assert b == pytest.approx(REFERENCE[key][1], abs=1.5e-5)


def test_softmax_with_the_mean_of_the_logarithms(figures):
  assert json.loads(figures[3])[0] > 0.9


def test_square_images(figures):
  assert float(figures[4]) > 0.9


def test_the_first_expert_version(figures):
  assert float(figures[5]) > 0.6


def test_tensorflow_dtypes_are_accepted(figures):
  assert figures[6:] == [
    "'uint8'",
    "'float32'",
    'Invalid image dtype tf.float64, expected uint8 or float32',
  ]
