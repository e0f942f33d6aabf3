#!/usr/bin/env bash
# ipykernel 7.4.0, jupyter_client 8.10.0, IPython 9.10.0, Python 3.11 (PYTHON names a newer
# one).
#
# A cell of a notebook that waits with await does not end when it is interrupted, but when what it
# awaits is over, or when the event loop has something else to do. It then ends with
# CancelledError. So the stop button does nothing for `await asyncio.sleep(5)`, and ends a loop of
# short ones at once. A cell that waits with time.sleep ends at once, with KeyboardInterrupt.
# ipykernel 6.29.5 does the same.
#
# Output, each interrupted after one second:
#   time.sleep(5)                                      KeyboardInterrupt after 1 s
#   await asyncio.sleep(5)                             CancelledError after 5 s
#   for _ in range(50): await asyncio.sleep(0.1)       CancelledError after 1 s
#   await asyncio.to_thread(time.sleep, 5)             CancelledError after 5 s
#
# Expected: each of them ends after one second.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet ipykernel==7.4.0 jupyter_client==8.10.0 ipython==9.10.0
cat > "$work/see.py" <<'PYTHON_CODE'
import threading
import time

from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel(startup_timeout=120)


def interrupted(cell):
  """Runs a cell, and interrupts it after a second; returns its error and the seconds it took."""
  start = time.monotonic()
  threading.Timer(1, manager.interrupt_kernel).start()
  reply = client.execute_interactive(cell, timeout=60, output_hook=lambda message: None)
  seconds = time.monotonic() - start
  print(f'{cell:50} {reply["content"]["ename"]} after {seconds:.0f} s')
  return reply['content']['ename'], seconds


client.execute_interactive('import asyncio, time', timeout=60)
try:
  error, seconds = interrupted('time.sleep(5)')
  assert error == 'KeyboardInterrupt' and seconds < 3
  error, seconds = interrupted('await asyncio.sleep(5)')
  assert error == 'CancelledError' and seconds > 4.5
  error, seconds = interrupted('for _ in range(50): await asyncio.sleep(0.1)')
  assert error == 'CancelledError' and seconds < 3
  error, seconds = interrupted('await asyncio.to_thread(time.sleep, 5)')
  assert error == 'CancelledError' and seconds > 4.5
finally:
  manager.shutdown_kernel(now=True)
PYTHON_CODE
export IPYTHONDIR=$work JUPYTER_RUNTIME_DIR=$work
"$work/venv/bin/python" "$work/see.py" 2> "$work/log" ||
  { cat "$work/log"; exit 1; }
