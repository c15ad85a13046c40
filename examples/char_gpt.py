"""A small GPT that learns a text letter by letter, and writes more of it.

Data: the GNU General Public Licence, version 3, in small letters (33,000), which every Debian has in
/usr/share/common-licenses. Its last tenth is for the test. Each position of a window predicts the next character.
Prints bits per character of the test (about 2.6; by the frequencies of single characters 4.4), then lines that it
writes at three temperatures. Takes about 15 seconds.

Run: `python examples/char_gpt.py`.
"""

from pathlib import Path

import numpy as np

import graphc
from graphc import layers, losses, ops, optimizers

WINDOW, WIDTH, HEADS, BLOCKS = 48, 48, 4, 2

graphc.utils.set_random_seed(0)
text = " ".join(Path("/usr/share/common-licenses/GPL-3").read_text().lower().split())
characters = sorted(set(text))
numbers = np.array([characters.index(character) for character in text], "int32")
cut = len(numbers) * 9 // 10
train, test = numbers[:cut], numbers[cut:]


def windows(part, step):
    """Windows of the text, and the same ones a character later."""
    rows = np.arange(0, len(part) - WINDOW, step)[:, None] + np.arange(WINDOW)
    return part[rows], part[rows + 1]


class Positions(layers.Layer):
    """Adds a vector of its own to each position."""

    def build(self, shape):
        self.vectors = self.add_weight(shape=shape[1:], initializer="uniform", name="vectors")

    def call(self, inputs):
        return inputs + self.vectors


def block(x):
    """A transformer block that normalizes first: attention to what came before, then a network of two layers."""
    y = layers.LayerNormalization()(x)
    x = layers.Add()([x, layers.MultiHeadAttention(HEADS, WIDTH // HEADS)(y, y, use_causal_mask=True)])
    y = layers.Dense(4 * WIDTH, activation="gelu")(layers.LayerNormalization()(x))
    return layers.Add()([x, layers.Dropout(0.1)(layers.Dense(WIDTH)(y))])


inputs = graphc.Input((WINDOW,), dtype="int32")
x = layers.Dropout(0.1)(Positions()(layers.Embedding(len(characters), WIDTH)(inputs)))
for _ in range(BLOCKS):
    x = block(x)
model = graphc.Model(inputs, layers.Dense(len(characters))(layers.LayerNormalization()(x)), name="gpt")

x_train, y_train = windows(train, 7)
x_test, y_test = windows(test, WINDOW)
model.compile(optimizers.Adam(0.003), losses.SparseCategoricalCrossentropy(from_logits=True))
model.fit(x_train, y_train, batch_size=32, epochs=8, verbose=2)

frequencies = np.bincount(train, minlength=len(characters)) / len(train)
single = -np.log2(np.maximum(frequencies, 1e-4))[test].mean()
bits = model.evaluate(x_test, y_test, verbose=0) / np.log(2)
print(f"test: {bits:.3f} bits per character, perplexity {2**bits:.2f}; single characters: {single:.3f} bits")


def write(start, count, temperature):
    """Continues a text: each character is drawn from the predicted distribution, sharpened by the temperature."""
    rng = np.random.default_rng(0)
    drawn = [characters.index(character) for character in start]
    for _ in range(count):
        recent = drawn[-WINDOW:]
        padded = np.array([recent + [0] * (WINDOW - len(recent))], "int32")  # what follows is not attended to
        scores = ops.convert_to_numpy(predict(padded))[0, len(recent) - 1] / temperature
        probabilities = np.exp(scores - scores.max())
        drawn.append(int(rng.choice(len(characters), p=probabilities / probabilities.sum())))
    return "".join(characters[number] for number in drawn)


predict = graphc.function(lambda x: model(x, training=False))
for temperature in (0.3, 0.7, 1.0):
    print(f"temperature {temperature}: {write('the licensee may ', 160, temperature)}")
