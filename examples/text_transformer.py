"""A transformer block that tells from which package of Python's standard library a piece of source code is.

Data: eight packages of the Python that runs this. Every fifth piece of each file is for the test.
The two layers, written here, are saved in a `.keras` file with the model, which is loaded with `custom_objects`.
Prints the accuracy of each package, and of the test (about 0.9; guessing gives 0.16). Takes about 10 seconds.

Run: `python examples/text_transformer.py`.
"""

import re
import sysconfig
import tempfile
from pathlib import Path

import numpy as np

import graphc
from graphc import layers, ops

PACKAGES = ["asyncio", "ctypes", "email", "importlib", "json", "logging", "multiprocessing", "unittest"]
TOKENS, VOCABULARY = 48, 3000


class PositionalEmbedding(layers.Layer):
    """Vectors for tokens, plus vectors for their places."""

    def __init__(self, length, vocabulary, width, **kwargs):
        super().__init__(**kwargs)
        self.length, self.vocabulary, self.width = length, vocabulary, width
        self.tokens = layers.Embedding(vocabulary, width, mask_zero=True)
        self.places = layers.Embedding(length, width)

    def call(self, inputs):
        return self.tokens(inputs) + self.places(ops.arange(self.length))

    def compute_mask(self, inputs, mask=None):
        return ops.not_equal(inputs, 0)

    def get_config(self):
        return super().get_config() | {"length": self.length, "vocabulary": self.vocabulary, "width": self.width}


class TransformerBlock(layers.Layer):
    """Self-attention and a network of two layers, each normalized after it is added to its input."""

    def __init__(self, heads, hidden, rate=0.1, **kwargs):
        super().__init__(**kwargs)
        self.heads, self.hidden, self.rate = heads, hidden, rate
        self.supports_masking = True

    def build(self, shape):
        width = shape[-1]
        self.attention = layers.MultiHeadAttention(self.heads, width // self.heads, dropout=self.rate)
        self.attention.build(shape, shape)
        self.dense = graphc.Sequential([layers.Dense(self.hidden, activation="relu"), layers.Dense(width)])
        self.dense.build(shape)
        self.norms = [layers.LayerNormalization(epsilon=1e-6) for _ in range(2)]
        for norm in self.norms:
            norm.build(shape)
        self.dropout = layers.Dropout(self.rate)

    def call(self, inputs, mask=None):
        rows = None if mask is None else mask[:, None, :]
        x = self.norms[0](inputs + self.dropout(self.attention(inputs, inputs, attention_mask=rows)))
        return self.norms[1](x + self.dropout(self.dense(x)))

    def get_config(self):
        return super().get_config() | {"heads": self.heads, "hidden": self.hidden, "rate": self.rate}


def data():
    """Pieces of code, as words and signs with blanks between them, and labels: for training, and for the test."""
    train, test = [], []
    for label, package in enumerate(PACKAGES):
        pieces = []
        for file in sorted(Path(sysconfig.get_path("stdlib"), package).rglob("*.py")):
            tokens = re.findall(r"\w+|[^\w\s]", file.read_text(encoding="utf-8").lower())
            if "test" not in file.parts:
                pieces += [" ".join(tokens[start : start + TOKENS]) for start in range(0, len(tokens), TOKENS)]
        for number, piece in enumerate(pieces[:1000]):
            (test if number % 5 == 2 else train).append((piece, label))
    return [[np.array(column) for column in zip(*part, strict=True)] for part in (train, test)]


graphc.utils.set_random_seed(0)
(train_texts, train_labels), (test_texts, test_labels) = data()
vectorize = layers.TextVectorization(VOCABULARY, standardize=None, output_sequence_length=TOKENS)
vectorize.adapt(train_texts)
x_train, x_test = np.asarray(vectorize(train_texts)), np.asarray(vectorize(test_texts))

inputs = graphc.Input((TOKENS,), dtype="int32")
x = PositionalEmbedding(TOKENS, VOCABULARY, 32)(inputs)
x = TransformerBlock(heads=2, hidden=64)(x)
x = layers.GlobalAveragePooling1D()(x)
x = layers.Dropout(0.4)(x)
model = graphc.Model(inputs, layers.Dense(len(PACKAGES), activation="softmax")(x))
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
order = np.random.permutation(len(x_train))
model.fit(x_train[order], train_labels[order], batch_size=64, epochs=6, verbose=2)

with tempfile.TemporaryDirectory() as folder:
    model.save(f"{folder}/transformer.keras")
    own = {"PositionalEmbedding": PositionalEmbedding, "TransformerBlock": TransformerBlock}
    loaded = graphc.models.load_model(f"{folder}/transformer.keras", custom_objects=own)
same = np.allclose(model.predict(x_test, verbose=0), loaded.predict(x_test, verbose=0), atol=1e-6)
print("the loaded model predicts the same:", same)
for label, package in enumerate(PACKAGES):
    rows = test_labels == label
    found = loaded.predict(x_test[rows], verbose=0).argmax(axis=-1)
    print(f"{package:16} {np.mean(found == label):.2f} of {rows.sum()} pieces")
results = loaded.evaluate(x_test, test_labels, verbose=0, return_dict=True)
print(f"test accuracy: {results['accuracy']:.3f} on {len(x_test)} pieces, {len(x_train)} for training")
