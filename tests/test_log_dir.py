"""What mnist_deep.py keeps in --log_dir: checkpoints to go on from, and curves for TensorBoard."""

import glob
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from conftest import ROOT, lines_of, run


def variables(folder):
  """Returns all variables in the last checkpoint of a folder: {name: value}."""
  reader = tf.train.load_checkpoint(str(folder))
  return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def checkpoints(folder):
  """Returns the steps of the checkpoints in a folder."""
  return sorted(int(re.search(r'-(\d+)\.', name)[1]) for name in glob.glob(f'{folder}/*.index'))


def events(folder):
  """Returns the events that TensorBoard finds in a folder."""
  files = sorted(glob.glob(f'{folder}/events.*'), key=os.path.getmtime)
  return [event for file in files for event in tf.train.summary_iterator(file)]


def curve(folder, tag):
  """Returns the points of a curve: [(step, value), ...]."""
  return [
    (event.step, value.simple_value)
    for event in events(folder)
    for value in event.summary.value
    if value.tag == f'summaries/{tag}'
  ]


def start(*flags, **options):
  """Starts mnist_deep.py, and waits until it trains."""
  command = [sys.executable, 'mnist_deep.py', *map(str, flags)]
  options = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'text': True} | options
  # A background job of a shell script ignores Ctrl-C, and so would its children.
  options['preexec_fn'] = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)
  process = subprocess.Popen(command, cwd=ROOT, **options)
  for line in process.stdout:
    if line.startswith('step '):
      return process
  raise AssertionError(process.stderr.read())


def stop(process):
  """Presses Ctrl-C after some steps, and returns what else the process printed."""
  time.sleep(1)
  process.send_signal(signal.SIGINT)
  out, err = process.communicate(timeout=600)
  assert 'Traceback' not in err, err
  assert process.returncode == 130
  return out


def test_the_same_seed_gives_the_same_lines_and_bits_in_two_shells(digits, tmp_path):
  printed, saved = [], []
  for name in 'ab':
    flags = '--seed', 3, '--steps', 20, '--data_dir', digits, '--log_dir', tmp_path / name
    lines = lines_of(run('mnist_deep.py', *flags))
    printed.append([line for line in lines if not line.startswith('Saving graph')])
    saved.append(variables(tmp_path / name))
  assert printed[0] == printed[1] and len(printed[0]) == 6
  assert saved[0].keys() == saved[1].keys() and len(saved[0]) == 27
  for name, value in saved[0].items():
    assert value.tobytes() == saved[1][name].tobytes(), name


def test_it_goes_on_where_it_ended_and_keeps_two_checkpoints(digits, tmp_path):
  flags = '--batch_size', 5, '--data_dir', digits, '--log_dir', tmp_path
  results = []
  for steps, said in (2, None), (4, 'step 2 of 4'), (4, 'step 4 of 4'), (6, 'step 4 of 6'):
    lines = lines_of(run('mnist_deep.py', '--steps', steps, *flags))
    going_on = [line for line in lines if line.startswith('Going on')]
    assert going_on == ([f'Going on from {said}.'] if said else [])
    results.append(lines[-1])
  assert results[1] == results[2]  # A net that has had all its steps is evaluated.
  assert checkpoints(tmp_path) == [4, 6]
  saved = variables(tmp_path)
  assert saved['global_step'] == 6
  assert saved['adam_optimizer/beta2_power'] == pytest.approx(0.999**7, rel=1e-4)
  assert [step for step, _ in curve(tmp_path / 'validation', 'accuracy')] == [2, 4, 6]


def test_a_killed_run_goes_on_from_its_checkpoint_of_every_1000_steps(digits, tmp_path):
  flags = '--batch_size', 1, '--data_dir', digits, '--log_dir', tmp_path
  process = start(*flags)
  for line in process.stdout:
    if line.startswith('step 1000,'):
      break
  process.kill()  # With SIGKILL, which no program can handle.
  process.communicate()
  lines = lines_of(run('mnist_deep.py', '--steps', 1001, *flags))
  assert 'Going on from step 1000 of 1001.' in lines
  assert variables(tmp_path)['global_step'] == 1001
  validated = [step for step, _ in curve(tmp_path / 'validation', 'accuracy')]
  assert validated == [1000, 1001]


def test_ctrl_c_saves_the_net_and_says_how_to_go_on(digits, tmp_path):
  folder = tmp_path / 'a log'  # It has a space, so it must be quoted.
  flags = '--steps', 5000, '--batch_size', 5, '--data_dir', digits, '--log_dir', folder
  out = stop(start(*flags))
  steps, command = re.fullmatch(
    r'Stopped after (\d+) steps\. To go on: (.+)', out.splitlines()[-1]
  ).groups()
  assert variables(folder)['global_step'] == int(steps) > 0
  pasted = shlex.split(command)
  assert pasted == [sys.executable, 'mnist_deep.py', *map(str, flags)]
  out = stop(start(*pasted[2:], '--steps', 2 * 10**6))
  assert int(re.search(r'Stopped after (\d+)', out)[1]) > int(steps)


@pytest.mark.full
def test_ctrl_c_saves_the_net_at_whatever_moment_it_comes(digits, tmp_path):
  had = 0
  for n in range(12):
    process = start('--batch_size', 5, '--data_dir', digits, '--log_dir', tmp_path)
    time.sleep(0.37 * n % 2)
    steps = int(re.search(r'Stopped after (\d+)', stop(process))[1])
    assert steps > had and variables(tmp_path)['global_step'] == steps
    had = steps


def test_without_a_folder_little_is_left_behind_but_what_ctrl_c_saves(digits, tmp_path):
  surroundings = os.environ | {'TMPDIR': str(tmp_path)}
  flags = '--batch_size', 5, '--data_dir', digits
  done = run('mnist_deep.py', '--steps', 2, *flags, env=surroundings)
  folder = pathlib.Path(re.search('Saving graph to: (.+)', done.stdout)[1])
  files = [path for path in folder.rglob('*') if path.is_file()]
  assert {path.parent.name for path in files} == {'training', 'validation'}
  assert sum(path.stat().st_size for path in files) < 1e6  # For 200 times as many, 5 MB.
  out = stop(start(*flags, env=surroundings))
  folder = re.search('--log_dir (.+)', out)[1]
  assert folder.startswith(str(tmp_path)) and variables(folder)['global_step'] > 0


def test_a_loss_that_is_no_number_is_said_and_never_saved(digits, tmp_path):
  flags = '--learning_rate', 1e38, '--batch_size', 5, '--data_dir', digits, '--log_dir', tmp_path
  message = r'The loss is (nan|-?inf) at step {}\. Try a smaller --learning_rate\.'
  for step in 5, 100:  # At the end, and in the midst of a run.
    done = run('mnist_deep.py', '--steps', step if step == 5 else 200, *flags)
    assert done.returncode == 1 and 'test accuracy' not in done.stdout
    assert re.search(message.format(step) + '$', done.stderr.rstrip())
  process = start(*flags)
  time.sleep(0.5)
  process.send_signal(signal.SIGINT)
  assert re.search(message.format(r'\d+'), process.communicate(timeout=600)[1])
  assert process.returncode != 0 and checkpoints(tmp_path) == []


def test_tensorboard_finds_the_graph(trained_net):
  definition = tf.GraphDef()
  found = [event.graph_def for event in events(trained_net.folder / 'training')]
  definition.ParseFromString(next(graph for graph in found if graph))
  scopes = {node.name.split('/')[0] for node in definition.node}
  assert scopes >= set('x y_ reshape conv1 pool1 conv2 pool2 fc1 dropout fc2 loss'.split())
  assert scopes >= {'adam_optimizer', 'accuracy', 'summaries'}


def test_tensorboard_finds_two_curves_for_one_chart(trained_net):
  printed = re.findall(r'step (\d+), training accuracy (\S+)', trained_net.stdout)
  drawn = curve(trained_net.folder / 'training', 'accuracy')
  assert drawn == [(int(step), pytest.approx(float(value))) for step, value in printed]
  ((_, before), (_, after)) = curve(trained_net.folder / 'training', 'cross_entropy')
  assert before > 2 * after
  ((step, accuracy),) = curve(trained_net.folder / 'validation', 'accuracy')
  assert step == 200 and 0.9 < accuracy < 1
  ((step, loss),) = curve(trained_net.folder / 'validation', 'cross_entropy')
  assert step == 200 and 0 < loss < 0.5


def test_tensorboard_finds_the_32_filters_of_the_first_layer(trained_net):
  images = {
    value.tag: value.image
    for event in events(trained_net.folder / 'validation')
    for value in event.summary.value
    if 'filters' in value.tag
  }
  assert len(images) == 32
  with tf.Graph().as_default(), tf.Session() as sess:
    content = images['summaries/filters/image/9'].encoded_image_string
    pixels = sess.run(tf.image.decode_png(content))
  filters = variables(trained_net.folder)['conv1/Variable']
  assert np.corrcoef(pixels.ravel(), filters[:, :, 0, 9].ravel())[0, 1] > 0.999
