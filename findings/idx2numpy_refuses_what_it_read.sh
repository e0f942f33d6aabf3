#!/usr/bin/env bash
# idx2numpy 1.2.3, NumPy 2.2.6, Python 3.10 to 3.13 (python3, or what PYTHON names).
#
# idx2numpy reads each type of IDX. Of a file of 16-bit integers, 32-bit integers or floats it
# returns an array in the file's byte order, and refuses to write that very array: "numpy ndarray
# type not supported by IDX format". It writes arrays of little-endian types, whose bytes it
# swaps. An array of bytes comes back as it was.
#
# Output:
#   type 08: read as uint8, written again: as it was
#   type 09: read as int8, written again: as it was
#   type 0b: read as >i2, written again: FormatError; after astype to <i2: as it was
#   type 0c: read as >i4, written again: FormatError; after astype to <i4: as it was
#   type 0d: read as >f4, written again: FormatError; after astype to <f4: as it was
#   type 0e: read as >f8, written again: FormatError; after astype to <f8: as it was
#
# Expected: big-endian arrays are what the format holds, so they should be the easiest to write.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -qq idx2numpy==1.2.3 numpy==2.2.6
cat > "$work/see.py" <<'PYTHON_CODE'
import pathlib
import struct
import sys

import idx2numpy
import numpy as np

source, copy = pathlib.Path(sys.argv[1], 'source'), pathlib.Path(sys.argv[1], 'copy')


def written_again(array):
  try:
    idx2numpy.convert_to_file(str(copy), array)
  except idx2numpy.FormatError as error:
    assert 'type not supported by IDX format' in str(error)
    return 'FormatError'
  return 'as it was' if copy.read_bytes() == source.read_bytes() else 'changed'


for code, dtype in {8: '|u1', 9: '|i1', 11: '>i2', 12: '>i4', 13: '>f4', 14: '>f8'}.items():
  data = np.array([[1, 2, 3], [4, 5, 100]], dtype)
  source.write_bytes(struct.pack('>BBBB2I', 0, 0, code, 2, *data.shape) + data.tobytes())
  array = idx2numpy.convert_from_file(str(source))
  assert array.dtype == np.dtype(dtype) and np.array_equal(array, data)
  found = written_again(array)
  line = f'type {code:02x}: read as {array.dtype}, written again: {found}'
  assert found == ('as it was' if code < 11 else 'FormatError')
  if code >= 11:
    little = array.astype(array.dtype.newbyteorder('<'))
    found = written_again(little)
    line += f'; after astype to {dtype.replace(">", "<")}: {found}'
    assert found == 'as it was'
  print(line)
PYTHON_CODE
"$work/venv/bin/python" "$work/see.py" "$work"
