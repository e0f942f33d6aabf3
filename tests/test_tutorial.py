"""Every figure of the tutorial's two programs, seen where it acts: in what a run feeds and learns.

Both programs run as they stand, with their default flags and a seed. Only `tf.Session.run` is
watched. Of the deep net's 20,000 steps it lets three happen, without dropout, and counts the rest.
"""

import json
import os
import pickle
import re

import numpy as np
import pytest

import input_data
from conftest import ROOT, lines_of, run

# Notes what each run of the session is fed: whether it trains, how many images, a digest of the
# first of them, and keep_prob. Also the weights before and after the steps that really happen, and
# the loss and the accuracy whenever they are asked for.
WATCH = """
import pickle, runpy, sys, zlib
import numpy as np
import tensorflow.compat.v1 as tf

program, real_steps, all_steps, file, *flags = sys.argv[1:]
notes = {'fed': [], 'metrics': []}
results = {}
session_run = tf.Session.run
steps = 0

def watch(session, fetches, feed_dict=None, **options):
  global steps
  feed = {key: np.asarray(value) for key, value in (feed_dict or {}).items()}
  images = [value for value in feed.values() if value.shape[1:] == (784,)]
  if not images:
    return session_run(session, fetches, feed_dict, **options)
  keep_prob = {key: value for key, value in feed.items() if value.ndim == 0}
  trains, n, digest = isinstance(fetches, tf.Operation), len(images[0]), zlib.crc32(images[0][0])
  notes['fed'].append((trains, n, digest, *map(float, keep_prob.values())))
  if trains:
    if steps == 0:
      notes['before'] = session_run(session, tf.trainable_variables())
    if steps < int(real_steps):
      session_run(session, fetches, feed | dict.fromkeys(keep_prob, 1.0), **options)
    steps += 1
    if steps == int(real_steps):
      notes['after'] = session_run(session, tf.trainable_variables())
    return None
  # Until the last step has been counted, an earlier answer will do: it saves seconds.
  key = str(fetches), n
  if key not in results or not int(real_steps) < steps < int(all_steps):
    results[key] = session_run(session, fetches, feed, **options)
  notes['metrics'].append(results[key])
  return results[key]

tf.Session.run = watch
sys.argv = [program, *flags]
try:
  runpy.run_path(program, run_name='__main__')
except SystemExit as ended:
  assert not ended.code
if program == 'mnist_deep.py':
  names = runpy.run_path(program)
  with tf.Graph().as_default(), tf.Session() as session:
    square = tf.reshape(tf.range(25.0)[::-1], [1, 5, 5, 1])
    notes['pooled'] = session_run(session, names['max_pool_2x2'](square))[0, :, :, 0]
    # All neurons of fc1 are made 1, and fc2 hands on the first ten of them as they are.
    logits, keep_prob = names['deepnn'](tf.zeros([1000, 784]))
    for variable in tf.trainable_variables():
      variable.load(np.zeros(variable.shape), session)
    b_fc1, W_fc2 = tf.trainable_variables()[5:7]
    b_fc1.load(np.ones(b_fc1.shape), session)
    W_fc2.load(np.eye(*W_fc2.shape), session)
    notes['dropped'] = session_run(session, logits, {keep_prob: 0.25})
with open(file, 'wb') as f:
  pickle.dump(notes, f)
"""

# The same net in Keras, from the same weights and from batches that it takes itself.
KERAS = """
import json, pickle, sys
import keras
from keras import layers
import input_data

with open(sys.argv[1], 'rb') as f:
  notes = pickle.load(f)
recipe = json.loads(sys.argv[3])
mnist = input_data.read_data_sets('MNIST_data', one_hot=True, reshape=False, seed=1)
mnist.train.max_shift = recipe['max_shift']
net = keras.Sequential([
  keras.Input([28, 28, 1]),
  layers.Conv2D(32, 5, padding='same', activation='relu'),
  layers.MaxPooling2D(2),
  layers.Conv2D(64, 5, padding='same', activation='relu'),
  layers.MaxPooling2D(2),
  layers.Flatten(),
  layers.Dense(1024, activation='relu'),
  layers.Dense(10),
])
adam = keras.optimizers.Adam(1e-4, beta_1=0.9, beta_2=recipe['beta_2'], epsilon=1e-8)
net.compile(adam, keras.losses.CategoricalCrossentropy(from_logits=True), metrics=['accuracy'])
net.set_weights(notes['before'])
batches = [mnist.train.next_batch(recipe['batch_size']) for _ in recipe['rates']]
accuracy = float(net.test_on_batch(*batches[0])[1])
for batch, adam.learning_rate in zip(batches, recipe['rates']):
  net.train_on_batch(*batch)
after = net.get_weights()
net.set_weights(notes['after'])
loss, test_accuracy = net.evaluate(mnist.test.images, mnist.test.labels, 200, verbose=0)
answers = dict(accuracy=accuracy, after=after, loss=loss, test_accuracy=test_accuracy)
with open(sys.argv[2], 'wb') as f:
  pickle.dump(answers, f)
"""
TUTORIAL = {'batch_size': 50, 'rates': [1e-4] * 3, 'beta_2': 0.999, 'max_shift': 0}
# With --fast, the rate rises to 3e-3 over the first 200 of 1,000 steps.
FAST = {'batch_size': 100, 'rates': [1.5e-5, 3e-5, 4.5e-5], 'beta_2': 0.97, 'max_shift': 1}


def watched(folder, *arguments):
  """Returns the finished process of a watched run, with `notes` of what it did."""
  program, real_steps, all_steps, *flags = arguments
  script = ['-c', WATCH, program, real_steps, all_steps, folder / 'notes', *flags]
  done = run(*script, env=os.environ | {'TMPDIR': str(folder)})
  done.lines = lines_of(done)
  done.notes = pickle.loads((folder / 'notes').read_bytes())
  done.trained = [row for row in done.notes['fed'] if row[0]]
  return done


def watched_deep(folder, recipe, *arguments):
  """Returns a watched run of the deep net, with what Keras makes of the same beginning."""
  deep = watched(folder, 'mnist_deep.py', 3, *arguments, '--seed', 1)
  (folder / 'weights').write_bytes(pickle.dumps(deep.notes))
  lines_of(run('-c', KERAS, folder / 'weights', folder / 'keras', json.dumps(recipe)))
  deep.in_keras = pickle.loads((folder / 'keras').read_bytes())
  return deep


@pytest.fixture(scope='module')
def softmax(once):
  return once('watched softmax', lambda f: watched(f, 'mnist_softmax.py', 1000, 1000, '--seed', 0))


@pytest.fixture(scope='module')
def deep(once):
  return once('watched deep', lambda folder: watched_deep(folder, TUTORIAL, 20000))


@pytest.fixture(scope='module')
def fast(once):
  return once('watched fast', lambda folder: watched_deep(folder, FAST, 1000, '--fast'))


@pytest.fixture(scope='module')
def in_keras(deep):
  return deep.in_keras


def printed(lines):
  """Returns the lines that the tutorial prints; the programs tell some more."""
  return [line for line in lines if re.match('Saving graph|step |test accuracy', line)]


def test_softmax_starts_at_zero(softmax):
  W, b = softmax.notes['before']
  assert W.shape == (784, 10) and b.shape == (10,) and not W.any() and not b.any()


def test_softmax_takes_1000_steps_of_100(softmax):
  assert [n for _, n, _ in softmax.trained] == [100] * 1000


def test_softmax_descends_as_the_formulas_do(softmax):
  """Gradient descent by 0.5 on the mean cross-entropy, whose gradient is softmax minus label."""
  mnist = input_data.read_data_sets(str(ROOT / 'MNIST_data'), one_hot=True, seed=0)
  W, b = np.zeros([784, 10]), np.zeros(10)
  for _ in range(1000):
    x, y_ = mnist.train.next_batch(100)
    odds = np.exp(x @ W + b)
    error = (odds / odds.sum(axis=1, keepdims=True) - y_) / 100
    W -= 0.5 * x.T @ error
    b -= 0.5 * error.sum(axis=0)
  for variable, values in zip(softmax.notes['after'], (W, b), strict=True):
    np.testing.assert_allclose(variable, values, atol=1e-4)
  correct = np.argmax(mnist.test.images @ W + b, 1) == np.argmax(mnist.test.labels, 1)
  assert printed(softmax.lines) == [f'test accuracy {correct.mean():g}']


def test_deep_has_the_tutorials_layers(deep):
  assert [variable.shape for variable in deep.notes['before']] == [
    *((5, 5, 1, 32), (32,), (5, 5, 32, 64), (64,)),
    *((7 * 7 * 64, 1024), (1024,), (1024, 10), (10,)),
  ]


def test_deep_starts_from_small_random_weights(deep):
  for W in deep.notes['before'][::2]:
    # Cut at twice its standard deviation of 0.1, a normal distribution has one of 0.08796.
    assert 0.19 < np.abs(W).max() <= 0.2
    assert abs(W.mean()) < 0.5 / W.size**0.5
    assert W.std() == pytest.approx(0.08796, rel=3 / W.size**0.5)


def test_deep_starts_from_biases_of_a_tenth(deep):
  for b in deep.notes['before'][1::2]:
    assert (b == np.float32(0.1)).all()


def test_deep_takes_20000_steps_of_50_and_keeps_half_of_the_neurons(deep):
  assert [(n, keep_prob) for _, n, _, keep_prob in deep.trained] == [(50, 0.5)] * 20000


def test_whenever_deep_is_asked_all_neurons_answer(deep):
  assert {row[3] for row in deep.notes['fed'] if not row[0]} == {1.0}


def test_every_100_steps_the_accuracy_is_of_the_batch_that_is_trained_next(deep):
  fed = deep.notes['fed']
  steps = np.cumsum([row[0] for row in fed])
  measured = [i for i, row in enumerate(fed) if row[:2] == (False, 50)]
  assert steps[measured].tolist() == list(range(0, 20000, 100))
  for i in measured:
    assert fed[i + 1] == (True, 50, fed[i][2], 0.5)


def test_with_a_quarter_kept_dropout_makes_each_neuron_of_fc1_0_or_4_times_as_large(deep):
  dropped = deep.notes['dropped']
  assert set(dropped.flat) == {0, 4} and 0.2 < np.mean(dropped == 4) < 0.3


def test_pooling_keeps_the_largest_of_2x2_and_what_is_left_at_an_odd_edge(deep):
  assert deep.notes['pooled'].tolist() == [[24, 22, 20], [14, 12, 10], [4, 2, 0]]


@pytest.mark.parametrize('name', ['deep', 'fast'])
def test_three_steps_of_the_net_are_kerass_three_steps(name, request):
  """Beside Adam's epsilon, even the sum of the losses differs from their mean."""
  net = request.getfixturevalue(name)
  for before, after, theirs in zip(
    net.notes['before'], net.notes['after'], net.in_keras['after'], strict=True
  ):
    assert np.abs(after - before).max() > 5e-5
    # Rounding moves one weight in a million that far, beta2 = 0.998 two in a hundred.
    assert np.mean(np.abs(after - theirs) > 1e-6) < 1e-3


def test_loss_and_accuracy_of_the_test_images_are_kerass(deep, in_keras):
  loss, accuracy = np.mean(deep.notes['metrics'][-50:], axis=0)
  assert loss == pytest.approx(in_keras['loss'], rel=1e-4)
  assert accuracy == pytest.approx(in_keras['test_accuracy'], abs=2e-4)


def test_fast_takes_1000_steps_of_100_and_keeps_half_of_the_neurons(fast):
  assert [(n, keep_prob) for _, n, _, keep_prob in fast.trained] == [(100, 0.5)] * 1000


def test_the_fast_rate_rises_for_a_fifth_of_the_steps_and_falls_to_zero():
  script = """
import argparse, mnist_deep
tf = mnist_deep.tf
step = tf.train.get_or_create_global_step()
rate, beta2 = mnist_deep.fast_schedule(argparse.Namespace(steps=50, learning_rate=0.1))
with tf.Session() as sess:
  print(*[sess.run(rate, {step: i}) for i in (0, 4, 9, 10, 30, 49)])
"""
  rates = [float(rate) for rate in lines_of(run('-c', script))[0].split()]
  assert rates == pytest.approx([0.01, 0.05, 0.1, 0.1, 0.05, 0.0025], rel=1e-5)


def test_deep_prints_the_tutorials_lines(deep, in_keras):
  saving, *steps, test = printed(deep.lines)
  folder = saving.removeprefix('Saving graph to: ')
  assert os.listdir(f'{folder}/training')[0].startswith('events.out.tfevents')
  assert steps[0] == f'step 0, training accuracy {round(in_keras["accuracy"], 4):g}'
  assert len(steps) == 200
  for line, step in zip(steps, range(0, 20000, 100), strict=True):
    assert re.fullmatch(rf'step {step}, training accuracy (0|1|0\.\d\d?)', line)
  assert re.fullmatch(r'test accuracy 0\.\d{1,4}', test)
  assert float(test.split()[-1]) == pytest.approx(in_keras['test_accuracy'], abs=2e-4)
