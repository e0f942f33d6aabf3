"""Measures the programs side by side with what people would use instead.

  python tests/benchmark.py             a training step, 1,000 steps, and the softmax program
  python tests/benchmark.py --accuracy  the recipe of mnist_deep.py --fast, trained to its end
  python tests/benchmark.py --start     what it takes to load TensorFlow, with Keras and without

All take turns, as machines get slower and faster: a table has the medians of the rounds and of
each round's ratio. What is not installed is left out.
"""

import argparse
import functools
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
from collections import namedtuple

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import input_data  # noqa: E402

Schedule = namedtuple('Schedule', 'steps batch_size rate beta2 keep_prob fast')
FAST = Schedule(600, 100, 3e-3, 0.97, 0.7, True)
TUTORIAL = Schedule(1000, 50, 1e-4, 0.999, 0.5, False)  # The first of its 20,000 steps.
CPUINFO = open('/proc/cpuinfo').read() if os.path.exists('/proc/cpuinfo') else ''
BFLOAT16 = 'avx512_bf16' in CPUINFO or 'amx_bf16' in CPUINFO


def rate_at(schedule, step, minimum=min):
  """Returns the rate of a step: constant, or rising for a fifth of the steps and then falling."""
  if not schedule.fast:
    return schedule.rate
  rise, fall = 5 * (step + 1) / schedule.steps, 1.25 * (1 - step / schedule.steps)
  return schedule.rate * minimum(rise, fall)


def shifted(images):
  """Shifts the images [n, 784] as mnist_deep.py does."""
  moves = np.random.randint(-1, 2, [len(images), 1, 2]) @ [28, 1]
  return np.take_along_axis(images, (np.arange(784) + moves) % 784, axis=1)


def tensorflow_net(schedule, seed, bfloat16=False):
  """Builds the graph that mnist_deep.py runs."""
  from mnist_deep import deepnn, scale_weights, tf

  tf.set_random_seed(seed)
  x, y_ = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.float32, [None, 10])
  y_conv, keep_prob = deepnn(x)
  losses = tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=y_conv)
  step = tf.train.get_or_create_global_step()
  rate = rate_at(schedule, tf.cast(step, tf.float32), tf.minimum)
  adam = tf.train.AdamOptimizer(rate, beta2=schedule.beta2)
  train_step = adam.minimize(tf.reduce_mean(losses), step)
  config = tf.ConfigProto()
  config.graph_options.rewrite_options.auto_mixed_precision_onednn_bfloat16 = int(bfloat16)
  sess = tf.Session(config=config)
  sess.run(tf.global_variables_initializer())
  if schedule.fast:
    scale_weights(sess)

  def train(images, labels):
    sess.run(train_step, {x: images, y_: labels, keep_prob: schedule.keep_prob})

  return train, lambda images: sess.run(y_conv, {x: images, keep_prob: 1.0})


def keras_net(schedule, seed):
  """Builds a Keras model, whose step is a `fit` with many batches."""
  from keras import Sequential, layers, losses, ops, optimizers, utils

  utils.set_random_seed(seed)
  model = Sequential([layers.Input([784]), layers.Reshape([28, 28, 1])])
  start = {'kernel_initializer': 'lecun_normal'}
  for n in 32, 64:
    model.add(layers.Conv2D(n, 5, padding='same', activation='relu', **start))
    model.add(layers.MaxPooling2D())
  dense = layers.Dense(1024, 'relu', **start), layers.Dropout(1 - schedule.keep_prob)
  for layer in layers.Flatten(), *dense, layers.Dense(10, **start):
    model.add(layer)
  rate = functools.partial(rate_at, schedule, minimum=ops.minimum)
  adam = optimizers.Adam(lambda: rate(adam.iterations), beta_2=schedule.beta2)
  model.compile(adam, losses.CategoricalCrossentropy(from_logits=True))
  options = {'batch_size': schedule.batch_size, 'shuffle': False, 'verbose': 0}
  return functools.partial(model.fit, **options), model.predict_on_batch


def torch_net(schedule, seed, tuned=False, bfloat16=False):
  """Builds a PyTorch module; tuned, with channels last in memory and a fused Adam."""
  import torch

  torch.manual_seed(seed)
  nn, layers = torch.nn, []
  for channels, features in (1, 32), (32, 64):
    layers += [nn.Conv2d(channels, features, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)]
  layers += [
    nn.Flatten(),
    nn.Linear(7 * 7 * 64, 1024),
    nn.ReLU(),
    nn.Dropout(1 - schedule.keep_prob),
  ]
  layout = torch.channels_last if tuned else torch.contiguous_format
  net = nn.Sequential(*layers, nn.Linear(1024, 10)).to(memory_format=layout)
  for layer in net if schedule.fast else []:
    if hasattr(layer, 'weight'):
      nn.init.trunc_normal_(layer.weight, 0, layer.weight[0].numel() ** -0.5)
  adam = torch.optim.Adam(net.parameters(), betas=(0.9, schedule.beta2), fused=tuned or None)
  steps = iter(range(10**9))

  def forward(images):
    with torch.autocast('cpu', torch.bfloat16, enabled=bfloat16):
      return net(torch.from_numpy(images).reshape(-1, 1, 28, 28).to(memory_format=layout)).float()

  def train(images, labels):
    net.train()
    adam.param_groups[0]['lr'] = rate_at(schedule, next(steps))
    loss = nn.functional.cross_entropy(forward(images), torch.from_numpy(labels))
    adam.zero_grad()
    loss.backward()
    adam.step()

  return train, lambda images: net.eval() and forward(images).detach().numpy()


def jax_net(schedule, seed):
  """Builds a compiled JAX function, for steps at a constant rate only."""
  import jax
  from jax.example_libraries import optimizers, stax

  pool = stax.MaxPool((2, 2), (2, 2))
  layers = [stax.Conv(32, (5, 5), padding='SAME'), stax.Relu, pool]
  layers += [stax.Conv(64, (5, 5), padding='SAME'), stax.Relu, pool]
  layers += [stax.Flatten, stax.Dense(1024), stax.Relu]
  layers += [stax.Dropout(schedule.keep_prob), stax.Dense(10)]
  initial, net = stax.serial(*layers)
  start, update, parameters_of = optimizers.adam(schedule.rate, 0.9, schedule.beta2, 1e-8)

  def loss_of(parameters, images, labels, key):
    logits = net(parameters, images.reshape(-1, 28, 28, 1), rng=key)
    return -(labels * jax.nn.log_softmax(logits)).sum(1).mean()

  @jax.jit
  def update_state(i, state, *batch):
    gradients = jax.grad(loss_of)(parameters_of(state), *batch, jax.random.key(i))
    return i + 1, update(i, gradients, state)

  state = [0, start(initial(jax.random.key(seed), (-1, 28, 28, 1))[1])]

  def train(*batch):
    state[:] = jax.block_until_ready(update_state(*state, *batch))

  return train, None


PEERS = {
  'mnist_deep.py': (tensorflow_net, {}),
  'mnist_deep.py --bfloat16': (tensorflow_net, {'bfloat16': True}),
  'Keras `fit`': (keras_net, {}),
  'PyTorch, as most write it': (torch_net, {}),
  'PyTorch, channels-last, fused Adam': (torch_net, {'tuned': True}),
  'the same, bfloat16 autocast': (torch_net, {'tuned': True, 'bfloat16': True}),
  'JAX, jit': (jax_net, {}),
}
OURS = 'mnist_deep.py'
WHOLE = 'mnist_deep.py, the whole program'  # With curves, validation and checkpoint.


def run_peer(peer, seed, warm_up, test, *schedule):
  """Trains a peer in this process; prints the seconds after the warm-up, and the accuracy."""
  (build, options), schedule = PEERS[peer], Schedule(*schedule)
  step, logits = build(schedule, seed, **options)
  data = input_data.read_data_sets(ROOT / 'MNIST_data', one_hot=True, seed=seed)
  accuracy = np.nan
  for steps in warm_up, schedule.steps:
    started = time.perf_counter()
    batches = (data.train.next_batch(schedule.batch_size) for _ in range(steps))
    if schedule.fast:
      batches = ((shifted(images), labels) for images, labels in batches)
    if build == keras_net:
      batches = [map(np.concatenate, zip(*batches, strict=True))] if steps else []
    for images, labels in batches:
      step(images, labels)
    took = time.perf_counter() - started
  if test:
    digits = [np.argmax(logits(images), 1) for images in np.split(data.test.images, 50)]
    accuracy = np.mean(np.concatenate(digits) == np.argmax(data.test.labels, 1))
  print(json.dumps([took, accuracy]))


def run(*command):
  """Runs a program; returns its last line, when it began to train, and how long it took."""
  started, first, line = time.time(), None, ''
  pipes = {'stdout': subprocess.PIPE, 'stderr': subprocess.DEVNULL, 'text': True}
  process = subprocess.Popen([sys.executable, *map(str, command)], cwd=ROOT, **pipes)
  for line in process.stdout:
    first = time.time() if line.startswith('step 0,') else first
  return '' if process.wait() else line, first, time.time() - started


def run_whole(seed, schedule):
  """Trains mnist_deep.py with its checkpoint; returns the seconds until that, and the accuracy."""
  flags = ['--seed', seed, '--steps', schedule.steps, *['--fast'] * schedule.fast]
  with tempfile.TemporaryDirectory() as folder:
    line, first, *_ = run('mnist_deep.py', *flags, '--log_dir', folder)
    return os.path.getmtime(f'{folder}/checkpoint') - first, float(line.split()[-1])


def take_turns(peers, rounds, schedule, warm_up=0, test=False):
  """Returns [(seconds, accuracy) of each round] for each peer that is installed."""
  results = {peer: [] for peer in peers}
  for seed in range(1, rounds + 1):
    for peer in peers:
      if peer == WHOLE:
        result = run_whole(seed, schedule)
      else:
        line, *_ = run(__file__, '--run', json.dumps([peer, seed, warm_up, test, *schedule]))
        result = json.loads(line or 'null')
      print(f'round {seed}, {peer}: {result or "left out"}', file=sys.stderr, flush=True)
      results[peer].append(result)
  return {peer: rounds for peer, rounds in results.items() if all(rounds)}


def compare(title, results, scale=1):
  """Prints the table of what took turns: seconds times `scale`, ratio, and accuracy."""
  rows = []
  for peer, rounds in results.items():
    seconds, accuracies = np.array(rounds, float).T
    ratio = np.median(seconds / np.array(results[OURS], float)[:, 0])
    accuracy = f'{np.mean(accuracies):.4f} ({np.min(accuracies):.4f})' if scale == 1 else ''
    rows.append([peer, f'{scale * np.median(seconds):.1f}', f'{ratio:.2f}', accuracy])
  header = ['program', 'ms' if scale > 1 else 'seconds', f'times {OURS}', 'accuracy (lowest)']
  print(f'\n### {title}\n')
  for cells in header, ['---'] * len(header), *rows:
    print(f'| {" | ".join(cells)} |', flush=True)


def main():
  parser = argparse.ArgumentParser(description='Measures the programs beside their peers.')
  parser.add_argument('--rounds', type=int, default=5, help='how often each takes its turn')
  for name in '--accuracy', '--start':
    parser.add_argument(name, action='store_true')
  parser.add_argument('--run', type=json.loads, help=argparse.SUPPRESS)
  flags = parser.parse_args()
  if flags.run:
    return run_peer(*flags.run)
  processor = (re.findall('model name.*: (.*)', CPUINFO) or ['Unknown processor'])[0]
  print(f'{processor}, {os.cpu_count()} cores, Python {sys.version.split()[0]}')
  print(f'AVX-512: {"avx512f" in CPUINFO}; bfloat16 instructions: {BFLOAT16}')
  if flags.start:
    for command in ['-c', 'import tensorflow'], ['-c', 'import mnist_deep'], ['mnist_softmax.py']:
      seconds = [run(*command)[2] for _ in range(flags.rounds)]
      print(f'{command[-1]}: {np.median(seconds):.1f} seconds', flush=True)
    return
  peers = [peer for peer in PEERS if BFLOAT16 or 'bfloat16' not in peer]
  if flags.accuracy:
    peers = [WHOLE, *(peer for peer in peers if 'JAX' not in peer and 'most' not in peer)]
    return compare('The recipe of --fast', take_turns(peers, flags.rounds, FAST, test=True))
  steps = take_turns(peers, flags.rounds, TUTORIAL._replace(steps=100), warm_up=20)
  compare('A training step of 50 images', steps, 1e3 / 100)
  both = take_turns([OURS, WHOLE], flags.rounds, TUTORIAL, test=True)
  compare("The first 1,000 steps of the tutorial's schedule", both)


if __name__ == '__main__':
  main()
