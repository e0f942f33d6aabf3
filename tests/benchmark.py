"""Times `input_data` against what it cannot do without: python tests/benchmark.py."""

import argparse
import contextlib
import io
import pathlib
import statistics
import sys
import time
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import input_data  # noqa: E402

ARCHIVES = sorted((ROOT / 'MNIST_data').glob('*.gz'))


def seconds(function):
  """Returns how long `function()` takes."""
  started = time.perf_counter()
  function()
  return time.perf_counter() - started


def inflate():
  """Does what no reader of the archives can avoid."""
  for archive in ARCHIVES:
    zlib.decompress(archive.read_bytes(), zlib.MAX_WBITS | 16)


def read():
  """Reads the data as the programs do."""
  with contextlib.redirect_stdout(io.StringIO()):
    return input_data.read_data_sets(str(ROOT / 'MNIST_data'), one_hot=True, seed=1)


def main():
  """Prints medians of rounds that take turns."""
  parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
  parser.add_argument('--rounds', type=int, default=5)
  rounds = range(parser.parse_args().rounds)
  inflating, reading = zip(*[(seconds(inflate), seconds(read)) for _ in rounds], strict=True)
  train = read().train
  batches = [seconds(lambda: [train.next_batch(50) for _ in range(1100)]) / 1100 for _ in rounds]
  ratio = statistics.median(a / b for a, b in zip(reading, inflating, strict=True))
  print('| what | median |')
  print('| --- | --- |')
  print(f'| inflating the four archives | {statistics.median(inflating):.3f} s |')
  print(f'| `read_data_sets` | {statistics.median(reading):.3f} s, {ratio:.2f} times that |')
  print(f'| a batch of 50 | {statistics.median(batches) * 1e6:.1f} microseconds |')


if __name__ == '__main__':
  main()
