#!/usr/bin/env bash
# Python 3.14.8 (PYTHON names it), pexpect 4.9.0. Needs a Python 3.14 with its prompt for
# terminals.
#
# The prompt of Python 3.14 adds to a pasted block what arrives together with its end. So a
# program that sends a block in paste brackets and Enter in one write (a terminal that is driven,
# a key of an editor, a fast macro) gets one line more in the block, and nothing runs; a second
# Enter, sent later, runs it. The prompt of 3.13 runs the block.
#
# Output of 3.14.8, and of 3.13.0:
#   block and Enter in one write: nothing runs     block and Enter in one write: runs
#   block, a pause, Enter: runs                    block, a pause, Enter: runs
#
# Expected: what stands outside of the brackets is a key that was pressed, whenever it arrives.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.14}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pexpect==4.9.0
cat > "$work/see.py" <<'PYTHON_CODE'
import os
import sys
import time

import pexpect

block = '\x1b[200~for i in range(2):\r  print(f"line {i}")\r\x1b[201~'
environment = os.environ | {'TERM': 'xterm', 'NO_COLOR': '1'}


def seen(*pieces):
  """Sends the pieces a second apart, and returns whether the block runs."""
  prompt = pexpect.spawn(sys.executable, ['-i', '-q'], env=environment, encoding='utf-8')
  prompt.expect('>>> ')
  for piece in pieces:
    time.sleep(1)
    prompt.send(piece)
  found = prompt.expect(['line 1\r\n', pexpect.TIMEOUT], timeout=3)
  prompt.close(force=True)
  return ['runs', 'nothing runs'][found]


together, later = seen(block + '\r'), seen(block, '\r')
print('block and Enter in one write:', together)
print('block, a pause, Enter:', later)
assert together == ('runs' if sys.version_info < (3, 14) else 'nothing runs') and later == 'runs'
PYTHON_CODE
"$work/venv/bin/python" "$work/see.py"
