"""The programs where there is no shell: in Python's prompt and in a Jupyter notebook."""

import re

import pytest
from terminal import Terminal
from test_log_dir import variables

from conftest import ROOT

SOFTMAX = (ROOT / 'mnist_softmax.py').read_text()
DEEP = (ROOT / 'mnist_deep.py').read_text()

# What can be typed after mnist_deep.py was pasted, as its flags are still there.
AGAIN = """
with tf.Graph().as_default():
  main(arguments)

"""


@pytest.mark.oldest
def test_both_programs_are_pasted_and_the_prompt_stays_alive(tmp_path, digits):
  with Terminal(TMPDIR=str(tmp_path)) as terminal:
    terminal.wait_for('>>> ')
    terminal.paste(SOFTMAX + '\n')
    terminal.type('\n')
    assert float(terminal.wait_for(r'^test accuracy (0\.\d+)')[1]) > 0.9
    terminal.paste(DEEP + '\n')
    terminal.type('\n')
    terminal.wait_for(r'^step 0, training accuracy \d')
    terminal.type('\3')
    steps, folder = terminal.wait_for(r'Stopped after (\d+) steps\..* --log_dir (\S+)').groups()
    assert variables(folder)['global_step'] == int(steps)
    # The second time is like the first, with a seed even in what it prints.
    terminal.type(f'arguments.data_dir, arguments.steps, arguments.seed = {digits!r}, 2, 3\n')
    printed = []
    for _ in range(2):
      terminal.paste(AGAIN)
      terminal.type('\n')
      printed.append(terminal.wait_for(r'^step 0, .+\s+test accuracy 0\.\d+')[0].split())
    assert printed[0] == printed[1]
    terminal.type('arguments.learning_rate = 1e38\n')
    terminal.paste(AGAIN)
    terminal.type('\n')
    terminal.wait_for(r'^FloatingPointError: The loss is (nan|-?inf) at step 2\.')
    terminal.type('print(6 * 7)\n')
    terminal.wait_for('^42')
    assert terminal.leave() == 0


def test_a_program_is_a_cell_and_interrupting_it_saves_the_net(cell):
  out, error = cell(SOFTMAX)
  assert error is None and re.search(r'^test accuracy 0\.9', out, re.MULTILINE)
  out, error = cell(DEEP, interrupt_at='step 0, training accuracy')
  assert error is None
  steps, folder = re.search(r'Stopped after (\d+) steps\..* --log_dir (\S+)', out).groups()
  assert variables(folder)['global_step'] == int(steps)
  assert cell('print(6 * 7)') == ('42\n', None)


def test_percent_run_takes_flags_and_gives_the_same_bits_again(cell, digits, tmp_path):
  saved = []
  for name in 'ab':
    flags = f'--seed 3 --steps 2 --data_dir {digits} --log_dir {tmp_path / name}'
    out, error = cell(f'%run mnist_deep.py {flags}')
    assert error is None and 'test accuracy' in out
    saved.append(variables(tmp_path / name))
  for name, value in saved[0].items():
    assert value.tobytes() == saved[1][name].tobytes(), name
  out, error = cell(f'%run mnist_deep.py --log_dir {tmp_path}/a --predict .pictures/seven.png')
  assert error is None and re.match(r'\.pictures/seven\.png: \d \(', out)
  assert cell('%run mnist_softmax.py --colour red')[1] == 'SystemExit: 2'


def test_no_blank_line_stands_inside_a_block_or_a_prompt_would_end_it_there():
  for text in SOFTMAX, DEEP:
    code = re.sub(r'""".*?"""', '""', text, flags=re.DOTALL)
    assert not re.search(r'\n[ \t]+\S.*\n\s*\n[ \t]+\S', code)
