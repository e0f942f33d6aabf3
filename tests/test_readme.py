"""Everything in README.md can be pasted, and prints what stands below it."""

import re
import shlex

import pytest
from terminal import Terminal

from conftest import ROOT, lines_of, run, run_here

README = (ROOT / 'README.md').read_text()
NUMBER = r'\d+\.?\d*'

# What is not pasted as it stands: 20,000 steps become 250, Keras trains on 2,000 images, and the
# net of the first screen is the one that the tests have trained.
CHANGED = {
  'range(20000)': 'range(250, 500)',
  'reshape=False': 'reshape=False, validation_size=58000',
  'logs/fast': '{net}',
}


def python_blocks(net):
  """Returns [(block, what is shown below it)]. Keras comes first: it needs version 2."""
  page = README
  for old, new in CHANGED.items():
    page = page.replace(old, new.format(net=net))
  pairs = re.findall(r'(?ms)^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```)?', page)
  return sorted(pairs, key=lambda pair: 'from keras' not in pair[0])


def test_every_block_is_a_cell_and_prints_what_the_readme_shows(cell, trained_net):
  for block, shown in python_blocks(trained_net.folder):
    printed, error = cell(block)
    assert error is None, block
    # The page says that these lines come, and does not show them.
    printed = re.sub('(?m)^(Extracting|WARNING|[IW]0000).*\n', '', printed)
    if '...' in shown:
      printed, shown = (text.splitlines()[-1] for text in (printed, shown))
    printed, shown = (' '.join(text.replace(']', ' ]').split()) for text in (printed, shown))
    assert re.sub(NUMBER, '0', printed) == re.sub(NUMBER, '0', shown), block
    found, expected = ([*map(float, re.findall(NUMBER, text))] for text in (printed, shown))
    if 'keep_prob' in block or 'accuracy_on' in block or 'from keras' in block:
      # The weights are random. The last number is an accuracy, or the last ten are probabilities.
      assert not found or max(found[-10:] if 'softmax' in block else found[-1:]) > 0.4
    else:
      assert found == pytest.approx(expected, abs=0.0101)


@pytest.mark.oldest
def test_every_block_can_be_pasted_into_a_prompt(trained_net):
  with Terminal() as terminal:
    for number, (block, _) in enumerate(python_blocks(trained_net.folder)):
      terminal.paste(f"{block}print('block', {number}, 'is done')\n")
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
  page = README.replace('logs/fast', f"'{trained_net.folder}'")
  command = re.search(r'(?m)^python (.* --predict .*)', page)[1]
  (answer,) = lines_of(run(*shlex.split(command)))
  assert re.fullmatch(r'\.pictures/seven\.png: 7 \(\d+\.\d%(, not sure)?\)', answer)
