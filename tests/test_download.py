"""Whatever the network does, a reader ends with the right data or with a word on what to do."""

import os
import pty
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from server import TESTS, serve

import input_data
from conftest import ROOT, write_idx

NAMES = sorted(input_data.SHA256)
ARCHIVES = {name: (ROOT / 'MNIST_data' / name).read_bytes() for name in NAMES}


@pytest.fixture(scope='module')
def server():
  """A server of the real archives."""
  with serve(ROOT / 'MNIST_data') as server:
    yield server


@pytest.fixture
def mirrors(monkeypatch, server):
  """Puts addresses of the server in place of the mirrors."""

  def set_mirrors(*modes):
    urls = tuple(f'{server.url}/{mode}/' for mode in modes)
    monkeypatch.setattr(input_data, 'MIRRORS', urls)

  server.requests.clear()
  return set_mirrors


def contents(folder):
  return {path.name: path.read_bytes() for path in folder.glob('*')}


def read_fails(folder, **options):
  """Returns what the `OSError` says; nothing may be left behind."""
  with pytest.raises(OSError) as info:
    input_data.read_data_sets(folder / 'new', **options)
  assert not (folder / 'new').exists()
  return str(info.value)


def download_process(folder, url, before='', **options):
  """Starts a Python that reads the data set in `folder`, downloading it from `url`."""
  script = (
    f'{before}\nimport input_data\ninput_data.read_data_sets({str(folder)!r}, source_url={url!r})'
  )
  options = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'text': True} | options
  return subprocess.Popen([sys.executable, '-c', script], cwd=ROOT, **options)


def test_a_new_folder_is_filled_from_the_first_mirror(tmp_path, mirrors, server, capsys):
  mirrors('good', '404')
  for _ in range(2):  # The second time, all are there.
    input_data.read_data_sets(tmp_path / 'new' / 'data')
    assert contents(tmp_path / 'new' / 'data') == ARCHIVES
    assert len(server.requests) == 4
  printed = capsys.readouterr()
  assert 'Successfully downloaded train-images-idx3-ubyte.gz 9912422 bytes.\n' in printed.out
  assert printed.out.count('Extracting') == 8 and printed.err == ''
  (tmp_path / 'other').touch()
  modes = {
    path.stat().st_mode for path in [tmp_path / 'other', *(tmp_path / 'new/data').iterdir()]
  }
  assert len(modes) == 1  # The permissions are those of any new file.


@pytest.mark.parametrize(
  'mode, reason',
  [
    ('403', 'HTTP Error 403'),
    ('503', 'HTTP Error 503'),
    ('loop', 'HTTP Error 302'),
    ('garbage', 'no valid address or answer'),
    ('portal', 'the 52 bytes that came do not have the published SHA-256'),
    ('flipped', 'do not have the published SHA-256'),
    ('short', r'only \d+ of \d+ bytes came'),
    ('stall', 'timed out'),
  ],
)
def test_the_next_mirror_steps_in(tmp_path, mirrors, server, monkeypatch, mode, reason):
  monkeypatch.setattr(input_data, 'STALL_SECONDS', 0.5)
  mirrors(mode)
  message = read_fails(tmp_path)
  assert re.search(rf'\n  {server.url}/{mode}/{input_data.TRAIN_IMAGES}: .*{reason}', message)
  mirrors(mode, 'good')
  input_data.maybe_download(NAMES[1], tmp_path)
  assert contents(tmp_path) == {NAMES[1]: ARCHIVES[NAMES[1]]}


def closed_port():
  with socket.socket() as s:
    s.bind(('127.0.0.1', 0))
    return s.getsockname()[1]


def test_the_error_gives_each_address_its_reason_and_says_what_to_do(tmp_path, server):
  reasons = {
    f'http://127.0.0.1:{closed_port()}/': 'Connection refused',
    'http://no-such-host.invalid/mnist': '(Name|nodename|resolution)',
    f'{server.url}/403/': '403',
    (tmp_path / 'none').as_uri(): 'No such file',
    'nonsense': 'no valid address',
  }
  lines = read_fails(tmp_path, source_url=list(reasons)).splitlines()
  assert lines[0] == 'train-images-idx3-ubyte.gz could not be downloaded.'
  for (url, reason), line in zip(reasons.items(), lines[1:6], strict=True):
    assert re.match(f'  {url.rstrip("/")}/train-images-idx3-ubyte.gz: .*{reason}', line), line
  assert len(lines) == 7
  assert all(word in lines[6] for word in [*NAMES, str(tmp_path / 'new'), 'source_url='])


def test_no_password_and_no_bytes_of_a_server_are_printed(tmp_path, server):
  urls = [server.url.replace('//', '//user:secret@'), f'{server.url}/garbage']
  done = download_process(tmp_path, urls)
  errors = done.communicate(timeout=60)[1]
  shown = errors[errors.index('OSError: ') :]  # The lines above quote the script of this test.
  assert '\n  http://***@127.0.0.1' in shown and '/garbage/' in shown
  for hidden in ('secret', 'owned', '\x1b'):
    assert hidden not in errors.replace(repr(urls), '')


def test_an_unverified_certificate_is_refused_and_the_advice_helps(tmp_path):
  with serve(ROOT / 'MNIST_data', tls=True) as server:
    message = read_fails(tmp_path, source_url=server.url)
    assert re.search('CERTIFICATE_VERIFY_FAILED.*README.md says what to do', message)
    env = os.environ | {'SSL_CERT_FILE': str(TESTS / 'self_signed.pem')}
    done = download_process(tmp_path, server.url, env=env)
    assert done.wait(60) == 0, done.stderr.read()
  assert contents(tmp_path) == ARCHIVES


@pytest.fixture(scope='module')
def fashion(tmp_path_factory):
  """Another data set under the same four names: 6,000 and 1,000 examples."""
  folder = tmp_path_factory.mktemp('fashion')
  for kind, n in (('train', 6000), ('t10k', 1000)):
    images = np.random.RandomState(n).bytes(n * 784)
    write_idx(folder / f'{kind}-images-idx3-ubyte.gz', 2051, n, 28, 28, data=images)
    write_idx(folder / f'{kind}-labels-idx1-ubyte.gz', 2049, n, data=bytes(n))
  return folder


@pytest.mark.parametrize('how', ['slash', 'bare', 'generator', 'file', 'several', 'unsized'])
def test_another_data_set_of_the_same_four_names_is_kept(tmp_path, fashion, how):
  with serve(fashion) as server:
    source_url = {
      'slash': f'{server.url}/any/',
      'bare': f'{server.url}/any',
      'generator': (f'{server.url}/{mode}' for mode in ('404', 'any')),
      'file': fashion.as_uri(),
      'several': [f'{server.url}/404', f'{server.url}/portal', f'{server.url}/any'],
      'unsized': f'{server.url}/unsized',
    }[how]
    mnist = input_data.read_data_sets(tmp_path, source_url=source_url)
  assert mnist.train.num_examples == 1000 and mnist.test.num_examples == 1000
  input_data.read_data_sets(tmp_path)  # What is there is used, with no address.
  assert contents(tmp_path) == contents(fashion)


@pytest.mark.parametrize('mode', ['portal', 'short', 'flipped'])
def test_no_address_gets_a_damaged_file_kept(tmp_path, server, mode):
  message = read_fails(tmp_path, source_url=f'{server.url}/{mode}')
  assert 'SHA-256' not in message  # Nobody knows the digest of what is not from a mirror.


@pytest.mark.parametrize('source_url', [None, '', input_data.DEFAULT_SOURCE_URL, 'of the file'])
def test_maybe_download_without_an_address_or_with_that_of_the_file(
  tmp_path, mirrors, server, source_url
):
  mirrors('404', 'good')
  if source_url == 'of the file':
    source_url = f'{server.url}/good/{NAMES[1]}'
  path = input_data.maybe_download(NAMES[1], str(tmp_path), source_url)
  assert path == str(tmp_path / NAMES[1])
  assert contents(tmp_path) == {NAMES[1]: ARCHIVES[NAMES[1]]}


def wait_for(condition):
  deadline = time.monotonic() + 60
  while not condition():
    assert time.monotonic() < deadline
    time.sleep(0.005)


def test_a_killed_process_never_leaves_half_a_file(tmp_path, server):
  moments = random.Random(0)
  for _ in range(6):
    server.requests.clear()
    process = download_process(tmp_path, f'{server.url}/slow')
    wait_for(lambda: server.requests or process.poll() is not None)  # noqa: B023
    time.sleep(moments.uniform(0, 0.4))
    process.kill()
    process.communicate()
    found = contents(tmp_path)
    assert {name: found[name] for name in NAMES if name in found}.items() <= ARCHIVES.items()
    assert all(name in NAMES or name.endswith('.part') for name in found)


def test_ctrl_c_leaves_nothing_behind(tmp_path, server):
  server.requests.clear()
  process = download_process(tmp_path / 'new', f'{server.url}/stall')
  wait_for(lambda: server.requests)
  process.send_signal(signal.SIGINT)
  assert 'KeyboardInterrupt' in process.communicate(timeout=60)[1]
  assert contents(tmp_path) == {}


def test_a_full_disk_leaves_nothing_behind(tmp_path, server):
  limit = 'import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))'
  process = download_process(tmp_path, f'{server.url}/good', limit)
  assert 'OSError: [Errno' in process.communicate(timeout=60)[1]
  assert contents(tmp_path) == {}


def test_four_processes_fill_one_folder_at_once(tmp_path, server):
  processes = [download_process(tmp_path, f'{server.url}/good') for _ in range(4)]
  for process in processes:
    assert process.wait(60) == 0, process.stderr.read()
  assert contents(tmp_path) == ARCHIVES


def test_a_terminal_shows_how_much_has_come(tmp_path, server):
  terminal, end = pty.openpty()
  env = os.environ | {'TERM': 'xterm'}
  process = download_process(tmp_path, f'{server.url}/slow', stderr=end, env=env)
  os.close(end)
  shown = b''
  while select.select([terminal], [], [], 60)[0]:
    try:
      shown += os.read(terminal, 1 << 16)
    except OSError:  # The process has closed its end.
      break
  assert process.wait(60) == 0
  frames = re.findall(rb'\x1b\[Ktrain-images-idx3-ubyte.gz: (\d+\.\d) MB', shown)
  assert len(frames) > 10 and frames[-1] == b'9.9' and frames == sorted(frames, key=float)
  assert shown.endswith(b'\r\x1b[K')
  assert '\x1b' not in process.stdout.read()


@pytest.fixture
def elsewhere(tmp_path, digits):
  """A folder, not the module's own, with which a process can read 'MNIST_data'."""
  (tmp_path / 'project').mkdir()
  shutil.copy(ROOT / 'input_data.py', tmp_path / 'project')
  shutil.copytree(digits, tmp_path / 'project' / 'MNIST_data')
  return tmp_path


def extracted(folder, source_url=None):
  """Returns the folder from which a process in `folder` has read 'MNIST_data'."""
  script = (
    'import input_data, sys; input_data.read_data_sets("MNIST_data", source_url=sys.argv[1])'
  )
  env = os.environ | {'PYTHONPATH': str(folder / 'project')}
  command = [sys.executable, '-c', script, source_url or 'file:///none']
  done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
  assert done.returncode == 0, done.stderr
  return re.search('Extracting (.*)/train-images-idx3-ubyte.gz', done.stdout)[1]


def test_a_data_folder_beside_the_module_is_found_from_elsewhere(elsewhere):
  assert extracted(elsewhere) == str(elsewhere / 'project' / 'MNIST_data')
  assert not (elsewhere / 'MNIST_data').exists()


def test_a_folder_in_the_working_folder_comes_first(elsewhere, digits):
  shutil.copytree(digits, elsewhere / 'MNIST_data')
  assert extracted(elsewhere) == 'MNIST_data'


def test_a_folder_beside_the_module_without_data_is_left_alone(elsewhere, archives):
  for path in (elsewhere / 'project' / 'MNIST_data').iterdir():
    path.unlink()
  assert extracted(elsewhere, archives.as_uri()) == 'MNIST_data'
  assert contents(elsewhere / 'MNIST_data') == ARCHIVES
