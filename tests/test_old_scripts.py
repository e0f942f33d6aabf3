"""Old scripts: what the converter makes of them, and that they then run on TensorFlow."""

import json
import subprocess
import sys

import pytest

import input_data
from conftest import ROOT, lines_of, run

REFERENCE = json.loads((ROOT / 'tests' / 'reference.json').read_text())

TF = 'import tensorflow.compat.v1 as tf; tf.disable_v2_behavior()'


def convert(folder, old, name='old.py'):
  """Converts the text or bytes `old` in `folder`; returns the new bytes and the lines printed."""
  (folder / name).write_bytes(old if isinstance(old, bytes) else old.encode())
  new = folder / f'new{name[-6:]}'
  new.unlink(missing_ok=True)
  lines = lines_of(run('input_data.py', folder / name, new))
  return new.read_bytes(), lines


# One line in, one line out.
@pytest.mark.parametrize(
  'old, new',
  [
    ('from tensorflow.examples.tutorials.mnist import input_data', 'import input_data'),
    ('from tensorflow.examples.tutorials.mnist import input_data as d', 'import input_data as d'),
    ('from tensorflow.examples.tutorials.mnist import input_data, mnist', 'import input_data'),
  ],
)
def test_a_line(old, new, tmp_path):
  assert convert(tmp_path, old)[0].decode() == new
