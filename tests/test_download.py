"""Whatever the network does, a reader ends with the right data or with a word on what to do."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from server import TESTS, serve
from terminal import Terminal

import input_data
from conftest import ROOT, lines_of, run, write_idx

NAMES = sorted(input_data.SHA256)
READ = 'import sys, input_data; input_data.read_data_sets(sys.argv[1], source_url=sys.argv[2:])'
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


def start(folder, url):
  """Starts a process that reads the data set in `folder`, downloading it from `url`."""
  command = [sys.executable, '-c', READ, folder, url]
  return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def test_a_new_folder_is_filled_from_the_first_mirror(tmp_path, mirrors, server, capsys):
  mirrors('good', '404')
  for _ in range(2):  # The second time, all are there.
    input_data.read_data_sets(tmp_path / 'new' / 'data')
    assert contents(tmp_path / 'new' / 'data') == ARCHIVES
    assert len(server.requests) == 4
  printed = capsys.readouterr()
  assert 'Successfully downloaded train-images-idx3-ubyte.gz 9912422 bytes.\n' in printed.out
  assert printed.out.count('Extracting') == 8 and printed.err == ''
  (tmp_path / 'other').touch()  # The permissions are those of any new file.
  assert os.stat(tmp_path / 'new/data' / NAMES[0]).st_mode == os.stat(tmp_path / 'other').st_mode


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


def test_the_error_gives_each_address_its_reason_and_says_what_to_do(tmp_path, server):
  with socket.socket() as s:  # Its port does not listen.
    s.bind(('127.0.0.1', 0))
    reasons = {
      f'http://127.0.0.1:{s.getsockname()[1]}/': 'Connection refused',
      'http://no-such-host.invalid/mnist': '(Name|nodename|resolution)',
      f'{server.url}/403/': '403',
      (tmp_path / 'none').as_uri(): 'No such file',
      'nonsense': 'no valid address',
    }
    lines = read_fails(tmp_path, source_url=list(reasons)).splitlines()
  assert lines[0] == 'train-images-idx3-ubyte.gz could not be downloaded.'
  for (url, reason), line in zip(reasons.items(), lines[1:-1], strict=True):
    assert re.match(f'  {url.rstrip("/")}/train-images-idx3-ubyte.gz: .*{reason}', line), line
  assert all(word in lines[-1] for word in [*NAMES, str(tmp_path / 'new'), 'source_url='])


def test_no_password_and_no_bytes_of_a_server_are_printed(tmp_path, server):
  url = server.url.replace('//', '//user:secret@')
  errors = run('-c', READ, tmp_path, url, f'{server.url}/garbage', f'{server.url}/403').stderr
  assert 'http://***@127.0.0.1' in errors and '/garbage/' in errors
  assert not re.search('secret|owned|Forbidden|\x1b', errors)


def test_an_unverified_certificate_is_refused_and_the_advice_helps(tmp_path):
  with serve(ROOT / 'MNIST_data', tls=True) as server:
    message = read_fails(tmp_path, source_url=server.url)
    assert re.search('CERTIFICATE_VERIFY_FAILED.*README.md says what to do', message)
    env = os.environ | {'SSL_CERT_FILE': str(TESTS / 'self_signed.pem')}
    lines_of(run('-c', READ, tmp_path, server.url, env=env))
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
  for i in range(4):
    folder = tmp_path / str(i)
    process = start(folder, f'{server.url}/good')
    wait_for(lambda: contents(folder))  # noqa: B023
    process.kill()
    process.communicate()
    for name, content in contents(folder).items():
      assert name.endswith('.part') or content == ARCHIVES[name]


def test_ctrl_c_leaves_nothing_behind(tmp_path, server):
  server.requests.clear()
  process = start(tmp_path / 'new', f'{server.url}/stall')
  wait_for(lambda: server.requests)
  process.send_signal(signal.SIGINT)
  assert 'KeyboardInterrupt' in process.communicate(timeout=60)[1]
  assert contents(tmp_path) == {}


def test_a_full_disk_leaves_nothing_behind(tmp_path, server):
  limit = 'import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n'
  done = run('-c', limit + READ, tmp_path, f'{server.url}/good')
  assert 'OSError: [Errno' in done.stderr
  assert contents(tmp_path) == {}


def test_four_processes_fill_one_folder_at_once(tmp_path, server):
  processes = [start(tmp_path, f'{server.url}/good') for _ in range(4)]
  for process in processes:
    assert process.communicate(timeout=600) == (None, '')
  assert contents(tmp_path) == ARCHIVES


def test_a_terminal_shows_how_much_has_come(tmp_path, server):
  with Terminal(sys.executable, '-c', READ, tmp_path, f'{server.url}/slow') as terminal:
    terminal.wait_for('Successfully downloaded train-images')
  shown = re.findall(r'train-images-idx3-ubyte.gz: (\d+\.\d) MB', terminal.shown)
  assert len(shown) > 10 and shown[-1] == '9.9' and shown == sorted(shown, key=float)


@pytest.fixture
def extracted(tmp_path, digits):
  """Reads 'MNIST_data' in the folder above that of the module, and returns what was read."""
  shutil.copytree(digits, tmp_path / 'project' / 'MNIST_data')
  shutil.copy(ROOT / 'input_data.py', tmp_path / 'project')

  def read(*urls):
    env = os.environ | {'PYTHONPATH': str(tmp_path / 'project')}
    lines = lines_of(run('-c', READ, 'MNIST_data', *urls, cwd=tmp_path, env=env))
    return [line.removeprefix('Extracting ') for line in lines if 'Extracting' in line]

  return read


def test_a_data_folder_beside_the_module_is_found_from_elsewhere(tmp_path, extracted):
  assert extracted()[0] == f'{tmp_path}/project/MNIST_data/train-images-idx3-ubyte.gz'
  assert not (tmp_path / 'MNIST_data').exists()


def test_a_folder_in_the_working_folder_comes_first(tmp_path, extracted, digits):
  shutil.copytree(digits, tmp_path / 'MNIST_data')
  assert extracted()[0] == 'MNIST_data/train-images-idx3-ubyte.gz'


def test_a_folder_beside_the_module_that_holds_no_data_is_left_alone(tmp_path, extracted, digits):
  for path in (tmp_path / 'project' / 'MNIST_data').iterdir():
    path.rename(tmp_path / path.name)
  assert extracted(tmp_path.as_uri())[0] == 'MNIST_data/train-images-idx3-ubyte.gz'
