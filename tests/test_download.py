"""Whatever the network does, a reader ends with the right data or with a word on what to do."""

import http.server
import os
import shutil
import ssl
import subprocess
import sys
import threading
import time

import pytest
import trustme

import input_data
from conftest import ROOT, lines_of, run

NAMES = sorted(input_data.SHA256)
REAL = (ROOT / 'MNIST_data').as_uri()
ARCHIVES = {name: (ROOT / 'MNIST_data' / name).read_bytes() for name in NAMES}
# A program that reads the folder it is given, and downloads from the addresses after it.
READ = """import sys, input_data
input_data.read_data_sets(sys.argv[1], source_url=sys.argv[2:] or None)"""


class Handler(http.server.BaseHTTPRequestHandler):
  """Answers `/MODE/FILE` with an archive, in the way that MODE names: good, 404, short ..."""

  def do_GET(self):
    _, mode, name = self.path.split('/')
    if mode == 'garbage':
      return self.wfile.write(b'\x1b]0;owned\x07 raw bytes\r\n\r\n')
    page = b'<!DOCTYPE html><title>Sign in to the network</title>'
    body = page if mode == 'portal' else ARCHIVES[name]
    self.send_response(int(mode) if mode.isdigit() else 200)
    self.send_header('Content-Length', str(len(body)))
    self.end_headers()
    self.wfile.write(body[: len(body) // 2] if mode in ('short', 'stall') else body)
    if mode == 'stall':
      time.sleep(60)

  def log_message(self, *_):  # In place of a line on the screen.
    self.server.requests.append(self.path)


@pytest.fixture
def server():
  """Serves the archives on the loopback."""
  with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
    server.url, server.requests = f'http://127.0.0.1:{server.server_port}', []
    threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture(autouse=True)
def no_archives_beside_the_module(tmp_path, monkeypatch):
  monkeypatch.setattr(input_data, '__file__', str(tmp_path / 'module' / 'input_data.py'))
  monkeypatch.setattr(input_data, 'STALL_SECONDS', 1)


def contents(folder):
  return {path.name: path.read_bytes() for path in folder.iterdir()}


def start(folder, server):
  command = [sys.executable, '-c', READ, folder, f'{server.url}/good']
  return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def test_a_new_folder_is_filled_from_the_first_mirror(tmp_path, monkeypatch, server, capsys):
  monkeypatch.setattr(input_data, 'MIRRORS', (f'{server.url}/good/', f'{server.url}/404/'))
  for _ in range(2):  # The second time, all are there.
    input_data.read_data_sets(tmp_path / 'new' / 'data')
    assert contents(tmp_path / 'new' / 'data') == ARCHIVES and len(server.requests) == 4
  printed = capsys.readouterr()
  assert 'Successfully downloaded train-images-idx3-ubyte.gz 9912422 bytes.\n' in printed.out
  assert printed.out.count('Extracting') == 8 and printed.err == ''
  (tmp_path / 'other').touch()  # The permissions are those of any new file.
  assert os.stat(tmp_path / 'new/data' / NAMES[0]).st_mode == os.stat(tmp_path / 'other').st_mode


@pytest.mark.parametrize('url', ['', 'http://yann.lecun.com/exdb/mnist', *input_data.MIRRORS])
@pytest.mark.parametrize('mode', '403 garbage portal short stall other'.split())
def test_mnists_addresses_mean_each_mirror(tmp_path, server, digits, monkeypatch, mode, url):
  # Other data are intact, but they have not the published digests.
  first = f'file://{digits}/' if mode == 'other' else f'{server.url}/{mode}/'
  monkeypatch.setattr(input_data, 'MIRRORS', (first, f'{REAL}/'))
  path = input_data.maybe_download(NAMES[1], str(tmp_path), url)
  assert path == str(tmp_path / NAMES[1]) and contents(tmp_path) == {NAMES[1]: ARCHIVES[NAMES[1]]}


def test_the_error_gives_each_reason_and_says_what_to_do(tmp_path, server):
  reasons = {  # By the address that is asked.
    f'{server.url}/403/': 'HTTP Error 403',
    f'{server.url}/garbage/': r'\x1b]0;owned',  # What a server sends may not control a terminal.
    'file:///no/such/folder': 'No such file',
    'nonsense': 'unknown url type',
    f'{server.url}/portal/': 'train-images-idx3-ubyte.gz is not an IDX file',
    f'{server.url}/stall': 'timed out',
  }
  with pytest.raises(OSError) as info:
    input_data.read_data_sets(tmp_path / 'new', source_url=[*reasons])
  assert contents(tmp_path / 'new') == {}
  first, *lines, last = str(info.value).splitlines()
  assert first == 'train-images-idx3-ubyte.gz could not be downloaded.'
  for (url, reason), line in zip(reasons.items(), lines, strict=True):
    assert line.startswith(f'  {url.rstrip("/")}/train-images-idx3-ubyte.gz: ') and reason in line
    assert line.isprintable()
  assert all(word in last for word in [*NAMES, str(tmp_path / 'new'), 'README.md'])


def test_a_folder_that_cannot_be_made_is_said_before_anything_is_fetched(tmp_path, server):
  (tmp_path / 'file').touch()
  for folder in tmp_path / 'file' / 'data', tmp_path / 'file':
    with pytest.raises(OSError, match=str(folder)):
      input_data.read_data_sets(folder, source_url=f'{server.url}/good')
  assert server.requests == []


def test_an_unverified_certificate_is_refused_and_the_advice_helps(tmp_path, server):
  authority = trustme.CA()  # Nobody trusts it yet.
  authority.cert_pem.write_to_path(tmp_path / 'authority.pem')
  context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
  authority.issue_cert('127.0.0.1').configure_cert(context)
  server.socket = context.wrap_socket(server.socket, server_side=True)
  url = f'https://127.0.0.1:{server.server_port}/good'
  with pytest.raises(OSError, match=r'CERTIFICATE_VERIFY_FAILED.*\nREADME.md says what to do'):
    input_data.read_data_sets(tmp_path / 'new', source_url=url)
  assert '| `CERTIFICATE_VERIFY_FAILED` |' in (ROOT / 'README.md').read_text()
  env = os.environ | {'SSL_CERT_FILE': str(tmp_path / 'authority.pem')}
  lines_of(run('-c', READ, tmp_path / 'new', url, env=env))
  assert contents(tmp_path / 'new') == ARCHIVES


def test_a_killed_process_never_leaves_half_a_file(tmp_path, server):
  for folder in (tmp_path / str(i) for i in range(4)):
    process = start(folder, server)
    while process.poll() is None and not any(folder.glob('*')):
      time.sleep(0.001)
    process.kill()
    process.communicate()
    found = {path.name: path.read_bytes() for path in folder.glob('*-ubyte.gz')}
    assert any(folder.iterdir()) and found.items() <= ARCHIVES.items()


def test_a_full_disk_leaves_nothing_behind(tmp_path, server):
  limit = 'import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n'
  done = run('-c', limit + READ, tmp_path, f'{server.url}/good')
  assert 'OSError: [Errno' in done.stderr and contents(tmp_path) == {}


def test_three_processes_fill_one_folder_at_once(tmp_path, server):
  processes = [start(tmp_path, server) for _ in range(3)]
  assert [process.communicate(timeout=600) for process in processes] == [(None, '')] * 3
  assert contents(tmp_path) == ARCHIVES


def test_a_folder_without_data_means_the_archives_beside_the_module(tmp_path, digits):
  project, here = tmp_path / 'project', tmp_path / 'here'
  for name in 'MNIST_data', 'fashion':
    shutil.copytree(digits, project / name)
  shutil.copy(ROOT / 'input_data.py', project)
  (here / 'empty').mkdir(parents=True)
  (here / 'empty' / '.DS_Store').touch()

  def first_line(*words):
    return lines_of(run('-c', READ, *words, cwd=here, env=os.environ | {'PYTHONPATH': project}))[0]

  for folder in 'MNIST_data', 'fashion', 'empty', 'data/mnist/', str(tmp_path / 'input'):
    used = project / ('fashion' if folder == 'fashion' else 'MNIST_data')
    assert first_line(folder) == f'Extracting {used}/train-images-idx3-ubyte.gz'
    assert (here / folder).is_dir()
  first_line('MNIST_data', REAL)  # An address is asked although the archives are beside it.
  assert contents(here / 'MNIST_data') == ARCHIVES
  assert first_line('MNIST_data') == 'Extracting MNIST_data/train-images-idx3-ubyte.gz'
