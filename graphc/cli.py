"""The command line: `graphc demo` and `graphc info`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import graphc
from graphc import callbacks, compiler, config, inspect, layers
from graphc.datasets import Dataset, load_demo_data
from graphc.errors import GraphcError
from graphc.runtime import cache


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="graphc", description="A declarative graph compiler with a Keras-style front end."
    )
    parser.add_argument("--version", action="version", version=f"graphc {graphc.__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="train the first model on real data and show what was compiled")
    demo.add_argument("--backend", choices=compiler.BACKENDS, help="where to run; default: the best present")
    demo.add_argument("--epochs", type=int, default=5, help="passes over the data (default 5)")
    demo.add_argument("--seed", type=int, default=5, help="seed of weights and shuffling (default 5)")
    commands.add_parser("info", help="show which backends are present, and the cache folder")
    parsed = parser.parse_args(arguments)
    try:
        return _info() if parsed.command == "info" else _demo(parsed.backend, parsed.epochs, parsed.seed)
    except GraphcError as error:
        print(f"graphc: {error}", file=sys.stderr)
        return 1


def _info() -> int:
    name, why = compiler.chosen_backend()
    print(f"graphc {graphc.__version__}")
    print(f"backend: {name} ({why})")
    for backend in compiler.BACKENDS:
        problem = compiler.absent(backend)
        print(f"  {backend:<6} {'present' if problem is None else 'absent: ' + problem}")
    print(f"cache: {cache.default().folder}")
    return 0


def _demo(backend: str | None, epochs: int, seed: int) -> int:
    data = load_demo_data()
    print(
        f"data: {data.name}, {len(data.train[0]):,} training and {len(data.test[0]):,} test images, from {data.source}"
    )
    folder = config.current().dump or cache.folder("demo")
    with config.override(dump=folder, **({"backend": backend} if backend else {})):
        name, why = compiler.chosen_backend()
        print(f"backend: {name} ({why})")
        _train(data, epochs, seed, Path(folder))
    return 0


def _train(data: Dataset, epochs: int, seed: int, folder: Path) -> None:
    graphc.utils.set_random_seed(seed)
    (x_train, y_train), (x_test, y_test) = data.train, data.test
    model = graphc.Sequential(
        [
            graphc.Input(x_train.shape[1:]),
            layers.Rescaling(1 / data.peak),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.summary()
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    started = perf_counter()
    # Restores the weights of the best epoch, by validation accuracy.
    best = callbacks.EarlyStopping(monitor="val_accuracy", patience=epochs, restore_best_weights=True)
    model.fit(x_train, y_train, batch_size=32, epochs=epochs, validation_split=0.1, callbacks=[best])
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    seconds, compiling = perf_counter() - started, inspect.stats()["compile_seconds"]
    print(f"test accuracy: {accuracy:.4f}")
    print(f"seconds compiling: {compiling:.2f}, training: {seconds - compiling:.2f}")
    print(f"what was compiled, stage by stage: {folder}")


if __name__ == "__main__":
    sys.exit(main())
