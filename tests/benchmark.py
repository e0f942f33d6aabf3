"""Measures the programs side by side with what people would use instead.

  python tests/benchmark.py             a step of the deep net, and all but its accuracy
  python tests/benchmark.py --accuracy  the recipe of mnist_deep.py --fast, trained to its end
  python tests/benchmark.py --tutorial  the tutorial's schedule of 20,000 steps, once to its end

All that is compared takes turns, round by round, and stands as a median and as the median of each
round's ratio, because machines get slower and faster. PyTorch and JAX need not be installed.
"""

import argparse
import contextlib
import functools
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile
import timeit
import zlib
from collections import namedtuple

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import input_data  # noqa: E402

# Adam's rate rises to `rate` for so many steps, then falls to 0; or else it stays. At each of the
# stops, the last of which is the end, the clock is stopped to measure the test accuracy.
Schedule = namedtuple('Schedule', 'batch_size rate beta2 max_shift rising falling stops tests')
RECIPE = Schedule(100, 3e-3, 0.97, 1, 200, 800, [600, 700, 800, 850, 900, 950, 1000], True)
TUTORIAL = Schedule(50, 1e-4, 0.999, 0, 0, 0, list(range(500, 20001, 500)), True)
seconds = functools.partial(timeit.timeit, number=1)  # How long a function takes.
CORES = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()


def rate_at(schedule, step, minimum=min):
  """Returns the learning rate of a step, counted from 0: a number, or a tensor as `step` is."""
  if not schedule.falling:
    return schedule.rate
  left = schedule.rising + schedule.falling - step
  return schedule.rate * minimum((step + 1) / schedule.rising, left / schedule.falling)


def initial_values(seed):
  """Returns the same initial weights and biases for every peer, about as the tutorial's."""
  random = np.random.RandomState(seed)
  shapes = [5, 5, 1, 32], [5, 5, 32, 64], [7 * 7 * 64, 1024], [1024, 10]
  weights = [0.1 * random.standard_normal(shape).clip(-2, 2) for shape in shapes]
  return [np.float32(v) for W in weights for v in (W, np.full(W.shape[-1], 0.1))]


def tensorflow_net(schedule, seed, bfloat16=False, dropout=0.5):
  """Builds the graph that mnist_deep.py runs."""
  from mnist_deep import deepnn, tf

  tf.set_random_seed(seed)
  x, y_ = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.float32, [None, 10])
  y_conv, keep_prob = deepnn(x)
  losses = tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=y_conv)
  cross_entropy = tf.reduce_mean(losses)
  global_step = tf.train.get_or_create_global_step()
  adam = tf.train.AdamOptimizer(rate_at(schedule, global_step, tf.minimum), beta2=schedule.beta2)
  train_step = adam.minimize(cross_entropy, global_step)
  assign = list(map(tf.assign, tf.trainable_variables(), initial_values(seed)))
  config = tf.ConfigProto()
  config.graph_options.rewrite_options.auto_mixed_precision_onednn_bfloat16 = int(bfloat16)
  sess = tf.Session(config=config)
  sess.run(tf.global_variables_initializer())
  sess.run(assign)

  def step(images, labels):
    sess.run(train_step, {x: images, y_: labels, keep_prob: 1 - dropout})

  return step, lambda images: sess.run(y_conv, {x: images, keep_prob: 1.0})


def keras_net(schedule, seed, dropout=0.5):
  """Builds a Keras model, whose step is a `fit` with many batches."""
  from keras import Input, Sequential, layers, losses, ops, optimizers, utils

  utils.set_random_seed(seed)
  model = Sequential([Input([784]), layers.Reshape([28, 28, 1])])
  for features in 32, 64:
    model.add(layers.Conv2D(features, 5, padding='same', activation='relu'))
    model.add(layers.MaxPooling2D())
  dense = layers.Dense(1024, activation='relu')
  for layer in layers.Flatten(), dense, layers.Dropout(dropout), layers.Dense(10):
    model.add(layer)
  model.set_weights(initial_values(seed))
  adam = optimizers.Adam(
    lambda: rate_at(schedule, adam.iterations, ops.minimum), 0.9, schedule.beta2, 1e-8
  )
  model.compile(adam, losses.CategoricalCrossentropy(from_logits=True))
  fit = functools.partial(model.fit, batch_size=schedule.batch_size, shuffle=False, verbose=0)
  return fit, model.predict_on_batch


def torch_net(schedule, seed, tuned=False, bfloat16=False, dropout=0.5):
  """Builds a PyTorch module; tuned, with channels last in memory and a fused Adam."""
  import torch

  torch.set_num_threads(CORES)
  torch.manual_seed(seed)
  nn, layers = torch.nn, []
  for channels, features in (1, 32), (32, 64):
    layers += [nn.Conv2d(channels, features, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)]
  layers += [nn.Flatten(), nn.Linear(7 * 7 * 64, 1024), nn.ReLU(), nn.Dropout(dropout)]
  net = nn.Sequential(*layers, nn.Linear(1024, 10))
  values = initial_values(seed)
  # PyTorch flattens [channels, rows, columns], where TensorFlow has [rows, columns, channels].
  values[4] = values[4].reshape(7, 7, 64, 1024).transpose(2, 0, 1, 3).reshape(7 * 7 * 64, 1024)
  for parameter, value in zip(net.parameters(), values, strict=True):
    axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[value.ndim]
    parameter.data.copy_(torch.tensor(value.transpose(axes).copy()))
  layout = torch.channels_last if tuned else torch.contiguous_format
  net = net.to(memory_format=layout)
  betas, steps = (0.9, schedule.beta2), iter(range(10**9))
  adam = torch.optim.Adam(net.parameters(), betas=betas, fused=tuned or None)

  def forward(images):
    with torch.autocast('cpu', torch.bfloat16, enabled=bfloat16):
      return net(torch.from_numpy(images).reshape(-1, 1, 28, 28).to(memory_format=layout)).float()

  def step(images, labels):
    net.train()
    adam.param_groups[0]['lr'] = rate_at(schedule, next(steps))
    loss = nn.functional.cross_entropy(forward(images), torch.from_numpy(labels))
    adam.zero_grad()
    loss.backward()
    adam.step()

  return step, lambda images: net.eval() and forward(images).detach().numpy()


def jax_net(schedule, seed, dropout=0.5):
  """Builds a compiled JAX function, for steps at a constant rate only."""
  import jax
  from jax.example_libraries import optimizers, stax

  pool = stax.MaxPool((2, 2), (2, 2))
  convs = [[stax.Conv(n, (5, 5), padding='SAME'), stax.Relu, pool] for n in (32, 64)]
  dense = [stax.Flatten, stax.Dense(1024), stax.Relu, stax.Dropout(1 - dropout), stax.Dense(10)]
  _, net = stax.serial(*convs[0], *convs[1], *dense)
  v = initial_values(seed)
  parameters = [v[:2], (), (), v[2:4], (), (), (), v[4:6], (), (), v[6:]]
  start, update, parameters_of = optimizers.adam(schedule.rate, 0.9, schedule.beta2, 1e-8)

  def loss_of(parameters, images, labels, key):
    logits = net(parameters, images.reshape(-1, 28, 28, 1), rng=key)
    return -(labels * jax.nn.log_softmax(logits)).sum(1).mean()

  @jax.jit
  def update_state(i, state, *batch):
    gradients = jax.grad(loss_of)(parameters_of(state), *batch, jax.random.key(i))
    return i + 1, update(i, gradients, state)

  state = [0, start(parameters)]

  def step(*batch):
    state[:] = jax.block_until_ready(update_state(*state, *batch))

  return step, None


# What builds the peer, how, and whether --accuracy trains it. What is built are two functions:
# `step(images, labels)`, done when it returns, and `logits(images)`, without dropout.
PEERS = {
  'mnist_deep.py': (tensorflow_net, {}, True),
  'mnist_deep.py --bfloat16': (tensorflow_net, {'bfloat16': True}, True),
  'Keras `fit`': (keras_net, {}, True),
  'PyTorch, as most write it': (torch_net, {}, False),
  'PyTorch, channels-last, fused Adam': (torch_net, {'tuned': True}, True),
  'the same, bfloat16 autocast': (torch_net, {'tuned': True, 'bfloat16': True}, True),
  'JAX, jit': (jax_net, {}, False),
}
OURS = list(PEERS)[:2]
WHOLE = [f'all of {peer} --fast' for peer in OURS]  # With curves, validation and checkpoint.


def run_peer(peer, seed, *schedule):
  """Trains a peer in this process; prints steps, seconds and test accuracy at each stop."""
  (build, options, _), schedule = PEERS[peer], Schedule(*schedule)
  step, logits = build(schedule, seed, **options)
  data, _, test = input_data.read_data_sets(ROOT / 'MNIST_data', one_hot=True, seed=seed)
  data.max_shift = schedule.max_shift
  results, took, accuracy = [], 0, None
  for first, stop in zip([0, *schedule.stops], schedule.stops, strict=False):
    started = timeit.default_timer()
    batches = (data.next_batch(schedule.batch_size) for _ in range(first, stop))
    if build == keras_net:
      batches = [map(np.concatenate, zip(*batches, strict=True))]
    for images, labels in batches:
      step(images, labels)
    took += timeit.default_timer() - started
    if schedule.tests:
      digits = [np.argmax(logits(images), 1) for images in np.split(test.images, 50)]
      accuracy = np.mean(np.concatenate(digits) == np.argmax(test.labels, 1))
    results.append((stop, took, accuracy))
  print(json.dumps(results))


def run(*command):
  """Runs a program; returns its lines, if it does not fail, and what was measured of it."""
  lines, first, training, started = [], np.nan, np.nan, timeit.default_timer()
  pipes = {'stdout': subprocess.PIPE, 'stderr': subprocess.DEVNULL, 'text': True}
  process = subprocess.Popen([sys.executable, *command], cwd=ROOT, **pipes)
  for line in process.stdout:
    lines.append(line)
    if line.startswith('step 0,'):
      first = timeit.default_timer() - started
    if match := re.match(r'(\d+) steps in .* ([\d.]+) steps per second', line):
      training = int(match[1]) / float(match[2])
  # A child's memory begins with that of its parent, so TensorFlow is not imported here.
  _, process.returncode, usage = os.wait4(process.pid, 0)
  measured = timeit.default_timer() - started, training, first, usage.ru_maxrss * 1024 / 1e6
  return [] if process.returncode else lines, measured


def take_turns(peers, rounds, schedule):
  """Returns what `run_peer` prints for each peer, round by round, and the same of a program."""
  results = {peer: [] for peer in peers}
  for seed in range(1, rounds + 1):
    for peer in peers:
      if peer in PEERS:
        lines, _ = run(__file__, '--run', json.dumps([peer, seed, *schedule]))
        result = lines and json.loads(lines[-1])
      else:
        with tempfile.TemporaryDirectory() as folder:
          flags = '--seed', str(seed), '--log_dir', folder
          lines, (_, training, *_) = run(*peer.split()[2:], *flags)
        result = lines and [(None, training, float(lines[-1].split()[-1]))]
      results[peer].append(result)
      print(f'round {seed}, {peer}: {result[-1:] or "failed"}', file=sys.stderr, flush=True)
  # What is not installed is left out, and bfloat16 where the processor has none.
  return {peer: found for peer, found in results.items() if all(found)}


def table(title, header, *rows):
  """Prints a Markdown table."""
  print(f'\n### {title}\n')
  for row in header, ['---'] * len(header), *rows:
    print(f'| {" | ".join(row)} |', flush=True)


def measure_steps(rounds, steps):
  """Prints the tables of speed and memory."""
  median, warm = np.median, min(20, steps)
  results = take_turns(PEERS, rounds, TUTORIAL._replace(stops=[warm, warm + steps], tests=False))
  took = {p: [1e3 * (b[1] - a[1]) / steps for a, b in found] for p, found in results.items()}
  base = took[OURS[0]]
  rows = [(p, f'{median(t):.1f}', f'{median(np.divide(t, base)):.2f}') for p, t in took.items()]
  table('A training step of 50 images', ('program', 'ms', 'times mnist_deep.py'), *rows)
  archives = list((ROOT / 'MNIST_data').glob('*.gz'))
  read = functools.partial(input_data.read_data_sets, ROOT / 'MNIST_data', one_hot=True)
  matrix, measured = np.ones([2048, 2048], np.float32), []
  for _ in range(rounds):
    product = min(seconds(lambda: matrix @ matrix) for _ in range(5))
    unzip = seconds(lambda: [zlib.decompress(path.read_bytes(), 31) for path in archives])
    with contextlib.redirect_stdout(None):
      reading, train = seconds(read), read().train
    batch = timeit.timeit(lambda: train.next_batch(50), number=1100) / 1100  # noqa: B023
    softmax, deep = run('mnist_softmax.py')[1], run('mnist_deep.py', '--steps', str(steps))[1]
    measured.append([product, unzip, reading, batch, *softmax, *deep])
  product, unzip, reading, batch, *programs = zip(*measured, strict=True)
  times = median(np.divide(reading, unzip))
  # Forwards, and back to the weights and to the input, of which the first layer needs none.
  conv1, conv2, dense = 28 * 28 * 25 * 32, 14 * 14 * 25 * 32 * 64, 3136 * 1024 + 1024 * 10
  flop = 50 * 2 * (2 * conv1 + 3 * conv2 + 3 * dense)
  peak, rate = 2 * 2048**3 / min(product) / 1e9, flop / median(base) / 1e6
  softmax, softmax_steps, _, softmax_peak, _, _, first, deep_peak = map(median, programs)
  table(
    'Everything else',
    ('what', 'median'),
    ('matrix-product peak in float32', f'{peak:.0f} GFLOP/s'),
    ('mnist_deep.py, a whole step', f'{rate:.0f} GFLOP/s, {rate / peak:.2f} of the peak'),
    ('zlib alone, the four archives', f'{median(unzip):.3f} s'),
    ('`read_data_sets`', f'{median(reading):.3f} s, {times:.2f} times zlib'),
    ('a batch of 50', f'{1e6 * median(batch):.1f} microseconds'),
    ('mnist_softmax.py, its 1000 steps', f'{softmax_steps:.2f} s'),
    ('mnist_softmax.py, all of it', f'{softmax:.1f} s'),
    ('mnist_softmax.py, peak memory', f'{softmax_peak:.0f} MB'),
    ('mnist_deep.py, from start to first step', f'{first:.1f} s'),
    ('mnist_deep.py, peak memory', f'{deep_peak:.0f} MB'),
  )


def measure_training(title, peers, rounds, schedule):
  """Prints the table of a schedule that is trained to its end."""
  results, rows = take_turns(peers, rounds, schedule), []
  took = {peer: [run[-1][1] for run in runs] for peer, runs in results.items()}
  for peer, runs in results.items():
    base = took.get(OURS['bfloat16' in peer], [np.nan])
    times = f'{np.median(np.divide(took[peer], base)):.2f}'
    last = [run[-1][2] for run in runs]
    accuracy = f'{np.mean(last):.4f} ({min(last):.4f})'
    rows.append([peer, f'{np.median(took[peer]):.1f}', times, accuracy])
    for goal in 0.99, 0.992:
      passed = [min([s for _, s, a in run if a >= goal], default=np.inf) for run in runs]
      reached = f'{sum(a >= goal for a in last)} of {len(last)}'
      rows[-1] += [reached, f'{np.median(passed):.1f}'.replace('inf', 'not reached')]
  goals = '99 % in the end', 'first passed', '99.2 % in the end', 'first passed'
  header = 'training', 'seconds', 'times mnist_deep.py', 'test accuracy (lowest)', *goals
  table(title, header, *rows)
  print(f"""
Seconds are of {schedule.stops[-1]} steps with their batches; "all of" adds curves, validation, a
checkpoint. "times" compares with mnist_deep.py in the same precision. Accuracy (the mean) and "in
the end" are of the last step. "first passed" is the median of the seconds until one of
{len(schedule.stops)} evaluations, the first at step {schedule.stops[0]}, reached the goal.""")


def main():
  """Prints the tables."""
  raw = argparse.RawTextHelpFormatter
  parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False, formatter_class=raw)
  parser.add_argument('--rounds', type=int, default=5, help='how often each takes its turn')
  parser.add_argument('--steps', type=int, default=100, help='training steps in a turn')
  parser.add_argument('--accuracy', action='store_true', help='train the fast recipe instead')
  parser.add_argument('--tutorial', action='store_true', help="train the tutorial's instead")
  parser.add_argument('--run', type=json.loads, help=argparse.SUPPRESS)
  flags = parser.parse_args()
  if flags.run:
    return run_peer(*flags.run)
  cpuinfo = pathlib.Path('/proc/cpuinfo')
  names = re.findall('model name.*: (.*)', cpuinfo.read_text() if cpuinfo.exists() else '')
  print(f'{[*names, platform.machine()][0]}, {CORES} cores, Python', platform.python_version())
  if flags.accuracy:
    peers = [peer for peer, (*_, trained) in PEERS.items() if trained] + WHOLE
    measure_training(f'The fast recipe, {flags.rounds} rounds', peers, flags.rounds, RECIPE)
  if flags.tutorial:
    measure_training("The tutorial's schedule, once", OURS, 1, TUTORIAL)
  if not flags.accuracy and not flags.tutorial:
    measure_steps(flags.rounds, flags.steps)


if __name__ == '__main__':
  main()
