"""Writes reference.json: what TensorFlow 1.15.5 and its `input_data` answer.

TensorFlow 1.15.5 needs Python 3.7, which pyenv and conda still install:

  python3.7 -m venv tf1
  tf1/bin/pip install tensorflow==1.15.5 'numpy<1.19' 'protobuf<3.21' 'h5py<3'
  tf1/bin/python tests/make_reference.py

A digest is the first 24 hexadecimal digits of SHA-256.
"""

import json
import os
import pathlib

os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'

import data_cases
import graph_cases
import tensorflow as tf
from tensorflow.contrib.learn.python.learn.datasets.mnist import read_data_sets

tf.logging.set_verbosity(tf.logging.ERROR)
FOLDER = pathlib.Path(__file__).resolve().parent


def read(**options):
  return read_data_sets(str(FOLDER.parent / 'MNIST_data'), **options)


def softmax(seed, rate, cross_entropy):
  """Trains softmax regression; returns its test accuracy and its biases."""
  mnist = read(one_hot=True, seed=seed)
  with tf.Graph().as_default(), tf.Session() as sess:
    x, y_ = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.float32, [None, 10])
    W, b = tf.Variable(tf.zeros([784, 10])), tf.Variable(tf.zeros([10]))
    y = tf.matmul(x, W) + b
    train_step = tf.train.GradientDescentOptimizer(rate).minimize(cross_entropy(y_, y))
    correct_prediction = tf.equal(tf.argmax(y, 1), tf.argmax(y_, 1))
    accuracy = tf.reduce_mean(tf.cast(correct_prediction, tf.float32))
    sess.run(tf.global_variables_initializer())
    for _ in range(1000):
      images, labels = mnist.train.next_batch(100)
      sess.run(train_step, {x: images, y_: labels})
    found = sess.run(accuracy, {x: mnist.test.images, y_: mnist.test.labels})
    return [round(float(found), 4), [round(float(value), 5) for value in sess.run(b)]]


def mean_of_logits(y_, y):
  return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(labels=y_, logits=y))


def sum_of_logarithms(y_, y):
  return -tf.reduce_sum(y_ * tf.log(tf.nn.softmax(y)))


ANSWERS = data_cases.answers(read)
# What is learned. The weights start at 0, so the batches decide everything.
for seed in 0, 1:
  question = f'accuracy and biases of softmax regression, seed {seed}'
  ANSWERS[question] = softmax(seed, 0.5, mean_of_logits)
question = 'accuracy and biases of softmax regression, seed 5, sum of logarithms'
ANSWERS[question] = softmax(5, 0.01, sum_of_logarithms)
ANSWERS.update(graph_cases.answers(tf, read))

lines = [
  f'{json.dumps(question)}: {json.dumps(ANSWERS[question])}' for question in sorted(ANSWERS)
]
(FOLDER / 'reference.json').write_text('{\n' + ',\n'.join(lines) + '\n}\n')
