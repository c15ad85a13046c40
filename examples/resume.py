"""Training that is killed at any moment and goes on as if nothing had happened.

Data: 512 noisy images of stripes of 12 x 12 pixels. The program trains a small convnet with dropout and shuffled data
in a process of its own, kills this process several times, and starts it again each time.
Prints the training accuracy (about 0.9), and whether the weights are bit for bit those of a training that nobody
interrupted. Takes about 15 seconds.

Run: `python examples/resume.py`.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import graphc
from graphc import callbacks, layers

EPOCHS, BATCH = 4, 32


def data() -> tuple[np.ndarray, np.ndarray]:
    """Noisy images of vertical and horizontal stripes."""
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 2, 512)
    stripes = np.indices((12, 12))[kinds] // 2 % 2
    return (stripes + rng.normal(0, 0.7, stripes.shape)).astype("float32")[..., None], kinds.astype("int32")


def make_model() -> graphc.Model:
    model = graphc.Sequential(
        [
            graphc.Input((12, 12, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Kill(callbacks.Callback):
    """Ends the process after some batches, without any warning."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def train(folder: Path, kill_after: int) -> None:
    """Trains, from the last checkpoint in the folder if there is one, and writes the weights."""
    graphc.utils.set_random_seed(1)
    x, y = data()
    model = make_model()
    used: list[callbacks.Callback] = [callbacks.BackupAndRestore(folder / "backup", save_freq=1)]
    if kill_after:
        used.append(Kill(kill_after))
    history = model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0, callbacks=used)
    model.save_weights(folder / "trained.weights.h5")
    print(f"  trained to the end, from epoch {history.epoch[0] + 1} on: accuracy {history.history['accuracy'][-1]:.3f}")


def run(folder: Path, kill_after: int = 0) -> bool:
    """Starts the training as a process of its own; whether it came to its end."""
    done = subprocess.run([sys.executable, __file__, "--train", str(folder), "--kill", str(kill_after)], check=False)
    return done.returncode == 0


def main() -> bool:
    with tempfile.TemporaryDirectory() as name:
        print("without interruption:", flush=True)
        run(Path(name, "whole"))
        print("killed again and again:", flush=True)
        for kill_after in (7, 20, 13):
            if not run(Path(name, "killed"), kill_after):
                print(f"  killed after {kill_after} batches", flush=True)
        run(Path(name, "killed"))
        models = [make_model(), make_model()]
        for model, folder in zip(models, ("whole", "killed"), strict=True):
            model.load_weights(Path(name, folder, "trained.weights.h5"))
        pairs = zip(*(model.get_weights() for model in models), strict=True)
        equal = all(np.array_equal(a, b) for a, b in pairs)
        print("the weights are equal to the last bit" if equal else "the weights differ")
        return equal


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--train", type=Path)
    parser.add_argument("--kill", type=int, default=0)
    given = parser.parse_args()
    if given.train is None:
        sys.exit(0 if main() else 1)
    train(given.train, given.kill)
