"""What several test files need: how a program is run, and what is made once for all of them."""

import contextlib
import fcntl
import gzip
import io
import math
import os
import pathlib
import pickle
import runpy
import struct
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import input_data  # noqa: E402

# Each of the workers that pytest.ini asks for has about one core.
os.environ['TF_NUM_INTRAOP_THREADS'] = '1'
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'


def run(program, *flags, cwd=ROOT, **options):
  """Runs a program of the repository as a shell user would, and returns the finished process."""
  command = [sys.executable, program, *map(str, flags)]
  options = {'capture_output': True, 'text': True, 'timeout': 1800} | options
  return subprocess.run(command, cwd=cwd, check=False, **options)


def run_here(program, *flags):
  """Runs a program in this process, which has loaded TensorFlow; returns the lines it prints."""
  printed = io.StringIO()
  with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
    patch.chdir(ROOT)
    patch.setattr(sys, 'argv', [program, *map(str, flags)])
    try:
      runpy.run_path(program, run_name='__main__')
    except SystemExit as ended:
      if ended.code:
        raise
  return printed.getvalue().splitlines()


def lines_of(done):
  """Returns the lines that a process has printed, which must have succeeded."""
  assert done.returncode == 0, done.stderr
  return done.stdout.splitlines()


def variables(folder):
  """Returns all variables in the last checkpoint of a folder: {name: value}."""
  from mnist_deep import tf

  reader = tf.train.load_checkpoint(str(folder))
  return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def write_idx(path, magic, *dims, data=b''):
  """Writes a gzipped IDX file with the header `magic`, `dims`."""
  with gzip.open(path, 'wb', compresslevel=1) as f:
    f.write(struct.pack(f'>{1 + len(dims)}I', magic, *dims) + data)


@pytest.fixture(scope='session')
def once(tmp_path_factory):
  """Makes something once for all workers: `once(name, make)` is what `make(folder)` returned.

  If it cannot be made, the first test that needs it fails, and the others are skipped. A fixture
  that uses this keeps pytest's scope of one test, since wider ones repeat the first error.
  """
  shared = tmp_path_factory.getbasetemp()
  if 'PYTEST_XDIST_WORKER' in os.environ:
    shared = shared.parent

  def made(name, make):
    folder, result = shared / name, shared / f'{name}.pickle'
    with open(shared / f'{name}.lock', 'w') as lock:
      fcntl.flock(lock, fcntl.LOCK_EX)  # Another worker may be making it.
      if not folder.exists():
        folder.mkdir()
        result.write_bytes(pickle.dumps(make(folder)))
    if not result.exists():
      pytest.skip(f'{name} could not be made: another test says why.')
    return pickle.loads(result.read_bytes())

  return made


@pytest.fixture(scope='session')
def mnist():
  """The real data set, for tests that take no batches from it."""
  return input_data.read_data_sets(str(ROOT / 'MNIST_data'), one_hot=True)


def write_digits(folder):
  for file, dims, magic in (
    ('train-images-idx3-ubyte.gz', (5200, 28, 28), 2051),
    ('train-labels-idx1-ubyte.gz', (5200,), 2049),
    ('t10k-images-idx3-ubyte.gz', (625, 28, 28), 2051),  # n / 625 has four decimals.
    ('t10k-labels-idx1-ubyte.gz', (625,), 2049),
  ):
    with gzip.open(ROOT / 'MNIST_data' / file) as f:
      data = f.read(4 + 4 * len(dims) + math.prod(dims))[4 + 4 * len(dims) :]
    write_idx(folder / file, magic, *dims, data=data)
  return str(folder)


@pytest.fixture
def digits(once):
  """A folder of the archives' first digits: 5,000 to validate, 200 to train, 625 to test."""
  return once('digits', write_digits)


# Peak memory is measured from a small process: a child's begins with that of its parent.
MEASURED = """
import resource, subprocess, sys
status = subprocess.run([sys.executable, *sys.argv[1:]]).returncode
print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, file=sys.stderr)
sys.exit(status)
"""


def train_net(folder):
  flags = '--seed 1 --fast --steps 140 --log_dir'.split()
  done = run('-c', MEASURED, 'mnist_deep.py', *flags, folder)
  lines_of(done)
  done.folder = folder
  return done


@pytest.fixture
def trained_net(once):
  """The finished process of mnist_deep.py --fast, 140 steps; its net is in `.folder`."""
  return once('trained_net', train_net)


@pytest.fixture(scope='module')
def cell(tmp_path_factory):
  """Runs cells of a Jupyter notebook: `cell(text)` is (what it printed, the error or None).

  With `interrupt_at`, the cell is interrupted when it has printed that text.
  """
  from jupyter_client.manager import start_new_kernel

  with pytest.MonkeyPatch.context() as patch:
    for name in 'JUPYTER_RUNTIME_DIR', 'IPYTHONDIR':
      patch.setenv(name, str(tmp_path_factory.mktemp(name)))
    manager, client = start_new_kernel(startup_timeout=600, cwd=ROOT)

  def execute(text, interrupt_at=None):
    shown = ''

    def hook(message):
      nonlocal shown, interrupt_at
      shown += message['content'].get('text', '')
      if interrupt_at and interrupt_at in shown:
        interrupt_at = None
        manager.interrupt_kernel()

    reply = client.execute_interactive(text, timeout=1800, output_hook=hook)['content']
    failed = reply['status'] == 'error'
    return shown, f'{reply["ename"]}: {reply["evalue"]}' if failed else None

  yield execute
  manager.shutdown_kernel(now=True)
