"""Models of every kind, made alike with graphc and with Keras: none draws random numbers when it is trained."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

RNG = np.random.default_rng(3)
ROWS = 16
DATA: dict[str, Any] = {
    "flat": RNG.normal(size=(ROWS, 4)).astype("float32"),
    "steps": RNG.normal(size=(ROWS, 6, 3)).astype("float32"),
    "image": RNG.uniform(0, 1, (ROWS, 8, 8, 3)).astype("float32"),
    "film": RNG.normal(size=(ROWS, 3, 5, 5, 2)).astype("float32"),
    "tokens": RNG.integers(0, 9, (ROWS, 6)).astype("int32"),
}
DATA["two"] = [DATA["flat"], DATA["steps"]]
DATA["named"] = {"a": DATA["flat"], "b": DATA["tokens"]}
TARGET = RNG.normal(size=(ROWS, 2)).astype("float32")
LABELS = RNG.integers(0, 3, (ROWS,)).astype("int32")
Made = tuple[Any, Any]


def custom(k: Any) -> dict[str, Any]:
    """Classes and functions of the user."""
    return _custom(k)


@cache
def _custom(k: Any) -> dict[str, Any]:
    class Scaled(k.layers.Layer):  # type: ignore[misc]
        def __init__(self, factor: float = 1.0, inner: Any = None, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.factor, self.inner = factor, inner

        def build(self, input_shape: Any) -> None:
            self.scale = self.add_weight(name="scale", shape=(input_shape[-1],), initializer="ones")
            self.seen = self.add_weight(name="seen", shape=(), initializer="zeros", trainable=False)
            if self.inner is not None and not self.inner.built:
                self.inner.build(input_shape)

        def call(self, x: Any) -> Any:
            x = x if self.inner is None else self.inner(x)
            return x * self.scale * self.factor

        def get_config(self) -> dict[str, Any]:
            inner = k.saving.serialize_keras_object(self.inner)
            return {**super().get_config(), "factor": self.factor, "inner": inner}

        @classmethod
        def from_config(cls, config: dict[str, Any]) -> Any:
            return cls(**{**config, "inner": k.saving.deserialize_keras_object(config["inner"])})

    class Jitter(k.layers.Layer):  # type: ignore[misc]
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.generator = k.random.SeedGenerator(7)

        def call(self, x: Any, training: bool = False) -> Any:
            return x

    class Network(k.Model):  # type: ignore[misc,name-defined]
        def __init__(self, units: int = 3, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.units = units
            self.first = k.layers.Dense(units, "tanh")
            self.blocks = [k.layers.Dense(units, "relu"), Scaled(0.5)]
            self.by_name = {"out": k.layers.Dense(2)}

        def call(self, x: Any, training: bool | None = None) -> Any:
            x = self.first(x)
            for block in self.blocks:
                x = x + block(x)
            return self.by_name["out"](x)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "units": self.units}

    class Gap(k.losses.Loss):  # type: ignore[misc]
        def call(self, y: Any, z: Any) -> Any:
            return k.ops.mean(k.ops.abs(y - z) ** 1.5, axis=-1)

    def twice(x: Any) -> Any:
        return k.ops.tanh(2 * x)

    return {"Scaled": Scaled, "Jitter": Jitter, "Network": Network, "Gap": Gap, "twice": twice}


def mlp(k: Any) -> Made:
    layers = k.layers
    model = k.Sequential([k.Input((4,)), layers.Dense(5, "relu"), layers.Dropout(0.0), layers.Dense(2)])
    model.compile("adam", "mse", metrics=["mae"])
    return model, TARGET


def residual(k: Any) -> Made:
    x = k.Input((4,))
    y = k.layers.Dense(4, "gelu")(x)
    y = k.layers.Add()([x, k.layers.LayerNormalization()(y)])
    model = k.Model(x, k.layers.Dense(2, kernel_regularizer="l2", bias_constraint="max_norm")(y))
    rate = k.optimizers.schedules.ExponentialDecay(0.01, 5, 0.9)
    model.compile(k.optimizers.SGD(rate, momentum=0.9, nesterov=True), "mae")
    return model, TARGET


def siamese(k: Any) -> Made:
    a, b = k.Input((4,), name="left"), k.Input((6, 3), name="right")
    shared = k.layers.Dense(3, "tanh", name="shared")
    left = shared(k.layers.Dense(3)(a))
    right = shared(k.layers.GlobalAveragePooling1D()(b))
    model = k.Model([a, b], k.layers.Dense(2)(k.layers.Concatenate()([left, right, shared(left)])))
    model.compile("rmsprop", "huber")
    return model, TARGET


def nested(k: Any) -> Made:
    inside = k.Input((4,))
    inner = k.Model(inside, k.layers.Dense(4, "relu")(k.layers.BatchNormalization()(inside)), name="inner")
    stack = k.Sequential([k.Input((4,)), inner, k.layers.Dense(4)], name="stack")
    x = k.Input((4,))
    model = k.Model(x, k.layers.Dense(2)(stack(stack(x))))
    model.compile(k.optimizers.AdamW(0.01, weight_decay=0.1), "mse")
    return model, TARGET


def many(k: Any) -> Made:
    a, b = k.Input((4,), name="a"), k.Input((6,), dtype="int32", name="b")
    words = k.layers.Flatten()(k.layers.Embedding(9, 3)(b))
    x = k.layers.Concatenate()([k.layers.Dense(3, "relu")(a), words])
    outputs = {"value": k.layers.Dense(2, name="value")(x), "kind": k.layers.Dense(3, "softmax", name="kind")(x)}
    model = k.Model({"a": a, "b": b}, outputs)
    model.compile(
        "nadam",
        {"value": "mse", "kind": "sparse_categorical_crossentropy"},
        loss_weights={"value": 0.3, "kind": 1.0},
        metrics={"kind": ["accuracy"]},
    )
    return model, {"value": TARGET, "kind": LABELS}


def subclassed(k: Any) -> Made:
    model = custom(k)["Network"](4)
    model(DATA["flat"])
    model.compile("adam", custom(k)["Gap"]())
    return model, TARGET


def own_parts(k: Any) -> Made:
    scaled, twice = custom(k)["Scaled"], custom(k)["twice"]
    layers = [k.layers.Dense(3, activation=twice), scaled(2.0, k.layers.Dense(3)), custom(k)["Jitter"]()]
    model = k.Sequential([k.Input((4,)), *layers, k.layers.Dense(2)])
    model.compile("adagrad", custom(k)["Gap"]())
    return model, TARGET


def convnet(k: Any) -> Made:
    layers = k.layers
    parts = [layers.Conv2D(4, 3, padding="same", use_bias=False), layers.BatchNormalization()]
    parts += [layers.ReLU()]
    more = [
        layers.MaxPooling2D(),
        layers.SeparableConv2D(4, 3),
        layers.SpatialDropout2D(0.0),
        layers.GlobalAveragePooling2D(),
    ]
    model = k.Sequential([k.Input((8, 8, 3)), *parts, *more, layers.Dense(3, "softmax")])
    model.compile(k.optimizers.Adamax(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, LABELS


def autoencoder(k: Any) -> Made:
    layers = k.layers
    model = k.Sequential(
        [
            k.Input((8, 8, 3)),
            layers.DepthwiseConv2D(3, strides=2, padding="same"),
            layers.PReLU(shared_axes=[1, 2]),
            layers.Conv2DTranspose(4, 3, strides=2, padding="same"),
            layers.UpSampling2D(),
            layers.Cropping2D(2),
            layers.AveragePooling2D(3, 2),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    model.compile(k.optimizers.Lion(0.001), "mse")
    return model, TARGET


def recurrent(k: Any) -> Made:
    layers = k.layers
    model = k.Sequential(
        [
            k.Input((6, 3)),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.RNN([layers.GRUCell(3), layers.SimpleRNNCell(2)], return_sequences=True),
            layers.TimeDistributed(layers.Dense(3, "elu")),
            layers.GRU(2, reset_after=False),
        ]
    )
    model.compile(k.optimizers.Adam(0.01, amsgrad=True), "log_cosh")
    return model, TARGET


def masked(k: Any) -> Made:
    layers = k.layers
    model = k.Sequential([k.Input((6,), dtype="int32"), layers.Embedding(9, 4, mask_zero=True), layers.LSTM(3)])
    model.add(layers.Dense(2))
    model.compile(k.optimizers.Ftrl(0.05), "mse")
    return model, TARGET


def attention(k: Any) -> Made:
    layers = k.layers
    x = k.Input((6, 3))
    y = layers.LayerNormalization(epsilon=1e-5)(x + layers.MultiHeadAttention(2, 2, dropout=0.0)(x, x))
    y = y + layers.EinsumDense("abc,cd->abd", (None, 3), activation="silu")(y)
    y = layers.Attention(use_scale=True)([y, layers.GroupQueryAttention(2, 2, 1)(y, x)])
    model = k.Model(x, layers.Dense(2)(layers.GlobalMaxPooling1D()(layers.RMSNormalization()(y))))
    model.compile(k.optimizers.Lamb(0.01), "mse")
    return model, TARGET


def causal(k: Any) -> Made:
    layers = k.layers
    first = layers.Conv1D(4, 2, padding="causal", dilation_rate=2, kernel_initializer="he_normal")
    parts = [layers.ZeroPadding1D(1), first, layers.GroupNormalization(2), layers.UnitNormalization()]
    model = k.Sequential([k.Input((6, 3)), *parts, layers.Permute((2, 1))])
    model.add(layers.Conv1DTranspose(2, 2))
    model.add(layers.Flatten())
    model.add(layers.Dense(2))
    model.compile(k.optimizers.Adadelta(0.5), "mse")
    return model, TARGET


def operations(k: Any) -> Made:
    ops = k.ops
    x = k.Input((4,))
    y = k.layers.Dense(6)(x)
    z = ops.concatenate([y[:, :3] * 2.0, ops.exp(-ops.square(y[:, 3:]))], axis=-1)
    z = ops.where(z > 0, z, 0.1 * z) + ops.mean(z, axis=-1, keepdims=True) / (1.0 + ops.abs(y))
    z = ops.transpose(ops.reshape(z, (-1, 2, 3)), (0, 2, 1))
    model = k.Model(x, ops.squeeze(ops.max(ops.stack([z, z**2], axis=1), axis=1)[:, :1], axis=1))
    model.compile(k.optimizers.Adafactor(0.01), "mse")
    return model, TARGET


def films(k: Any) -> Made:
    layers = k.layers
    frame = k.Sequential([k.Input((5, 5, 2)), layers.Conv2D(2, 3, activation="relu")], name="frame")
    model = k.Sequential([k.Input((3, 5, 5, 2)), layers.TimeDistributed(frame), layers.ConvLSTM2D(2, 2)])
    model.add(layers.Flatten())
    model.add(layers.Dense(2))
    model.compile(k.optimizers.SGD(0.05, use_ema=True, ema_momentum=0.9), "mse")
    return model, TARGET


def half(k: Any) -> Made:
    layers = [k.layers.Dense(5, "relu", dtype="mixed_bfloat16"), k.layers.Dense(2, dtype="mixed_bfloat16")]
    model = k.Sequential([k.Input((4,)), *layers, k.layers.Activation("linear", dtype="float32")])
    model.compile(k.optimizers.SGD(0.01), "mse")
    return model, TARGET


def scaled_loss(k: Any) -> Made:
    model = k.Sequential([k.Input((4,)), k.layers.Dense(3, "relu"), k.layers.Dense(2)])
    model.compile(k.optimizers.LossScaleOptimizer(k.optimizers.Adam(0.01), dynamic_growth_steps=2), "mse")
    return model, TARGET


def accumulated(k: Any) -> Made:
    model = k.Sequential([k.Input((4,)), k.layers.Dense(3, "selu"), k.layers.Dense(2)])
    model.compile(k.optimizers.Adam(0.01, gradient_accumulation_steps=3, global_clipnorm=1.0), "mse")
    return model, TARGET


def frozen(k: Any) -> Made:
    base = k.Sequential([k.Input((4,)), k.layers.Dense(4), k.layers.BatchNormalization()], name="base")
    base.trainable = False
    x = k.Input((4,))
    model = k.Model(x, k.layers.Dense(2)(base(x, training=False)))
    model.compile(k.optimizers.RMSprop(0.01, momentum=0.5, centered=True), "mse")
    return model, TARGET


def normalized(k: Any) -> Made:
    normalization = k.layers.Normalization()
    normalization.adapt(DATA["flat"])
    discretized = k.layers.Discretization([-0.5, 0.5], output_mode="multi_hot")
    x = k.Input((4,))
    model = k.Model(x, k.layers.Dense(2)(k.layers.Concatenate()([normalization(x), discretized(x)])))
    model.compile("adam", "mse")
    return model, TARGET


def regularized(k: Any) -> Made:
    layers = k.layers
    parts = [layers.Dense(4, kernel_constraint="unit_norm"), layers.ActivityRegularization(l2=0.01)]
    model = k.Sequential([k.Input((4,)), *parts, layers.Softmax(), layers.Dense(2, activity_regularizer="l1")])
    model.compile("sgd", "mse")
    return model, TARGET


MODELS: dict[str, tuple[Callable[[Any], Made], str]] = {
    "mlp": (mlp, "flat"),
    "residual": (residual, "flat"),
    "siamese": (siamese, "two"),
    "nested": (nested, "flat"),
    "many": (many, "named"),
    "subclassed": (subclassed, "flat"),
    "own_parts": (own_parts, "flat"),
    "convnet": (convnet, "image"),
    "autoencoder": (autoencoder, "image"),
    "recurrent": (recurrent, "steps"),
    "masked": (masked, "tokens"),
    "attention": (attention, "steps"),
    "causal": (causal, "steps"),
    "operations": (operations, "flat"),
    "films": (films, "film"),
    "half": (half, "flat"),
    "scaled_loss": (scaled_loss, "flat"),
    "accumulated": (accumulated, "flat"),
    "frozen": (frozen, "flat"),
    "normalized": (normalized, "flat"),
    "regularized": (regularized, "flat"),
}
