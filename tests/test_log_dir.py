"""What --log_dir holds: curves and pictures to watch, and checkpoints to go on from."""

import glob
import os
import pathlib
import pty
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from benchmark import RECIPE, rate_at

from conftest import ROOT, lines_of, run

os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
import tensorflow.compat.v1 as tf  # noqa: E402


def events(folder):
  """Returns the events in a folder, oldest file first."""
  files = sorted(glob.glob(f'{folder}/events.*'), key=os.path.getmtime)
  return [event for file in files for event in tf.train.summary_iterator(file)]


def values(folder):
  """Returns the summaries in a folder: {tag: [(step, value), ...]}."""
  found = {}
  for event in events(folder):
    for value in event.summary.value:
      found.setdefault(value.tag, []).append((event.step, value))
  return found


def curve(folder, tag):
  return [(step, value.simple_value) for step, value in values(folder)[tag]]


def weights(folder):
  """Returns all variables of the last checkpoint."""
  reader = tf.train.load_checkpoint(str(folder))
  return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def picture(value):
  """Returns the pixels of a picture's summary."""
  with tf.Graph().as_default(), tf.Session() as sess:
    return sess.run(tf.image.decode_png(value.image.encoded_image_string))


def graph_scopes(folder):
  definition = tf.GraphDef()
  definition.ParseFromString(next(e.graph_def for e in events(folder) if e.graph_def))
  return {node.name.split('/')[0] for node in definition.node}


def test_two_runs_with_one_seed_are_the_same_to_the_bit(runs):
  one, two = runs('seeded'), runs('seeded again')
  changing = ('Saving graph', '20 steps')  # The folder, and the seconds it took.
  kept = [
    [line for line in lines_of(done) if not line.startswith(changing)] for done in (one, two)
  ]
  assert kept[0] == kept[1] and len(kept[0]) == 7
  one, two = weights(one.folder), weights(two.folder)
  assert one.keys() == two.keys() and len(one) == 27
  for name, value in one.items():
    assert value.tobytes() == two[name].tobytes(), name


def test_the_graph_reads_by_its_scopes(runs):
  scopes = graph_scopes(runs('deep').folder)
  assert scopes >= set('reshape conv1 pool1 conv2 pool2 fc1 dropout fc2 loss'.split())
  assert scopes >= {'adam_optimizer', 'accuracy', 'x', 'y_'}
  assert graph_scopes(runs('softmax 1').folder) >= {'x', 'y_', 'softmax', 'loss', 'accuracy'}


def test_deep_draws_its_curves(runs):
  folder = runs('deep').folder
  printed = re.findall(r'step (\d+), training accuracy (\S+)', runs('deep').stdout)
  drawn = curve(folder, 'training/accuracy')
  assert drawn == [(int(step), pytest.approx(float(value))) for step, value in printed]
  loss = curve(folder, 'training/cross_entropy')
  assert [step for step, _ in loss] == [0, 100, 200] and loss[0][1] > 2 * loss[-1][1]
  ((step, accuracy),) = curve(folder, 'validation/accuracy')
  assert step == 300 and 0.85 < accuracy < 1


def test_softmax_draws_its_curves_and_weights(runs):
  folder = runs('softmax 1').folder
  assert [step for step, _ in curve(folder, 'training/accuracy')] == list(range(0, 1000, 100))
  assert [step for step, _ in curve(folder, 'training/cross_entropy')] == list(range(0, 1000, 100))
  ((step, accuracy),) = curve(folder, 'validation/accuracy')
  assert step == 1000 and 0.9 < accuracy < 0.95
  found = values(folder)
  images = [picture(found[f'pictures/weights/image/{digit}'][-1][1]) for digit in range(10)]
  assert {image.shape for image in images} == {(28, 28, 3)}
  # The middle of a 0 is red, as ink there speaks against it, and that of a 1 is blue.
  assert images[0][14, 14, 0] > 100 and images[0][14, 14, 2] == 0
  assert images[1][14, 14, 2] > 100 and images[1][14, 14, 0] == 0


def test_deep_draws_its_filters_and_mistakes(runs, mnist):
  folder = runs('fast').folder
  found = values(folder)
  filters = picture(found['pictures/filters/image'][-1][1])
  assert filters.shape == (24, 48, 1)
  W = weights(folder)['conv1/Variable']
  assert np.corrcoef(filters[6:11, 6:11, 0].ravel(), W[:, :, 0, 9].ravel())[0, 1] > 0.999
  assert filters[5, 5, 0] in (127, 128)  # Between them and where they are 0 it is grey.


def test_mistakes_stand_in_a_table_of_what_they_are_and_were_taken_for(runs, mnist):
  folder = runs('fast').folder
  ((step, value),) = values(folder)['mistakes/image']
  assert step == 220
  table = picture(value).reshape(11, 28, 11, 28).swapaxes(1, 2)
  labels = np.argmax(mnist.test.labels, 1)
  pixels = np.rint(mnist.test.images * 255).reshape(-1, 28, 28)
  for digit in range(10):  # The first row and column show what the others stand for.
    np.testing.assert_array_equal(table[1 + digit, 0], table[0, 1 + digit])
    mean = pixels[labels == digit].mean(0)
    assert np.corrcoef(table[1 + digit, 0].ravel(), mean.ravel())[0, 1] > 0.999
  drawn = [
    (row, column) for row in range(10) for column in range(10) if table[1 + row, 1 + column].any()
  ]
  assert len(drawn) > 20 and not any(row == column for row, column in drawn)
  for row, column in drawn:
    same = np.abs(pixels[labels == row] - table[1 + row, 1 + column]).max((1, 2)) <= 1
    assert same.any()  # It is one of the test digits of its row.


def start(folder, *flags, before='', program='mnist_deep.py', **options):
  """Starts a program, after `before`, and returns the process."""
  command = [sys.executable, program, '--seed', '1', '--log_dir', str(folder), *flags]
  if before:
    script = f'{before}\nimport runpy, sys\nsys.argv = sys.argv[1:]\n'
    script += 'runpy.run_path(sys.argv[0], run_name="__main__")'
    command[1:1] = ['-c', script]
  options = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'text': True} | options
  return subprocess.Popen(command, cwd=ROOT, **options)


def wait_for_line(process, start):
  for line in process.stdout:
    if line.startswith(start):
      return
  raise AssertionError(process.stderr.read())


# The terminal that closes and the run without a folder, below, show the others.
@pytest.mark.parametrize(
  'number',
  [
    signal.SIGTERM,
    pytest.param(signal.SIGINT, marks=pytest.mark.full),
    pytest.param(signal.SIGHUP, marks=pytest.mark.full),
  ],
)
def test_whatever_ends_it_saves_and_says_how_to_go_on(tmp_path, number):
  folder = tmp_path / 'a log'  # It has a space, so it is quoted.
  process = start(folder)
  wait_for_line(process, 'step 0')
  process.send_signal(number)
  out, err = process.communicate(timeout=60)
  assert process.returncode == 128 + number and 'Traceback' not in err
  advice = rf"Stopped after (\d+) steps\. To go on, run this again with --log_dir '{folder}'"
  steps = re.fullmatch(advice, out.splitlines()[-1])[1]
  assert weights(folder)['global_step'] == int(steps)


@pytest.mark.full
def test_a_program_started_with_nohup_outlives_the_terminal(tmp_path):
  process = start(
    tmp_path / 'log',
    '--steps',
    '20',
    before='import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)',
  )
  wait_for_line(process, 'step 0')
  process.send_signal(signal.SIGHUP)
  wait_for_line(process, '20 steps in')
  process.kill()
  process.communicate()


def test_a_closed_terminal_loses_nothing(tmp_path):
  master, slave = pty.openpty()
  # setsid --ctty: the terminal is the program's own, and ends it when it closes.
  command = [
    'setsid',
    '--ctty',
    sys.executable,
    'mnist_deep.py',
    '--log_dir',
    str(tmp_path / 'log'),
  ]
  process = subprocess.Popen(
    command,
    cwd=ROOT,
    stdin=slave,
    stdout=slave,
    stderr=slave,
    # It would stay ignored if the tests themselves were started with nohup.
    preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
  )
  os.close(slave)
  shown = b''
  while b'step 0' not in shown:
    shown += os.read(master, 1000)
  time.sleep(0.5)
  os.close(master)
  assert process.wait(60) == 128 + signal.SIGHUP
  assert weights(tmp_path / 'log')['global_step'] > 0


def test_ctrl_c_saves_even_if_tee_dies_first(tmp_path):
  process = start(
    tmp_path / 'log', stdout=subprocess.PIPE, env=os.environ | {'PYTHONUNBUFFERED': '1'}
  )
  wait_for_line(process, 'step 0')
  process.stdout.close()
  process.send_signal(signal.SIGINT)
  assert process.wait(60) == 130
  err = process.stderr.read()
  assert 'Traceback' not in err and 'Error' not in err and 'Exception' not in err
  assert weights(tmp_path / 'log')['global_step'] > 0


def test_without_a_folder_there_is_a_graph_and_curves_and_what_ctrl_c_saves(runs, tmp_path):
  folder = re.search('Saving graph to: (.+)', runs('mnist_deep.py diverging').stdout)[1]
  assert [name.partition('.')[0] for name in os.listdir(folder)] == ['events']
  process = subprocess.Popen(
    [sys.executable, 'mnist_deep.py'], cwd=ROOT, stdout=subprocess.PIPE, text=True
  )
  wait_for_line(process, 'step 0')
  process.send_signal(signal.SIGINT)
  folder = re.search('--log_dir (.+)', process.communicate(timeout=60)[0])[1]
  assert process.returncode == 130 and weights(folder)['global_step'] > 0
  shutil.rmtree(folder)


def test_a_run_without_a_folder_leaves_little_behind(runs):
  folder = pathlib.Path(re.search('Saving graph to: (.+)', runs('terminal').stdout)[1])
  assert sum(path.stat().st_size for path in folder.iterdir()) < 1e6
  assert curve(folder, 'validation/accuracy')[0][0] == 50
  assert not [*folder.glob('model*'), *folder.glob('checkpoint')]


# Evaluates the first 200 images for all: what is tested is not how well the net does.
FEW = """
import mnist_deep
run_net = mnist_deep.run_net
def run_few(sess, y_conv, x, keep_prob, images):
  logits = run_net(sess, y_conv, x, keep_prob, images[:200])
  return logits.repeat(len(images) // 200, 0)
mnist_deep.run_net = run_few
"""

# Several runs of main() in one process, each printing which batches it was given, how far they are
# shifted, and Adam's rate.
RESUMED = """
import hashlib, sys
import input_data, mnist_deep
tf = mnist_deep.tf
adam = tf.train.AdamOptimizer
def noted_adam(rate, **options):
  global learning_rate
  learning_rate = tf.convert_to_tensor(rate)
  print('Adam', options)
  return adam(rate, **options)
tf.train.AdamOptimizer = noted_adam
next_batch = input_data.DataSet.next_batch
def noted(self, *args):
  batch = next_batch(self, *args)
  print('batch', hashlib.sha256(batch[0].tobytes()).hexdigest())
  print('rate', learning_rate.eval(), 'shift', self.max_shift)
  return batch
input_data.DataSet.next_batch = noted
folder = sys.argv[1]
for run in [
  'whole --steps 210', 'parts --steps 105', 'parts --steps 105', 'parts --steps 210',
  'fast --fast --steps 10', 'fast --fast --steps 20',
]:
  sys.argv = f'mnist_deep.py --batch_size 10 --seed 1 --log_dir {folder}/{run}'.split()
  print('run')
  mnist_deep.main(mnist_deep.parse_flags())
sys.argv = ['mnist_deep.py', '--fast']
print(mnist_deep.parse_flags())
"""


# A run of 210 steps, beside one that was stopped after 105, repeated, and continued; and the fast
# schedule of 10 steps, continued as one of 20.
def resumed(folder):
  return run('-c', FEW + RESUMED, folder)


def test_a_continued_run_gets_the_batches_that_would_have_come(runs):
  whole, first, finished, continued = runs('resumed').stdout.split('run\n')[1:5]
  batches = [re.findall('batch .+', text) for text in (whole, first, finished, continued)]
  assert len(batches[0]) == 210 and len(set(batches[0])) == 210
  assert batches[1] == batches[2] == batches[0][:105]
  assert batches[3] == batches[0]  # Those it has had are taken again, but not trained on.
  assert '105 steps in' in first and '105 steps in' in continued
  assert 'step 100,' not in continued and 'step 200,' in continued
  assert 'Going on from step 105 of 210.' in continued


def test_a_finished_run_evaluates_and_trains_nothing(runs):
  first, finished = runs('resumed').stdout.split('run\n')[2:4]
  assert '0 steps in' in finished and 'training accuracy' not in finished
  said = re.search('The net in (.+) has had 105 steps already. A larger --steps .+', finished)
  assert said[1] == f'{runs("resumed").folder}/parts'
  assert 'Going on' not in first
  assert re.search('test accuracy .+', finished)[0] == re.search('test accuracy .+', first)[0]


def test_a_continued_run_has_adams_state_and_goes_on_with_its_curves(runs):
  done = runs('resumed')
  lines_of(done)
  folder = done.folder
  for name in ('whole', 'parts'):
    state = weights(folder / name)
    assert state['global_step'] == 210
    assert state['adam_optimizer/beta2_power'] == pytest.approx(0.999**211, rel=1e-4)
  found = curve(folder / 'parts', 'training/accuracy')
  assert [step for step, _ in found] == [0, 100, 200]
  starts = [e.step for e in events(folder / 'parts') if e.session_log.status == 1]
  assert starts == [0, 106, 106]  # What stands at 105 is kept.


def test_old_checkpoints_give_way_to_new_ones(runs):
  folder = runs('resumed').folder / 'parts'
  names = sorted(path.name for path in folder.glob('model.ckpt-*.index'))
  assert names == ['model.ckpt-105.index', 'model.ckpt-210.index']


def test_the_fast_schedule_is_the_benchmarks_and_a_longer_one_goes_on_in_its_place(runs):
  done = runs('resumed')
  ten, twenty = done.stdout.split('run\n')[5:]
  assert 'Going on from step 10 of 20 of the fast schedule.' in twenty
  batches = [re.findall('batch .+', text) for text in (ten, twenty)]
  assert batches[0] == batches[1][:10] and len(set(batches[1])) == 20
  for text, first, steps in (ten, 0, 10), (twenty, 10, 20):
    schedule = RECIPE._replace(rising=steps / 5, falling=4 * steps / 5)
    found = re.findall(r'rate (\S+) shift (\d)', text)
    rates = [float(rate) for rate, _ in found[first:]]  # Before, there are the batches it had.
    expected = [rate_at(schedule, step) for step in range(first, steps)]
    assert rates == pytest.approx(expected, rel=1e-4)
    assert {int(shift) for _, shift in found} == {schedule.max_shift}
    assert f"Adam {{'beta2': {schedule.beta2}}}" in text
  defaults = done.stdout.splitlines()[-1]
  assert f'steps={RECIPE.stops[-1]}, batch_size={RECIPE.batch_size}' in defaults
  assert f'learning_rate={RECIPE.rate}' in defaults
  assert (RECIPE.rising, RECIPE.falling, RECIPE.stops[-1]) == (200, 800, 1000)


@pytest.mark.parametrize('kills', [1, pytest.param(20, marks=pytest.mark.full)])
def test_a_killed_run_goes_on_from_its_last_checkpoint(tmp_path, kills):
  moments = random.Random(1)
  folder = tmp_path / 'log'
  reached = 0
  # Checkpoints come so often here that the kills hit their writing, too.
  script = (
    'import argparse, mnist_deep\n'
    'mnist_deep.SAVE_STEPS = 2\n'
    'mnist_deep.run_net = lambda sess, y_conv, x, keep_prob, images: y_conv.eval(\n'
    '  {x: images[:1], keep_prob: 1.0}, sess).repeat(len(images), 0)\n'
    'mnist_deep.main(argparse.Namespace(data_dir="MNIST_data", steps=10**6, batch_size=1,\n'
    f'  learning_rate=1e-4, fast=False, bfloat16=False, seed=1, log_dir={str(folder)!r}))\n'
  )
  for _ in range(kills):
    process = subprocess.Popen(
      [sys.executable, '-c', script], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    before = tf.train.latest_checkpoint(str(folder))
    while tf.train.latest_checkpoint(str(folder)) == before:
      assert time.monotonic() < deadline and process.poll() is None, process.stderr.read()
      time.sleep(0.01)
    time.sleep(moments.uniform(0, 0.5))
    process.kill()
    process.communicate()
    step = weights(folder)['global_step']
    assert step > reached
    reached = step
    assert curve(folder, 'training/accuracy')[-1][0] <= reached + 2


def test_a_full_disk_is_an_error_and_the_checkpoint_before_is_whole(runs, tmp_path):
  shutil.copytree(runs('seeded').folder, tmp_path / 'log')
  limit = 'import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20 << 20, 20 << 20))'
  process = start(tmp_path / 'log', '--steps', '25', before=limit)
  _, err = process.communicate(timeout=60)
  assert process.returncode == 1 and 'Traceback' not in err
  assert err.splitlines()[-1] == f'{tmp_path / "log"} cannot be written: File too large'
  assert weights(tmp_path / 'log')['global_step'] == 20


@pytest.mark.parametrize(
  'program', ['mnist_softmax.py', pytest.param('mnist_deep.py', marks=pytest.mark.full)]
)
def test_curves_that_fit_no_more_are_the_same_error(tmp_path, program):
  limit = 'import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 14, 1 << 14))'
  process = start(tmp_path / 'log', '--steps', '3', before=limit, program=program)
  _, err = process.communicate(timeout=60)
  assert process.returncode == 1 and 'Traceback' not in err
  assert err.splitlines()[-1] == f'{tmp_path / "log"} cannot be written: File too large'


def contents(folder):
  return {path.name: path.read_bytes() for path in folder.iterdir()}


# One process, in which mnist_deep.py is asked to go on in each of several folders.
DAMAGED = """
import argparse, sys
import mnist_deep
for folder in sys.argv[1:]:
  print('in', folder, file=sys.stderr)
  try:
    mnist_deep.main(argparse.Namespace(
      data_dir='MNIST_data', steps=22, batch_size=10, learning_rate=1e-3, fast=False,
      bfloat16=False, seed=1, log_dir=folder, predict=None))
  except SystemExit as error:
    print('exit', error)
"""


def test_a_checkpoint_that_cannot_be_used_is_named_and_kept(runs, tmp_path):
  folders = [tmp_path / name for name in ('data', 'index', 'gone', 'other model')]
  for folder in folders[:3]:
    shutil.copytree(runs('seeded').folder, folder)
  damage(folders[0] / 'model.ckpt-20.data-00000-of-00001')
  os.truncate(folders[1] / 'model.ckpt-20.index', 400)
  (folders[2] / 'model.ckpt-20.index').unlink()
  with tf.Graph().as_default(), tf.Session() as sess:
    sess.run(tf.get_variable('fc9', [3]).initializer)
    tf.train.Saver().save(sess, str(folders[3] / 'model.ckpt'), 7)
  before = [contents(folder) for folder in folders]
  exits = [
    line for line in lines_of(run('-c', FEW + DAMAGED, *folders)) if line.startswith('exit')
  ]
  for folder, line in zip(folders, exits, strict=True):
    reason = 'of another model' if folder.name == 'other model' else 'damaged'
    assert line == f'exit The checkpoint in {folder} is {reason}: choose another --log_dir.'
  assert [contents(folder) for folder in folders] == before


def damage(path):
  whole = path.read_bytes()
  path.write_bytes(whole[:20_000_000] + b'damage' + whole[20_000_006:])


def test_it_goes_on_from_the_newest_checkpoint_that_is_whole(runs, tmp_path):
  folders = [tmp_path / name for name in ('newest damaged', 'no list', 'list damaged')]
  for folder in folders:
    shutil.copytree(runs('seeded').folder, folder)
  for file in list(folders[0].glob('model.ckpt-20.*')):
    shutil.copy(file, folders[0] / file.name.replace('20', '21', 1))
  damage(folders[0] / 'model.ckpt-21.data-00000-of-00001')
  (folders[1] / 'checkpoint').unlink()
  (folders[2] / 'checkpoint').write_bytes(os.urandom(80))
  done = run('-c', FEW + DAMAGED, *folders)
  assert done.stdout.count('Going on from step 20 of 22.') == 3 and 'exit' not in done.stdout
  newest = folders[0] / 'model.ckpt-21'
  assert f'in {folders[0]}\n{newest} is damaged: it is left out.\nin {folders[1]}' in done.stderr
  for folder in folders:
    assert weights(folder)['global_step'] == 22


def test_a_folder_that_cannot_be_is_named():
  done = run('mnist_softmax.py', '--log_dir', 'README.md')
  assert done.returncode == 1 and 'Traceback' not in done.stderr
  assert done.stderr.splitlines()[-1].startswith('README.md cannot be written: ')
