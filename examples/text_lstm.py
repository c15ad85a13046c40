"""A bidirectional LSTM that tells from which licence a passage of 40 words is.

Data: five licences that every Debian has in /usr/share/common-licenses, cut into blocks of 200 words. Every fifth block
is for the test, so that the network has seen none of its sentences; passages for training overlap.
The trained network is then put behind its TextVectorization, which makes a model that takes raw strings.
Prints predictions for passages, and the test accuracy (about 0.8; guessing gives 0.2). Takes about 5 seconds.

Run: `python examples/text_lstm.py`.
"""

from pathlib import Path

import numpy as np

import graphc
from graphc import layers

LICENCES = ["Apache-2.0", "Artistic", "GFDL-1.3", "GPL-3", "MPL-2.0"]
WORDS, BLOCK = 40, 200


def passages(words, step):
    """Windows of 40 words, each as one string, whose starts are `step` words apart."""
    return [" ".join(words[start : start + WORDS]) for start in range(0, len(words) - WORDS + 1, step)]


def data():
    """The texts and labels for training, and for the test."""
    train, test = [], []
    for label, name in enumerate(LICENCES):
        words = Path("/usr/share/common-licenses", name).read_text().split()
        step = max(1, len(words) // 1200)  # about as many passages of each
        for number, start in enumerate(range(0, len(words), BLOCK)):
            block = words[start : start + BLOCK]
            if number % 5 == 3:
                test += [(text, label) for text in passages(block, 10)]
            else:
                train += [(text, label) for text in passages(block, step)]
    return [[np.array(column) for column in zip(*part, strict=True)] for part in (train, test)]


graphc.utils.set_random_seed(0)
(train_texts, train_labels), (test_texts, test_labels) = data()

vectorize = layers.TextVectorization(max_tokens=400, output_sequence_length=WORDS)
vectorize.adapt(train_texts)

model = graphc.Sequential(
    [
        graphc.Input((WORDS,), dtype="int32"),
        layers.Embedding(vectorize.vocabulary_size(), 32, mask_zero=True),
        layers.Dropout(0.5, noise_shape=(None, WORDS, 1)),  # of whole words
        layers.Bidirectional(layers.LSTM(32)),
        layers.Dropout(0.5),
        layers.Dense(len(LICENCES), activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
x_train, x_test = vectorize(train_texts), vectorize(test_texts)
order = np.random.permutation(len(x_train))
model.fit(np.asarray(x_train)[order], train_labels[order], batch_size=32, epochs=8, verbose=2)
results = model.evaluate(x_test, test_labels, verbose=0, return_dict=True)

# From raw strings to licences: what one would deploy.
strings = graphc.Input((1,), dtype="string")
classifier = graphc.Model(strings, model(vectorize(strings)))
chosen = [int(np.flatnonzero(test_labels == label)[3]) for label in range(len(LICENCES))]
for text, label, probabilities in zip(
    test_texts[chosen], test_labels[chosen], classifier.predict(test_texts[chosen][:, None], verbose=0), strict=True
):
    best = probabilities.argmax()
    print(f"{LICENCES[label]:10} taken for {LICENCES[best]:10} ({probabilities[best]:.2f}): {text[:60]}...")
whole = classifier.predict(test_texts[:, None], verbose=0).argmax(axis=-1)
print(f"accuracy on raw strings: {np.mean(whole == test_labels):.3f}")
print(f"test accuracy: {results['accuracy']:.3f} on {len(test_texts)} passages, {len(train_texts)} for training")
