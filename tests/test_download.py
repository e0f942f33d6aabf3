"""Whatever the network does, a reader ends with the right data or with a word on what to do."""

import functools
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

import pytest
import trustme
from server import serve

import input_data
from conftest import ROOT, lines_of, run

NAMES = sorted(input_data.SHA256)
REAL = (ROOT / 'MNIST_data').as_uri()
ARCHIVES = {name: (ROOT / 'MNIST_data' / name).read_bytes() for name in NAMES}
# A program that reads the folder it is given, and downloads from the addresses after it.
READ = """import sys, input_data
input_data.read_data_sets(sys.argv[1], source_url=sys.argv[2:] or None)"""


@pytest.fixture(scope='module')
def server():
  with serve(ROOT / 'MNIST_data') as server:
    yield server


@pytest.fixture(autouse=True)
def no_archives_beside_the_module(tmp_path, monkeypatch):
  monkeypatch.setattr(input_data, '__file__', str(tmp_path / 'module' / 'input_data.py'))


def contents(folder):
  return {path.name: path.read_bytes() for path in pathlib.Path(folder).iterdir()}


def read_fails(folder, **options):
  """Returns what the `OSError` says; nothing may be left behind."""
  with pytest.raises(OSError) as info:
    input_data.read_data_sets(folder / 'new', **options)
  assert contents(folder / 'new') == {}
  return str(info.value)


def start(folder, url):
  command = [sys.executable, '-c', READ, folder, url]
  return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def test_a_new_folder_is_filled_from_the_first_mirror(tmp_path, monkeypatch, server, capsys):
  monkeypatch.setattr(input_data, 'MIRRORS', (f'{server.url}/good/', f'{server.url}/404/'))
  server.requests.clear()
  for _ in range(2):  # The second time, all are there.
    input_data.read_data_sets(tmp_path / 'new' / 'data')
    assert contents(tmp_path / 'new' / 'data') == ARCHIVES and len(server.requests) == 4
  printed = capsys.readouterr()
  assert 'Successfully downloaded train-images-idx3-ubyte.gz 9912422 bytes.\n' in printed.out
  assert printed.out.count('Extracting') == 8 and printed.err == ''
  (tmp_path / 'other').touch()  # The permissions are those of any new file.
  assert os.stat(tmp_path / 'new/data' / NAMES[0]).st_mode == os.stat(tmp_path / 'other').st_mode


MNIST_URLS = [None, '', input_data.DEFAULT_SOURCE_URL, 'http://yann.lecun.com/exdb/mnist']
MNIST_URLS += ['http://ossci-datasets.s3.amazonaws.com/mnist/']


@pytest.mark.parametrize('url', MNIST_URLS)
@pytest.mark.parametrize(
  'mode', ['403', 'garbage', 'portal', 'short', 'flipped', 'stall', 'other']
)
def test_without_an_address_the_next_mirror_steps_in(
  tmp_path, server, digits, monkeypatch, mode, url
):
  if mode == 'stall':
    monkeypatch.setattr(input_data, 'STALL_SECONDS', 1)
  # Other data are intact, but they have not the published digests.
  first = f'file://{digits}/' if mode == 'other' else f'{server.url}/{mode}/'
  monkeypatch.setattr(input_data, 'MIRRORS', (first, f'{REAL}/'))
  path = input_data.maybe_download(NAMES[1], str(tmp_path), url)
  assert path == str(tmp_path / NAMES[1]) and contents(tmp_path) == {NAMES[1]: ARCHIVES[NAMES[1]]}


# The addresses that are asked, and what the error says of each.
REASONS = {
  'http://127.0.0.1:{closed_port}/': 'Connection refused',
  '{server}/403/': 'HTTP Error 403',
  '{server}/garbage/': r'\x1b]0;owned',
  '{server}/short/': 'IncompleteRead',
  'file:///no/such/folder': 'No such file',
  'nonsense': 'unknown url type',
  '{server}/portal/': 'train-images-idx3-ubyte.gz is not an IDX file',
  '{server}/stall': 'timed out',
}


def test_the_error_gives_each_reason_and_says_what_to_do(tmp_path, server, monkeypatch):
  monkeypatch.setattr(input_data, 'STALL_SECONDS', 1)
  with socket.socket() as s:  # Its port does not listen.
    s.bind(('127.0.0.1', 0))
    places = {'closed_port': s.getsockname()[1], 'server': server.url}
    urls = [url.format(**places) for url in REASONS]
    message = read_fails(tmp_path, source_url=urls)
  assert '\x1b' not in message  # What a server sends may not control a terminal.
  first, *lines, last = message.splitlines()
  assert first == 'train-images-idx3-ubyte.gz could not be downloaded.'
  for url, reason, line in zip(urls, REASONS.values(), lines, strict=True):
    assert line.startswith(f'  {url.rstrip("/")}/train-images-idx3-ubyte.gz: ') and reason in line
  assert all(word in last for word in [*NAMES, str(tmp_path / 'new'), 'README.md'])


def test_a_folder_that_cannot_be_made_is_said_before_anything_is_fetched(tmp_path, server):
  server.requests.clear()
  (tmp_path / 'file').touch()
  for folder in (tmp_path / 'file' / 'data', tmp_path / 'file'):
    with pytest.raises(OSError, match=str(folder)):
      input_data.read_data_sets(folder, source_url=f'{server.url}/good')
  assert server.requests == []


def test_an_unverified_certificate_is_refused_and_the_advice_helps(tmp_path):
  authority = trustme.CA()  # Nobody trusts it yet.
  authority.cert_pem.write_to_path(tmp_path / 'authority.pem')
  with serve(ROOT / 'MNIST_data', authority.issue_cert('127.0.0.1')) as server:
    message = read_fails(tmp_path, source_url=server.url)
    assert re.search(r'CERTIFICATE_VERIFY_FAILED.*\nREADME.md says what to do', message)
    assert '| `CERTIFICATE_VERIFY_FAILED` |' in (ROOT / 'README.md').read_text()
    env = os.environ | {'SSL_CERT_FILE': str(tmp_path / 'authority.pem')}
    lines_of(run('-c', READ, tmp_path / 'new', server.url, env=env))
  assert contents(tmp_path / 'new') == ARCHIVES


def test_another_data_set_of_the_same_four_names_is_kept(tmp_path, digits):
  with serve(digits) as server:
    urls = [f'{server.url}/404', f'{server.url}/portal', f'{server.url}/any/']
    input_data.read_data_sets(tmp_path, source_url=urls)
  mnist = input_data.read_data_sets(tmp_path)  # What is there is used, with no address.
  assert mnist.train.num_examples == 200 and contents(tmp_path) == contents(digits)


def test_a_killed_process_never_leaves_half_a_file(tmp_path, server):
  for i in range(4):
    folder = tmp_path / str(i)
    process = start(folder, f'{server.url}/good')
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
  processes = [start(tmp_path, f'{server.url}/good') for _ in range(3)]
  assert [process.communicate(timeout=600) for process in processes] == [(None, '')] * 3
  assert contents(tmp_path) == ARCHIVES


def test_a_folder_without_data_means_the_archives_beside_the_module(tmp_path, digits):
  project, here = tmp_path / 'project', tmp_path / 'here'
  for name in ('MNIST_data', 'fashion'):
    shutil.copytree(digits, project / name)
  shutil.copy(ROOT / 'input_data.py', project)
  (here / 'empty').mkdir(parents=True)
  (here / 'empty' / '.DS_Store').touch()
  env = os.environ | {'PYTHONPATH': str(project)}
  read = functools.partial(run, '-c', READ, cwd=here, env=env)
  for folder in ('MNIST_data', 'fashion', 'empty', 'data/mnist/', str(tmp_path / 'input')):
    source = 'fashion' if folder == 'fashion' else 'MNIST_data'
    shown = lines_of(read(folder))[0]
    assert shown == f'Extracting {project}/{source}/train-images-idx3-ubyte.gz'
    assert (here / folder).is_dir()
  lines_of(read('MNIST_data', REAL))  # An address is asked although the archives are beside it.
  assert contents(here / 'MNIST_data') == ARCHIVES
  assert lines_of(read('MNIST_data'))[0] == 'Extracting MNIST_data/train-images-idx3-ubyte.gz'
  (tmp_path / 'file').touch()
  assert 'File exists' in read(tmp_path / 'file').stderr
