"""Both programs, run as a shell user runs them."""

import os
import re
import tempfile

import numpy as np
import pytest

import input_data
from conftest import REFERENCE, lines_of, run, run_here, variables

EXTRACTING = [f'Extracting MNIST_data/{name}' for name in input_data.SHA256]


@pytest.mark.parametrize('seed', [0, 1])
def test_softmax_prints_the_originals_lines_and_accuracy(seed):
  accuracy = REFERENCE[f'figures of a page, seed {seed}'][0]
  assert run_here('mnist_softmax.py', '--seed', seed) == [*EXTRACTING, f'test accuracy {accuracy}']


def test_softmax_takes_other_data_steps_batches_and_rates(digits):
  flags = f'--seed 3 --data_dir {digits} --steps 2 --batch_size 20 --learning_rate 0.2'
  # Two steps in NumPy give this, too. Without one of the flags, it is another figure.
  assert run_here('mnist_softmax.py', *flags.split())[4:] == ['test accuracy 0.128']


def test_deep_prints_the_originals_lines_and_learns(trained_net):
  *lines, last = lines_of(trained_net)
  assert lines[:5] == [*EXTRACTING, f'Saving graph to: {trained_net.folder}']
  for step, line in zip((0, 100), lines[5:], strict=True):
    assert re.fullmatch(rf'step {step}, training accuracy (0\.\d{{1,2}}|1)', line)
  assert float(re.fullmatch(r'test accuracy (0\.\d{1,4})', last)[1]) > 0.95
  assert 'WARNING:tensorflow' not in trained_net.stderr


def test_deep_needs_less_than_1100_megabytes(trained_net):
  # TensorFlow 2.22.0rc0 maps 0.2 GB more of its own library files than 2.21, at a peak of 830 MB.
  assert int(re.search(r'peak (\d+)', trained_net.stderr)[1]) < 1100e6


@pytest.mark.full
@pytest.mark.parametrize('flags', ['', *(f'--fast --seed {seed}' for seed in (1, 2, 3))])
def test_the_whole_training_recognises_99_percent(flags):
  *lines, last = lines_of(run('mnist_deep.py', *flags.split(), timeout=7200))
  assert len(lines) == 5 + (7 if flags else 200)
  assert float(last.removeprefix('test accuracy ')) >= (0.991 if flags else 0.99)


def test_bfloat16_learns_about_the_same_and_says_where_it_is_fast(digits, tmp_path):
  flags = ['--seed', 3, '--steps', 2, '--batch_size', 10, '--data_dir', digits, '--log_dir']
  run_here('mnist_deep.py', *flags, tmp_path / 'float32')
  said = run_here('mnist_deep.py', '--bfloat16', *flags, tmp_path / 'half')
  assert said[4] == 'bfloat16 is fast on processors with AVX512_BF16 or AMX, and slower on others.'
  single, half = (variables(tmp_path / name)['fc1/Variable'] for name in ('float32', 'half'))
  assert half.dtype == np.float32 and np.mean(np.abs(single - half)) < 2e-4
  # Without oneDNN, TensorFlow ignores the flag.
  assert os.environ['TF_ENABLE_ONEDNN_OPTS'] == '0' or np.any(single != half)


WRONG = {
  'mnist_deep.py --steps -5': '--steps has to be at least 0, and --batch_size at least 1',
  'mnist_deep.py --batch_size 0': '--steps has to be at least 0, and --batch_size at least 1',
  'mnist_deep.py --log_dir lr=[1]': '[, * or ? in it, for TensorFlow a pattern of names',
  'mnist_deep.py --predict a.png': '--predict needs --log_dir, the folder of a trained net',
  'mnist_deep.py --step 5': 'unrecognized arguments: --step 5',
  'mnist_softmax.py --step 5': 'unrecognized arguments: --step 5',
}


@pytest.mark.parametrize('command', WRONG)
def test_flags_that_make_no_sense_are_a_usage_error(command, capsys):
  with pytest.raises(SystemExit, match='2'):
    run_here(*command.split())
  assert capsys.readouterr().err.endswith(f'{WRONG[command]}\n')


@pytest.mark.parametrize('program', ['mnist_softmax.py', 'mnist_deep.py'])
def test_without_a_seed_runs_differ(program, digits, tmp_path, monkeypatch):
  monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))  # For the curves of mnist_deep.py.
  flags = '--steps', 1, '--batch_size', 1, '--data_dir', digits
  assert len({run_here(program, *flags)[-1] for _ in range(5)}) > 1
