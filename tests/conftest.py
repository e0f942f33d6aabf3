"""What the tests share: where things are, and how a shell user would run the programs."""

import fcntl
import functools
import gzip
import importlib
import math
import os
import pathlib
import pickle
import struct
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import input_data  # noqa: E402


def run(program, *flags, cwd=ROOT, **options):
  """Runs a program of the repository from its folder, and returns the finished process."""
  command = [sys.executable, program, *map(str, flags)]
  options = {'capture_output': True, 'text': True, 'timeout': 600} | options
  return subprocess.run(command, cwd=cwd, check=False, **options)


def lines_of(done):
  """Returns what a process that succeeded has printed."""
  assert done.returncode == 0, done.stderr
  return done.stdout.splitlines()


def write_idx(path, magic, *dims, data=b''):
  """Writes a gzipped IDX file with the header `magic`, `dims`."""
  with gzip.open(path, 'wb', compresslevel=1) as f:
    f.write(struct.pack(f'>{1 + len(dims)}I', magic, *dims) + data)


# Each of the workers that pytest.ini asks for takes one core: faster than if all took all.
os.environ['TF_NUM_INTRAOP_THREADS'] = '1'

# What several tests look at, the longest first: commands, in which {} is a folder of their own and
# {digits} that of a small data set, and functions of test modules with their arguments.
RUNS = {
  'push': 'test_readme:pushed',
  'fast': 'mnist_deep.py --seed 1 --fast --steps 220 --log_dir {}',
  'paste README.md': 'test_readme:pasted README.md',
  'old texts': 'test_old_texts:typed',
  'watched deep': 'test_tutorial:watched_deep',
  'resumed': 'test_log_dir:resumed',
  'deep': 'mnist_deep.py --seed 1 --steps 300 --log_dir {}',
  'benchmark': 'tests/benchmark.py --rounds 1 --steps 2',
  'watched softmax': 'test_tutorial:watched_softmax',
  'paste mnist_deep.py': 'test_readme:pasted mnist_deep.py {digits}',
  'paste mnist_softmax.py': 'test_readme:pasted mnist_softmax.py {digits}',
  'seeded': 'mnist_deep.py --seed 3 --steps 20 --data_dir {digits} --log_dir {}',
  'seeded again': 'mnist_deep.py --seed 3 --steps 20 --data_dir {digits} --log_dir {}',
  'bfloat16': 'mnist_deep.py --seed 3 --steps 20 --data_dir {digits} --log_dir {} --bfloat16',
  'bfloat16 refused': 'test_programs:without_avx512',
  'softmax 0': 'mnist_softmax.py --seed 0',
  'softmax 1': 'mnist_softmax.py --seed 1 --log_dir {}',
  'softmax in a copy': 'test_programs:in_a_copy',
  'mnist_softmax.py diverging': 'mnist_softmax.py --steps 1 --learning_rate 1e38',
  'mnist_deep.py diverging': 'mnist_deep.py --steps 5 --learning_rate 1e38',
  'terminal': 'test_programs:on_a_terminal {digits}',
  'no net': 'mnist_deep.py --log_dir {} --predict seven.png',
}

# Peak memory is measured from a small process: a child's begins with that of its parent.
MEASURED = """
import resource, subprocess, sys
status = subprocess.run([sys.executable, *sys.argv[1:]]).returncode
print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, file=sys.stderr)
sys.exit(status)
"""


def start(line, folder, digits):
  """Runs a line of the table, and returns the finished process."""
  if ':' in line:
    module, function, *arguments = line.format(digits=digits).replace(':', ' ').split()
    done = getattr(importlib.import_module(module), function)(folder, *arguments)
  else:
    done = run('-c', MEASURED, *line.format(folder, digits=digits).split())
  done.folder = folder
  return done


@pytest.fixture(scope='session')
def once(tmp_path_factory):
  """Does something once for all workers: `once(name, make)` is what `make(folder)` returned."""
  shared = tmp_path_factory.getbasetemp()
  if 'PYTEST_XDIST_WORKER' in os.environ:
    shared = shared.parent

  def made(name, make):
    folder = shared / name.replace(' ', '_')
    result = pathlib.Path(f'{folder}.pickle')
    with open(f'{folder}.lock', 'w') as lock:
      fcntl.flock(lock, fcntl.LOCK_EX)  # Another worker may be at it.
      if not result.exists():
        folder.mkdir(exist_ok=True)
        result.write_bytes(pickle.dumps(make(folder)))
      return pickle.loads(result.read_bytes())

  return made


@pytest.fixture(scope='session')
def runs(once, digits):
  """Runs what is in the table: `runs(name)` is the finished process."""
  return functools.cache(lambda name: once(name, lambda f: start(RUNS[name], f, digits)))


@pytest.hookimpl(tryfirst=True)  # Before the groups are read.
def pytest_collection_modifyitems(items):
  """Leaves all that needs a kernel to one worker."""
  for item in items:
    if 'kernel' in item.fixturenames:
      item.add_marker(pytest.mark.xdist_group('kernel'))


@pytest.fixture
def archives():
  """The folder of the real archives."""
  return ROOT / 'MNIST_data'


def write_digits(folder):
  for file, dims, magic in (
    ('train-images-idx3-ubyte.gz', (5200, 28, 28), 2051),
    ('train-labels-idx1-ubyte.gz', (5200,), 2049),
    ('t10k-images-idx3-ubyte.gz', (200, 28, 28), 2051),
    ('t10k-labels-idx1-ubyte.gz', (200,), 2049),
  ):
    with gzip.open(ROOT / 'MNIST_data' / file) as f:
      data = f.read(4 + 4 * len(dims) + math.prod(dims))[4 + 4 * len(dims) :]
    write_idx(folder / file, magic, *dims, data=data)
  return str(folder)


@pytest.fixture(scope='session')
def digits(once):
  """A folder of the archives' first digits, with which a short run takes a second or two."""
  return once('digits', write_digits)


@pytest.fixture(scope='session')
def mnist():
  """The real data set, for tests that take no batches from it."""
  return input_data.read_data_sets(str(ROOT / 'MNIST_data'), one_hot=True)
