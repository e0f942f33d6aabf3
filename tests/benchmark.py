"""Measures the programs side by side with what people would use instead.

  python tests/benchmark.py

prints Markdown tables. All that is compared takes turns, round by round, and stands as a median
and as a ratio of medians taken round by round, because machines get slower and faster. PyTorch and
JAX take part where they are installed. --accuracy also trains the README's recipe until 99 % and
99.2 %, and --tutorial the tutorial's schedule, of many minutes.
"""

import argparse
import contextlib
import importlib.util
import io
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time
import zlib

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import input_data  # noqa: E402

# Steps, batch size, learning rate, and whether it decays.
RECIPE = 3000, 100, 1e-3, True
TUTORIAL = 20000, 50, 1e-4, False
CORES = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()


def seconds(function):
  """Returns how long `function()` takes."""
  started = time.perf_counter()
  function()
  return time.perf_counter() - started


def read():
  """Reads the data as the programs do."""
  with contextlib.redirect_stdout(io.StringIO()):
    return input_data.read_data_sets(str(ROOT / 'MNIST_data'), one_hot=True, seed=1)


def take(data_set, n):
  """Takes `n` batches, keeping none, as training does."""
  for _ in range(n):
    data_set.next_batch(50)


def initial_values():
  """Returns the same initial weights and biases for every peer, as the tutorial draws them."""
  random = np.random.RandomState(0)
  values = []
  for shape in ([5, 5, 1, 32], [5, 5, 32, 64], [7 * 7 * 64, 1024], [1024, 10]):
    weights = random.standard_normal(shape)
    while np.any(far := np.abs(weights) > 2):
      weights[far] = random.standard_normal(np.sum(far))
    values += [np.float32(0.1 * weights), np.full(shape[-1], 0.1, np.float32)]
  return values


# Each peer is a function that returns `train(images, labels)`, one step of the deep net with Adam
# at 1e-4 and dropout of a half, which returns when the step is done.


def config(tf, bfloat16):
  """Returns the session configuration that mnist_deep.py has."""
  config = tf.ConfigProto()
  if bfloat16:
    rewriter = config.graph_options.rewrite_options
    rewriter.auto_mixed_precision_onednn_bfloat16 = rewriter.ON
  return config


def ours(bfloat16=False):
  """Builds the graph that mnist_deep.py runs."""
  import mnist_deep

  tf = mnist_deep.tf
  with tf.Graph().as_default() as graph:
    x, y_ = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.float32, [None, 10])
    y_conv, keep_prob = mnist_deep.deepnn(x)
    cross_entropy = tf.reduce_mean(
      tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=y_conv)
    )
    global_step = tf.train.get_or_create_global_step()
    train_step = tf.train.AdamOptimizer(1e-4).minimize(cross_entropy, global_step)
    variables = zip(tf.trainable_variables(), initial_values(), strict=True)
    assign = [variable.assign(value) for variable, value in variables]
    sess = tf.Session(graph=graph, config=config(tf, bfloat16))
    sess.run(tf.global_variables_initializer())
    sess.run(assign)

  def train(images, labels):
    loss = sess.run([train_step, cross_entropy], {x: images, y_: labels, keep_prob: 0.5})[1]
    assert np.isfinite(loss)

  return train


def ours_bfloat16():
  """Builds the graph that mnist_deep.py --bfloat16 runs."""
  return ours(bfloat16=True)


def keras_fit():
  """Builds a Keras model; `fit` runs many steps, so this peer's train takes whole rounds."""
  import keras

  layers = keras.layers
  model = keras.Sequential(
    [
      keras.Input([784]),
      layers.Reshape([28, 28, 1]),
      layers.Conv2D(32, 5, padding='same', activation='relu'),
      layers.MaxPooling2D(),
      layers.Conv2D(64, 5, padding='same', activation='relu'),
      layers.MaxPooling2D(),
      layers.Flatten(),
      layers.Dense(1024, activation='relu'),
      layers.Dropout(0.5),
      layers.Dense(10),
    ]
  )
  model.set_weights(initial_values())
  loss = keras.losses.CategoricalCrossentropy(from_logits=True)
  model.compile(keras.optimizers.Adam(1e-4), loss)

  def train(images, labels):
    model.fit(images, labels, batch_size=50, epochs=1, shuffle=False, verbose=0)

  return train


keras_fit.takes_whole_round = True


def torch_net(tuned=False, bfloat16=False):
  """Builds a PyTorch module."""
  import torch

  torch.set_num_threads(CORES)
  nn = torch.nn
  net = nn.Sequential(
    nn.Conv2d(1, 32, 5, padding=2),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(32, 64, 5, padding=2),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(7 * 7 * 64, 1024),
    nn.ReLU(),
    nn.Dropout(0.5),
    nn.Linear(1024, 10),
  )
  values = initial_values()
  # PyTorch flattens [channels, rows, columns], where TensorFlow has [rows, columns, channels].
  values[4] = values[4].reshape(7, 7, 64, 1024).transpose(2, 0, 1, 3).reshape(7 * 7 * 64, 1024)
  with torch.no_grad():
    for parameter, value in zip(net.parameters(), values, strict=True):
      axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[value.ndim]
      parameter.copy_(torch.tensor(value.transpose(axes).copy()))
  if tuned:
    net = net.to(memory_format=torch.channels_last)
  optimizer = torch.optim.Adam(net.parameters(), lr=1e-4, fused=True if tuned else None)

  def train(images, labels):
    images = torch.from_numpy(images).reshape(-1, 1, 28, 28)
    if tuned:
      images = images.to(memory_format=torch.channels_last)
    with torch.autocast('cpu', torch.bfloat16, enabled=bfloat16):
      loss = nn.functional.cross_entropy(net(images), torch.from_numpy(labels))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    assert np.isfinite(loss.item())

  return train


def torch_tuned():
  """Builds the module with channels last in memory, and a fused Adam."""
  return torch_net(tuned=True)


def torch_bfloat16():
  """Builds the tuned module under automatic mixed precision."""
  return torch_net(tuned=True, bfloat16=True)


def jax_jit():
  """Builds a compiled JAX function."""
  import jax
  import jax.numpy as jnp

  parameters = [jnp.asarray(value) for value in initial_values()]
  moments = [jnp.zeros_like(p) for p in parameters], [jnp.zeros_like(p) for p in parameters]

  def pool(h):
    return jax.lax.reduce_window(h, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), 'SAME')

  def conv(h, W):
    return jax.lax.conv_general_dilated(
      h, W, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
    )

  def loss_of(p, images, labels, key):
    h = images.reshape(-1, 28, 28, 1)
    h = pool(jax.nn.relu(conv(h, p[0]) + p[1]))
    h = pool(jax.nn.relu(conv(h, p[2]) + p[3]))
    h = jax.nn.relu(h.reshape(len(h), -1) @ p[4] + p[5])
    h = h * 2 * jax.random.bernoulli(key, 0.5, h.shape)
    return -jnp.mean(jnp.sum(labels * jax.nn.log_softmax(h @ p[6] + p[7]), 1))

  @jax.jit
  def step(p, m, v, t, images, labels):
    loss, g = jax.value_and_grad(loss_of)(p, images, labels, jax.random.key(t))
    m = [0.9 * a + 0.1 * b for a, b in zip(m, g, strict=True)]
    v = [0.999 * a + 0.001 * b * b for a, b in zip(v, g, strict=True)]
    rate = 1e-4 * jnp.sqrt(1 - 0.999 ** (t + 1)) / (1 - 0.9 ** (t + 1))
    p = [a - rate * b / (jnp.sqrt(c) + 1e-8) for a, b, c in zip(p, m, v, strict=True)]
    return p, m, v, loss

  state = [parameters, *moments, 0]

  def train(images, labels):
    *state[:3], loss = step(*state, images, labels)
    state[3] += 1
    assert np.isfinite(float(loss))

  return train


PEERS = {
  'mnist_deep.py': ours,
  'mnist_deep.py --bfloat16': ours_bfloat16,
  'Keras `fit`': keras_fit,
  'PyTorch, as most write it': torch_net,
  'PyTorch, channels-last, fused Adam': torch_tuned,
  'the same, bfloat16 autocast': torch_bfloat16,
  'JAX, jit': jax_jit,
}
NEEDS = {keras_fit: 'keras', torch_net: 'torch', torch_tuned: 'torch', torch_bfloat16: 'torch'}
NEEDS[jax_jit] = 'jax'


def serve(peer):
  """Times rounds of one peer in this process: a number of steps per line of standard input."""
  train = PEERS[peer]()
  data = read().train
  for line in sys.stdin:
    batches = [data.next_batch(50) for _ in range(int(line))]
    if getattr(PEERS[peer], 'takes_whole_round', False):
      batches = [[np.concatenate(arrays) for arrays in zip(*batches, strict=True)]]
    took = seconds(lambda: [train(*batch) for batch in batches])  # noqa: B023
    print('took', took / int(line), flush=True)


def measure_steps(rounds, steps):
  """Returns the milliseconds a step of each peer, round by round; each has its own process."""
  script = [sys.executable, __file__, '--serve']
  peers = [p for p, f in PEERS.items() if importlib.util.find_spec(NEEDS.get(f, 'numpy'))]
  pipes = {'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE, 'stderr': subprocess.DEVNULL}
  processes = {peer: subprocess.Popen([*script, peer], text=True, **pipes) for peer in peers}
  found = {peer: [] for peer in peers}
  for round_ in range(rounds + 1):
    for peer, process in processes.items():
      with contextlib.suppress(BrokenPipeError):
        process.stdin.write(
          f'{steps if round_ else min(20, 5 * steps)}\n'
        )  # The first round is not counted.
        process.stdin.flush()
      line = next((line for line in process.stdout if line.startswith('took')), None)
      if line and round_:
        found[peer].append(1000 * float(line.split()[1]))
  for process in processes.values():
    process.stdin.close()
    process.wait()
  return {peer: times for peer, times in found.items() if times}


def measure_peak(rounds):
  """Returns the matrix-product peak of this machine in GFLOP/s, at the deep net's precision."""
  import mnist_deep

  tf = mnist_deep.tf
  n = 2048
  with tf.Graph().as_default(), tf.Session() as sess:
    a = tf.Variable(tf.random_normal([n, n]))
    product = tf.matmul(a, a).op
    sess.run(tf.global_variables_initializer())
    sess.run(product)
    best = min(seconds(lambda: sess.run(product)) for _ in range(5 * rounds))
  return 2 * n**3 / best / 1e9


def flop_of_a_step(batch_size=50):
  """Returns the floating-point operations in the convolutions and matrix products of a step."""
  conv1 = 2 * 28 * 28 * 25 * 32
  conv2 = 2 * 14 * 14 * 25 * 32 * 64
  dense = 2 * 3136 * 1024 + 2 * 1024 * 10
  # Forwards, and back to the weights and to the input, of which the first layer needs none.
  return batch_size * (2 * conv1 + 3 * conv2 + 3 * dense)


def inflate():
  """Does what no reader of the archives can avoid."""
  for archive in sorted((ROOT / 'MNIST_data').glob('*.gz')):
    zlib.decompress(archive.read_bytes(), zlib.MAX_WBITS | 16)


def run_program(*command):
  """Returns the lines that a program prints, its seconds, and its peak memory in megabytes."""
  script = (
    'import json, resource, subprocess, sys, time\n'
    'started = time.perf_counter()\n'
    'first = None\n'
    'process = subprocess.Popen([sys.executable, *sys.argv[1:]], stdout=subprocess.PIPE,\n'
    '  stderr=subprocess.DEVNULL, text=True)\n'
    'lines = []\n'
    'for line in process.stdout:\n'
    '  lines.append(line.rstrip())\n'
    '  if first is None and line.startswith("step 0,"): first = time.perf_counter() - started\n'
    'process.wait()\n'
    'peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (1e6 / 1024)\n'
    'print(json.dumps([lines, time.perf_counter() - started, peak, first]))\n'
  )
  command = [sys.executable, '-c', script, *command]
  done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
  return json.loads(done.stdout)


def train_until(goals, steps, batch_size, learning_rate, decay, bfloat16):
  """Returns {goal: seconds of training until the test accuracy reached it}, without evaluation."""
  import mnist_deep

  tf = mnist_deep.tf
  mnist = read()
  labels = np.argmax(mnist.test.labels, 1)
  reached = {}
  with tf.Graph().as_default():
    x, y_ = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.float32, [None, 10])
    y_conv, keep_prob = mnist_deep.deepnn(x)
    loss = tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=y_conv)
    global_step = tf.train.get_or_create_global_step()
    if decay:
      learning_rate = tf.train.polynomial_decay(learning_rate, global_step, steps, 0.0)
    optimizer = tf.train.AdamOptimizer(learning_rate)
    train_step = optimizer.minimize(tf.reduce_mean(loss), global_step)
    with tf.Session(config=config(tf, bfloat16)) as sess:
      sess.run(tf.global_variables_initializer())
      took = 0
      for step in range(0, steps, 100):
        started = time.perf_counter()
        for _ in range(min(100, steps - step)):
          images, one_hot = mnist.train.next_batch(batch_size)
          sess.run(train_step, {x: images, y_: one_hot, keep_prob: 0.5})
        took += time.perf_counter() - started
        logits = mnist_deep.run_net(sess, y_conv, x, keep_prob, mnist.test.images)
        accuracy = np.mean(np.argmax(logits, 1) == labels)
        for goal in goals:
          if accuracy >= goal:
            reached.setdefault(goal, took)
  return reached


def table(title, header, rows):
  """Prints a Markdown table."""
  print(f'\n### {title}\n\n| {" | ".join(header)} |\n|{" --- |" * len(header)}', flush=True)
  for row in rows:
    print(f'| {" | ".join(str(cell) for cell in row)} |', flush=True)


def ratio(others, base):
  """Returns the median of the ratios of two series that were measured in turn."""
  return statistics.median(a / b for a, b in zip(others, base, strict=True))


def main():
  """Prints the tables."""
  parser = argparse.ArgumentParser(
    description=__doc__, allow_abbrev=False, formatter_class=argparse.RawTextHelpFormatter
  )
  parser.add_argument('--rounds', type=int, default=5, help='how often each takes its turn')
  parser.add_argument('--steps', type=int, default=100, help='training steps in a turn')
  parser.add_argument('--accuracy', action='store_true', help='train the recipe, too')
  parser.add_argument('--tutorial', action='store_true', help="train the tutorial's schedule, too")
  parser.add_argument('--serve', help=argparse.SUPPRESS)
  flags = parser.parse_args()
  if flags.serve:
    return serve(flags.serve)
  rounds = range(flags.rounds)
  print(f'{processor()}, {CORES} cores, Python {platform.python_version()}, median of', end=' ')
  print(f'{flags.rounds} rounds; ratios round by round.')
  steps = measure_steps(flags.rounds, flags.steps)
  base = steps['mnist_deep.py']
  rows = [
    (peer, f'{statistics.median(times):.1f}', f'{ratio(times, base):.2f}')
    for peer, times in steps.items()
  ]
  table('A training step of 50 images', ('program', 'ms', 'times mnist_deep.py'), rows)
  peak = measure_peak(flags.rounds)
  rate = flop_of_a_step() / statistics.median(base) / 1e6
  rows = [
    ('matrix-product peak in float32', f'{peak:.0f} GFLOP/s'),
    ('mnist_deep.py, a whole step', f'{rate:.0f} GFLOP/s, {rate / peak:.2f} of the peak'),
  ]
  inflating, reading = zip(*[(seconds(inflate), seconds(read)) for _ in rounds], strict=True)
  train = read().train
  batches = [seconds(lambda: take(train, 1100)) / 1100 for _ in rounds]
  rows += [
    ('zlib alone, the four archives', f'{statistics.median(inflating):.3f} s'),
    (
      '`read_data_sets`',
      f'{statistics.median(reading):.3f} s, {ratio(reading, inflating):.2f} times zlib',
    ),
    ('a batch of 50', f'{1e6 * statistics.median(batches):.1f} microseconds'),
  ]
  softmax = [run_program('mnist_softmax.py') for _ in rounds]
  deep = [run_program('mnist_deep.py', '--steps', str(flags.steps)) for _ in rounds]
  for what, runs, column, unit in (
    ('mnist_softmax.py, all of it', softmax, 1, 's'),
    ('mnist_softmax.py, peak memory', softmax, 2, 'MB'),
    ('mnist_deep.py, from start to first step', deep, 3, 's'),
    ('mnist_deep.py, peak memory', deep, 2, 'MB'),
  ):
    value = statistics.median(run[column] for run in runs)
    rows.append((what, f'{value:.1f} {unit}' if unit == 's' else f'{value:.0f} {unit}'))
  table('Everything else', ('what', 'median'), rows)
  schedules = [("the README's recipe", RECIPE, bfloat16) for bfloat16 in (False, True)]
  schedules = schedules if flags.accuracy else []
  if flags.tutorial:
    schedules.append(("the tutorial's schedule", TUTORIAL, False))
  rows = []
  for name, schedule, bfloat16 in schedules:
    reached = train_until((0.99, 0.992), *schedule, bfloat16)
    times = [f'{reached[g]:.0f} s' if g in reached else 'not reached' for g in (0.99, 0.992)]
    rows.append((name + ', bfloat16' * bfloat16, *times))
  if rows:
    table('Training until a test accuracy', ('schedule', '99 %', '99.2 %'), rows)


def processor():
  """Returns the name of the processor."""
  with contextlib.suppress(OSError), open('/proc/cpuinfo') as f:
    names = [line.partition(': ')[2].strip() for line in f if line.startswith('model name')]
    return names[0] if names else platform.machine()
  return platform.processor() or platform.machine()


if __name__ == '__main__':
  main()
