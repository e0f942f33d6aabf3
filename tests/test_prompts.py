"""The programs in a notebook, in IPython, in Python's own prompt and in IDLE."""

import os
import pty
import re
import subprocess
import sys
import threading
import time

import pytest
from jupyter_client.manager import start_new_kernel
from test_log_dir import events, weights
from test_readme import PYTHON, shortened

from conftest import ROOT, lines_of, run

TEXTS = {name: (ROOT / name).read_text() for name in ('mnist_softmax.py', 'mnist_deep.py')}
SCRIBBLE = re.compile('\r(?!\n)|\x1b|\b')  # What rewrites a line.


def program(name, **defaults):
  """Returns the text of a program with other defaults, as one types them in in a notebook."""
  text = TEXTS[name]
  for flag, value in defaults.items():
    pattern = rf"(add\('--{flag}', type=[\w.]+)(, default=[^,)]+)?"
    text, count = re.subn(pattern, lambda match, v=value: f'{match[1]}, default={v!r}', text)
    assert count == 1, flag
  return text


# What must be in a kernel as it was after each run. A user's own session is open all the time.
BEFORE = """
import gc, os, signal, sys, threading
import tensorflow.compat.v1 as tf
tf.disable_v2_behavior()
own = tf.InteractiveSession()
weight = tf.Variable(3.5)
weight.initializer.run()
def state():
  hooks = sys.excepthook, sys.unraisablehook, sys.displayhook, threading.excepthook
  handlers = [signal.getsignal(number) for number in signal.valid_signals()]
  places = sys.stdout, sys.stderr, sys.argv, os.getcwd(), threading.active_count()
  graph = tf.get_default_graph()
  graph = graph, len(graph.get_operations()), tf.get_default_session() is own, weight.eval()
  return repr((hooks, handlers, places, graph))
before = state()
"""
AFTER = """
print(6 * 7)
if before != state():
  print('before:', before, 'after:', state(), sep='\\n')
  before = state()
"""


class Kernel:
  """A running kernel of Jupyter."""

  def __init__(self):
    options = ['--HistoryManager.hist_file=:memory:']
    self.manager, self.client = start_new_kernel(cwd=ROOT, extra_arguments=options)
    assert self.cell(BEFORE)[2] is None

  def cell(self, text, interrupt=None, delay=0.3):
    """Runs a cell, and interrupts it a little after it has printed the text `interrupt`.

    Returns the texts on standard output and error, and the exception that ended it, or None.
    """
    shown, ended = {'stdout': '', 'stderr': ''}, []

    def hook(message):
      nonlocal interrupt
      content = message['content']
      if message['msg_type'] == 'stream':
        shown[content['name']] += content['text']
      elif message['msg_type'] == 'error':
        ended.append(f'{content["ename"]}: {content["evalue"]}')
      if interrupt and interrupt in shown['stdout']:
        interrupt = None
        threading.Timer(delay, self.manager.interrupt_kernel).start()

    self.client.execute_interactive(text, timeout=120, output_hook=hook)
    return shown['stdout'], shown['stderr'], ended[0] if ended else None

  def run(self, text, interrupt=None, delay=0.3):
    """Runs a program as a cell, and makes sure that it leaves the kernel as it was."""
    out, err, error = self.cell(text, interrupt, delay)
    assert not SCRIBBLE.search(out + err)
    assert self.cell(AFTER)[0] == '42\n'
    return out, error


@pytest.fixture(scope='module')
def kernel():
  kernel = Kernel()
  yield kernel
  kernel.manager.shutdown_kernel(now=True)


def steady(out):
  """Returns what was printed, but for the folder and the time."""
  return re.sub(r'^Saving graph to: .+\n| in \d.+', '', out, flags=re.MULTILINE)


def test_softmax_is_a_cell_and_twice_the_same_with_a_seed(kernel):
  text = program('mnist_softmax.py', seed=1)
  out, error = kernel.run(text)
  assert error is None and out.endswith('test accuracy 0.9195\n')
  assert steady(kernel.run(text)[0]) == steady(out)


# How many graphs and open files of a run there still are.
LEFT = """
gc.collect()
files = [os.path.realpath(f'/dev/fd/{n}') for n in os.listdir('/dev/fd')]
print(sum(isinstance(o, tf.Graph) for o in gc.get_objects()), sum('events' in f for f in files))
"""


def test_deep_is_a_cell_and_twice_the_same_to_the_bit_with_a_seed(kernel, digits, tmp_path):
  printed, left, saved = [], [], []
  for name in 'ab':
    folder = tmp_path / name
    defaults = {'data_dir': digits, 'steps': 5, 'seed': 3, 'log_dir': str(folder)}
    out, error = kernel.run(program('mnist_deep.py', **defaults))
    assert error is None and 'step 0, training accuracy' in out
    printed.append(steady(out))
    left.append(kernel.cell(LEFT)[0])
    saved.append(weights(folder))
  assert printed[0] == printed[1]
  assert left[0] == left[1]
  assert saved[0].keys() == saved[1].keys() and saved[0]['global_step'] == 5
  for name, value in saved[0].items():
    assert value.tobytes() == saved[1][name].tobytes(), name


def test_interrupting_a_cell_saves_and_a_shell_goes_on(kernel, digits, tmp_path):
  text = program('mnist_deep.py', data_dir=digits, log_dir=str(tmp_path))
  out, error = kernel.run(text, interrupt='step 0, training accuracy')
  assert error == 'KeyboardInterrupt: '
  advice = rf'Stopped after (\d+) steps\. To go on, run this again with --log_dir {tmp_path}\n'
  steps = int(re.search(advice, out)[1])
  assert weights(tmp_path)['global_step'] == steps > 0
  flags = ['--data_dir', digits, '--log_dir', tmp_path, '--steps', steps + 1]
  assert f'Going on from step {steps} of {steps + 1}.' in lines_of(run('mnist_deep.py', *flags))


def test_interrupting_softmax_gives_the_kernel_back(kernel, digits):
  text = program('mnist_softmax.py', data_dir=digits, steps=10**8)
  # It trains by then: while TensorFlow builds the graph, it may drop an exception.
  assert kernel.run(text, 't10k-labels', delay=3)[1] == 'KeyboardInterrupt: '


@pytest.mark.parametrize('name', TEXTS)
def test_an_error_in_the_loop_gives_the_kernel_back(kernel, digits, name):
  text = program(name, data_dir=digits)
  body = r'^( +)(batch = mnist\.train\.next_batch\(flags)'
  text, count = re.subn(body, r'\1assert i < 2\n\1\2', text, flags=re.MULTILINE)
  assert count == 1
  assert kernel.run(text)[1] == 'AssertionError: '


LIMIT = 'import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({}, -1))'


@pytest.mark.full
def test_a_full_disk_gives_the_kernel_back(kernel, digits, tmp_path):
  text = program('mnist_deep.py', data_dir=digits, steps=1, log_dir=str(tmp_path))
  kernel.cell(LIMIT.format(1 << 24))
  _, error = kernel.run(text)
  kernel.cell(LIMIT.format(-1))
  assert error == f'RuntimeError: {tmp_path} cannot be written: File too large'


@pytest.mark.parametrize('name', TEXTS)
def test_a_loss_that_is_no_number_gives_the_kernel_back(kernel, digits, name):
  _, error = kernel.run(program(name, data_dir=digits, steps=1, learning_rate=1e38))
  assert re.fullmatch(r'RuntimeError: The loss is (nan|inf|-inf) at step 1\. Try a .+', error)


def test_an_editors_kernel_that_names_the_file_has_no_flags_for_it(kernel, digits):
  # The interactive window of VS Code does so.
  kernel.cell(f'__file__ = {str(ROOT / "mnist_softmax.py")!r}')
  _, error = kernel.run(program('mnist_softmax.py', data_dir=digits, steps=1))
  kernel.cell('del __file__')
  assert error is None


def test_percent_run_takes_flags_again_and_again(kernel, digits, tmp_path):
  for name in TEXTS:
    flags = f'--data_dir {digits} --log_dir {tmp_path / name}'
    for _ in range(2):
      out, error = kernel.run(f'%run {name} --steps 2 {flags}')
      assert error is None and 'test accuracy' in out
    assert kernel.run(f'%run {name} --colour red')[1] == 'SystemExit: 2'
  assert 'has had 2 steps already' in out
  picture = ROOT / '.pictures' / 'seven.png'
  for _ in range(2):
    out, error = kernel.run(f'%run mnist_deep.py {flags} --predict {picture}')
    assert error is None and re.fullmatch(rf'{picture}: \d \(\d+\.\d%(, not sure)?\)\n', out)


def test_the_blocks_of_the_readme_are_cells(kernel):
  out = ''
  for block in PYTHON:
    text = shortened(block).replace('range(200)', 'range(60)').replace('range(1150', 'range(1190')
    shown, err, error = kernel.cell(text)
    assert error is None and not SCRIBBLE.search(shown + err)
    out += shown
  assert '(55000, 784) (55000, 10)' in out
  softmax, *deep = re.findall(r'^(0\.\d+)$', out, re.MULTILINE)
  assert softmax == '0.9178' and min(map(float, deep)) > 0.3 and len(deep) == 2


# Ctrl-C reaches a process that the terminal controls, and that does not ignore it; what is started
# in the background of a shell script does.
CONTROLLED = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


class Terminal:
  """A terminal in which a command runs, with somebody who types."""

  def __init__(self, *command, **environment):
    master, slave = pty.openpty()
    self.process = subprocess.Popen(
      [sys.executable, '-c', CONTROLLED, *map(str, command)],
      cwd=ROOT,
      env=os.environ
      | {'COLUMNS': '200', 'LINES': '50', 'TERM': 'xterm', 'NO_COLOR': '1'}
      | environment,
      stdin=slave,
      stdout=slave,
      stderr=slave,
      start_new_session=True,
    )
    os.close(slave)
    self.master, self.raw, self.seen = master, '', 0
    threading.Thread(target=self.read, daemon=True).start()

  def read(self):
    try:
      while piece := os.read(self.master, 1 << 16):
        self.raw += piece.decode(errors='replace')
    except OSError:  # The program has closed its end.
      pass

  def shown(self):
    """Returns what the terminal has shown, without the sequences that colour and move."""
    return re.sub(r'\x1b(\[[0-9;?]*[A-Za-z]|[=>])|\r', '', self.raw)

  def type(self, text):
    data = text.encode()
    while data:
      data = data[os.write(self.master, data) :]

  def wait_for(self, pattern):
    """Waits until the terminal shows a pattern after what was waited for before."""
    deadline = time.monotonic() + 120
    pattern = re.compile(pattern, re.MULTILINE)
    while not (match := pattern.search(self.shown(), self.seen)):
      assert time.monotonic() < deadline, self.shown()[-3000:]
      time.sleep(0.05)
    self.seen = match.end()
    return match

  def compute(self):
    """Lets the prompt compute, which must be alive for that."""
    self.type('print(6 * 7)\n')
    self.wait_for('^42')

  def stop(self, folder):
    """Presses Ctrl-C while mnist_deep.py trains, and makes sure that the net is in the folder."""
    self.wait_for(r'step 0, training accuracy \d')
    self.type('\3')
    steps = self.wait_for(rf'Stopped after (\d+) steps\. To go on, .+ {folder}\s')[1]
    self.wait_for('^KeyboardInterrupt')
    assert weights(folder)['global_step'] == int(steps)

  def leave(self):
    self.type('exit()\n')
    assert self.process.wait(60) == 0


@pytest.fixture
def terminals():
  """A list in which a test puts the terminals that are to be closed after it."""
  opened = []
  yield opened
  for terminal in opened:
    terminal.process.kill()
    terminal.process.wait()
    os.close(terminal.master)


NEW = sys.version_info >= (3, 13)  # Python 3.13 has a prompt of a new kind, and the old one, too.


@pytest.mark.parametrize(
  'repl',
  [
    pytest.param('basic', marks=[pytest.mark.full] if NEW else []),
    pytest.param('new', marks=pytest.mark.skipif(not NEW, reason='Python 3.13 has it.')),
  ],
)
def test_ctrl_c_in_a_prompt_saves_and_gives_it_back(repl, terminals, digits, tmp_path):
  variable = {'PYTHON_BASIC_REPL': '1'} if repl == 'basic' else {}
  terminal = Terminal('-i', **variable)
  terminals.append(terminal)
  terminal.wait_for('>>> ')

  def paste(text):
    brackets = ('\x1b[200~', '\x1b[201~') if repl == 'new' else ('', '')
    terminal.type(text.join(brackets) + '\n\n')

  folder = tmp_path / 'log'
  paste(program('mnist_deep.py', data_dir=digits, log_dir=str(folder)))
  terminal.stop(folder)
  terminal.compute()
  terminal.type('1 +\3')
  terminal.wait_for('^KeyboardInterrupt')
  terminal.compute()
  paste(program('mnist_deep.py', data_dir=digits, steps=1, learning_rate=1e38))
  terminal.wait_for('^RuntimeError: The loss is (nan|inf|-inf) at step 1')
  terminal.compute()
  terminal.leave()


@pytest.mark.full
def test_ctrl_c_in_ipython_saves_and_gives_it_back(terminals, digits, tmp_path):
  options = ['--no-banner', '--no-confirm-exit', '--HistoryManager.hist_file=:memory:']
  terminal = Terminal('-m', 'IPython', '--simple-prompt', *options)
  terminals.append(terminal)
  terminal.wait_for(r'In \[1\]: ')
  terminal.type(f'%run mnist_deep.py --data_dir {digits} --log_dir {tmp_path}\n')
  terminal.stop(tmp_path)
  terminal.compute()
  terminal.type('%run mnist_deep.py --colour red\n')
  terminal.wait_for('unrecognized arguments: --colour red')
  terminal.compute()
  terminal.leave()


@pytest.mark.full
def test_python_i_ends_in_a_prompt_and_a_dumb_terminal_shows_no_progress(
  terminals, digits, tmp_path
):
  flags = ['--data_dir', digits, '--log_dir', tmp_path]
  terminal = Terminal('-i', 'mnist_deep.py', *flags, TERM='dumb')
  terminals.append(terminal)
  terminal.stop(tmp_path)
  terminal.compute()
  assert not SCRIBBLE.search(terminal.raw) and 'seconds left' not in terminal.raw
  terminal.leave()


@pytest.mark.full
def test_without_standard_error_nothing_is_missing(digits, tmp_path):
  flags = ['--data_dir', digits, '--log_dir', tmp_path, '--steps', '2']
  command = ['sh', '-c', 'exec "$@" 2>&-', 'sh', sys.executable, 'mnist_deep.py', *flags]
  done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
  assert 'test accuracy' in done.stdout and not SCRIBBLE.search(done.stdout)
  assert weights(tmp_path)['global_step'] == 2 and len(events(tmp_path)) > 3


# IDLE needs a display, so this is what its prompt is made of: the module that runs the user's
# lines, streams that say they are terminals but have no file, and Ctrl-C from another thread.
IDLE = """
import _thread, signal, sys, threading, types
class Stream:
  encoding = 'utf-8'
  text = ''
  def write(self, text):
    Stream.text += text
    if 'step 0, training accuracy' in text:
      threading.Timer(0.3, _thread.interrupt_main).start()
  def flush(self):
    pass
  def isatty(self):
    return True
  def fileno(self):
    raise OSError('fileno')
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.modules['idlelib.run'] = types.ModuleType('idlelib.run')
sys.stdout = sys.stderr = Stream()
for text in sys.stdin.read().split('\\f'):
  try:
    exec(compile(text, '<pyshell#0>', 'exec'), {'__name__': '__main__'})
  except BaseException as error:
    print(type(error).__name__, error)
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
sys.__stdout__.write(Stream.text)
"""


@pytest.mark.full
def test_idle_lives_on(digits, tmp_path):
  programs = [
    program('mnist_softmax.py', data_dir=digits, steps=200),
    program('mnist_deep.py', data_dir=digits, log_dir=str(tmp_path)),
    program('mnist_deep.py', data_dir=digits, steps=1, learning_rate=1e38),
  ]
  out = '\n'.join(lines_of(run('-c', IDLE, input='\f'.join(programs))))
  assert not SCRIBBLE.search(out) and 'seconds left' not in out
  stopped = rf'test accuracy [^\f]+Stopped after (\d+) .+ {tmp_path}\nKeyboardInterrupt'
  assert weights(tmp_path)['global_step'] == int(re.search(stopped, out)[1])
  assert re.search(r'^RuntimeError The loss is .+ at step 1\. ', out, re.MULTILINE)
