"""What the tests share: where things are, and how a shell user would run the programs."""

import concurrent.futures
import gzip
import importlib
import os
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


# Two programs at a time have a core each, which is faster than both having both.
os.environ['TF_NUM_INTRAOP_THREADS'] = '1'

# What begins with the first test and goes on beside the others, on both cores: commands, in which
# {} is a folder of their own, and functions of test modules with their arguments.
BACKGROUND = {
  'watched deep': 'test_tutorial:watched_deep',
  'paste README.md': 'test_readme:pasted README.md',
  'deep': 'mnist_deep.py --seed 1 --steps 400 --log_dir {}',
  'fast': 'mnist_deep.py --seed 1 --fast --steps 250 --log_dir {}',
  'push': 'test_readme:pushed',
  'watched softmax': 'test_tutorial:watched_softmax',
  'paste mnist_deep.py': 'test_readme:pasted mnist_deep.py',
  'paste mnist_softmax.py': 'test_readme:pasted mnist_softmax.py',
  'old texts': 'test_old_texts:typed',
  'resumed': 'test_log_dir:resumed',
  'seeded': 'mnist_deep.py --seed 3 --steps 20 --log_dir {}',
  'seeded again': 'mnist_deep.py --seed 3 --steps 20 --log_dir {}',
  'softmax 0': 'mnist_softmax.py --seed 0',
  'softmax 1': 'mnist_softmax.py --seed 1 --log_dir {}',
  'softmax in a copy': 'test_programs:in_a_copy',
  'mnist_softmax.py diverging': 'mnist_softmax.py --steps 1 --learning_rate 1e38',
  'mnist_deep.py diverging': 'mnist_deep.py --steps 5 --learning_rate 1e38',
  'no folder': 'mnist_deep.py --steps 20 --seed 3',
  'no net': 'mnist_deep.py --log_dir {} --predict seven.png',
  'benchmark': 'tests/benchmark.py --rounds 1 --steps 2',
}

# Peak memory is measured from a small process: a child's begins with that of its parent.
MEASURED = """
import resource, subprocess, sys
status = subprocess.run([sys.executable, *sys.argv[1:]]).returncode
print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, file=sys.stderr)
sys.exit(status)
"""


def start(job, folder):
  """Runs a line of the table, and returns the finished process."""
  if ':' in job:
    module, function, *arguments = job.replace(':', ' ').split()
    done = getattr(importlib.import_module(module), function)(folder, *arguments)
  else:
    done = run('-c', MEASURED, *job.format(folder).split())
  done.folder = folder
  return done


@pytest.fixture(scope='session')
def runs(request, tmp_path_factory):
  """Waits for what is done in the background: `runs(name)` is its finished process."""
  futures = {}
  with concurrent.futures.ThreadPoolExecutor(2) as pool:

    def submit(name):
      if name not in futures:
        futures[name] = pool.submit(start, BACKGROUND[name], tmp_path_factory.mktemp('run'))
      return futures[name]

    if len(request.session.items) > 100:  # A part of the tests starts only what it needs.
      for name in BACKGROUND:
        submit(name)
    yield lambda name: submit(name).result()
    pool.shutdown(cancel_futures=True)


def pytest_collection_modifyitems(items):
  """Has the tests that wait for the background come last."""
  items.sort(key=lambda item: 'runs' in item.fixturenames)


@pytest.fixture(scope='session', autouse=True)
def begin(request):
  """Has the background begin before the first test, if any test waits for it."""
  if any('runs' in item.fixturenames for item in request.session.items):
    request.getfixturevalue('runs')


@pytest.fixture
def archives():
  """The folder of the real archives."""
  return ROOT / 'MNIST_data'


@pytest.fixture(scope='session')
def mnist():
  """The real data set, for tests that take no batches from it."""
  return input_data.read_data_sets(str(ROOT / 'MNIST_data'), one_hot=True)
