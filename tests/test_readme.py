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

import numpy as np
import pytest
import tensorflow as tf

from conftest import ROOT, lines_of, run

README = (ROOT / 'README.md').read_text()
BLOCKS = re.findall(r'^```(\w+)\n(.*?)^```$', README, re.DOTALL | re.MULTILINE)
PYTHON = [text for kind, text in BLOCKS if kind == 'python']
SHELL = [line for kind, text in BLOCKS if kind == 'sh' for line in text.splitlines()]


def shortened(text):
  """Returns a text whose long loop is short; all else stays."""
  text = text.replace('range(20000)', 'range(200)').replace('i % 5000', 'i % 50')
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
sys.argv = ['']
sys.ps1 = '>>> '
for text in sys.stdin.read().split('\\f'):
  print('\\f')
  console = code.InteractiveConsole({'__name__': '__main__'})
  for line in [*text.splitlines(), '']:
    console.push(line)
  console.push('tf.reset_default_graph()')
"""


def push(text, folder):
  """Feeds `text` line by line to `code.InteractiveConsole`, and returns all that it prints."""
  output = {'capture_output': False, 'stdout': subprocess.PIPE, 'stderr': subprocess.STDOUT}
  done = run('-c', CONSOLE, cwd=folder, input=text, **output)
  assert done.returncode == 0, done.stdout
  return done.stdout


TEXTS = {
  'README.md': '\n'.join(f"print('block {i}')\n{text}" for i, text in enumerate(PYTHON)),
  'mnist_softmax.py': (ROOT / 'mnist_softmax.py').read_text(),
  'mnist_deep.py': (ROOT / 'mnist_deep.py').read_text(),
}


class Shown:
  """What a prompt has shown."""

  def __init__(self, text):
    self.text = text


def pasted(folder, name):
  return Shown(paste(shortened(TEXTS[name]), ROOT))


def pushed(folder):
  # One process is enough for these: each text gets a console of its own.
  return Shown(push(shortened('\f'.join(TEXTS.values())), ROOT))


def shown(runs, way, name):
  """Returns what the prompt shows when a text is typed in."""
  if way == 'paste':
    return runs(f'paste {name}').text
  return runs('push').text.split('\f')[1 + list(TEXTS).index(name)]


@pytest.mark.parametrize('name', TEXTS)
@pytest.mark.parametrize('way', ['paste', 'push'])
def test_it_can_be_pasted_without_an_error(runs, way, name):
  text = shown(runs, way, name)
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


def test_the_readme_shows_what_the_blocks_print(runs):
  printed = printed_by_block(shown(runs, 'push', 'README.md'))
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
      pairs = [zip(a.ljust(28), b.ljust(28), strict=True) for a, b in zip(got, want, strict=True)]
      assert sum(a == b for pair in pairs for a, b in pair) > 0.8 * 28 * len(want), text
    elif re.fullmatch(r'0\.\d+', want[0]):
      assert abs(float(got[0]) - float(want[0])) < 0.01, text
    else:
      assert got == want, text
    compared += 1
  assert compared == 8


def test_the_terminal_shows_the_same(runs):
  text = shown(runs, 'paste', 'README.md')
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


# Where each line of the README's shell blocks is run: here, by .ci/run, or as runs('...').
RUN_BY_CI = {
  'pip install -r tests/requirements.txt',
  'pip install tensorboard',
  'python -m pytest tests',
}
RUN_SHORTER = {
  'python mnist_softmax.py': 'softmax 0',
  'python mnist_deep.py': 'deep',
  'python mnist_deep.py --log_dir logs/deep': 'seeded',
  'python mnist_deep.py --steps 3000 --batch_size 100 --learning_rate 1e-3 --decay': 'fast',
  'python tests/benchmark.py': 'benchmark',
}
# .ci/run makes an environment and installs requirements.txt in its own way.
INSTALL = ['python3 -m venv .venv', '. .venv/bin/activate', 'pip install -r requirements.txt']
OLD = """
from tensorflow.examples.tutorials.mnist import input_data
import tensorflow as tf
mnist = input_data.read_data_sets("MNIST_data/", one_hot=True)
x = tf.placeholder("float", [None, 784])
sess = tf.Session()
sess.run(tf.initialize_all_variables())
print(sess.run(tf.shape(x), {x: mnist.test.images}))
"""


def test_the_shell_commands_work(tmp_path, runs, mnist):
  for name in ('input_data.py', 'mnist_softmax.py', 'mnist_deep.py', 'requirements.txt'):
    shutil.copy(ROOT / name, tmp_path)
  (tmp_path / 'MNIST_data').symlink_to(ROOT / 'MNIST_data')
  (tmp_path / 'old.py').write_text(OLD)
  shutil.copytree(runs('seeded').folder, tmp_path / 'logs' / 'deep')
  ci = (ROOT / '.ci' / 'run').read_text().splitlines()
  assert set(ci) >= RUN_BY_CI
  for name in RUN_SHORTER.values():
    lines_of(runs(name))
  write_digits(tmp_path, mnist)
  here = [c for c in SHELL if c not in RUN_BY_CI and c not in RUN_SHORTER and c not in INSTALL]
  here.remove('tensorboard --logdir logs')  # It has a test of its own.
  done = {}
  for line in here:
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ['PATH']])
    result = subprocess.run(
      line,
      shell=True,
      cwd=tmp_path,
      env=os.environ | {'PATH': path},
      capture_output=True,
      text=True,
      check=True,
    )
    done[line.partition(' /')[0]] = result.stdout
  assert done['python new.py'].splitlines()[-1] == '[10000   784]'
  answers = re.findall(r'(\S+): \d \(\d+\.\d%\)', '\n'.join(done.values()))
  assert answers == ['seven.png', 'three.jpg'] and len(done) == 3


def write_digits(folder, mnist):
  """Writes the two pictures that the README asks about."""
  encoders = {'seven.png': (7, tf.io.encode_png), 'three.jpg': (3, tf.io.encode_jpeg)}
  for name, (digit, encode) in encoders.items():
    n = np.flatnonzero(mnist.test.labels[:, digit])[0]
    image = np.kron(mnist.test.images[n].reshape(28, 28, 1), np.ones([8, 8, 1]))
    with tf.Graph().as_default(), tf.compat.v1.Session() as sess:
      (folder / name).write_bytes(sess.run(encode(np.uint8(255 - 255 * image))))


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


def test_the_benchmark_runs(runs):
  lines = lines_of(runs('benchmark'))
  for start in (
    '| mnist_deep.py |',
    '| Keras `fit` |',
    '| `read_data_sets` |',
    '| a batch of 50 |',
  ):
    assert any(line.startswith(start) for line in lines), start
