"""Files that are already there are read as they are, or refused with a word on what is wrong."""

import gzip
import os
import re
import shutil
import struct
import tracemalloc

import numpy as np
import pytest

import input_data
from conftest import ROOT, lines_of, run, write_idx

NAMES = list(input_data.SHA256)
STEMS = [name.removesuffix('.gz') for name in NAMES]
FORMS = {  # What extractors make of an archive, by the name of an unpacked file.
  'unpacked': '{stem}',
  'gunzip -N': '{dotted}',
  'a dot, gzipped': '{dotted}.gz',
  'folder': '{dotted}/{dotted}',
  'raw': 'raw/{stem}.gz',
}


def place(source, folder, form='{stem}.gz', names=STEMS):
  """Copies files of the folder `source` under other names."""
  for stem in names:
    target = folder / form.format(stem=stem, dotted=stem.replace('-idx', '.idx'))
    target.parent.mkdir(parents=True, exist_ok=True)
    content = (ROOT / source / f'{stem}.gz').read_bytes()
    target.write_bytes(content if target.suffix == '.gz' else gzip.decompress(content))


@pytest.mark.parametrize('form', FORMS)
def test_files_are_found_as_extractors_leave_them(digits, tmp_path, form):
  place(digits, tmp_path, FORMS[form])
  packed, found = input_data.read_data_sets(digits), input_data.read_data_sets(tmp_path)
  assert np.array_equal(found.train.images, packed.train.images)
  assert np.array_equal(found.test.labels, packed.test.labels)


def test_a_folder_with_the_name_of_an_unpacked_file_is_not_taken_for_it(digits, tmp_path):
  for name in STEMS:
    (tmp_path / name).mkdir()
  mnist = input_data.read_data_sets(tmp_path, source_url=['file:///none', f'file://{digits}'])
  assert mnist.train.num_examples == 200


OTHER_NAMES = """
emnist-digits-train-images-idx3-ubyte.gz train-images.idx3-ubyte test-images-idx3-ubyte.gz
KMNIST-IDX3-UBYTE x-idx3-ubyte/images-idx3-ubyte
"""


@pytest.mark.parametrize('name', OTHER_NAMES.split())
def test_nothing_of_mnist_is_used_beside_other_data(digits, tmp_path, name, monkeypatch):
  monkeypatch.setattr(input_data, 'MIRRORS', ((ROOT / 'MNIST_data').as_uri() + '/',))
  place(digits, tmp_path, name, STEMS[:1])
  wanted = STEMS[1] if name.startswith('train') else STEMS[0]
  message = f'{wanted}.gz is missing.* {tmp_path / name}. Rename .*{wanted}'
  with pytest.raises(OSError, match=message):
    input_data.read_data_sets(tmp_path)
  assert [path for path in tmp_path.rglob('*') if path.is_file()] == [tmp_path / name]
  place('MNIST_data', tmp_path)  # As earlier versions have done.
  with pytest.raises(OSError, match=f'not mixed with other data: {tmp_path / name}'):
    input_data.read_data_sets(tmp_path)


def test_mnist_and_other_data_are_not_mixed_under_its_names(digits, tmp_path, monkeypatch):
  monkeypatch.setattr(input_data, 'MIRRORS', ((ROOT / 'MNIST_data').as_uri() + '/',))
  place('MNIST_data', tmp_path / 'mnist', '{dotted}', STEMS[1:])  # The missing file is downloaded.
  assert input_data.read_data_sets(tmp_path / 'mnist').train.num_examples == 55000
  place('MNIST_data', tmp_path / 'named', 'my-{stem}', STEMS[2:])
  with pytest.raises(OSError, match='train-images-.* is missing.*/my-t10k-images-.*/my-t10k'):
    input_data.read_data_sets(tmp_path / 'named')
  place('MNIST_data', tmp_path / 'both', names=STEMS[:2])
  place(digits, tmp_path / 'both', names=STEMS[2:])
  with pytest.raises(FileExistsError, match='not mixed with other data: .*t10k-images'):
    input_data.read_data_sets(tmp_path / 'both')


IDX_TYPES = {8: 'u1', 9: 'i1', 11: '>i2', 12: '>i4', 13: '>f4', 14: '>f8'}
FITTING = {'[n, rows, columns]': [(5, 3, 4), (2, 784)], '[n]': [(5,), (2, 1)]}
SHAPES = (5, 8), (2, 3, 4, 3), (5, 3, 4), (2, 784), (5,), (2, 1)


@pytest.mark.parametrize('code', IDX_TYPES)
@pytest.mark.parametrize('shape', SHAPES, ids=str)
def test_an_intact_file_of_another_kind_is_refused_by_what_it_holds(tmp_path, code, shape):
  values = np.arange(np.prod(shape)).astype(IDX_TYPES[code])
  content = struct.pack(f'>HBB{len(shape)}I', 0, code, len(shape), *shape) + values.tobytes()
  (tmp_path / 'a').write_bytes(content)
  extractors = input_data.extract_images, input_data.extract_labels
  for extract, wanted in zip(extractors, FITTING, strict=True):
    if shape in FITTING[wanted] and code == 8:
      assert extract(tmp_path / 'a').tobytes() == values.tobytes()
    else:
      holds = f'{tmp_path}/a holds {values.dtype.name} {list(shape)}, not uint8 {wanted}.'
      with pytest.raises(ValueError, match=f'^{re.escape(holds)}$'):
        extract(tmp_path / 'a')


@pytest.mark.parametrize('name', [NAMES[0], NAMES[3]])
def test_a_damaged_file_is_named_and_left_alone(digits, tmp_path, name):
  path, page = shutil.copytree(digits, tmp_path / 'data') / name, b'<!DOCTYPE html>'
  archive = path.read_bytes()
  data = gzip.decompress(archive)
  endless = data[:4] + b'\xff' * 4 + data[8:]  # It promises 4 billion images or labels.
  spoiled = {  # And what is said of it.
    b'': 'not an IDX file',
    page + archive: 'not an IDX file. It begins with .*html',
    gzip.compress(page): 'not an IDX file',
    gzip.compress(data[:6]): 'damaged: buffer is smaller',
    gzip.compress(data[:-1], 1): 'damaged: it does not end after',
    gzip.compress(endless, 1): 'damaged',
    data[:-1]: 'damaged: it does not end after',
  }
  for content, reason in spoiled.items():
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f'^{path} is {reason}[ -~]*$'):
      input_data.read_data_sets(path.parent)
    assert path.read_bytes() == content


def test_no_more_is_unpacked_than_the_header_promises(tmp_path):
  write_idx(tmp_path / 'bomb.gz', 2049, 5, data=bytes(200_000_000))
  tracemalloc.start()
  with pytest.raises(ValueError, match='damaged: it does not end after the promised 5 values'):
    input_data.extract_labels(tmp_path / 'bomb.gz')
  assert tracemalloc.get_traced_memory()[1] < 5_000_000
  tracemalloc.stop()


def test_no_flipped_bit_and_no_lost_end_is_read_as_other_pixels(tmp_path):
  path, pixels = tmp_path / 'i.gz', bytes(range(20))
  write_idx(path, 2051, 1, 4, 5, data=pixels)
  intact = path.read_bytes()
  damaged = [intact[:i] for i in range(len(intact))]
  damaged += [part + bytes([intact[len(part)] ^ 1]) + intact[len(part) + 1 :] for part in damaged]
  for content in damaged:
    path.write_bytes(content)
    try:
      assert input_data.extract_images(path).tobytes() == pixels
    except ValueError as error:
      assert re.match(f'{path} is (damaged: |not an IDX file)', str(error))


def test_extract_functions_read_a_name_an_open_file_and_several_gzip_members(tmp_path, capsys):
  write_idx(tmp_path / 'i.gz', 2051, 2, 1, 3, data=bytes(range(6)))
  with open(tmp_path / 'i.gz', 'rb') as f:
    assert input_data.extract_images(f).tolist() == [[[[0], [1], [2]]], [[[3], [4], [5]]]]
    assert capsys.readouterr().out == f'Extracting {f.name}\n'
  members = [gzip.compress(part) for part in (struct.pack('>2I', 2049, 3), b'\0\2', b'\1')]
  (tmp_path / 'l.gz').write_bytes(b''.join(members))
  labels = input_data.extract_labels(str(tmp_path / 'l.gz'), one_hot=True, num_classes=3)
  assert labels.tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize('encoding', ['ascii', 'cp1252', 'utf-8'])
def test_what_a_stream_cannot_show_is_escaped(digits, tmp_path, encoding):
  folder = shutil.copytree(digits, tmp_path / '손글씨')
  read = 'import sys, input_data; input_data.read_data_sets(sys.argv[1])'
  env = os.environ | {'PYTHONIOENCODING': encoding}
  shown = lines_of(run('-c', read, folder, env=env, encoding=encoding))[0].encode(encoding)
  assert shown.endswith(f'/손글씨/{NAMES[0]}'.encode(encoding, 'backslashreplace'))
