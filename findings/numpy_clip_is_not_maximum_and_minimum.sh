#!/usr/bin/env bash
# NumPy 2.4.6 and 1.26.4, Python 3.11 (PYTHON names another, 3.11 or 3.12).
#
# np.clip(a, low, high) is documented as equivalent to np.minimum(high, np.maximum(a, low)). For
# an array of bytes and whole numbers that are no bytes, NumPy 2 raises OverflowError from that
# formula, as from a + -1; but np.clip takes such bounds, and so do comparisons. In NumPy 1.26 the
# two agree; both return 16-bit integers, so that what came out of clip could go below 0
# afterwards: minus 1 it is 255 in NumPy 2.
#
# Output:
#   1.26.4 clip: [0, 100, 255] int16, maximum and minimum: [0, 100, 255] int16, clip - 1: -1
#   2.4.6 clip: [0, 100, 255] uint8, maximum and minimum: OverflowError, clip - 1: 255
#
# Expected: the same from both ways, an error or a result.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/see.py" <<'PYTHON_CODE'
import numpy as np

pixels = np.array([0, 100, 255], np.uint8)
clipped = np.clip(pixels, -1, 300)
try:
  bounded = np.minimum(300, np.maximum(pixels, -1))
  formula = f'{bounded.tolist()} {bounded.dtype}'
except OverflowError:
  formula = 'OverflowError'
less = (clipped - 1)[0]
print(np.__version__, f'clip: {clipped.tolist()} {clipped.dtype},', end=' ')
print(f'maximum and minimum: {formula}, clip - 1: {less}')
assert clipped.tolist() == [0, 100, 255] and (pixels < 300).all() and not (pixels == -1).any()
if np.__version__.startswith('2'):
  assert clipped.dtype == np.uint8 and formula == 'OverflowError' and less == 255
else:
  assert clipped.dtype == np.int16 and formula == '[0, 100, 255] int16' and less == -1
PYTHON_CODE
for numpy in numpy==1.26.4 numpy==2.4.6; do
  "${PYTHON:-python3.11}" -m venv --clear "$work/venv"
  "$work/venv/bin/pip" install --quiet "$numpy"
  "$work/venv/bin/python" "$work/see.py"
done
