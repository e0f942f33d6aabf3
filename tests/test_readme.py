"""Everything in README.md can be pasted, and both programs as whole files, too."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import threading
import time
import urllib.request

import pytest

from conftest import ROOT, lines_of, run

README = (ROOT / 'README.md').read_text()
BLOCKS = re.findall(r'^```(\w+)\n(.*?)^```$', README, re.DOTALL | re.MULTILINE)
PYTHON = [text for kind, text in BLOCKS if kind == 'python']
SHELL = [line for kind, text in BLOCKS if kind == 'sh' for line in text.splitlines()]


def shortened(text):
  """Returns a text whose long loop is short; all else stays."""
  text = text.replace('range(20000)', 'range(300)').replace('i % 5000', 'i % 75')
  return text.replace('default=20000', 'default=30')


def paste(text, folder):
  """Pastes `text` into `python -i` on a terminal, and returns what the terminal shows."""
  master, slave = pty.openpty()
  environment = os.environ | {'TERM': 'dumb', 'PYTHON_BASIC_REPL': '1', 'COLUMNS': '200'}
  process = subprocess.Popen(
    [os.environ.get('PASTE_PYTHON', sys.executable), '-i'],
    cwd=folder,
    env=environment,
    stdin=slave,
    stdout=slave,
    stderr=slave,
    start_new_session=True,
  )
  os.close(slave)

  def write():
    for line in [*text.splitlines(), '', 'exit()']:
      os.write(master, line.encode() + b'\n')

  threading.Thread(target=write, daemon=True).start()
  shown = b''
  while select.select([master], [], [], 120)[0]:
    try:
      shown += os.read(master, 1 << 16)
    except OSError:  # The interpreter has closed its end.
      break
  assert process.wait(60) == 0
  return shown.decode().replace('\r\n', '\n')


CONSOLE = """
import code, sys
console = code.InteractiveConsole({'__name__': '__main__'})
sys.argv = ['']
for line in [*open(sys.stdin.fileno()).read().splitlines(), '']:
  console.push(line)
"""


def push(text, folder):
  """Feeds `text` line by line to `code.InteractiveConsole`, and returns all that it prints."""
  done = run(
    '-c',
    CONSOLE,
    cwd=folder,
    input=text,
    capture_output=False,
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
  )
  assert done.returncode == 0, done.stdout
  return done.stdout


TEXTS = {
  'README.md': '\n'.join(f"print('block {i}')\n{text}" for i, text in enumerate(PYTHON)),
  'mnist_softmax.py': (ROOT / 'mnist_softmax.py').read_text(),
  'mnist_deep.py': (ROOT / 'mnist_deep.py').read_text(),
}


@pytest.fixture(scope='session')
def shown(in_background):
  """What each way of typing each text in shows, by the names of both."""
  futures = {
    (way.__name__, name): in_background(way, shortened(text), ROOT)
    for way in (paste, push)
    for name, text in TEXTS.items()
  }
  return lambda way, name: futures[way, name].result()


@pytest.mark.parametrize('name', TEXTS)
@pytest.mark.parametrize('way', ['paste', 'push'])
def test_it_can_be_pasted_without_an_error(shown, way, name):
  text = shown(way, name)
  assert not re.search(r'^(Traceback|\w*Error\b)', text, re.MULTILINE), text[-3000:]
  if name != 'README.md':
    assert re.search(r'test accuracy 0\.\d+', text), text[-3000:]


def printed_by_block(text):
  """Returns what each block printed, without the prompts, and on a terminal without the echo."""
  found = []
  for part in re.split(r'^(?:>>> |\.\.\. )*block \d+$', text, flags=re.MULTILINE)[1:]:
    lines = [re.sub(r'^(?:>>> |\.\.\. )+(?=\S).*', '', line) for line in part.splitlines()]
    lines = [line for line in lines if not re.match(r'(>>>|\.\.\.)|[IWE]\d{4} |WARNING', line)]
    found.append([line.rstrip() for line in lines])
  return found


def expected_after():
  """Returns (number, lines shown) of each Python block after which the README shows lines."""
  pairs, number = [], -1
  for (kind, _), (next_kind, output) in zip(BLOCKS, BLOCKS[1:], strict=False):
    number += kind == 'python'
    if kind == 'python' and next_kind == 'text':
      pairs.append((number, output.splitlines()))
  return pairs


def test_the_readme_shows_what_the_blocks_print(shown):
  printed = printed_by_block(shown('push', 'README.md'))
  assert len(printed) == len(PYTHON)
  compared = 0
  for number, lines in expected_after():
    got = [line for line in printed[number] if line.strip()]
    want = [line.rstrip() for line in lines if line.strip()]
    text = '\n'.join(got)
    if 'keep_prob' in PYTHON[number]:  # Shortened here, so the net has learned less.
      assert len(got) == len(want)
      assert float(got[-1].split()[-1]) > 0.75, text
    elif "'+' if w" in PYTHON[number]:  # Random batches give slightly other weights.
      same = sum(a == b for a, b in zip('\n'.join(got), '\n'.join(want), strict=False))
      assert len(got) == len(want) and same > 0.6 * len('\n'.join(want)), text
    elif re.fullmatch(r'0\.\d+', want[0]):
      assert abs(float(got[0]) - float(want[0])) < 0.01, text
    else:
      assert got == want, text
    compared += 1
  assert compared == 8


def test_the_terminal_shows_the_same(shown):
  text = shown('paste', 'README.md')
  assert re.search(r'^0\.9[12]\d\d$', text, re.MULTILINE)
  assert '(55000, 784) (5000, 784) (10000, 784)' in text


@pytest.mark.parametrize('name', TEXTS)
def test_no_blank_line_stands_inside_an_indented_block(name):
  texts = PYTHON if name == 'README.md' else [TEXTS[name]]
  for text in texts:
    text = re.sub(r'""".*?"""', '""', text, flags=re.DOTALL)
    assert not re.search(r'\n[ \t]+\S.*\n\s*\n[ \t]+\S', text)
    assert not re.search(r'\n[ \t]+\S[^\n]*\n(?!else|elif|except|finally|[)\]}])\S', text)
    if name == 'README.md' and re.search(r'^\s', text.rstrip().splitlines()[-1]):
      assert text.endswith('\n\n')  # The block is run by the blank line after it.


def test_links_and_names_of_files_exist():
  headings = re.findall('^#+ (.+)$', README, re.MULTILINE)
  anchors = {re.sub(r'[^\w -]', '', h).lower().replace(' ', '-') for h in headings}
  for target in re.findall(r'\]\(([^)]+)\)', README):
    assert target.startswith('https://') or target.removeprefix('#') in anchors, target
  given = {'old.py', 'new.py', 'seven.png', 'three.jpg'}
  for file in re.findall(r'[\w./-]+\.(?:py|txt|md|png|jpg|gz)\b', README):
    here = [ROOT / file, ROOT / 'MNIST_data' / file]
    assert file in given or any(path.exists() for path in here), file


def test_the_flags_in_the_readme_are_those_of_the_programs():
  table = README[README.index('| flag |') : README.index('### Watching')]
  for program, column in (('mnist_softmax.py', 3), ('mnist_deep.py', 4)):
    options = set(re.findall(r'(--\w+)', run(program, '--help').stdout)) - {'--help'}
    rows = [row.split('|') for row in table.splitlines() if row.startswith('| `--')]
    in_readme = {re.search(r'--\w+', row[1])[0] for row in rows if row[column].strip()}
    assert options - {'--predict'} == in_readme


# Which lines of the README's shell blocks are run where; the others are run below.
RUN_BY_CI = {'pip install -r tests/requirements.txt', 'python -m pytest tests'}
OLD = """
from tensorflow.examples.tutorials.mnist import input_data
import tensorflow as tf
mnist = input_data.read_data_sets("MNIST_data/", one_hot=True)
x = tf.placeholder("float", [None, 784])
sess = tf.Session()
sess.run(tf.initialize_all_variables())
print(sess.run(tf.shape(x), {x: mnist.test.images}))
"""


def test_the_shell_commands_work(tmp_path, runs):
  for name in ('input_data.py', 'mnist_softmax.py', 'mnist_deep.py', 'requirements.txt'):
    shutil.copy(ROOT / name, tmp_path)
  (tmp_path / 'MNIST_data').symlink_to(ROOT / 'MNIST_data')
  (tmp_path / 'old.py').write_text(OLD)
  shutil.copytree(runs('seeded').folder, tmp_path / 'logs')
  ci = (ROOT / '.ci' / 'run').read_text()
  assert all(command in ci.splitlines() for command in RUN_BY_CI)
  path = os.pathsep.join([os.path.dirname(sys.executable), os.environ['PATH']])
  done = {}
  for command in SHELL:
    if command in RUN_BY_CI or 'venv' in command or command.startswith('pip '):
      continue  # Those that install are what .ci/run does to begin with.
    if command.startswith(('tensorboard', 'python tests/')):
      continue  # These have tests of their own.
    short = command
    if command.startswith('python mnist_deep.py') and '--predict' not in command:
      short = re.sub(r' --steps \d+|$', ' --steps 2', command, count=1)
    if '--predict' in command:
      write_digits(tmp_path)
    result = subprocess.run(
      short,
      shell=True,
      cwd=tmp_path,
      env=os.environ | {'PATH': path},
      capture_output=True,
      text=True,
    )
    assert result.returncode == 0, (command, result.stderr)
    done[command] = result.stdout
  assert done['python new.py'].splitlines()[-1] == '[10000   784]'
  assert len(done) == 7


def write_digits(folder):
  script = """
import sys, numpy as np, tensorflow.compat.v1 as tf, input_data
tf.disable_v2_behavior()
test = input_data.read_data_sets('MNIST_data').test
encoders = {'seven.png': (7, tf.image.encode_png), 'three.jpg': (3, tf.image.encode_jpeg)}
for name, (digit, encode) in encoders.items():
  image = test.images[np.flatnonzero(test.labels == digit)[0]].reshape(28, 28, 1)
  with tf.Session() as sess, open(f'{sys.argv[1]}/{name}', 'wb') as f:
    f.write(sess.run(encode(np.uint8(255 - 255 * np.kron(image, np.ones([8, 8, 1]))))))
"""
  lines_of(run('-c', script, folder))


@pytest.mark.skipif(not shutil.which('tensorboard'), reason='TensorBoard is not installed')
def test_tensorboard_starts(runs):
  folder = runs('seeded').folder
  process = subprocess.Popen(
    ['tensorboard', '--logdir', folder, '--port', '0'], stderr=subprocess.PIPE, text=True
  )
  url = next(match[0] for line in process.stderr if (match := re.search(r'http://\S+', line)))
  deadline = time.monotonic() + 60
  while 'training/accuracy' not in (
    tags := urllib.request.urlopen(url + 'data/plugin/scalars/tags').read().decode()
  ):
    assert time.monotonic() < deadline, tags
    time.sleep(0.5)
  process.kill()
  process.wait()


def test_the_benchmark_runs():
  lines = lines_of(run('tests/benchmark.py', '--rounds', '1', '--steps', '2'))
  assert any(
    line.startswith('| mnist_deep.py --bfloat16 |') or '| mnist_deep.py |' in line
    for line in lines
  )
  assert any(line.startswith('| `read_data_sets` |') for line in lines)
