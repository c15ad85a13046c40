"""Loops with Keras's API and tapes: `python -m benchmarks.peers.loops_keras graphc|tensorflow|fit SECONDS ROW`.

graphc's are `graphc.function` and `graphc.GradientTape`; beside it Keras on TensorFlow, with `tf.function` and
`tf.GradientTape`. `fit`: graphc's `Model.fit`, of a model whose `train_step` is the same code.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.loops_rows import (
    CODE,
    DAMPING,
    FEATURES,
    FITTED,
    HIDDEN,
    MLP,
    NOISE,
    PARAMETERS,
    RATE,
    ROWS,
    UNITS,
    Row,
    Step,
    Training,
    looped,
    report,
)


def _mlp(api: Any, keras: Any) -> Step:
    layers = keras.layers
    hidden = [layers.Dense(units, activation="relu") for units in MLP[1:-1]]
    model = keras.Sequential([keras.Input((MLP[0],)), *hidden, layers.Dense(MLP[-1])])
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.Adam(RATE)
    optimizer.build(model.trainable_variables)

    def step(x: Any, y: Any) -> Any:
        with api.GradientTape() as tape:
            loss = loss_of(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return step


def _dcgan(api: Any, keras: Any) -> Step:
    layers, ops = keras.layers, keras.ops
    up = {"strides": 2, "padding": "same", "use_bias": False}
    generator = keras.Sequential(
        [
            keras.Input((NOISE,)),
            layers.Dense(7 * 7 * 64, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Reshape((7, 7, 64)),
            layers.Conv2DTranspose(32, 4, **up),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2DTranspose(1, 4, activation="sigmoid", **up),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 4, strides=2, padding="same"),
            layers.LeakyReLU(0.2),
            layers.Conv2D(64, 4, strides=2, padding="same"),
            layers.LeakyReLU(0.2),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    of_generator, of_discriminator = keras.optimizers.Adam(RATE), keras.optimizers.Adam(RATE)
    of_generator.build(generator.trainable_variables)
    of_discriminator.build(discriminator.trainable_variables)

    def step(images: Any, noise: Any) -> Any:
        with api.GradientTape() as for_generator, api.GradientTape() as for_discriminator:
            fakes = generator(noise, training=True)
            on_fakes, on_images = discriminator(fakes, training=True), discriminator(images, training=True)
            loss = ops.mean(ops.softplus(-on_fakes))
            critic = ops.mean(ops.softplus(on_fakes)) + ops.mean(ops.softplus(-on_images))
        gradients = for_generator.gradient(loss, generator.trainable_variables)
        of_generator.apply_gradients(zip(gradients, generator.trainable_variables, strict=True))
        gradients = for_discriminator.gradient(critic, discriminator.trainable_variables)
        of_discriminator.apply_gradients(zip(gradients, discriminator.trainable_variables, strict=True))
        return loss + critic

    return step


def _vae(api: Any, keras: Any) -> Step:
    layers, ops = keras.layers, keras.ops
    encoder = keras.Sequential([keras.Input((784,)), layers.Dense(HIDDEN, activation="relu"), layers.Dense(2 * CODE)])
    decoder = keras.Sequential([keras.Input((CODE,)), layers.Dense(HIDDEN, activation="relu"), layers.Dense(784)])
    weights = encoder.trainable_variables + decoder.trainable_variables
    optimizer = keras.optimizers.Adam(RATE)
    optimizer.build(weights)

    def step(x: Any, noise: Any) -> Any:
        with api.GradientTape() as tape:
            mean, log_variance = ops.split(encoder(x), 2, axis=-1)
            logits = decoder(mean + ops.exp(0.5 * log_variance) * noise)
            error = ops.sum(ops.softplus(logits) - x * logits, axis=-1)
            divergence = -0.5 * ops.sum(1.0 + log_variance - ops.square(mean) - ops.exp(log_variance), axis=-1)
            loss = ops.mean(error + divergence)
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return loss

    return step


def _last(api: Any, keras: Any, cell: Callable[..., Any], start: Any, inputs: Any) -> Any:
    """The last of the states that a cell goes through; TensorFlow's functions refuse the scan of Keras."""
    if api is keras:
        return keras.ops.scan(lambda state, x: (cell(state, x), None), start, inputs)[0]
    return [states[-1] for states in api.scan(cell, inputs, start)]


def _lstm(api: Any, keras: Any) -> Step:
    ops = keras.ops
    glorot = keras.initializers.GlorotUniform(0)
    kernel = keras.Variable(glorot((FEATURES, 4 * UNITS)))
    recurrent = keras.Variable(glorot((UNITS, 4 * UNITS)))
    bias, head = keras.Variable(ops.zeros((4 * UNITS,))), keras.Variable(glorot((UNITS, 1)))
    weights = [kernel, recurrent, bias, head]
    optimizer = keras.optimizers.Adam(RATE)
    optimizer.build(weights)

    def cell(state: Any, x: Any) -> Any:
        h, c = state
        i, f, g, o = ops.split(ops.matmul(x, kernel) + ops.matmul(h, recurrent) + bias, 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        return ops.sigmoid(o) * ops.tanh(c), c

    def step(x: Any, y: Any) -> Any:
        with api.GradientTape() as tape:
            zeros = ops.zeros((x.shape[0], UNITS))
            h, _ = _last(api, keras, cell, (zeros, zeros), ops.transpose(x, (1, 0, 2)))
            loss = ops.mean(ops.square(ops.matmul(h, head)[:, 0] - y))
        # Tapes of TensorFlow take its own variables.
        gradients = tape.gradient(loss, weights if api is keras else [weight.value for weight in weights])
        optimizer.apply_gradients(zip(gradients, weights, strict=True))
        return loss

    return step


def _newton(api: Any, keras: Any) -> Step:
    ops = keras.ops
    weights = keras.Variable(ops.zeros((PARAMETERS,)))

    def loss_of(w: Any, x: Any, y: Any) -> Any:
        logits = ops.matmul(x, w[:, None])[:, 0]
        return ops.mean(ops.softplus(logits) - y * logits) + 0.5 * DAMPING * ops.sum(ops.square(w))

    def derivatives(w: Any, x: Any, y: Any) -> Any:
        if api is keras:
            loss, gradient = api.value_and_grad(loss_of)(w, x, y)
            return loss, gradient, api.hessian(loss_of)(w, x, y)
        with api.GradientTape() as outer:
            outer.watch(w)
            with api.GradientTape() as inner:
                inner.watch(w)
                loss = loss_of(w, x, y)
            gradient = inner.gradient(loss, w)
        return loss, gradient, outer.jacobian(gradient, w)

    def step(x: Any, y: Any) -> Any:
        loss, gradient, curvature = derivatives(weights.value, x, y)
        factor = ops.cholesky(curvature)
        half = ops.solve_triangular(factor, gradient[:, None], lower=True)
        weights.assign(weights - ops.solve_triangular(ops.transpose(factor), half, lower=False)[:, 0])
        return loss

    return step


def _call(api: Any, keras: Any) -> Step:
    weight = keras.Variable(keras.ops.ones((4,)))
    return lambda x: (x * weight)[0]


MAKERS: dict[str, Callable[[Any, Any], Step]] = {
    "mlp": _mlp,
    "dcgan": _dcgan,
    "vae": _vae,
    "lstm": _lstm,
    "newton": _newton,
    "call": _call,
}


def fitted(api: Any, body: Callable[[], Step], row: Row) -> Training:
    """The same steps by `fit`, as the `train_step` of a model."""

    class Model(api.Model):  # type: ignore[misc]
        def __init__(self, step: Step) -> None:
            super().__init__()
            self.step = step

        def train_step(self, data: Any) -> Any:
            return {"value": self.step(*data)}  # "loss" is the name of a metric, which this does not update

    (x, y), made, epochs = row.data(), [], -(-FITTED // row.batches)

    def fit(samples: int, epochs: int) -> float:
        options = {"batch_size": row.batch, "epochs": epochs, "shuffle": False, "verbose": 0}
        return float(made[0].fit(x[:samples], y[:samples], **options).history["value"][-1])

    def first() -> float:
        made.append(Model(body()))
        made[0].compile()
        return fit(row.batch, 1)

    return Training(first, lambda: fit(len(x), epochs), epochs * row.batches)


def main(system: str, seconds: str, name: str) -> None:
    api: Any = importlib.import_module("graphc" if system == "fit" else system)
    keras: Any = importlib.import_module("keras") if system == "tensorflow" else api
    keras.utils.set_random_seed(0)
    row = ROWS[name]
    if system == "fit":
        training = fitted(api, lambda: MAKERS[name](api, keras), row)
    else:
        training = looped(lambda: api.function(MAKERS[name](api, keras)), row)
    report(training, name, float(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
