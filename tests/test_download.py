"""Whatever the network does, a reader ends with the right data or with a word on what to do."""

import hashlib
import os
import pathlib
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
    return urls

  return set_mirrors


def contents(folder):
  return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob('*')}


def read_fails(folder, **options):
  """Returns what the one `OSError` says; nothing may be left in the folder."""
  with pytest.raises(OSError) as info:
    input_data.read_data_sets(folder, **options)
  assert contents(folder) == {}
  return str(info.value)


def test_the_digests_are_those_of_the_archives_here(archives):
  assert contents(archives) == input_data.SHA256


def test_a_fresh_folder_is_filled_from_the_first_mirror(tmp_path, mirrors, server, capsys):
  mirrors('good', '404')
  server.requests.clear()
  mnist = input_data.read_data_sets(tmp_path / 'new' / 'data')
  assert mnist.test.num_examples == 10000
  assert contents(tmp_path / 'new' / 'data') == input_data.SHA256
  assert len(server.requests) == 4
  printed = capsys.readouterr()
  assert 'Successfully downloaded train-images-idx3-ubyte.gz 9912422 bytes.\n' in printed.out
  assert printed.out.count('Extracting') == 4 and printed.err == ''
  input_data.read_data_sets(tmp_path / 'new' / 'data')
  assert len(server.requests) == 4  # What is there is not asked for again.


def test_a_download_has_the_permissions_of_any_new_file(tmp_path, mirrors):
  mirrors('good')
  path = input_data.maybe_download(NAMES[0], tmp_path, input_data.DEFAULT_SOURCE_URL)
  (tmp_path / 'other').touch()
  assert os.stat(path).st_mode == os.stat(tmp_path / 'other').st_mode


@pytest.mark.parametrize(
  'mode, reason',
  [
    ('403', 'HTTP Error 403'),
    ('404', 'HTTP Error 404'),
    ('503', 'HTTP Error 503'),
    ('loop', 'HTTP Error 302'),
    ('portal', 'the 52 bytes that came do not have the published SHA-256'),
    ('flipped', 'do not have the published SHA-256'),
    ('short', r'only \d+ of \d+ bytes came'),
    ('stall', 'nothing came for 0.2 seconds'),
  ],
)
def test_the_next_mirror_steps_in(tmp_path, mirrors, server, monkeypatch, mode, reason):
  monkeypatch.setattr(input_data, 'STALL_SECONDS', 0.2)
  urls = mirrors(mode, 'good')
  input_data.read_data_sets(tmp_path)
  assert contents(tmp_path) == input_data.SHA256
  mirrors(mode)
  (tmp_path / 'empty').mkdir()
  message = read_fails(tmp_path / 'empty')
  assert re.search(rf'\n  {urls[0]}train-images-idx3-ubyte.gz: .*{reason}', message)


def closed_port():
  with socket.socket() as s:
    s.bind(('127.0.0.1', 0))
    return s.getsockname()[1]


def test_the_last_error_names_every_address_with_its_own_reason(tmp_path, server):
  urls = [
    f'http://127.0.0.1:{closed_port()}/',
    'http://no-such-host.invalid/mnist',
    f'{server.url}/403/',
    (tmp_path / 'none').as_uri(),
    'nonsense',
  ]
  (tmp_path / 'data').mkdir()
  message = read_fails(tmp_path / 'data', source_url=urls)
  lines = message.splitlines()
  assert lines[0] == 'train-images-idx3-ubyte.gz could not be downloaded.'
  reasons = ['Connection refused', '(Name|nodename|resolution)', '403', 'No such file', 'unknown']
  for url, reason, line in zip(urls, reasons, lines[1:6], strict=True):
    assert re.match(f'  {url.rstrip("/")}/train-images-idx3-ubyte.gz: .*{reason}', line), line
  assert len(lines) == 7
  assert all(name in lines[6] for name in [*NAMES, str(tmp_path / 'data'), 'source_url='])


def test_an_unverified_certificate_is_refused_and_explained(tmp_path):
  with serve(ROOT / 'MNIST_data', tls=True) as server:
    message = read_fails(tmp_path, source_url=server.url)
    assert re.search(
      'CERTIFICATE_VERIFY_FAILED.*what to do is in README.md, under "The data"', message
    )
    # What is advised there helps.
    done = download_process(
      tmp_path, server.url, env=os.environ | {'SSL_CERT_FILE': str(TESTS / 'self_signed.pem')}
    )
    assert done.wait(60) == 0, done.stderr.read()
  assert contents(tmp_path) == input_data.SHA256


@pytest.fixture(scope='module')
def fashion(tmp_path_factory):
  """Another data set under the same four names: 6,000 and 1,000 digits, white for black."""
  folder = tmp_path_factory.mktemp('fashion')
  mnist = input_data.read_data_sets(str(ROOT / 'MNIST_data'), dtype=np.uint8)
  for kind, data_set, n in (('train', mnist.train, 6000), ('t10k', mnist.test, 1000)):
    images = 255 - data_set.images[:n]
    write_idx(folder / f'{kind}-images-idx3-ubyte.gz', 2051, n, 28, 28, data=images.tobytes())
    labels = data_set.labels[:n].tobytes()
    write_idx(folder / f'{kind}-labels-idx1-ubyte.gz', 2049, n, data=labels)
  return folder


@pytest.mark.parametrize(
  'how', ['slash', 'bare', 'list', 'generator', 'file', 'second', 'unsized', 'query']
)
def test_another_data_set_of_the_same_four_files_is_kept(tmp_path, fashion, how):
  with serve(fashion) as server:
    source_url = {
      'slash': f'{server.url}/any/',
      'bare': f'{server.url}/any',
      'list': [f'{server.url}/any'],
      'generator': (f'{server.url}/{mode}' for mode in ('404', 'any')),
      'file': fashion.as_uri(),
      'second': [f'{server.url}/404', f'{server.url}/portal', f'{server.url}/any'],
      'unsized': f'{server.url}/unsized',
      'query': f'{server.url}/any/?sig=1/2',
    }[how]
    mnist = input_data.read_data_sets(tmp_path, source_url=source_url)
    assert how != 'query' or server.requests == [
      f'/any/{name}?sig=1/2' for name in (NAMES[2], NAMES[3], NAMES[0], NAMES[1])
    ]
  assert mnist.train.num_examples == 1000 and mnist.test.num_examples == 1000
  assert contents(tmp_path) == contents(fashion)
  # And files like these are used as they are, with no other address.
  again = input_data.read_data_sets(tmp_path, validation_size=0)
  assert again.train.num_examples == 6000
  assert contents(tmp_path) == contents(fashion)


@pytest.mark.parametrize('mode', ['portal', 'short', 'flipped', 'cut', '404'])
def test_what_is_not_whole_is_kept_from_no_address(tmp_path, server, mode):
  (tmp_path / 'x').mkdir()
  message = read_fails(tmp_path / 'x', source_url=f'{server.url}/{mode}')
  assert 'SHA-256' not in message  # Nobody knows the digest of what is not from a mirror.


def test_an_archive_of_the_wrong_kind_is_not_kept(tmp_path, archives):
  source = tmp_path / 'source'
  source.mkdir()
  shutil.copy(archives / input_data.TEST_LABELS, source / input_data.TRAIN_IMAGES)
  (tmp_path / 'data').mkdir()
  message = read_fails(tmp_path / 'data', source_url=source.as_uri())
  assert 'magic number 2049 instead of 2051' in message


@pytest.mark.parametrize('query', ['', '?sig=1', '?a=b/&sig=1%2F='])
def test_maybe_download_requests_the_address_of_the_file_itself_as_it_is(tmp_path, server, query):
  server.requests.clear()
  url = f'{server.url}/good/{NAMES[1]}{query}'
  path = input_data.maybe_download(NAMES[1], str(tmp_path), url)
  assert path == str(tmp_path / NAMES[1])
  assert server.requests == [f'/good/{NAMES[1]}{query}']
  assert contents(tmp_path) == {NAMES[1]: input_data.SHA256[NAMES[1]]}


def test_a_query_can_name_the_file(tmp_path, server):
  url = f'{server.url}/404/download?file={NAMES[1]}&x'
  with pytest.raises(OSError, match=re.escape(f'\n  {url}: ')):
    input_data.maybe_download(NAMES[1], tmp_path, url)


@pytest.mark.parametrize(
  'source_url', [(), (None,), ('',), ([],), (input_data.DEFAULT_SOURCE_URL,)]
)
def test_maybe_download_without_an_address_asks_the_mirrors(tmp_path, mirrors, source_url):
  mirrors('404', 'good')
  input_data.maybe_download(NAMES[1], str(tmp_path), *source_url)
  assert contents(tmp_path) == {NAMES[1]: input_data.SHA256[NAMES[1]]}


@pytest.mark.parametrize('source_url', [None, ''])
def test_read_data_sets_without_an_address_asks_the_mirrors(tmp_path, mirrors, source_url):
  mirrors('good')
  input_data.read_data_sets(tmp_path, source_url=source_url)
  assert contents(tmp_path) == input_data.SHA256


def test_a_proxy_from_the_environment_is_used(tmp_path, server):
  server.requests.clear()
  env = {key: value for key, value in os.environ.items() if key.lower() != 'no_proxy'}
  done = download_process(
    tmp_path, 'http://mnist.invalid/good', env=env | {'http_proxy': server.url}
  )
  assert done.wait(60) == 0, done.stderr.read()
  assert contents(tmp_path) == input_data.SHA256
  assert sorted(server.requests) == [f'http://mnist.invalid/good/{name}' for name in NAMES]


def download_process(folder, url, before='', **options):
  """Starts a Python that reads the data set in `folder`, downloading it from `url`."""
  script = (
    f'{before}\nimport input_data\n'
    f'mnist = input_data.read_data_sets({str(folder)!r}, source_url={url!r})\n'
    'assert mnist.train.num_examples == 55000'
  )
  options = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'text': True} | options
  return subprocess.Popen([sys.executable, '-c', script], cwd=ROOT, **options)


def wait_for(condition, seconds=30):
  deadline = time.monotonic() + seconds
  while not condition():
    assert time.monotonic() < deadline
    time.sleep(0.005)


def test_a_process_killed_ten_times_never_leaves_half_a_file(tmp_path, server):
  moments = random.Random(0)
  final_names = 0
  for _ in range(10):
    server.requests.clear()
    process = download_process(tmp_path, f'{server.url}/slow')
    wait_for(lambda: server.requests or process.poll() is not None)  # noqa: B023
    time.sleep(moments.uniform(0, 0.15))
    process.kill()
    process.communicate()
    whole = {name: digest for name, digest in contents(tmp_path).items() if name in NAMES}
    assert whole.items() <= input_data.SHA256.items()
    final_names += len(whole)
    if len(whole) == 4:
      shutil.rmtree(tmp_path)
  assert final_names < 20  # Most were killed before the end.
  tmp_path.mkdir(exist_ok=True)
  process = download_process(tmp_path, f'{server.url}/good')
  assert process.wait(60) == 0, process.stderr.read()
  found = contents(tmp_path)
  assert {name: found[name] for name in NAMES} == input_data.SHA256
  assert all(name in NAMES or name.endswith('.part') for name in found)


def test_ctrl_c_leaves_nothing_behind(tmp_path, server):
  server.requests.clear()
  process = download_process(tmp_path, f'{server.url}/stall')
  wait_for(lambda: server.requests)
  wait_for(lambda: any(tmp_path.iterdir()))
  process.send_signal(signal.SIGINT)
  assert 'KeyboardInterrupt' in process.communicate(timeout=30)[1]
  assert contents(tmp_path) == {}


def test_four_processes_fill_one_folder_at_once(tmp_path, server):
  processes = [download_process(tmp_path, f'{server.url}/good') for _ in range(4)]
  for process in processes:
    assert process.wait(60) == 0, process.stderr.read()
  assert contents(tmp_path) == input_data.SHA256


def test_a_terminal_shows_the_bytes_and_the_rate(tmp_path, server):
  master, slave = pty.openpty()
  process = download_process(tmp_path, f'{server.url}/slow', stderr=slave)
  os.close(slave)
  shown = b''
  while select.select([master], [], [], 60)[0]:
    try:
      shown += os.read(master, 1 << 16)
    except OSError:  # The program has closed its end of the terminal.
      break
  assert process.wait(10) == 0
  frames = re.findall(
    rb'\x1b\[Ktrain-images-idx3-ubyte.gz: (\d+\.\d) of 9\.9 MB, \d+\.\d MB/s', shown
  )
  assert len(frames) > 10 and frames[-1] == b'9.9' and frames == sorted(frames, key=float)
  assert shown.endswith(b'\r\x1b[K')
  assert '\x1b' not in process.stdout.read()


def test_a_closed_standard_error_does_not_stop_a_download(tmp_path, server):
  script = f'import input_data; input_data.maybe_download({NAMES[1]!r}, {str(tmp_path)!r}, {{!r}})'
  command = [sys.executable, '-c', script.format(f'{server.url}/good')]
  subprocess.run(['sh', '-c', 'exec "$@" 2>&-', 'sh', *command], cwd=ROOT, check=True)
  assert contents(tmp_path) == {NAMES[1]: input_data.SHA256[NAMES[1]]}


def test_a_full_disk_is_an_error_that_names_the_path(tmp_path, server):
  before = 'import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))'
  process = download_process(tmp_path, f'{server.url}/good', before)
  errors = process.communicate(timeout=60)[1]
  last = errors.splitlines()[-1]
  assert last.startswith('OSError: ') and str(tmp_path / NAMES[2]) in last and 'room' in last
  assert contents(tmp_path) == {}


@pytest.mark.parametrize('where', ['file', 'file/below', '/proc/mnist'])
def test_a_folder_that_cannot_be_is_an_error_that_names_it(tmp_path, server, where):
  (tmp_path / 'file').write_text('mine')
  folder = tmp_path / where
  with pytest.raises(OSError, match=re.escape(str(folder))):
    input_data.read_data_sets(folder, source_url=f'{server.url}/good')
  assert (tmp_path / 'file').read_text() == 'mine'


@pytest.mark.parametrize(
  'address', ['gs://bucket/mnist', 'https://example.org/', pathlib.Path('s3://b')]
)
def test_an_address_is_no_folder(address):
  with pytest.raises(ValueError, match='local folder'):
    input_data.read_data_sets(address)
  assert not pathlib.Path(str(address).split(':')[0] + ':').exists()


def test_a_file_that_appears_while_every_address_fails_is_left_alone(tmp_path, server):
  def addresses():
    (tmp_path / NAMES[2]).write_text('theirs')
    yield f'{server.url}/404'

  with pytest.raises(OSError, match='could not be downloaded'):
    input_data.maybe_download(NAMES[2], tmp_path, addresses())
  assert (tmp_path / NAMES[2]).read_text() == 'theirs'


@pytest.mark.parametrize('target', ['unplugged', '.'])
def test_a_link_of_the_users_that_leads_to_no_file_is_left_alone(tmp_path, server, target):
  (tmp_path / NAMES[2]).symlink_to(tmp_path / target)
  with pytest.raises((FileNotFoundError, IsADirectoryError), match=NAMES[2]):
    input_data.read_data_sets(tmp_path, source_url=f'{server.url}/good')
  assert (tmp_path / NAMES[2]).is_symlink()
