"""Everything in README.md can be pasted, and prints what stands below it."""

import re
import subprocess
import sys

import pytest
from terminal import Terminal

from conftest import ROOT, run_here

README = (ROOT / 'README.md').read_text()
BLOCKS = re.findall(r'^```(\w+)\n(.*?)^```$', README, re.DOTALL | re.MULTILINE)

# What is not pasted as it stands: 20,000 steps become 250, Keras trains on 2,000 images, and the
# net of the first screen is the one that the tests have trained.
CHANGED = {
  'range(20000)': 'range(250, 500)',
  'reshape=False': 'reshape=False, validation_size=58000',
  'logs/fast': '{net}',
}


def python_blocks(net):
  """Returns [(block, the lines shown below it)]. Keras comes first: it needs version 2."""
  pairs = []
  for (kind, text), (next_kind, shown) in zip(BLOCKS, [*BLOCKS[1:], ('', '')], strict=True):
    if kind == 'python':
      for old, new in CHANGED.items():
        text = text.replace(old, new.format(net=net))
      pairs.append((text, lines_in(shown) if next_kind == 'text' else []))
  return sorted(pairs, key=lambda pair: 'from keras' not in pair[0])


def lines_in(text):
  return [line.rstrip() for line in text.splitlines() if line.strip()]


def numbers_in(line):
  return [float(number) for number in re.findall(r'\d+\.?\d*', line)]


def words_in(line):
  return re.sub(r'\d+\.?\d*', '', line).split()


def check(block, printed, shown):
  """Compares what a block printed with what the README shows below it."""
  # The page says that these lines come, and does not show them.
  printed = [line for line in printed if not re.match('Extracting|WARNING|[IW]0000', line)]
  if '...' in shown:
    before = shown.index('...')
    after = len(shown) - before - 1
    printed = printed[:before] + printed[len(printed) - after :]
    shown = shown[:before] + shown[before + 1 :]
  assert [words_in(line) for line in printed] == [words_in(line) for line in shown]
  if 'keep_prob' in block or 'accuracy_on' in block or 'from keras' in block:
    # The weights are random. The last line ends in the accuracy, or is the ten probabilities.
    assert not printed or max(n for n in numbers_in(printed[-1]) if n <= 1) > 0.4
  else:
    for got, want in zip(printed, shown, strict=True):
      assert numbers_in(got) == pytest.approx(numbers_in(want), abs=0.0101)


def test_every_block_is_a_cell_and_prints_what_the_readme_shows(cell, trained_net):
  for block, shown in python_blocks(trained_net.folder):
    printed, error = cell(block)
    assert error is None, block
    check(block, lines_in(printed), shown)


@pytest.mark.oldest
def test_every_block_can_be_pasted_into_a_prompt(trained_net):
  with Terminal() as terminal:
    terminal.wait_for('>>> ')
    for number, (block, _) in enumerate(python_blocks(trained_net.folder)):
      terminal.paste(f"{block}print('block', {number}, 'is done')\n")
      terminal.type('\n')
      terminal.wait_for(f'^block {number} is done')
    assert terminal.leave() == 0
  stopped = re.findall(r'^\w*(?:Error|Interrupt)\b.*', terminal.shown, re.MULTILINE)
  assert not stopped, terminal.shown[-3000:]


@pytest.mark.parametrize('program, column', [('mnist_softmax.py', 3), ('mnist_deep.py', 4)])
def test_the_table_of_flags_is_what_the_program_takes(program, column):
  rows = [row.split('|') for row in README.splitlines() if row.startswith('| `--')]
  in_readme = {re.search(r'--\w+', row[1])[0] for row in rows if row[column].strip()}
  options = set(re.findall(r'--\w+', '\n'.join(run_here(program, '--help'))))
  assert options - {'--help', '--predict'} <= in_readme <= options


def test_the_command_that_recognises_a_picture_does(trained_net):
  command = next(line for _, text in BLOCKS for line in text.splitlines() if '--predict' in line)
  command = command.replace('logs/fast', f"'{trained_net.folder}'")
  command = command.replace('python', f'"{sys.executable}"', 1)
  shown = subprocess.check_output(command, shell=True, cwd=ROOT, text=True)
  assert re.fullmatch(r'\.pictures/seven\.png: 7 \(\d+\.\d%(, not sure)?\)\n', shown)
