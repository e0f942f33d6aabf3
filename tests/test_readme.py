"""Everything in README.md can be pasted, and both programs as whole files, too."""

import json
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

from conftest import ROOT, lines_of, run

README = (ROOT / 'README.md').read_text()
BLOCKS = re.findall(r'^```(\w+)\n(.*?)^```$', README, re.DOTALL | re.MULTILINE)
PYTHON = [text for kind, text in BLOCKS if kind == 'python']
SHELL = [line for kind, text in BLOCKS if kind == 'sh' for line in text.splitlines()]


SHORTER = {
  'for i in range(1000):': 'for i in range(200):',
  'if i % 200 == 0:': 'if i % 40 == 0:',
  'range(1000, 20000)': 'range(1150, 1200)',
  'if i % 500 == 499:': 'if i % 200 == 199:',
  'default=20000': 'default=30',
  # The first thousand images will do.
  'range(0, len(data.images), 100)': 'range(0, 1000, 100)',
  'correct / len(data.images)': 'correct / 1000',
}


def shortened(text):
  """Returns a text whose long loops are short; all else stays."""
  for long, short in SHORTER.items():
    text = text.replace(long, short)
  return text


PYTHON_PROMPT = os.environ.get('PASTE_PYTHON', sys.executable)


# The first terminal that a new session opens is the one whose Ctrl-C reaches it.
OPEN = 'import os, sys; os.open(os.ttyname(0), os.O_RDWR); os.execv(sys.argv[1], sys.argv[1:])'


def terminal(folder, **environment):
  """Starts Python on a terminal; returns its process and our end of the terminal."""
  master, slave = pty.openpty()
  process = subprocess.Popen(
    [PYTHON_PROMPT, '-c', OPEN, PYTHON_PROMPT, '-i'],
    cwd=folder,
    env=os.environ | {'COLUMNS': '200'} | environment,
    stdin=slave,
    stdout=slave,
    stderr=slave,
    start_new_session=True,
  )
  os.close(slave)
  return process, master


def read(master, seconds):
  """Returns what the terminal shows next, or nothing if it shows nothing for so long."""
  try:
    return os.read(master, 1 << 16) if select.select([master], [], [], seconds)[0] else b''
  except OSError:  # The interpreter has closed its end.
    return b''


def paste(text, folder):
  """Pastes `text` line by line into `python -i`, and returns what the terminal shows."""
  process, master = terminal(folder, TERM='dumb', PYTHON_BASIC_REPL='1')

  def write():
    for line in [*text.splitlines(), '', 'exit()']:
      os.write(master, line.encode() + b'\n')

  threading.Thread(target=write, daemon=True).start()
  shown = b''
  while part := read(master, 120):
    shown += part
  assert process.wait(60) == 0
  return shown.decode().replace('\r\n', '\n')


def paste_blocks(blocks, folder):
  """Pastes each block as a terminal does, between brackets, and presses Enter as README says.

  The blocks print their numbers first. The long loop is stopped with Ctrl-C.
  """
  process, master = terminal(folder, TERM='xterm')
  shown = ''

  def wait(pattern, seconds=120):
    nonlocal shown
    start, ends = len(shown), time.monotonic() + seconds
    while not re.search(pattern, shown[start:], re.MULTILINE) and time.monotonic() < ends:
      part = read(master, 0.2).decode(errors='replace').replace('\r', '')
      shown += re.sub(r'\x1b(\[[0-9;?]*[A-Za-z]|[=>])', '', part)
    return re.search(pattern, shown[start:], re.MULTILINE)

  assert wait('>>> $')
  for i, block in enumerate(blocks):
    os.write(master, b'\x1b[200~' + block.rstrip('\n').encode() + b'\x1b[201~')
    for _ in range(5):
      os.write(master, b'\r')
      if wait(f'^block {i}$', 1):
        break
    if 'range(1000, 20000)' in block:
      time.sleep(2)
      os.write(master, b'\x03')
    if not shown.endswith('>>> '):
      assert wait('>>> $'), shown[-3000:]
  os.write(master, b'exit()\r')
  while read(master, 60):
    pass
  assert process.wait(60) == 0
  return shown


# A prompt without a terminal keeps standard output and standard error apart.
CONSOLE = """
import code, sys
sys.argv = ['']
sys.ps1 = '>>> '
console = code.InteractiveConsole({'__name__': '__main__'})
for line in [*sys.stdin.read().splitlines(), '']:
  console.push(line)
"""


NUMBERED = [f"print('block {i}')\n{text}" for i, text in enumerate(PYTHON)]
TEXTS = {
  'README.md': '\n'.join(NUMBERED),
  'mnist_softmax.py': (ROOT / 'mnist_softmax.py').read_text(),
  'mnist_deep.py': (ROOT / 'mnist_deep.py').read_text(),
}


def pasted(folder, name, data_dir='MNIST_data'):
  code = 'import sys; print(sys.version_info >= (3, 13))'
  knows_brackets = subprocess.check_output([PYTHON_PROMPT, '-c', code], text=True) == 'True\n'
  if name == 'README.md' and knows_brackets:
    # The longest loop stays as it is, to be stopped.
    blocks = [block if 'time.time' in block else shortened(block) for block in NUMBERED]
    return subprocess.CompletedProcess(name, 0, paste_blocks(blocks, ROOT), '')
  text = TEXTS[name].replace("default='MNIST_data'", f'default={data_dir!r}')
  return subprocess.CompletedProcess(name, 0, paste(shortened(text), ROOT), '')


def pushed(folder):
  return run('-c', CONSOLE, input=shortened(TEXTS['README.md']))


@pytest.mark.parametrize('name', TEXTS)
def test_it_can_be_pasted_without_an_error(runs, name):
  text = runs(f'paste {name}').stdout
  # Where the long loop is stopped with Ctrl-C, the prompt says so and goes on.
  stopped = re.compile(r'\^CTraceback.*?^KeyboardInterrupt$', re.DOTALL | re.MULTILINE)
  text = stopped.sub('', text, count=1)
  assert not re.search(r'^(Traceback|\w*(Error|Interrupt)\b)', text, re.MULTILINE), text[-3000:]
  if name != 'README.md':
    assert re.search(r'test accuracy 0\.\d+', text), text[-3000:]


def printed_by_block(text):
  """Returns what each block printed."""
  parts = re.split(r'^block \d+\n', text, flags=re.MULTILINE)[1:]
  return [[line.rstrip() for line in part.splitlines() if line.strip()] for part in parts]


def expected_after():
  """Returns (number, lines shown) of each Python block after which the README shows lines."""
  pairs, number = [], -1
  for (kind, _), (next_kind, output) in zip(BLOCKS, BLOCKS[1:], strict=False):
    number += kind == 'python'
    if kind == 'python' and next_kind == 'text':
      pairs.append((number, [line.rstrip() for line in output.splitlines() if line.strip()]))
  return pairs


def numbers(line):
  return [float(number) for number in re.findall(r'\d+\.?\d*', line)]


def test_the_readme_shows_what_the_blocks_print(runs):
  printed = printed_by_block(runs('push').stdout)
  assert len(printed) == len(PYTHON)
  for number, want in expected_after():
    got, block = printed[number], PYTHON[number]
    text = '\n'.join(got)
    if 'import tensorflow' in block:  # What is shown there stands on standard error.
      assert not got
    elif 'extract_digit' in block:
      assert len(got) == 1
      assert np.argmax(numbers(got[0])) == np.argmax(numbers(want[0])) == 7
    elif 'accuracy_on' in block or 'keep_prob' in block:
      # Shortened here, so the net has learned less; what surrounds the numbers is the same.
      assert len(got) == len(want) or '...' in want, text
      for got_line, want_line in (got[0], want[0]), (got[-1], want[-1]):
        assert re.split(r'\d[\d.]*', got_line) == re.split(r'\d[\d.]*', want_line)
      accuracies = [number for number in numbers(got[-1]) if number <= 1]
      assert max(accuracies) > 0.75, text
    elif "'+' if w" in block:  # The order of sums may differ in the last bit.
      pairs = [zip(a.ljust(28), b.ljust(28), strict=True) for a, b in zip(got, want, strict=True)]
      assert sum(a == b for pair in pairs for a, b in pair) > 0.99 * 28 * len(want), text
    elif 'eval' in block:
      assert numbers(text) == pytest.approx(numbers('\n'.join(want)), abs=0.0101)
    elif '...' in want:
      assert [got[0], got[-1]] == [want[0], want[-1]], text
    else:
      assert got == want, text
  assert len(expected_after()) == 14


def test_the_terminal_shows_the_same(runs):
  text = runs('paste README.md').stdout
  assert re.search(r'^0\.917\d$', text, re.MULTILINE)
  assert '(55000, 784) (55000, 10)' in text
  assert re.search(r'^\[\[0\..* 0\.  ?\]\]', text, re.MULTILINE), text[-3000:]


@pytest.mark.parametrize('way', ['paste', 'push'])
def test_standard_error_has_only_the_lines_that_the_readme_shows(runs, way):
  if way == 'push':
    text = runs('push').stderr
  else:
    logged = '^(?:WARNING|Instructions|[IWEF]0000).*'
    text = '\n'.join(re.findall(logged, runs('paste README.md').stdout, re.MULTILINE))
  (known,) = [text for kind, text in BLOCKS if kind == 'text' and 'absl' in text]
  known, text = (re.sub(r'0000 [\d:. ]*', '', part).strip() for part in (known, text))
  lines = text.splitlines()
  starts = tuple(line.partition(' ...')[0] for line in known.splitlines())
  assert len(lines) <= 2 * len(starts) == 6, text
  assert all(line.startswith(starts) for line in lines), text


@pytest.mark.full
@pytest.mark.parametrize('rate, percent', [(0.001, 79), (5, 89)])
def test_a_learning_rate_reaches_what_the_readme_says(rate, percent):
  lines = lines_of(run('mnist_softmax.py', '--seed', '0', '--learning_rate', rate))
  assert abs(100 * float(lines[-1].split()[-1]) - percent) < 1.1
  assert f'{percent} %' in README


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
    there = target.removeprefix('#') in anchors or (ROOT / target).is_file()
    assert target.startswith('https://') or there, target
  given = {'old.py', 'new.py', 'fully_connected_feed.py'}
  for file in re.findall(r'[\w./-]+\.(?:py|txt|md|png|jpg|gz)\b', README):
    here = [ROOT / file, ROOT / 'MNIST_data' / file]
    assert file in given or any(path.exists() for path in here), file


def test_the_pictures_are_few_and_small():
  pictures = set((ROOT / '.pictures').iterdir())
  assert pictures == {ROOT / name for name in re.findall(r'\.pictures/\w+\.png', README)}
  assert len(pictures) <= 5
  for picture in pictures:
    assert picture.read_bytes().startswith(b'\x89PNG') and picture.stat().st_size <= 100_000


def test_the_pictures_are_what_their_command_makes(runs):
  import pictures

  shown = {path.stem: pictures.decoded(path.read_bytes()) for path in pictures.PICTURES.iterdir()}
  assert np.array_equal(shown['seven'], np.uint8(pictures.photograph()))
  # Another seed gives slightly other weights.
  weights = pictures.weights(runs('softmax 1').folder)
  assert np.corrcoef(shown['weights'].ravel(), weights.ravel())[0, 1] > 0.9
  # The first row and column of the mistakes are the means of the digits, the same in all runs.
  mistakes = pictures.mistakes(runs('deep').folder)
  assert np.array_equal(shown['mistakes'][:56], mistakes[:56])
  assert np.array_equal(shown['mistakes'][:, :56], mistakes[:, :56])


def test_the_flags_in_the_readme_are_those_of_the_programs():
  table = README[README.index('| flag |') :].partition('\n\n')[0]
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
  'python mnist_deep.py --log_dir logs/deep': 'seeded',
  'python mnist_deep.py --fast': 'fast',
  'python tests/benchmark.py': 'benchmark',
}
# .ci/run makes an environment and installs requirements.txt in its own way.
INSTALL = ['python3 -m venv .venv', '. .venv/bin/activate', 'pip install -r requirements.txt']


@pytest.fixture
def copy(tmp_path, runs):
  """A folder with what the project is to its user, and a trained net."""
  for name in ('input_data.py', 'mnist_softmax.py', 'mnist_deep.py', 'requirements.txt'):
    shutil.copy(ROOT / name, tmp_path)
  for name in ('MNIST_data', '.pictures'):
    (tmp_path / name).symlink_to(ROOT / name)
  shutil.copytree(runs('seeded').folder, tmp_path / 'logs' / 'deep')
  return tmp_path


def shell(line, folder):
  """Runs a line of the README in a shell, and returns what it prints."""
  path = os.pathsep.join([os.path.dirname(sys.executable), os.environ['PATH']])
  environment = os.environ | {'PATH': path}
  options = {'cwd': folder, 'env': environment, 'capture_output': True, 'text': True}
  done = subprocess.run(line, shell=True, check=False, **options)
  assert done.returncode == 0, done.stderr
  return done.stdout


OLD = """
mnist = input_data.read_data_sets("/tmp/data/", one_hot=True)
x = tf.placeholder("float", [None, 784])
sess = tf.Session()
sess.run(tf.initialize_all_variables())
print(sess.run(tf.shape(x), {x: mnist.test.images}))
"""


def test_the_shell_commands_work(copy, runs):
  ci = (ROOT / '.ci' / 'run').read_text().splitlines()
  assert set(ci) >= RUN_BY_CI
  for name in RUN_SHORTER.values():
    lines_of(runs(name))
  (copy / 'old.py').write_text(OLD_IMPORTS[0] + OLD)
  here = [c for c in SHELL if c not in RUN_BY_CI and c not in RUN_SHORTER and c not in INSTALL]
  here.remove('tensorboard --logdir logs')  # It has a test of its own.
  done = [shell(line, copy) for line in here]
  assert len(done) == 3
  assert done[1].splitlines()[-1] == '[10000   784]'
  assert re.fullmatch(r'\.pictures/seven\.png: \d \(\d+\.\d%(, not sure)?\)\n', done[2])


# As people have them in their files.
NAMES = 'from tensorflow.examples.tutorials.mnist import input_data'
OLD_IMPORTS = [
  f'import tensorflow as tf\n{NAMES}\n',
  f'{NAMES}, mnist  # the data\nimport tensorflow as tf  # version 1\n',
  'import tensorflow.examples.tutorials.mnist.input_data as input_data\n'
  'import tensorflow as tf, numpy as np\nnp.zeros(1)\n',
  f'import numpy as np, tensorflow as tf\nif True:\n    {NAMES}\nnp.zeros(1)\n',
  'from __future__ import print_function\ntry:\n  import tensorflow as tf\n'
  '  import input_data, mnist\nexcept SyntaxError:\n  pass\n',
  'import tensorflow as tf\nclass input_data:\n'
  '  from tensorflow.contrib.learn.python.learn.datasets.mnist import read_data_sets\n',
  'import tensorflow as tf\nfrom tensorflow.examples.tutorials.mnist.input_data import *\n'
  'import tensorflow.examples.tutorials.mnist.input_data as input_data\n',
  f'# \ud55c\uad6d\uc5b4\n{NAMES}\nimport tensorflow as tf\n',
]


def test_old_files_run_when_their_lines_are_converted(copy, digits):
  (line,) = [line for line in SHELL if line.startswith('python -c')]
  for i, imports in enumerate(OLD_IMPORTS):
    for name, end in (f'unix{i}.py', '\n'), (f'windows{i}.py', '\r\n'):
      (copy / 'old.py').write_text(imports + OLD, newline=end, encoding='utf-8')
      assert not shell(line, copy)
      (copy / 'new.py').rename(copy / name)
      content = (copy / name).read_bytes()
      assert content.count(b'\r\n') == (content.count(b'\n') if end == '\r\n' else 0)
      assert content.count(b'tf.disable_v2_behavior()') == 1
  (copy / 'MNIST_data').unlink()
  (copy / 'MNIST_data').symlink_to(digits)
  # All in one Python, as loading TensorFlow takes longest.
  code = 'import glob, runpy; [runpy.run_path(file) for file in glob.glob("*[0-9].py")]'
  assert lines_of(run('-c', code, cwd=copy)).count('[200 784]') == 2 * len(OLD_IMPORTS)


def test_the_table_says_what_the_conversion_does(tmp_path):
  (line,) = [line for line in SHELL if line.startswith('python -c')]
  table = README[README.index('| the old text says') :].partition('\n\n')[0]
  rows = re.findall(r'^\| `(.*?)` \| `(.*?)`', table, re.MULTILINE)
  (tmp_path / 'old.py').write_text('\n'.join(old for old, _ in rows))
  shell(line, tmp_path)
  assert (tmp_path / 'new.py').read_text().splitlines() == [new for _, new in rows]
  assert len(rows) == 7


VERSION_1 = 'import tensorflow.compat.v1 as tf; tf.disable_v2_behavior()\n'
NET = (
  VERSION_1
  + """
y_ = tf.placeholder('float', [None, 10])
y = tf.Variable(tf.zeros([1, 10])) + 1
"""
)
PLACEHOLDER = 'tf.placeholder("float")\n'
LOSS = 'loss = tf.nn.softmax_cross_entropy_with_logits(y, y_)\n'
# The messages by which the README has old lines found.
MISTAKES = {
  "No module named 'tensorflow.examples'": NAMES,
  "module 'tensorflow' has no attribute 'placeholder'": 'import tensorflow as tf\n' + PLACEHOLDER,
  'tf.placeholder() is not compatible with eager execution': VERSION_1.partition(';')[0]
  + f'\n{PLACEHOLDER}',
  'No gradients provided for any variable': NET
  + LOSS
  + 'tf.train.GradientDescentOptimizer(0.5).minimize(loss)',
  'Attempting to use uninitialized value': NET + 'tf.Session().run(y)',
  "Missing parentheses in call to 'print'": 'print accuracy',
  "has no attribute 'contrib'": VERSION_1 + 'tf.contrib.learn',
  'is not available with Keras 3': VERSION_1 + 'tf.layers.dense(tf.zeros([1, 2]), 3)',
  "No module named 'mnist'": 'import input_data, mnist',
}
SHOW_MISTAKES = """
import json, sys
for text in json.loads(sys.stdin.read()):
  try:
    exec(text, {})
  except BaseException as error:
    print(json.dumps(str(error)))
"""


def test_old_lines_meet_the_messages_that_the_readme_explains():
  done = run('-c', SHOW_MISTAKES, input=json.dumps(list(MISTAKES.values())))
  for known, line in zip(MISTAKES, lines_of(done), strict=True):
    assert known in json.loads(line)
    assert re.search(rf'^\| `[^|]*{re.escape(known)}', README, re.MULTILINE), known


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
