"""What the tests share: where things are, and how a shell user would run the programs."""

import gzip
import pathlib
import struct
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import input_data  # noqa: E402


@pytest.fixture
def archives():
  """The folder of the real archives."""
  return ROOT / 'MNIST_data'


@pytest.fixture(scope='session')
def mnist():
  """The real data set, for tests that take no batches from it."""
  return input_data.read_data_sets(str(ROOT / 'MNIST_data'), one_hot=True)


@pytest.fixture
def run():
  """Runs a program of the repository, from its folder, and returns the finished process."""

  def run(program, *flags, cwd=ROOT, **options):
    command = [sys.executable, program, *map(str, flags)]
    options = {'capture_output': True, 'text': True, 'timeout': 120} | options
    return subprocess.run(command, cwd=cwd, check=False, **options)

  return run


def write_idx(path, magic, *dims, data=b''):
  """Writes a gzipped IDX file with the header `magic`, `dims`."""
  with gzip.open(path, 'wb', compresslevel=1) as f:
    f.write(struct.pack(f'>{1 + len(dims)}I', magic, *dims) + data)
