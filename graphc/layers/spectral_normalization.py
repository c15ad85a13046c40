"""Spectral normalization: a wrapper that normalizes a layer's kernel by its largest singular value."""

from __future__ import annotations

from typing import Any

from graphc import initializers, ops
from graphc.errors import ArgumentError
from graphc.layers.input_spec import InputSpec
from graphc.layers.layer import Layer
from graphc.layers.wrappers import Wrapper
from graphc.registration import exported
from graphc.tracing import describe

_MODULE = "keras.layers"


@exported(_MODULE)
class SpectralNormalization(Wrapper):
    """In training, divides a layer's kernel by its largest singular value before each use (Miyato et al., 2018).

    The singular value is estimated by power iteration: `v = normalize(u @ transpose(W))`, `u = normalize(v @ W)`,
    `sigma = v @ W @ transpose(u)`, where `W` is the kernel with one row for each position and channel, and one
    column for each filter. `u` is a state, carried from step to step. In `fit`, the optimizer updates the kernel before
    division, with gradients through the division; a call outside of `fit` leaves the kernel divided.

    Args:
        layer: A layer with a `kernel`, or with `embeddings`.
        power_iterations: The number of iterations in a step.

    Raises:
        ArgumentError: if the layer has neither, or `power_iterations` is not positive.

    Example:

    >>> from graphc.layers import Dense
    >>> SpectralNormalization(Dense(3))(ops.ones((2, 4))).shape
    (2, 3)
    """

    def __init__(self, layer: Layer, power_iterations: int = 1, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        if power_iterations < 1:
            raise ArgumentError(
                "power_iterations is a positive integer", where=describe(self._origin), got=repr(power_iterations)
            )
        self.power_iterations = power_iterations

    def build(self, input_shape: Any = None) -> None:
        """Builds the wrapped layer, and creates the vector `u`."""
        super().build(input_shape)
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})
        name = next((name for name in ("kernel", "embeddings") if hasattr(self.layer, name)), None)
        if name is None:
            raise ArgumentError(
                "the layer has nothing to normalize",
                layer=self.layer.name,
                got=type(self.layer).__name__,
                expected="a layer with a kernel or embeddings",
            )
        self.kernel = getattr(self.layer, name)
        self.vector_u = self.add_weight(
            name="vector_u",
            shape=(1, self.kernel.shape[-1]),
            initializer=initializers.TruncatedNormal(stddev=0.02),
            trainable=False,
        )

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """The outputs of the wrapped layer."""
        if training:
            # A kernel of zeros has no singular vectors: kernel and `u` are unchanged.
            zero = ops.all(self.kernel.value == 0)
            vector, normalized = self._normalized(self.kernel.value)
            self.vector_u.assign(ops.where(zero, self.vector_u.value, vector))
            self.kernel.assign(ops.where(zero, self.kernel.value, normalized))
        return ops.cast(self.layer(inputs), inputs.dtype)

    def _normalized(self, kernel: Any) -> tuple[Any, Any]:
        """The next vector, and the kernel over its largest singular value."""
        matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
        u = self.vector_u.value
        for _ in range(self.power_iterations):
            v = ops.normalize(ops.matmul(u, ops.transpose(matrix)), axis=(0, 1))
            u = ops.normalize(ops.matmul(v, matrix), axis=(0, 1))
        u, v = ops.stop_gradient(u), ops.stop_gradient(v)
        sigma = ops.matmul(ops.matmul(v, matrix), ops.transpose(u))
        return u, kernel / ops.reshape(sigma, ())

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {**super().get_config(), "power_iterations": self.power_iterations}
