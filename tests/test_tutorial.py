"""Every figure of the tutorial's two programs, seen in what they print and learn, beside Keras."""

import argparse
import contextlib
import io
import pickle
import tempfile

import numpy as np
import pytest
from test_log_dir import curve

from conftest import lines_of, run, run_here, save, variables
from mnist_deep import deepnn, main, max_pool_2x2, tf
from photographs import compute

# Trains the Keras net of the benchmark from the same weights, with batches that it takes itself.
KERAS = """
import pickle, sys
import numpy as np
import input_data
sys.path.insert(0, 'tests')
from benchmark import Schedule, batches, freeze_convolutions, keras_net, learning_steps

answers = []
for weights, *schedule in pickle.load(open(sys.argv[1], 'rb')):
  mnist = input_data.read_data_sets(sys.argv[2], one_hot=True, seed=2, validation_size=None)
  schedule = Schedule(*schedule)
  net = keras_net(schedule, seed=2)
  net.set_weights(weights)
  losses = []
  for i, batch in enumerate(batches(schedule, mnist.train, np.random.RandomState(2))):
    if i == learning_steps(schedule):
      freeze_convolutions(net)
    losses.append(net.train_on_batch(*batch))
  losses.append(net.evaluate(mnist.validation.images, mnist.validation.labels, verbose=0))
  digits = np.argmax(net.predict(mnist.test.images, 100, verbose=0), 1)
  answers.append((net.get_weights(), np.mean(digits == np.argmax(mnist.test.labels, 1)), losses))
pickle.dump(answers, open(sys.argv[1] + ' answered', 'wb'))
"""

NAMES = [f'{layer}/Variable{i}' for layer in ('conv1', 'conv2', 'fc1', 'fc2') for i in ('', '_1')]


def initial_weights():
  """Returns the variables that a seed of 2 gives the net."""
  with tf.Graph().as_default(), tf.Session() as sess:
    tf.set_random_seed(2)
    deepnn(tf.placeholder(tf.float32, [None, 784]))
    sess.run(tf.global_variables_initializer())
    return sess.run(tf.trainable_variables())


# What the tutorial's schedule and that of --fast are, beside the number of their steps.
DEEP = {'fast': False, 'batch_size': 50, 'learning_rate': 1e-4, 'beta2': 0.999, 'keep_prob': 0.5}
FAST = {'fast': True, 'batch_size': 100, 'learning_rate': 4e-3, 'beta2': 0.97, 'keep_prob': 0.7}


def train(schedule, **flags):
  """Trains the net of mnist_deep.py from a seed of 2, and returns what it prints."""
  flags = argparse.Namespace(seed=2, bfloat16=False, **schedule | flags)
  with tf.Graph().as_default(), contextlib.redirect_stdout(io.StringIO()) as printed:
    main(flags)
  return printed.getvalue().splitlines()


@pytest.fixture(scope='module')
def nets(tmp_path_factory, digits):
  """What the tutorial's schedule printed; for it and --fast: weights before, after, Keras's."""
  folder = tmp_path_factory.mktemp('nets')
  data = {'data_dir': digits, 'keep_prob': 1.0}
  lines = train(DEEP, steps=3, log_dir=f'{folder}/slow', **data)
  small = {'batch_size': 20, 'learning_rate': 2e-5}
  train(FAST, steps=20, log_dir=f'{folder}/fast', **data | small)
  weights = initial_weights()
  scaled = [W * (10 / np.sqrt(W[..., 0].size) if W.ndim > 1 else 0) for W in weights]
  # Of 20 steps, the last 5 train the dense layers only, which tells 0.75 from 0.7 and 0.8.
  recipes = [(weights, 3, 50, 1e-4, 0.999, 1.0, False), (scaled, 20, 20, 2e-5, 0.97, 1.0, True)]
  (folder / 'recipes').write_bytes(pickle.dumps(recipes))
  lines_of(run('-c', KERAS, folder / 'recipes', digits))
  answers = pickle.loads((folder / 'recipes answered').read_bytes())
  afters = [[variables(folder / name)[v] for v in NAMES] for name in ('slow', 'fast')]
  return lines, *zip([weights, scaled], afters, answers, strict=True)


@pytest.mark.parametrize('schedule, steps', [(DEEP, 20000), (FAST, 620)], ids=['deep', 'fast'])
def test_a_programs_flags_are_its_schedule(schedule, steps, digits, tmp_path):
  flags = ['--seed', 2, '--data_dir', digits, '--log_dir', tmp_path]
  flags += ['--fast'] * schedule['fast']
  run_here('mnist_deep.py', *flags, '--steps', 2)
  train(schedule, steps=2, data_dir=digits, log_dir=f'{tmp_path}/figures')
  saved, expected = variables(tmp_path), variables(tmp_path / 'figures')
  assert all(np.array_equal(value, saved[name]) for name, value in expected.items())
  save(saved | {'global_step': np.int64(steps)}, tmp_path, steps)  # It has had all its steps.
  assert f'Resuming at step {steps} of {steps}.' in run_here('mnist_deep.py', *flags)


def test_deep_starts_from_small_random_weights_and_biases_of_a_tenth():
  shapes = [5, 5, 1, 32], [5, 5, 32, 64], [7 * 7 * 64, 1024], [1024, 10]
  weights = initial_weights()
  for shape, W, b in zip(shapes, weights[::2], weights[1::2], strict=True):
    assert [*W.shape] == shape and np.array_equal(b, np.full(shape[-1:], np.float32(0.1)))
    # Cut at twice its standard deviation of 0.1, a normal distribution has one of 0.08796.
    assert 0.19 < np.abs(W).max() <= 0.2
    assert abs(W.mean()) < 0.5 / W.size**0.5
    assert W.std() == pytest.approx(0.08796, rel=3 / W.size**0.5)


def test_dropout_keeps_half_of_the_neurons_which_count_double(mnist):
  with tf.Graph().as_default() as graph, tf.Session() as sess:
    x = tf.placeholder(tf.float32, [None, 784])
    tf.set_random_seed(2)
    _, keep_prob = deepnn(x)
    sess.run(tf.global_variables_initializer())
    fetches = ['fc1/Relu:0', graph.get_operation_by_name('fc2/MatMul').inputs[0]]
    before, after = sess.run(fetches, {x: mnist.test.images[:200], keep_prob: 0.5})
  assert np.array_equal(after, np.where(after, 2 * before, 0))
  kept = after[:, np.all(before, axis=0)] > 0  # Of the neurons that no image leaves at 0.
  for share in kept.mean(axis=0), kept.mean(axis=1):  # Of the images, and in each of them.
    assert len(share) >= 50 and np.all(np.abs(share - 0.5) < 0.2)


def test_pooling_keeps_the_largest_of_2x2_and_what_is_left_at_an_odd_edge():
  pooled = compute(max_pool_2x2, np.arange(25.0)[::-1].reshape(1, 5, 5, 1))
  assert pooled[0, :, :, 0].tolist() == [[24, 22, 20], [14, 12, 10], [4, 2, 0]]


@pytest.mark.parametrize('schedule', [1, 2], ids=['deep', 'fast'])
def test_a_few_steps_of_the_net_are_kerass_steps(nets, schedule):
  """Beside Adam's epsilon, even the sum of the losses differs from their mean."""
  befores, afters, (theirs, _, _) = nets[schedule]
  for before, after, expected in zip(befores, afters, theirs, strict=True):
    assert np.abs(after - before).max() > 2e-5
    # Rounding moves one weight in a million that far, beta2 = 0.998 two in a hundred.
    assert np.mean(np.abs(after - expected) > 1e-6) < 1e-3


def test_evaluation_is_of_all_test_or_validation_digits_without_dropout(nets):
  lines, (_, _, (_, accuracy, losses)), _ = nets
  assert lines[-1] == f'test accuracy {round(accuracy, 4):g}'
  folder = lines[4].removeprefix('Saving graph to: ')
  drawn = curve(f'{folder}/validation', 'cross_entropy')
  assert drawn == [(3, pytest.approx(losses[-1], rel=1e-4))]


def test_neurons_drop_out_of_the_training_steps_only(nets, digits, tmp_path):
  """What drops out learns nothing, so without all of its neurons fc1 stays as it was."""
  lines = train(DEEP | {'keep_prob': 1e-7}, steps=1, data_dir=digits, log_dir=str(tmp_path))
  assert lines[5] == nets[0][5] and lines[5].startswith('step 0, training accuracy ')
  loss = pytest.approx(nets[1][2][2][0], rel=1e-4)  # Keras's of this batch, without dropout.
  assert curve(tmp_path / 'training', 'cross_entropy') == [(0, loss)]
  learned = variables(tmp_path)
  changed = [np.any(learned[v] != W) for v, W in zip(NAMES, nets[1][0], strict=True)]
  assert changed == [False] * 7 + [True]


def test_without_a_folder_only_curves_are_left_behind(digits, tmp_path, monkeypatch):
  monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
  run_here('mnist_deep.py', '--steps', 1, '--data_dir', digits)
  files = [path for path in tmp_path.rglob('*') if path.is_file()]
  assert {path.parent.name for path in files} == {'training'}
  assert sum(path.stat().st_size for path in files) < 5e6
