"""Every figure of the tutorial's two programs, seen where it acts: in what a run feeds and learns.

Only `tf.Session.run` is watched. Of the deep net's 20,000 steps, three happen, without dropout.
"""

import argparse
import pathlib
import pickle
import re
import tempfile
import types
import zlib

import numpy as np
import pytest

import input_data
from conftest import ROOT, lines_of, run, run_here
from mnist_deep import deepnn, fast_schedule, max_pool_2x2, tf

# The same net in Keras, from the same weights and from batches that it takes itself.
KERAS = """
import pickle, sys
import keras
from keras import layers
import input_data

answers = []
for weights, batch_size, rates, beta_2, max_shift in pickle.load(open(sys.argv[1], 'rb')):
  mnist = input_data.read_data_sets(
    sys.argv[2], one_hot=True, reshape=False, seed=1, validation_size=100)
  mnist.train.max_shift = max_shift
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
  adam = keras.optimizers.Adam(1e-4, beta_1=0.9, beta_2=beta_2, epsilon=1e-8)
  net.compile(adam, keras.losses.CategoricalCrossentropy(from_logits=True), metrics=['accuracy'])
  net.set_weights(weights)
  for adam.learning_rate in rates:
    net.train_on_batch(*mnist.train.next_batch(batch_size))
  test = net.evaluate(mnist.test.images, mnist.test.labels, 100, verbose=0)
  answers.append((net.get_weights(), test))
pickle.dump(answers, open(sys.argv[1] + ' answered', 'wb'))
"""


def watched(real_steps, all_steps, program, *flags, **options):
  """Runs a program, and returns what it was seen to do, in the order in which it did it.

  `.fed` has for each run of the session whether it trains, the number of images, a digest of the
  first of them, and keep_prob; `.last_answers` has the last two answers that are no training;
  `.before` and `.after` have the variables around the steps that really happen.
  """
  notes = types.SimpleNamespace(fed=[], last_answers=[])
  session_run, answers, steps = tf.Session.run, {}, 0

  def watch(session, fetches, feed_dict=None, **run_options):
    nonlocal steps
    feed = {key: np.asarray(value) for key, value in (feed_dict or {}).items()}
    images = [value for value in feed.values() if value.shape[1:] == (784,)]
    if not images:
      return session_run(session, fetches, feed_dict, **run_options)
    keep_prob = {key: value for key, value in feed.items() if value.ndim == 0}
    trains, n = isinstance(fetches, tf.Operation), len(images[0])
    notes.fed.append((trains, n, zlib.crc32(images[0][0]), *map(float, keep_prob.values())))
    if trains:
      if steps == 0:
        notes.before = session_run(session, tf.trainable_variables())
      if steps < real_steps:
        session_run(session, fetches, feed | dict.fromkeys(keep_prob, 1.0), **run_options)
      steps += 1
      if steps == real_steps:
        notes.after = session_run(session, tf.trainable_variables())
      return None
    # Until the last step has been counted, an earlier answer will do: it saves seconds.
    key = str(fetches), n
    if key not in answers or not real_steps < steps < all_steps:
      answers[key] = session_run(session, fetches, feed, **run_options)
    notes.last_answers = [*notes.last_answers[-1:], answers[key]]
    return answers[key]

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(tf.Session, 'run', watch)
    lines = run_here(program, *flags, **options)
  # The programs print some more than the tutorial did.
  notes.lines = [line for line in lines if re.match('Saving graph|step |test accuracy', line)]
  notes.trained = [row[1:] for row in notes.fed if row[0]]
  return notes


def run_both(folder, digits):
  flags = '--seed', 1, '--data_dir', digits
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(tempfile, 'tempdir', str(folder))
    deep = watched(3, 20000, 'mnist_deep.py', *flags, validation_size=100)
  fast = watched(3, 1000, 'mnist_deep.py', '--fast', *flags, validation_size=100)
  recipes = [
    (deep.before, 50, [1e-4] * 3, 0.999, 0),
    # With --fast, the rate rises to 3e-3 over the first 200 of 1,000 steps.
    (fast.before, 100, [1.5e-5, 3e-5, 4.5e-5], 0.97, 1),
  ]
  (folder / 'recipes').write_bytes(pickle.dumps(recipes))
  lines_of(run('-c', KERAS, folder / 'recipes', digits))
  deep.in_keras, fast.in_keras = pickle.loads((folder / 'recipes answered').read_bytes())
  return {'deep': deep, 'fast': fast}


@pytest.fixture
def nets(once, digits):
  """Watched runs of the deep net, with what Keras makes of the same beginning."""
  return once('watched nets', lambda folder: run_both(folder, digits))


@pytest.fixture
def deep(nets):
  return nets['deep']


def test_softmax_descends_as_the_formulas_do():
  """Gradient descent by 0.5 on the mean cross-entropy, whose gradient is softmax minus label."""
  softmax = watched(1000, 1000, 'mnist_softmax.py', '--seed', 0)
  assert not any(variable.any() for variable in softmax.before)
  assert [n for n, _ in softmax.trained] == [100] * 1000
  mnist = input_data.read_data_sets(str(ROOT / 'MNIST_data'), one_hot=True, seed=0)
  W, b = np.zeros([784, 10]), np.zeros(10)
  for _ in range(1000):
    x, y_ = mnist.train.next_batch(100)
    odds = np.exp(x @ W + b)
    error = (odds / odds.sum(axis=1, keepdims=True) - y_) / 100
    W -= 0.5 * x.T @ error
    b -= 0.5 * error.sum(axis=0)
  for variable, values in zip(softmax.after, (W, b), strict=True):
    np.testing.assert_allclose(variable, values, atol=1e-4)
  correct = np.argmax(mnist.test.images @ W + b, 1) == np.argmax(mnist.test.labels, 1)
  assert softmax.lines == [f'test accuracy {correct.mean():g}']


def test_deep_has_the_tutorials_layers(deep):
  assert [variable.shape for variable in deep.before] == [
    *((5, 5, 1, 32), (32,), (5, 5, 32, 64), (64,)),
    *((7 * 7 * 64, 1024), (1024,), (1024, 10), (10,)),
  ]


def test_deep_starts_from_small_random_weights(deep):
  for W in deep.before[::2]:
    # Cut at twice its standard deviation of 0.1, a normal distribution has one of 0.08796.
    assert 0.19 < np.abs(W).max() <= 0.2
    assert abs(W.mean()) < 0.5 / W.size**0.5
    assert W.std() == pytest.approx(0.08796, rel=3 / W.size**0.5)


def test_deep_starts_from_biases_of_a_tenth(deep):
  for b in deep.before[1::2]:
    assert (b == np.float32(0.1)).all()


@pytest.mark.parametrize('name, steps, batch_size', [('deep', 20000, 50), ('fast', 1000, 100)])
def test_all_steps_train_on_batches_and_keep_half_of_the_neurons(nets, name, steps, batch_size):
  assert [(n, keep) for n, _, keep in nets[name].trained] == [(batch_size, 0.5)] * steps


def test_every_100_steps_the_accuracy_is_of_the_batch_that_is_trained_next(deep):
  steps = np.cumsum([row[0] for row in deep.fed])
  measured = [i for i, row in enumerate(deep.fed) if row[:2] == (False, 50)]
  assert steps[measured].tolist() == list(range(0, 20000, 100))
  for i in measured:
    assert deep.fed[i][3] == 1 and deep.fed[i + 1] == (True, 50, deep.fed[i][2], 0.5)


def test_with_a_quarter_kept_dropout_makes_each_neuron_of_fc1_0_or_4_times_as_large():
  with tf.Graph().as_default(), tf.Session() as sess:
    logits, keep_prob = deepnn(tf.zeros([1000, 784]))
    # All neurons of fc1 are made 1, and fc2 passes on the first ten of them as they are.
    for variable in tf.trainable_variables():
      variable.load(np.zeros(variable.shape), sess)
    b_fc1, W_fc2 = tf.trainable_variables()[5:7]
    b_fc1.load(np.ones(b_fc1.shape), sess)
    W_fc2.load(np.eye(*W_fc2.shape), sess)
    dropped = sess.run(logits, {keep_prob: 0.25})
  assert set(dropped.flat) == {0, 4} and 0.2 < np.mean(dropped == 4) < 0.3


def test_pooling_keeps_the_largest_of_2x2_and_what_is_left_at_an_odd_edge():
  with tf.Graph().as_default(), tf.Session() as sess:
    pooled = sess.run(max_pool_2x2(tf.reshape(tf.range(25.0)[::-1], [1, 5, 5, 1])))
  assert pooled[0, :, :, 0].tolist() == [[24, 22, 20], [14, 12, 10], [4, 2, 0]]


@pytest.mark.parametrize('name', ['deep', 'fast'])
def test_three_steps_of_the_net_are_kerass_three_steps(nets, name):
  """Beside Adam's epsilon, even the sum of the losses differs from their mean."""
  net = nets[name]
  for before, after, theirs in zip(net.before, net.after, net.in_keras[0], strict=True):
    assert np.abs(after - before).max() > 5e-5
    # Rounding moves one weight in a million that far, beta2 = 0.998 two in a hundred.
    assert np.mean(np.abs(after - theirs) > 1e-6) < 1e-3


def test_the_fast_rate_rises_for_a_fifth_of_the_steps_and_falls_to_zero():
  with tf.Graph().as_default(), tf.Session() as sess:
    step = tf.train.get_or_create_global_step()
    rate, _ = fast_schedule(argparse.Namespace(steps=50, learning_rate=0.1))
    rates = [sess.run(rate, {step: i}) for i in (0, 4, 9, 10, 30, 49)]
  assert rates == pytest.approx([0.01, 0.05, 0.1, 0.1, 0.05, 0.0025], rel=1e-5)


def test_all_test_digits_are_evaluated_in_batches_of_500_at_most(deep):
  assert [(n, keep_prob) for _, n, _, keep_prob in deep.fed[-2:]] == [(500, 1), (125, 1)]
  loss, accuracy = np.average(deep.last_answers, axis=0, weights=[500, 125])
  assert [loss, accuracy] == pytest.approx(deep.in_keras[1], rel=1e-4)
  assert deep.lines[-1] == f'test accuracy {round(accuracy, 4):g}'


def test_without_a_folder_only_curves_are_left_behind(deep):
  folder = pathlib.Path(deep.lines[0].removeprefix('Saving graph to: '))
  files = [path for path in folder.rglob('*') if path.is_file()]
  assert {path.parent.name for path in files} == {'training', 'validation'}
  assert sum(path.stat().st_size for path in files) < 5e6
