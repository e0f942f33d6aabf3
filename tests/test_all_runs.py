"""What other tests look at is run first, as it takes longest."""

import pytest

from conftest import RUNS


@pytest.mark.parametrize('name', RUNS)
def test_none_ends_in_a_traceback(runs, name):
  assert 'Traceback' not in runs(name).stderr
