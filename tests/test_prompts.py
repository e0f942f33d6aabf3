"""The programs where there is no shell: in Python's prompt and in a Jupyter notebook."""

import re
import shlex

import pytest
from terminal import Terminal
from test_log_dir import STOPPED

from conftest import ROOT, lines_of, run, variables

SOFTMAX = (ROOT / 'mnist_softmax.py').read_text()
DEEP = (ROOT / 'mnist_deep.py').read_text()


@pytest.mark.oldest
@pytest.mark.parametrize('prompt', [{}, {'PYTHON_BASIC_REPL': '1'}], ids=['newest', 'basic'])
def test_both_programs_are_pasted_and_the_prompt_stays_alive(tmp_path, digits, prompt):
  with Terminal(TMPDIR=str(tmp_path), **prompt) as terminal:
    terminal.paste(SOFTMAX + '\n')
    assert float(terminal.wait_for(r'^test accuracy (0\.\d+)')[1]) > 0.9
    terminal.paste(DEEP + '\n')
    terminal.wait_for(r'^step 0, training accuracy \d')
    terminal.type('\3')
    steps, folder = terminal.wait_for(STOPPED).groups()
    assert variables(folder)['global_step'] == int(steps)
    terminal.paste("print('Ctrl-C', signal.getsignal(2) is signal.default_int_handler)\n")
    assert terminal.wait_for('^Ctrl-C (True|False)')[1] == 'True'
    # Its flags are still there, so it can run again.
    terminal.paste(f'flags.data_dir, flags.steps = {digits!r}, 0\n')
    terminal.paste('with tf.Graph().as_default():\n  main(flags)\n\n')
    terminal.wait_for(r'^test accuracy 0\.\d+')
    assert terminal.leave() == 0


def test_a_program_is_a_cell_and_interrupting_it_saves_the_net(cell):
  out, error = cell(SOFTMAX)
  assert error is None and re.search(r'^test accuracy 0\.9', out, re.MULTILINE)
  out, error = cell(DEEP, interrupt_at='step 0, training accuracy')
  assert error is None
  steps, folder = re.search(STOPPED, out).groups()
  assert variables(folder)['global_step'] == int(steps)
  assert cell('print(6 * 7)') == ('42\n', None)


def test_the_same_seed_gives_the_same_bits_in_a_notebook_and_a_shell(cell, digits, tmp_path):
  flags = '--seed 3 --steps 11 --batch_size 10 --data_dir'.split() + [digits, '--log_dir']
  cell(f'%run mnist_deep.py --steps 0 --data_dir {shlex.quote(digits)}')  # It leaves no trace.
  printed, error = cell(f'%run mnist_deep.py {shlex.join([*flags, f"{tmp_path}/notebook"])}')
  assert error is None
  lines = lines_of(run('mnist_deep.py', *flags, f'{tmp_path}/shell'))
  assert len(lines) == 7 and printed.replace('/notebook', '/shell').splitlines() == lines
  in_notebook, in_shell = variables(tmp_path / 'notebook'), variables(tmp_path / 'shell')
  assert in_notebook.keys() == in_shell.keys() and len(in_shell) == 27
  for name, value in in_notebook.items():
    assert value.tobytes() == in_shell[name].tobytes(), name
