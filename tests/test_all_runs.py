"""What other tests look at is run first, as it takes longest."""

import pytest

from conftest import RUNS


@pytest.mark.parametrize('name', RUNS)
def test_none_ends_in_a_traceback(runs, name):
  done = runs(name)
  # Where the README is pasted, one loop is stopped with Ctrl-C.
  assert (done.stdout + done.stderr).count('Traceback') <= (name == 'paste README.md')
