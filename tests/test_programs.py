"""Both programs, run as a shell user runs them."""

import contextlib
import io
import os
import pty
import re
import runpy
import select
import subprocess
import sys

import numpy as np
import pytest

from conftest import ROOT, lines_of, run

EXTRACTING = [
  f'Extracting MNIST_data/{name}-ubyte.gz'
  for name in ('train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1')
]


@pytest.mark.parametrize('seed, accuracy', [(0, 0.9178), (1, 0.9195)])
def test_softmax_prints_the_originals_lines_and_accuracy(seed, accuracy):
  lines = lines_of(run('mnist_softmax.py', '--seed', seed))
  assert lines == [*EXTRACTING, f'test accuracy {accuracy}']


def test_deep_prints_the_originals_lines_and_learns(trained_net):
  lines = lines_of(trained_net)
  assert lines[:5] == [*EXTRACTING, f'Saving graph to: {trained_net.folder}']
  for step, line in zip((0, 100), lines[5:7], strict=True):
    assert re.fullmatch(rf'step {step}, training accuracy (0\.\d{{1,2}}|1)', line)
  assert re.fullmatch(r'test accuracy 0\.\d{1,4}', lines[7]) and len(lines) == 8
  assert float(lines[7].split()[-1]) > 0.95


def test_deep_fits_in_a_gigabyte(trained_net):
  assert int(re.search(r'peak (\d+)', trained_net.stderr)[1]) < 1000e6


@pytest.mark.full
def test_the_whole_training_recognises_99_percent():
  lines = lines_of(run('mnist_deep.py', timeout=7200))
  steps = [line for line in lines if line.startswith('step ')]
  assert len(steps) == 200 and steps[-1].startswith('step 19900, ')
  assert float(lines[-1].split()[-1]) >= 0.99


@pytest.mark.full
@pytest.mark.parametrize('seed', range(1, 4))
def test_the_fast_training_recognises_99_percent(seed):
  lines = lines_of(run('mnist_deep.py', '--fast', '--seed', seed))
  assert float(lines[-1].split()[-1]) >= 0.991


@pytest.mark.oldest
def test_a_program_in_another_folder_uses_the_archives_beside_it(tmp_path):
  (tmp_path / 'mnist').symlink_to(ROOT)
  lines = lines_of(run('mnist/mnist_softmax.py', '--steps', '1', cwd=tmp_path))
  assert len(lines) == 5 and 'Extracting' in lines[3]
  assert os.listdir(tmp_path) == ['mnist']


@pytest.mark.parametrize('program', ['mnist_softmax.py', 'mnist_deep.py'])
def test_a_wrong_flag_is_argparses_error(program):
  done = run(program, '--colour', 'red')
  assert done.returncode == 2 and done.stdout == ''
  assert done.stderr.splitlines()[-1].endswith('unrecognized arguments: --colour red')


def test_data_that_cannot_be_read_is_named_in_the_last_line(digits, tmp_path):
  for file in os.listdir(digits):
    (tmp_path / file).symlink_to(f'{digits}/{file}')
  (tmp_path / 't10k-labels-idx1-ubyte.gz').unlink()
  (tmp_path / 't10k-labels-idx1-ubyte.gz').write_bytes(b'<html>')
  done = run('mnist_softmax.py', '--data_dir', tmp_path)
  assert done.returncode == 1
  assert 't10k-labels-idx1-ubyte.gz is damaged' in done.stderr.splitlines()[-1]


def test_the_output_of_deep_can_be_captured(digits, monkeypatch):
  monkeypatch.chdir(ROOT)
  monkeypatch.setattr(sys, 'argv', ['mnist_deep.py', '--steps', '0', '--data_dir', digits])
  captured = io.StringIO()
  with contextlib.redirect_stdout(captured), pytest.raises(SystemExit) as ended:
    runpy.run_path('mnist_deep.py', run_name='__main__')
  assert not ended.value.code and 'test accuracy' in captured.getvalue()


def test_bfloat16_learns_about_the_same_and_says_where_it_is_fast(digits, tmp_path):
  flags = ['--seed', 3, '--steps', 2, '--batch_size', 10, '--data_dir', digits, '--log_dir']
  lines_of(run('mnist_deep.py', *flags, tmp_path / 'float32'))
  lines = lines_of(run('mnist_deep.py', '--bfloat16', *flags, tmp_path / 'bfloat16'))
  assert lines[0] == (
    'bfloat16 is fast on processors with AVX512_BF16 or AMX, and slower on others.'
  )
  import tensorflow as tf

  readers = [tf.train.load_checkpoint(str(tmp_path / name)) for name in ('float32', 'bfloat16')]
  for name in ('conv1/Variable', 'fc1/Variable'):
    single, half = (reader.get_tensor(name) for reader in readers)
    assert half.dtype == np.float32 and np.mean(np.abs(single - half)) < 2e-4


def test_the_functions_of_deep_can_be_imported_without_training():
  script = """
import mnist_deep
tf = mnist_deep.tf
y_conv, keep_prob = mnist_deep.deepnn(tf.placeholder(tf.float32, [None, 784]))
print(y_conv.shape.as_list(), keep_prob.dtype.name)
print(mnist_deep.conv2d(tf.zeros([2, 28, 28, 1]), mnist_deep.weight_variable([5, 5, 1, 3])).shape)
print(mnist_deep.max_pool_2x2(tf.zeros([2, 28, 28, 1])).shape, mnist_deep.bias_variable([4]).shape)
"""
  shapes = ['[None, 10] float32', '(2, 28, 28, 3)', '(2, 14, 14, 1) (4,)']
  assert lines_of(run('-c', script)) == shapes


def test_a_terminal_shows_how_many_seconds_are_left(digits, tmp_path):
  master, slave = pty.openpty()
  command = [sys.executable, 'mnist_deep.py', '--steps', '50', '--batch_size', '5']
  with open(tmp_path / 'out', 'w') as out:
    process = subprocess.Popen(
      [*command, '--data_dir', digits], cwd=ROOT, stdout=out, stderr=slave
    )
  os.close(slave)
  shown = b''
  while select.select([master], [], [], 600)[0]:
    try:
      shown += os.read(master, 4096)
    except OSError:  # The program has closed its end of the terminal.
      break
  assert process.wait(60) == 0 and 'left' not in (tmp_path / 'out').read_text()
  frames = re.findall('\r\x1b\\[K(step \\d+ of 50, \\d+ seconds left)', shown.decode())
  assert len(frames) == 5 and frames[-1] == 'step 50 of 50, 0 seconds left'
  assert shown.endswith(b'\r\x1b[K')  # Nothing is left of it.


def test_without_a_terminal_no_line_is_rewritten(trained_net):
  assert '\r' not in trained_net.stdout + trained_net.stderr
