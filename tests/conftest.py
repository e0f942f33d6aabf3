"""What the tests share: where things are, and how a shell user would run the programs."""

import concurrent.futures
import gzip
import pathlib
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


@pytest.fixture(scope='session')
def in_background():
  """Calls a function while other tests go on, one such call for each of two cores."""
  with concurrent.futures.ThreadPoolExecutor(2) as pool:
    yield pool.submit
    pool.shutdown(cancel_futures=True)


@pytest.fixture
def archives():
  """The folder of the real archives."""
  return ROOT / 'MNIST_data'


@pytest.fixture(scope='session')
def mnist():
  """The real data set, for tests that take no batches from it."""
  return input_data.read_data_sets(str(ROOT / 'MNIST_data'), one_hot=True)


# What the fixture `runs` keeps ready: a name, and the command with {} for a folder of its own.
RUNS = {
  'deep': 'mnist_deep.py --seed 1 --steps 400 --log_dir {}',
  'recipe': 'mnist_deep.py --seed 1 --steps 400 --batch_size 100 --learning_rate 1e-3 --decay '
  '--log_dir {}',
  'seeded': 'mnist_deep.py --seed 3 --steps 120 --log_dir {}',
  'seeded again': 'mnist_deep.py --seed 3 --steps 120 --log_dir {}',
  'softmax 0': 'mnist_softmax.py --seed 0',
  'softmax 1': 'mnist_softmax.py --seed 1 --log_dir {}',
  'mnist_softmax.py untrained': 'mnist_softmax.py --steps 0 --batch_size 7',
  'mnist_deep.py untrained': 'mnist_deep.py --steps 0 --batch_size 7',
  'mnist_softmax.py diverging': 'mnist_softmax.py --steps 5 --learning_rate 1e38',
  'mnist_deep.py diverging': 'mnist_deep.py --steps 5 --learning_rate 1e38',
  'mnist_softmax.py diverging at the end': 'mnist_softmax.py --steps 1 --learning_rate 1e38',
  'mnist_deep.py diverging at the end': 'mnist_deep.py --steps 1 --learning_rate 1e38',
}

# Peak memory is measured from a small process: a child's begins with that of its parent.
MEASURED = """
import resource, subprocess, sys
status = subprocess.run([sys.executable, *sys.argv[1:]]).returncode
print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, file=sys.stderr)
sys.exit(status)
"""


@pytest.fixture(scope='session')
def runs(in_background, tmp_path_factory):
  """Finished runs that several tests look at, started two at a time: `runs(name)`."""
  folders = {name: tmp_path_factory.mktemp('run') for name in RUNS}
  futures = {
    name: in_background(run, '-c', MEASURED, *command.format(folders[name]).split())
    for name, command in RUNS.items()
  }

  def finished(name):
    done = futures[name].result()
    done.folder = folders[name]
    return done

  return finished
