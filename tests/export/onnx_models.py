"""Models of every kind, each with a function that makes its inputs, for tests of their export."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import graphc
from graphc import layers, ops

Make = Callable[[], Any]
Sample = Callable[[np.random.Generator, int], list[Any]]


def floats(*shapes: tuple[int, ...], dtype: str = "float32") -> Sample:
    """What makes arrays of floats."""
    return lambda rng, rows: [rng.normal(size=(rows, *shape)).astype(dtype) for shape in shapes]


def tokens(length: int, limit: int = 11, count: int = 1) -> Sample:
    """What makes arrays of indices, whose later ones are often 0."""

    def sample(rng: np.random.Generator, rows: int) -> list[Any]:
        found = [rng.integers(1, limit, (rows, length)).astype("int32") for _ in range(count)]
        ends = [rng.integers(1, length + 1, (rows, 1)) for _ in range(count)]
        return [x * (np.arange(length) < end).astype("int32") for x, end in zip(found, ends, strict=True)]

    return sample


def randomized(model: Any) -> Any:
    """The model with weights that are not those that begin: no biases of 0, no variances of 1."""
    rng = np.random.default_rng(1)
    model.set_weights([w + rng.uniform(-0.1, 0.1, w.shape).astype(w.dtype) for w in model.get_weights()])
    return model


def mlp() -> Any:
    return graphc.Sequential(
        [graphc.Input((5,)), layers.Dense(8, "relu"), layers.Dropout(0.5), layers.Dense(3, "softmax")]
    )


def activations() -> Any:
    x = graphc.Input((6,))
    names = ["elu", "selu", "softplus", "softsign", "silu", "gelu", "mish", "hard_sigmoid", "hard_silu", "leaky_relu"]
    names += ["relu6", "celu", "glu", "log_sigmoid", "log_softmax", "sparse_plus", "squareplus", "tanh_shrink"]
    return graphc.Model(x, [layers.Activation(name)(x) for name in names])


def convnet() -> Any:
    return graphc.Sequential(
        [
            graphc.Input((8, 8, 3)),
            *(layers.Conv2D(4, 3, padding="same"), layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling2D()),
            *(layers.Conv2D(6, 3, activation="relu"), layers.Flatten(), layers.Dense(4, "softmax")),
        ]
    )


def channels_first() -> Any:
    first = {"data_format": "channels_first"}
    return graphc.Sequential(
        [
            graphc.Input((3, 8, 8)),
            *(layers.Conv2D(4, 3, strides=2, padding="same", **first), layers.BatchNormalization(axis=1)),
            *(layers.ReLU(), layers.AveragePooling2D(2, **first), layers.GlobalAveragePooling2D(**first)),
            layers.Dense(2),
        ]
    )


def resnet20(stages: tuple[int, ...] = (4, 8, 16), blocks: int = 3) -> Any:
    def normalized(x: Any, filters: int, strides: int) -> Any:
        x = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    inputs = graphc.Input((16, 16, 3))
    x = layers.ReLU()(normalized(inputs, stages[0], 1))
    for stage, filters in enumerate(stages):
        for block in range(blocks):
            strides = 2 if stage > 0 and block == 0 else 1
            shortcut = x if strides == 1 else layers.Conv2D(filters, 1, strides, use_bias=False)(x)
            x = normalized(layers.ReLU()(normalized(x, filters, strides)), filters, 1)
            x = layers.ReLU()(layers.Add()([x, shortcut]))
    x = layers.GlobalAveragePooling2D()(x)
    return graphc.Model(inputs, layers.Dense(10, activation="softmax")(x))


def mobilenet() -> Any:
    return graphc.applications.MobileNetV2((32, 32, 3), alpha=0.35, weights=None, classes=4)


def squeezed() -> Any:
    inputs = graphc.Input((6, 6, 4))
    x = layers.DepthwiseConv2D(3, padding="same")(inputs)
    share = layers.GlobalAveragePooling2D(keepdims=True)(x)
    share = layers.Conv2D(4, 1, activation="sigmoid")(layers.Conv2D(2, 1, activation="silu")(share))
    return graphc.Model(inputs, layers.Multiply()([x, share]))


def unet(side: int | None = 8) -> Any:
    inputs = graphc.Input((side, side, 2))
    skips, x = [], inputs
    for filters in (4, 6):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    for filters, skip in ((6, skips[1]), (4, skips[0])):
        x = layers.Conv2DTranspose(filters, 3, strides=2, padding="same")(x)
        x = layers.Conv2D(filters, 3, padding="same")(layers.Concatenate()([x, skip]))
    return graphc.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(x))


def autoencoder() -> Any:
    return graphc.Sequential(
        [
            graphc.Input((8, 8, 1)),
            *(layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"), layers.Flatten(), layers.Dense(3)),
            *(layers.Dense(16 * 4), layers.Reshape((4, 4, 4)), layers.UpSampling2D(interpolation="bilinear")),
            layers.Conv2D(1, 3, padding="same"),
        ]
    )


def volumes() -> Any:
    return graphc.Sequential(
        [
            graphc.Input((5, 6, 4, 2)),
            *(layers.Conv3D(3, 2, padding="same"), layers.MaxPooling3D(2), layers.GlobalAveragePooling3D()),
        ]
    )


def wavenet() -> Any:
    x = inputs = graphc.Input((12, 2))
    for rate in (1, 2, 4):
        gate = layers.Conv1D(4, 2, padding="causal", dilation_rate=rate, activation="sigmoid")(x)
        wave = layers.Conv1D(4, 2, padding="causal", dilation_rate=rate, activation="tanh")(x)
        x = layers.Conv1D(2, 1)(gate * wave) + x
    return graphc.Model(inputs, x)


def text_lstm() -> Any:
    return graphc.Sequential(
        [
            graphc.Input((7,), dtype="int32"),
            *(layers.Embedding(11, 4, mask_zero=True), layers.LSTM(5), layers.Dense(1, "sigmoid")),
        ]
    )


def gru_stack() -> Any:
    return graphc.Sequential(
        [
            graphc.Input((6, 3)),
            *(layers.GRU(4, return_sequences=True), layers.GRU(3, reset_after=False, return_sequences=True)),
            layers.SimpleRNN(2),
        ]
    )


def bidirectional() -> Any:
    return graphc.Sequential(
        [
            graphc.Input((7,), dtype="int32"),
            *(layers.Embedding(11, 4, mask_zero=True), layers.Bidirectional(layers.LSTM(3, return_sequences=True))),
            *(layers.Bidirectional(layers.GRU(2), merge_mode="sum"), layers.LayerNormalization()),
        ]
    )


def any_length() -> Any:
    x = graphc.Input((None,), dtype="int32")
    y = layers.Embedding(11, 4, mask_zero=True)(x)
    y = layers.LSTM(3, return_sequences=True)(y) + layers.Dense(3)(y)
    y = layers.Concatenate()([y, layers.Conv1D(3, 3, padding="same")(layers.Embedding(11, 4)(x))])
    return graphc.Model(x, layers.Dense(2)(y))


def encoder_decoder() -> Any:
    source, target = graphc.Input((None, 3)), graphc.Input((None, 2))
    _, h, c = layers.LSTM(4, return_state=True)(source)
    y = layers.LSTM(4, return_sequences=True)(target, initial_state=[h, c])
    return graphc.Model([source, target], layers.Dense(2)(y))


def block(x: Any, heads: int, width: int, causal: bool = False, mask: Any = None) -> Any:
    """A block of a transformer."""
    attended = layers.MultiHeadAttention(heads, width // heads)(x, x, use_causal_mask=causal, attention_mask=mask)
    x = layers.LayerNormalization()(layers.Add()([x, attended]))
    inner = layers.Dense(width)(layers.Dense(2 * width, activation="gelu")(x))
    return layers.LayerNormalization()(layers.Add()([x, inner]))


def transformer() -> Any:
    words = graphc.Input((7,), dtype="int32")
    x = layers.Embedding(11, 8, mask_zero=True)(words)
    for _ in range(2):
        x = block(x, 2, 8)
    return graphc.Model(words, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling1D()(x)))


class Positions(layers.Layer):
    """Adds a vector for each position."""

    def build(self, shape: Any) -> None:
        self.table = self.add_weight((32, shape[-1]), name="table")

    def call(self, x: Any) -> Any:
        return x + ops.take(self.table, ops.arange(x.shape[1]), axis=0)


def gpt(length: int | None = 9) -> Any:
    words = graphc.Input((length,), dtype="int32")
    x = Positions()(layers.Embedding(11, 8)(words))
    for _ in range(2):
        x = block(x, 2, 8, causal=True)
    return graphc.Model(words, layers.Dense(11)(x))


def vision_transformer() -> Any:
    image = graphc.Input((8, 8, 3))
    x = layers.Reshape((-1, 6))(layers.Conv2D(6, 4, strides=4)(image))
    x = block(Positions()(x), 3, 6)
    return graphc.Model(image, layers.Dense(2)(x[:, 0]))


def several_inputs_and_outputs() -> Any:
    a, b = graphc.Input((4,), name="left"), graphc.Input((3,), name="right")
    x = layers.Concatenate()([layers.Dense(5, "relu")(a), b])
    return graphc.Model({"left": a, "right": b}, {"sum": layers.Dense(1)(x), "class": layers.Dense(3, "softmax")(x)})


def nested() -> Any:
    inner = graphc.Sequential([graphc.Input((4,)), layers.Dense(3, "tanh"), layers.BatchNormalization()])
    a, b = graphc.Input((4,)), graphc.Input((4,))
    x, y = inner(a), inner(b)
    return graphc.Model([a, b], ops.sqrt(ops.sum((x - y) ** 2, -1, keepdims=True) + 1e-3))


class Subclassed(graphc.Model):
    """A model that is no graph of layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = layers.Dense(6, "relu"), layers.Dense(2)

    def call(self, x: Any, training: bool = False) -> Any:
        return self.second(self.first(x)) + ops.mean(x, -1, keepdims=True)


def subclassed() -> Any:
    model = Subclassed()
    model(np.zeros((1, 4), "float32"))
    return model


def with_policy(policy: str) -> Any:
    graphc.config.set_dtype_policy(policy)
    try:
        return graphc.Sequential(
            [
                graphc.Input((8, 8, 3)),
                *(layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization(), layers.Flatten()),
                *(layers.Dense(4, "gelu"), layers.LayerNormalization(), layers.Dense(3, "softmax", dtype="float32")),
            ]
        )
    finally:
        graphc.config.set_dtype_policy("float32")


def table_of_features() -> Any:
    numbers, kinds = graphc.Input((3,)), graphc.Input((2,), dtype="int32")
    x = layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0])(numbers)
    y = layers.Flatten()(layers.Embedding(6, 2)(kinds))
    z = layers.CategoryEncoding(6, output_mode="multi_hot")(kinds)
    return graphc.Model([numbers, kinds], layers.Dense(1)(layers.Concatenate()([x, y, z])))


class Decayed(layers.Layer):
    """Loops and branches of the user's."""

    def call(self, x: Any) -> Any:
        def halved(size: Any, count: Any) -> Any:
            return size / 2, count + 1

        size, count = ops.while_loop(lambda size, count: ops.max(size) > 0.5, halved, (ops.abs(x), 0))
        chosen = ops.cond(ops.sum(x) > 0, lambda: x + 1.0, lambda: ops.exp(x))
        total, rows = ops.scan(lambda c, row: (c + row, c * row), ops.zeros(x.shape[0]), ops.transpose(x))
        return size + ops.cast(count, "float32") + chosen + total[:, None] + ops.transpose(rows)


def loops() -> Any:
    x = graphc.Input((3,))
    return graphc.Model(x, Decayed()(x))


def numerics() -> Any:
    x = graphc.Input((4, 5))
    found = [
        ops.cumsum(x, 1),
        ops.cumprod(x, 2),
        ops.argmax(x, -1),
        ops.top_k(x, 2)[0],
        ops.sort(x, -1),
        ops.logsumexp(x, -1),
        ops.std(x, 1),
        ops.var(x, (1, 2)),
        ops.norm(x, axis=-1),
        ops.clip(x, -0.5, 0.5),
        ops.floor(x * 3) % 2,
        ops.roll(x, 1, 2),
        ops.flip(x, 1),
        ops.tile(x, (1, 2, 1)),
        ops.pad(x, ((0, 0), (1, 0), (0, 2)), constant_values=1.0),
        ops.einsum("bij,bkj->bik", x, x),
        ops.median(x, 1),
        ops.one_hot(ops.argmax(x, -1), 5),
        ops.segment_sum(x[0], np.array([0, 1, 0, 2], "int32"), num_segments=3)[None] + 0 * x[:, :3],
    ]
    return graphc.Model(x, found)


def spectra() -> Any:
    x = graphc.Input((16,))
    real, imag = ops.rfft(x)
    return graphc.Model(x, [real, imag, ops.stft(x, 8, 4, 8)[0], layers.MelSpectrogram(8, 4, num_mel_bins=3)(x)])


# By name: what makes a model, and its inputs.
MODELS: dict[str, tuple[Make, Sample]] = {
    "mlp": (mlp, floats((5,))),
    "activations": (activations, floats((6,))),
    "convnet": (convnet, floats((8, 8, 3))),
    "channels_first": (channels_first, floats((3, 8, 8))),
    "resnet20": (resnet20, floats((16, 16, 3))),
    "mobilenet": (mobilenet, floats((32, 32, 3))),
    "squeezed": (squeezed, floats((6, 6, 4))),
    "unet": (unet, floats((8, 8, 2))),
    "unet_any_size": (lambda: unet(None), floats((12, 8, 2))),
    "autoencoder": (autoencoder, floats((8, 8, 1))),
    "volumes": (volumes, floats((5, 6, 4, 2))),
    "wavenet": (wavenet, floats((12, 2))),
    "text_lstm": (text_lstm, tokens(7)),
    "gru_stack": (gru_stack, floats((6, 3))),
    "bidirectional": (bidirectional, tokens(7)),
    "any_length": (any_length, tokens(6)),
    "encoder_decoder": (encoder_decoder, floats((6, 3), (4, 2))),
    "transformer": (transformer, tokens(7)),
    "gpt": (gpt, tokens(9)),
    "gpt_any_length": (lambda: gpt(None), tokens(8)),
    "vision_transformer": (vision_transformer, floats((8, 8, 3))),
    "several_inputs_and_outputs": (several_inputs_and_outputs, floats((4,), (3,))),
    "nested": (nested, floats((4,), (4,))),
    "subclassed": (subclassed, floats((4,))),
    "mixed_bfloat16": (lambda: with_policy("mixed_bfloat16"), floats((8, 8, 3))),
    "float16": (lambda: with_policy("float16"), floats((8, 8, 3), dtype="float16")),
    "table_of_features": (table_of_features, lambda rng, rows: [*floats((3,))(rng, rows), *tokens(2, 6)(rng, rows)]),
    "loops": (loops, floats((3,))),
    "numerics": (numerics, floats((4, 5))),
    "spectra": (spectra, floats((16,))),
}
