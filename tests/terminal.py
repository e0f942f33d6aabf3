"""A program on a terminal, with somebody who types, pastes and presses Ctrl-C."""

import contextlib
import os
import pty
import re
import subprocess
import sys
import threading
import time

from conftest import ROOT

# Runs a command that the terminal controls, so that Ctrl-C reaches it, and that does not ignore
# the signal, as what a script starts in the background would.
CONTROLLED = """
import fcntl, os, signal, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])
"""

PROMPT = r'(?<=>>> )\Z'  # Nothing runs, and nothing has been typed.


class Terminal:
  """A terminal on which `command` runs, or else Python's prompt. `with` kills it at the end."""

  def __init__(self, *command, cwd=ROOT, **environment):
    env = os.environ | {'COLUMNS': '200', 'LINES': '50', 'TERM': 'xterm', 'NO_COLOR': '1'}
    self.master, slave = pty.openpty()
    streams = dict.fromkeys(['stdin', 'stdout', 'stderr'], slave)
    command = [sys.executable, '-c', CONTROLLED, *map(str, command or [sys.executable, '-i'])]
    self.process = subprocess.Popen(command, cwd=cwd, env=env | environment, **streams)
    os.close(slave)
    # The prompt of Python before 3.13, which the variable gives, pastes without brackets.
    self.brackets = sys.version_info >= (3, 13) and 'PYTHON_BASIC_REPL' not in environment
    self.shown = ''  # All that came out so far, without what colours and moves.
    self.seen = 0  # Where the last `wait_for` ended.
    self.reader = threading.Thread(target=self._read, daemon=True)
    self.reader.start()

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.process.kill()
    self.process.wait()
    os.close(self.master)

  def _read(self):
    raw = b''
    with contextlib.suppress(OSError):  # The program has closed its end.
      while piece := os.read(self.master, 1 << 16):
        raw += piece
        text = raw.decode(errors='replace')
        self.shown = re.sub(r'\x1b(\[[0-9;?]*[A-Za-z]|[=>])|\r', '', text)

  def type(self, text):
    """Types a text. `'\\n'` is Enter, which sends a carriage return, and `'\\3'` is Ctrl-C."""
    data = text.replace('\n', '\r').encode()
    while data:  # A terminal takes a few kilobytes at a time.
      data = data[os.write(self.master, data) :]

  def paste(self, text):
    """Pastes a text at the prompt, and presses Enter once it is shown, as 3.14 needs it."""
    self.wait_for(PROMPT)
    self.type(f'\x1b[200~{text}\x1b[201~' if self.brackets else text)
    if self.brackets:
      self.wait_for(re.escape(text.strip().splitlines()[-1]))
    self.type('\n')

  def wait_for(self, pattern, seconds=600):
    """Waits for a pattern after what was waited for before, and returns the match."""
    deadline, done = time.monotonic() + seconds, False
    while not (match := re.compile(pattern, re.MULTILINE).search(self.shown, self.seen)):
      assert not done and time.monotonic() < deadline, f'{pattern} is not in: {self.shown[-3000:]}'
      done = not self.reader.is_alive()  # Its last words are looked at once more.
      time.sleep(0.05)
    self.seen = match.end()
    return match

  def leave(self):
    """Leaves Python's prompt, and returns its exit status."""
    self.wait_for(PROMPT)
    self.type('exit()\n')
    return self.process.wait(60)
