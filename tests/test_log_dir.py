"""How mnist_deep.py stops and resumes, and what TensorBoard finds in --log_dir."""

import functools
import glob
import os
import re
import sys
import time

import numpy as np
import pytest
from terminal import Terminal

from conftest import lines_of, run, run_here, save, variables
from mnist_deep import tf
from photographs import compute


def checkpoints(folder):
  """Returns the steps of the checkpoints in a folder."""
  return sorted(int(path.stem.split('-')[1]) for path in folder.glob('*.index'))


def events(folder):
  """Returns what TensorBoard finds in a folder."""
  files = sorted(glob.glob(f'{folder}/events.*'), key=os.path.getmtime)
  return [event for file in files for event in tf.train.summary_iterator(file)]


def curve(folder, name):
  """Returns the points of a curve: [(step, value), ...]."""
  found = [(event.step, value) for event in events(folder) for value in event.summary.value]
  return [(step, value.simple_value) for step, value in found if value.tag == f'summaries/{name}']


@pytest.fixture
def flags(digits, tmp_path):
  """Flags for a run of small steps on few digits, which keeps its net in `tmp_path`."""
  return '--batch_size', 5, '--data_dir', digits, '--log_dir', tmp_path


train = functools.partial(run_here, 'mnist_deep.py')
STOPPED = r'Stopped after (\d+) steps\. To resume, use the same flags and --log_dir "(.+)"\n'


@pytest.mark.parametrize('pause', [None, 0.02, 0.05])
def test_ctrl_c_saves_the_net_and_so_does_an_impatient_second_one(digits, tmp_path, pause):
  flags = '--steps', 5000, '--batch_size', 5, '--data_dir', digits, '--log_dir', tmp_path / 'a log'
  with Terminal(sys.executable, 'mnist_deep.py', *flags) as terminal:
    terminal.wait_for('^step 100, ')
    terminal.type('\3')
    if pause is not None:
      time.sleep(pause)
      terminal.type('\3')
    steps, folder = terminal.wait_for(STOPPED).groups()
    status = terminal.process.wait()
  assert pause is not None or (status == 130 and 'Traceback' not in terminal.shown)
  assert folder == str(flags[-1]) and variables(folder)['global_step'] == int(steps) >= 100
  again = train('--steps', int(steps) + 1, *flags[2:])
  assert f'Resuming at step {steps} of {int(steps) + 1}.' in again


def test_a_second_run_resumes_where_the_first_ended(flags, tmp_path):
  *_, step, _ = lines = train('--steps', 2, *flags)
  assert not any('Resuming' in line for line in lines)
  assert re.fullmatch(r'step 0, training accuracy (0|0\.[2468]|1)', step)  # Of 5 images.
  time.sleep(1)  # The files of curves are named by the second.
  *_, resuming, accuracy = train('--steps', 4, *flags)
  assert resuming == 'Resuming at step 2 of 4.'
  # A net that has had all its steps is only evaluated.
  assert train('--steps', 4, *flags)[-2:] == ['Resuming at step 4 of 4.', accuracy]
  saved = variables(tmp_path)
  assert saved['global_step'] == 4
  assert saved['adam_optimizer/beta2_power'] == pytest.approx(0.999**5, rel=1e-4)
  assert [step for step, _ in curve(tmp_path / 'validation', 'accuracy')] == [2, 4]
  train('--steps', 6, *flags)
  assert checkpoints(tmp_path) == [4, 6]  # The last two are kept.


def test_a_killed_run_resumes_from_its_checkpoint_of_every_1000_steps(flags, tmp_path):
  with Terminal(sys.executable, 'mnist_deep.py', *flags) as terminal:
    terminal.wait_for('^step 1000, ')
    time.sleep(1)  # By then, the curve is on the disk.
    terminal.process.kill()  # With SIGKILL, which no program can handle.
  assert curve(tmp_path / 'training', 'accuracy')[-1][0] >= 1000
  assert 'Resuming at step 1000 of 1001.' in train('--steps', 1001, *flags)
  assert [step for step, _ in curve(tmp_path / 'validation', 'accuracy')] == [1000, 1001]


LOST = r'The weights are no longer finite at step {}\. Try a smaller --learning_rate\.'
LOST_RUNS = (1e5, '0', 101, 100), (1e18, '0', 101, 100), (1e18, '1', 101, 100), (1e38, '1', 5, 5)


@pytest.mark.parametrize('rate, onednn, steps, found_at', LOST_RUNS)
def test_weights_that_are_not_finite_end_the_run(flags, tmp_path, rate, onednn, steps, found_at):
  """With oneDNN, TensorFlow's fused ReLU makes 0 of NaN, and the loss stays finite."""
  env = os.environ | {'TF_ENABLE_ONEDNN_OPTS': onednn}
  done = run('mnist_deep.py', '--learning_rate', rate, '--steps', steps, *flags, env=env)
  assert re.search(f'\nFloatingPointError: {LOST.format(found_at)}\n$', done.stderr)
  assert done.returncode == 1 and checkpoints(tmp_path) == []


def test_ctrl_c_does_not_save_a_net_whose_weights_are_lost(flags, tmp_path):
  # Its first step is over when Ctrl-C comes, and its 100th, which looks at the weights, is not.
  lost = '--learning_rate', 1e38, *flags, '--batch_size', 200
  with Terminal(sys.executable, 'mnist_deep.py', *lost) as terminal:
    terminal.wait_for('^step 0, ')
    time.sleep(2)
    terminal.type('\3')
    terminal.wait_for('FloatingPointError: ' + LOST.format(r'\d+'))
    assert terminal.process.wait() == 1 and checkpoints(tmp_path) == []


@pytest.mark.parametrize('name', ['fc1/Variable', 'fc1/Variable/Adam_1'])
def test_a_lost_net_is_not_resumed(flags, tmp_path, name):
  train('--steps', 1, *flags)
  saved = variables(tmp_path)
  save(saved | {name: saved[name] * np.nan}, tmp_path, 1)
  with pytest.raises(FloatingPointError, match=LOST.format(1)):
    train('--steps', 1, *flags)


def test_tensorboard_finds_the_graph(trained_net):
  graph = b''.join(event.graph_def for event in events(trained_net.folder / 'training'))
  scopes = {node.name.split('/')[0] for node in tf.GraphDef.FromString(graph).node}
  names = 'x y_ reshape conv1 pool1 conv2 pool2 fc1 dropout fc2 loss adam_optimizer accuracy'
  assert scopes >= {*names.split(), 'summaries'}


def test_tensorboard_finds_two_curves_for_one_chart(trained_net):
  printed = re.findall(r'step (\d+), training accuracy (\S+)', '\n'.join(lines_of(trained_net)))
  drawn = curve(trained_net.folder / 'training', 'accuracy')
  assert drawn == [(int(step), pytest.approx(float(value))) for step, value in printed]
  ((_, before), (_, after)) = curve(trained_net.folder / 'training', 'cross_entropy')
  ((step, accuracy),) = curve(trained_net.folder / 'validation', 'accuracy')
  ((_, loss),) = curve(trained_net.folder / 'validation', 'cross_entropy')
  assert before > 2 * after and step == 140 and 0.9 < accuracy < 1 and 0 < loss < 0.5


def test_tensorboard_finds_the_32_filters_of_the_first_layer(trained_net):
  last = events(trained_net.folder / 'validation')[-1].summary
  images = {value.tag: value.image for value in last.value if 'filters' in value.tag}
  assert len(images) == 32
  content = images['summaries/filters/image/9'].encoded_image_string
  filters = variables(trained_net.folder)['conv1/Variable']
  pixels = compute(tf.io.decode_png, content)
  assert np.corrcoef(pixels.ravel(), filters[:, :, 0, 9].ravel())[0, 1] > 0.999
