"""What several test files need: how a program is run, data, a trained net, a notebook."""

import contextlib
import gzip
import io
import json
import os
import pathlib
import runpy
import struct
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import input_data  # noqa: E402

REFERENCE = json.loads((ROOT / 'tests' / 'reference.json').read_text())

# Each of the workers that pytest.ini asks for has about one core.
os.environ['TF_NUM_INTRAOP_THREADS'] = '1'
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'


def run(program, *flags, cwd=ROOT, timeout=1800, **options):
  """Runs a program of the repository as a shell user would, and returns the finished process."""
  command, options = [sys.executable, program, *map(str, flags)], {'text': True} | options
  return subprocess.run(command, cwd=cwd, capture_output=True, timeout=timeout, **options)


def run_here(program, *flags):
  """Runs a program in this process, which has loaded TensorFlow; returns the lines it prints."""
  with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as printed:
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


def save(values, folder, step):
  """Makes variables, {name: value}, the last checkpoint in a folder."""
  from mnist_deep import tf

  with tf.Graph().as_default(), tf.Session() as sess:
    for name, value in values.items():
      tf.Variable(value, name=name)
    sess.run(tf.global_variables_initializer())
    tf.train.Saver().save(sess, f'{folder}/model.ckpt', step)


def write_idx(path, magic, *dims, data=b''):
  """Writes a gzipped IDX file with the header `magic`, `dims`."""
  with gzip.open(path, 'wb', compresslevel=1) as f:
    f.write(struct.pack(f'>{1 + len(dims)}I', magic, *dims) + data)


@pytest.fixture(scope='session')
def mnist():
  """The real data set, for tests that take no batches from it."""
  return input_data.read_data_sets(str(ROOT / 'MNIST_data'), one_hot=True)


@pytest.fixture(scope='session')
def digits(tmp_path_factory):
  """A folder of the archives' first digits: 5,000 to validate, 200 to train, 625 to test."""
  folder = tmp_path_factory.mktemp('digits')
  for name in input_data.SHA256:
    n = 5200 if 'train' in name else 625  # n / 625 has four decimals.
    with gzip.open(ROOT / 'MNIST_data' / name) as f:
      data = f.read(16 + 784 * n if 'images' in name else 8 + n)
    (folder / name).write_bytes(gzip.compress(data[:4] + struct.pack('>I', n) + data[8:], 1))
  return str(folder)


# Peak memory is measured from a small process: a child's begins with that of its parent.
MEASURED = """
import resource, subprocess, sys
status = subprocess.run([sys.executable, *sys.argv[1:]]).returncode
print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, file=sys.stderr)
sys.exit(status)
"""


@pytest.fixture(scope='session')
def trained_net(tmp_path_factory):
  """The finished process of mnist_deep.py --fast, 140 steps; its net is in `.folder`."""
  folder = tmp_path_factory.mktemp('trained_net')
  flags = '--seed 1 --fast --steps 140 --log_dir'.split()
  done = run('-c', MEASURED, 'mnist_deep.py', *flags, folder)
  lines_of(done)
  done.folder = folder
  return done


@pytest.fixture(scope='module')
def cell(tmp_path_factory):
  """Runs cells of a notebook: `cell(text)` is (what it printed, the error's message or None).

  With `interrupt_at`, the cell is interrupted when it prints that text.
  """
  from jupyter_client.manager import start_new_kernel

  with pytest.MonkeyPatch.context() as patch:
    for name in 'JUPYTER_RUNTIME_DIR', 'IPYTHONDIR':
      patch.setenv(name, str(tmp_path_factory.mktemp(name)))
    manager, client = start_new_kernel(startup_timeout=600, cwd=ROOT)

  def execute(text, interrupt_at=None):
    shown = []

    def hook(message):
      shown.append(message['content'].get('text', ''))
      if interrupt_at and interrupt_at in shown[-1]:
        manager.interrupt_kernel()

    reply = client.execute_interactive(text, timeout=1800, output_hook=hook)
    return ''.join(shown), reply['content'].get('evalue')

  yield execute
  manager.shutdown_kernel(now=True)
