"""Measures the programs side by side with what people would use instead.

  python tests/benchmark.py             a training step of the tutorial's schedule
  python tests/benchmark.py --accuracy  the recipe of mnist_deep.py --fast, trained to its end

All take turns, as machines get slower and faster: a table has the medians of the rounds and of
each round's ratio. What is not installed is left out.
"""

import argparse
import math
import os
import pathlib
import re
import sys
import tempfile
import time
from collections import namedtuple
from functools import partial
from subprocess import DEVNULL, PIPE, Popen

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import input_data  # noqa: E402

Schedule = namedtuple('Schedule', 'steps batch_size rate beta2 keep_prob fast')
FAST = Schedule(620, 100, 4e-3, 0.97, 0.7, True)
TUTORIAL = Schedule(201, 50, 1e-4, 0.999, 0.5, False)  # The first of its 20,000 steps.


def rate_at(schedule, step, minimum=min):
  """Returns the rate of a step: constant, or rising for a tenth of the steps and then falling."""
  rise, fall = 10 * (step + 1) / schedule.steps, (1 - step / schedule.steps) / 0.9
  return schedule.rate * minimum(rise, fall) if schedule.fast else schedule.rate


def learning_steps(schedule):
  """Returns after how many steps the convolutions learn no more."""
  return math.ceil(0.75 * schedule.steps) if schedule.fast else schedule.steps


def batches(schedule, train, random=np.random):
  """Yields the batches of all steps, and prints each hundredth, as mnist_deep.py does."""
  for i in range(schedule.steps):
    images, labels = train.next_batch(schedule.batch_size)
    if schedule.fast:
      moves = random.randint(-1, 2, [len(images), 1, 2]) @ [28, 1]
      images = np.take_along_axis(images, (np.arange(784) + moves) % 784, axis=1)
    if i % 100 == 0:
      print(f'step {i},', flush=True)
    yield images, labels


# Each peer builds the net, trains it on batches, and returns what computes the logits.


def keras_net(schedule, seed):
  from keras import Sequential, layers, losses, ops, optimizers, utils

  utils.set_random_seed(seed)
  weights = {'kernel_initializer': 'lecun_normal'}
  conv = partial(layers.Conv2D, kernel_size=5, padding='same', activation='relu', **weights)
  net = [layers.Input([784]), layers.Reshape([28, 28, 1])]
  net += [conv(32), layers.MaxPooling2D(), conv(64), layers.MaxPooling2D(), layers.Flatten()]
  net += [layers.Dense(1024, 'relu', **weights), layers.Dropout(1 - schedule.keep_prob)]
  model = Sequential([*net, layers.Dense(10, **weights)])
  rate = partial(rate_at, schedule, minimum=ops.minimum)
  adam = optimizers.Adam(lambda: rate(adam.iterations), beta_2=schedule.beta2, epsilon=1e-8)
  model.compile(adam, losses.CategoricalCrossentropy(from_logits=True))
  return model


def freeze_convolutions(model):
  for layer in model.layers[1:4:2]:
    layer.trainable = False  # Read when the model is compiled.
  model.compile(model.optimizer, model.loss)


def keras_peer(schedule, seed, batches):
  model, first = keras_net(schedule, seed), learning_steps(schedule)
  model.fit(batches, steps_per_epoch=first, verbose=0)
  if schedule.fast:
    freeze_convolutions(model)
    model.fit(batches, steps_per_epoch=schedule.steps - first, verbose=0)
  return model.predict_on_batch


def torch_peer(schedule, seed, batches, tuned=False, bfloat16=False):
  """With `tuned`, channels are last in memory and Adam is fused."""
  import torch

  torch.manual_seed(seed)
  nn = torch.nn
  layers = [nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)]
  layers += [nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
  layers += [nn.Linear(7 * 7 * 64, 1024), nn.ReLU(), nn.Dropout(1 - schedule.keep_prob)]
  layout = torch.channels_last if tuned else torch.contiguous_format
  net = nn.Sequential(*layers, nn.Linear(1024, 10)).to(memory_format=layout)
  for layer in net[0], net[3], net[7], net[10]:
    nn.init.trunc_normal_(layer.weight, 0, layer.weight[0].numel() ** -0.5)
    nn.init.zeros_(layer.bias)
  adam = torch.optim.Adam(net.parameters(), betas=(0.9, schedule.beta2), fused=tuned or None)

  def forward(images):
    with torch.autocast('cpu', torch.bfloat16, enabled=bfloat16):
      return net(torch.from_numpy(images).reshape(-1, 1, 28, 28).to(memory_format=layout)).float()

  for i, (images, labels) in enumerate(batches):
    adam.param_groups[0]['lr'] = rate_at(schedule, i)
    if i == learning_steps(schedule):
      net[:6].requires_grad_(False)
    loss = nn.functional.cross_entropy(forward(images), torch.from_numpy(labels))
    adam.zero_grad()
    loss.backward()
    adam.step()
  net.eval()
  return lambda images: forward(images).detach().numpy()


PEERS = {
  'Keras `fit`': keras_peer,
  'PyTorch, channels-last, fused Adam': partial(torch_peer, tuned=True),
  'PyTorch, as most write it': torch_peer,
  'PyTorch, tuned as above, bfloat16 autocast': partial(torch_peer, tuned=True, bfloat16=True),
}


def take_turns(commands, rounds, first, last, steps=1):
  """Prints a table of the time that each command takes from a line to a later one, per step.

  `first` and `last` are what these lines have before their comma, or 'last line'.
  """
  results = {name: [] for name in commands}
  for seed in range(1, rounds + 1):
    for name, command in commands.items():
      words, times = [sys.executable, *map(str, command), '--seed', str(seed)], {}
      with tempfile.TemporaryDirectory() as os.environ['TMPDIR']:  # For mnist_deep.py.
        with Popen(words, cwd=ROOT, text=True, stdout=PIPE, stderr=DEVNULL) as process:
          for line in process.stdout:
            times[line.split(',')[0]] = times['last line'] = time.time()
      if process.returncode == 0:
        accuracy = float(line.partition('test accuracy')[2] or 'nan')
        results[name].append([(times[last] - times[first]) / steps, accuracy])
      print(f'round {seed}, {name}: {results[name][-1:] or "left out"}', file=sys.stderr)
  print('\n| program | seconds | relative | test accuracy (lowest) |\n| --- | --- | --- | --- |')
  reference = np.transpose(next(iter(results.values())))[0]
  for name, found in results.items():
    if found:
      seconds, accuracies = np.transpose(found)
      ratio = np.median(seconds / reference)
      accuracy = f'{np.mean(accuracies):.4f} ({np.min(accuracies):.4f})'
      print(f'| {name} | {np.median(seconds):.4f} | {ratio:.2f} | {accuracy} |')


def main():
  parser = argparse.ArgumentParser(description='Measures the programs beside their peers.')
  parser.add_argument('--rounds', type=int, default=5, help='how often each takes its turn')
  parser.add_argument('--accuracy', action='store_true', help='trains as --fast does')
  parser.add_argument('--peer', choices=PEERS, help='is trained alone')
  parser.add_argument('--seed', type=int, help='of that training')
  flags = parser.parse_args()
  schedule = FAST if flags.accuracy else TUTORIAL
  if flags.peer:
    data = input_data.read_data_sets(ROOT / 'MNIST_data', one_hot=True, seed=flags.seed)
    logits_of = PEERS[flags.peer](schedule, flags.seed, batches(schedule, data.train))
    digits = [np.argmax(logits_of(images), 1) for images in np.split(data.test.images, 50)]
    accuracy = np.mean(np.concatenate(digits) == np.argmax(data.test.labels, 1))
    return print(f'test accuracy {accuracy:g}', flush=True)
  cpu = open('/proc/cpuinfo').read() if os.path.exists('/proc/cpuinfo') else ''
  found = [name for name in ('avx512f', 'avx512_bf16', 'amx_bf16') if name in cpu]
  print(*re.findall('model name.*: (.*)', cpu)[:1], f'{os.cpu_count()} cores', *found, sep=', ')
  deep = ['mnist_deep.py', '--steps', schedule.steps, *['--fast'] * flags.accuracy]
  commands = {'mnist_deep.py': deep, 'mnist_deep.py --bfloat16': [*deep, '--bfloat16']}
  for name in PEERS:
    commands[name] = [__file__, '--peer', name, *['--accuracy'] * flags.accuracy]
  if not {'avx512_bf16', 'amx_bf16'} & {*found}:
    commands = {name: command for name, command in commands.items() if 'bfloat16' not in name}
  if flags.accuracy:
    return take_turns(commands, flags.rounds, 'step 0', 'last line')
  take_turns(commands, flags.rounds, 'step 100', 'step 200', 100)


if __name__ == '__main__':
  main()
