"""The two programs, run as a shell user runs them, on the real archives."""

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from test_log_dir import weights

from conftest import ROOT, lines_of, run, write_idx

PROGRAMS = ['mnist_softmax.py', 'mnist_deep.py']
# The other one of the two is left to the long tests.
SOFTMAX = ['mnist_softmax.py', pytest.param('mnist_deep.py', marks=pytest.mark.full)]
DEEP = [pytest.param('mnist_softmax.py', marks=pytest.mark.full), 'mnist_deep.py']
EXTRACTING = [
  f'Extracting MNIST_data/{name}-ubyte.gz'
  for name in ('train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1')
]
RATE = r'steps in \d+\.\d seconds, \d+\.\d steps per second'


def final_accuracy(lines):
  return float(lines[-1].removeprefix('test accuracy '))


@pytest.mark.parametrize('seed, accuracy', [(0, 0.9178), (1, 0.9195)])
def test_softmax_prints_the_originals_accuracy(runs, seed, accuracy):
  lines = lines_of(runs(f'softmax {seed}'))
  assert re.fullmatch('Running on: .+', lines[0])
  assert lines[1:5] == EXTRACTING
  assert re.fullmatch(f'1000 {RATE}', lines[5])
  assert lines[6:] == [f'test accuracy {accuracy}']


def test_deep_prints_what_the_original_did(runs):
  done = runs('deep')
  lines = lines_of(done)
  assert re.fullmatch('Running on: .+', lines[0])
  assert lines[1:5] == EXTRACTING
  assert lines[5] == f'Saving graph to: {done.folder}'
  for line, step in zip(lines[6:9], range(0, 300, 100), strict=True):
    assert re.fullmatch(rf'step {step}, training accuracy (0\.\d{{1,2}}|1)', line)
  assert re.fullmatch(f'300 {RATE}', lines[9])
  assert len(lines) == 11


def test_deep_learns(runs):
  assert final_accuracy(lines_of(runs('deep'))) >= 0.88
  assert final_accuracy(lines_of(runs('fast'))) >= 0.95


def test_deep_fits_in_a_gigabyte(runs):
  assert int(re.search(r'peak (\d+)', runs('deep').stderr)[1]) < 1000e6


def test_without_a_folder_the_graph_goes_to_a_new_one(runs):
  folder = re.search('Saving graph to: (.+)', runs('mnist_deep.py diverging').stdout)[1]
  assert any(name.startswith('events.out.tfevents') for name in os.listdir(folder))


@pytest.mark.full
def test_the_whole_training_recognises_99_percent():
  lines = lines_of(run('mnist_deep.py', timeout=3600))
  steps = [line for line in lines if line.startswith('step ')]
  assert len(steps) == 200 and steps[-1].startswith('step 19900, ')
  assert final_accuracy(lines) >= 0.99


@pytest.mark.parametrize('program', PROGRAMS)
@pytest.mark.parametrize(
  'flags, complaint',
  [
    ('--step 5', 'unrecognized arguments: --step'),
    ('--colour red', 'unrecognized arguments: --colour'),
    ('--steps -1', '--steps: must be at least 0'),
    ('--steps 1.5', "--steps: invalid int value: '1.5'"),
    ('--batch_size 0', '--batch_size: must be at least 1'),
    ('--learning_rate 0', '--learning_rate: must be at least 1e-38 and below 3e+38: 0.0'),
    ('--learning_rate -1', '--learning_rate: must be at least 1e-38'),
    ('--learning_rate nan', '--learning_rate: must be at least 1e-38'),
    ('--learning_rate inf', '--learning_rate: must be at least 1e-38'),
    ('--learning_rate fast', "--learning_rate: invalid float value: 'fast'"),
    ('--seed -1', '--seed: must be at least 0 and below 4294967296: -1'),
    ('--seed 4294967296', '--seed: must be at least 0 and below 4294967296'),
  ],
)
def test_a_wrong_flag_is_argparses_error(program, flags, complaint):
  done = run(program, *flags.split())
  assert done.returncode == 2 and complaint in done.stderr.splitlines()[-1]
  assert done.stdout == ''


def test_a_folder_that_tensorflow_takes_for_a_pattern_is_refused():
  done = run('mnist_deep.py', '--log_dir', 'a[1]')
  assert done.returncode == 2 and '--log_dir: must not contain' in done.stderr.splitlines()[-1]


@pytest.mark.parametrize('program', PROGRAMS)
def test_ctrl_c_has_no_traceback_at_any_moment(program):
  for delay in (0.5, 3):  # While Python, NumPy, TensorFlow load, and while it runs.
    command = [sys.executable, program]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=60)[1]
    assert b'Traceback' not in err and b'Exception' not in err, err
    assert process.returncode in (130, -signal.SIGINT, 0), err  # A shell says 130 for both.


@pytest.mark.parametrize('program', DEEP)
def test_a_closed_pipe_ends_the_program_quietly(program):
  command = f'{{ "{sys.executable}" -u {program} --steps 300; echo status $? >&2; }} | head -3'
  done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True)
  assert len(done.stdout.splitlines()) == 3 and done.stdout.count('Extracting') == 2
  lines = [line for line in done.stderr.splitlines() if not line.startswith(('I0', 'WARNING'))]
  assert lines == ['status 141']


@pytest.mark.parametrize('program', SOFTMAX)
def test_a_full_device_for_standard_output_is_one_sentence(program):
  with open('/dev/full', 'w') as full:
    done = run(program, '--steps', '1', capture_output=False, stdout=full, stderr=subprocess.PIPE)
  assert done.returncode == 1 and 'Traceback' not in done.stderr
  message = 'Standard output cannot be written: No space left on device'
  assert done.stderr.splitlines()[-1] == message


@pytest.mark.parametrize('program', DEEP)
def test_odd_surroundings_bring_no_traceback(program, tmp_path, digits):
  (tmp_path / '\u00e9').symlink_to(digits)
  environment = os.environ | {'HOME': str(tmp_path), 'PYTHONIOENCODING': 'ascii'}
  flags = '--steps 1 --data_dir=~/\u00e9 --log_dir=~/logs/\u00e9'
  command = f'"{sys.executable}" {program} {flags} 2>&-'
  done = subprocess.run(
    command, shell=True, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
  )
  assert done.returncode == 0 and done.stdout.splitlines()[-1].startswith('test accuracy')
  # Both folders are the home's, and none is called "~".
  assert list((tmp_path / 'logs' / '\u00e9').glob('events*')) and not (ROOT / '~').exists()


# Runs both programs in each of several folders, in one process.
IN_FOLDERS = """
import runpy, sys
for folder in sys.argv[1:]:
  for program in 'mnist_softmax.py', 'mnist_deep.py':
    sys.argv = [program, '--data_dir', folder]
    try:
      runpy.run_path(program, run_name='__main__')
    except SystemExit as error:
      print('ended:', error)
"""  # In a shell, Python prints what such an error says, and ends with exit status 1.


def test_data_of_another_form_is_one_sentence(tmp_path):
  needs = 'images of 28x28: over 5,000 to train, some to test.'
  folders = []
  # The side of the images, the number to train and validate with, and the number to test.
  for form in (8, 5001, 1), (28, 5000, 1), (28, 5001, 0):
    folder, side = tmp_path / '{}-{}-{}'.format(*form), form[0]
    folder.mkdir()
    folders.append(folder)
    for kind, n in zip(('train', 't10k'), form[1:], strict=True):
      pixels = bytes(n * side * side)
      write_idx(folder / f'{kind}-images-idx3-ubyte.gz', 2051, n, side, side, data=pixels)
      write_idx(folder / f'{kind}-labels-idx1-ubyte.gz', 2049, n, data=bytes(n))
  ended = [line for line in lines_of(run('-c', IN_FOLDERS, *folders)) if 'ended' in line]
  assert ended == [f'ended: {folder} must hold {needs}' for folder in folders for _ in PROGRAMS]


def test_predicting_without_a_folder_is_argparses_error():
  done = run('mnist_deep.py', '--predict', 'seven.png')
  assert done.returncode == 2 and '--log_dir' in done.stderr.splitlines()[-1]


def in_a_copy(folder):
  """Runs mnist_softmax.py in a folder that holds nothing else but the data."""
  (folder / 'MNIST_data').symlink_to(ROOT / 'MNIST_data')
  return run(ROOT / 'mnist_softmax.py', '--steps', '0', '--batch_size', '7', cwd=folder)


def test_softmax_writes_nothing_unless_asked(runs):
  done = runs('softmax in a copy')
  lines_of(done)
  assert os.listdir(done.folder) == ['MNIST_data']


def test_no_steps_is_an_untrained_model(runs):
  lines = lines_of(runs('softmax in a copy'))
  assert re.match(r'0 steps in 0\.0 seconds', lines[-2])
  assert final_accuracy(lines) < 0.3


@pytest.mark.parametrize('program', PROGRAMS)
def test_a_loss_that_is_no_number_ends_the_run(runs, program):
  done = runs(f'{program} diverging')
  assert done.returncode == 1
  message = r'^The loss is (nan|inf|-inf) at step [15]\. Try a smaller --learning_rate\.$'
  assert re.search(message, done.stderr, re.MULTILINE)
  assert 'test accuracy' not in done.stdout and 'Traceback' not in done.stderr


def without_avx512(folder):
  environment = os.environ | {'ONEDNN_MAX_CPU_ISA': 'AVX2'}
  return run('mnist_deep.py', '--bfloat16', '--steps', '1', env=environment)


def test_bfloat16_is_refused_where_it_does_not_work(runs):
  done = runs('bfloat16 refused')
  assert done.returncode == 1 and 'Traceback' not in done.stderr
  needs = 'TensorFlow refuses bfloat16 here: it needs a processor with AVX-512.'
  assert done.stderr.splitlines()[-1] == needs


def test_bfloat16_says_where_it_is_fast_and_learns_about_the_same(runs):
  done = runs('bfloat16')
  if 'TensorFlow refuses bfloat16 here' in done.stderr:
    pytest.skip('This processor has no AVX-512.')
  where = 'fast on processors with AMX or AVX512_BF16, slower than float32 on others'
  assert f'bfloat16 is {where}.' in lines_of(done)
  found, expected = weights(done.folder), weights(runs('seeded').folder)
  for name in ('conv1/Variable', 'fc1/Variable'):
    difference = np.abs(found[name] - expected[name])
    assert found[name].dtype == np.float32 and 0 < np.mean(difference) < 5e-4


def test_nothing_is_rewritten_without_a_terminal(runs):
  for name in ('deep', 'softmax 1'):
    done = runs(name)
    assert '\r' not in done.stderr + done.stdout and 'seconds left' not in done.stderr


def test_the_functions_of_deep_can_be_imported_without_running_anything():
  script = """
import mnist_deep
tf = mnist_deep.tf
y_conv, keep_prob = mnist_deep.deepnn(tf.placeholder(tf.float32, [None, 784]))
names = {v.op.name.split('/')[0] for v in tf.trainable_variables()}
scopes = {op.name.split('/')[0] for op in tf.get_default_graph().get_operations()}
print(y_conv.shape.as_list(), keep_prob.dtype.name, sorted(names), sorted(scopes))
print(mnist_deep.conv2d(tf.zeros([2, 28, 28, 1]), mnist_deep.weight_variable([5, 5, 1, 3])).shape)
print(mnist_deep.max_pool_2x2(tf.zeros([2, 28, 28, 1])).shape, mnist_deep.bias_variable([4]).shape)
"""
  assert lines_of(run('-c', script)) == [
    "[None, 10] float32 ['conv1', 'conv2', 'fc1', 'fc2'] "
    + "['Placeholder', 'conv1', 'conv2', 'dropout', 'fc1', 'fc2', 'pool1', 'pool2', 'reshape']",
    '(2, 28, 28, 3)',
    '(2, 14, 14, 1) (4,)',
  ]


def on_a_terminal(folder, data_dir):
  """Runs mnist_deep.py with standard error, but not standard output, on a terminal."""
  master, slave = pty.openpty()
  command = [sys.executable, 'mnist_deep.py', '--steps', '50', '--batch_size', '5']
  command += ['--data_dir', data_dir]
  with open(folder / 'out', 'w') as out:
    process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=slave)
  os.close(slave)
  shown = b''
  deadline = time.monotonic() + 120
  while time.monotonic() < deadline and select.select([master], [], [], 60)[0]:
    try:
      piece = os.read(master, 4096)
    except OSError:  # The program has closed its end of the terminal.
      break
    shown += piece
  stdout, status = (folder / 'out').read_text(), process.wait(10)
  return subprocess.CompletedProcess(command, status, stdout, shown.decode())


def test_a_terminal_shows_how_long_it_will_take(runs):
  done = runs('terminal')
  assert 'left' not in done.stdout and lines_of(done)
  frames = re.findall('\r\x1b\\[K(step \\d+ of 50, \\d+ seconds left)', done.stderr)
  assert len(frames) == 5 and frames[-1] == 'step 50 of 50, 0 seconds left'
  assert done.stderr.endswith('\r\x1b[K')  # Nothing is left of it.


def test_data_that_cannot_be_read_is_one_sentence(tmp_path, archives):
  shutil.copytree(archives, tmp_path / 'data')
  (tmp_path / 'data' / 't10k-labels-idx1-ubyte.gz').write_bytes(b'<html>')
  done = run('mnist_softmax.py', '--data_dir', tmp_path / 'data')
  assert done.returncode == 1 and 'Traceback' not in done.stderr
  assert 't10k-labels-idx1-ubyte.gz is damaged' in done.stderr.splitlines()[-1]
