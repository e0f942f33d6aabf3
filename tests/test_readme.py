"""Everything in README.md can be pasted, and prints what stands below it."""

import os
import re
import subprocess
import sys

import pytest
from terminal import Terminal

from conftest import ROOT, lines_of, run

README = (ROOT / 'README.md').read_text()
BLOCKS = re.findall(r'^```(\w+)\n(.*?)^```$', README, re.DOTALL | re.MULTILINE)
SHELL = [line for kind, text in BLOCKS if kind == 'sh' for line in text.splitlines()]

# The loops that take long, and what the tests paste instead. All else is pasted as it stands.
SHORTER = {
  'for i in range(1000):': 'for i in range(100):',
  'for i in range(200):': 'for i in range(40):',
  'if i % 200 == 0:': 'if i % 20 == 0:',
  'range(1000, 20000)': 'range(1150, 1200)',
  'if i % 500 == 499:': 'if i % 200 == 199:',
  'range(0, len(data.images), 100)': 'range(0, 1000, 100)',
  'correct / len(data.images)': 'correct / 1000',
}


def shortened(text):
  for long, short in SHORTER.items():
    text = text.replace(long, short)
  return text


PYTHON = [shortened(text) for kind, text in BLOCKS if kind == 'python']


def shown_below(number):
  """Returns the lines that the README shows below a Python block, if any."""
  places = [i for i, (kind, _) in enumerate(BLOCKS) if kind == 'python']
  following = BLOCKS[places[number] + 1 :][:1]
  return [
    line.rstrip()
    for kind, text in following
    if kind == 'text'
    for line in text.splitlines()
    if line.strip()
  ]


def numbers(text):
  return [float(number) for number in re.findall(r'\d+\.?\d*', text)]


def check(block, printed, shown):
  """Compares what a block printed with what the README shows below it."""
  printed = [line.rstrip() for line in printed.splitlines() if line.strip()]
  if 'import tensorflow' in block:  # TensorFlow's own lines differ between machines.
    return
  assert len(printed) == len(shown) or '...' in shown, printed
  if not shown:
    return
  for got, want in zip(printed[:1] + printed[-1:], shown[:1] + shown[-1:], strict=True):
    # Numbers differ where a loop is shorter or the weights are random, the words do not.
    assert re.split(r'\d[\d.]*', got) == re.split(r'\d[\d.]*', want) or 'eval()' in block
  if 'keep_prob' in block or 'accuracy_on' in block:
    assert max(number for number in numbers(printed[-1]) if number <= 1) > 0.4
  elif "'+' if w" in block:  # The last bit of a weight depends on the processor.
    pairs = [
      (a, b)
      for got, want in zip(printed, shown, strict=True)
      for a, b in zip(got.ljust(28), want.ljust(28), strict=True)
    ]
    assert sum(a == b for a, b in pairs) > 0.99 * len(pairs)
  elif '...' not in shown:
    assert numbers('\n'.join(printed)) == pytest.approx(numbers('\n'.join(shown)), abs=0.0101)


def test_every_block_is_a_cell_and_prints_what_the_readme_shows(cell):
  for number, block in enumerate(PYTHON):
    printed, error = cell(block)
    assert error is None, block
    check(block, printed, shown_below(number))


@pytest.mark.oldest
def test_every_block_can_be_pasted_into_a_prompt():
  with Terminal() as terminal:
    terminal.wait_for('>>> ')
    for number, block in enumerate(PYTHON):
      terminal.paste(block)
      terminal.type('\n')
      terminal.paste(f"print('block', {number}, 'is done')")
      terminal.type('\n')
      terminal.wait_for(f'^block {number} is done')
    assert terminal.leave() == 0
  stopped = re.findall(r'^\w*(?:Error|Interrupt)\b.*', terminal.shown, re.MULTILINE)
  assert not stopped, terminal.shown[-3000:]


def test_no_blank_line_would_end_an_indented_block_in_a_prompt():
  for block in PYTHON:
    code = re.sub(r'""".*?"""', '""', block, flags=re.DOTALL)
    assert not re.search(r'\n[ \t]+\S.*\n\s*\n[ \t]+\S', code)
    if re.match(r'\s', code.rstrip().splitlines()[-1]):
      assert code.endswith('\n\n')  # The blank line after it runs the block.


def test_links_and_named_files_exist():
  headings = re.findall('^#+ (.+)$', README, re.MULTILINE)
  anchors = {re.sub(r'[^\w -]', '', h).lower().replace(' ', '-') for h in headings}
  for target in re.findall(r'\]\(([^)]+)\)', README):
    there = target.removeprefix('#') in anchors or (ROOT / target).is_file()
    assert target.startswith('https://') or there, target
  pictures = {f'.pictures/{path.name}' for path in (ROOT / '.pictures').iterdir()}
  assert pictures == set(re.findall(r'\.pictures/\w+\.png', README))


@pytest.mark.parametrize('program, column', [('mnist_softmax.py', 3), ('mnist_deep.py', 4)])
def test_the_table_of_flags_is_what_the_program_takes(program, column):
  table = README[README.index('| flag |') :].partition('\n\n')[0]
  rows = [row.split('|') for row in table.splitlines() if row.startswith('| `--')]
  in_readme = {re.search(r'--\w+', row[1])[0] for row in rows if row[column].strip()}
  options = set(re.findall(r'--\w+', '\n'.join(lines_of(run(program, '--help')))))
  assert options - {'--help', '--predict', '--bfloat16', '--fast'} <= in_readme
  assert in_readme <= options


def test_both_commands_of_the_first_screen_are_those_of_ci():
  ci = (ROOT / '.ci' / 'run').read_text()
  first_screen = [line for line in SHELL if line.startswith('python3 -m venv')]
  assert len(first_screen) == 2 and all(line in ci for line in first_screen)


def test_the_command_that_recognises_a_picture_does(trained_net):
  command = next(line for line in SHELL if '--predict' in line)
  command = command.replace('logs/fast', str(trained_net.folder))
  command = command.replace('python', f'"{sys.executable}"', 1)
  done = subprocess.run(
    command, shell=True, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False
  )
  assert re.fullmatch(r'\.pictures/seven\.png: 7 \(\d+\.\d%(, not sure)?\)\n', done.stdout)
