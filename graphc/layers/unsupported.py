"""Methods of Keras's layers that layers here do not have: each says so, and what to do instead."""

from __future__ import annotations

from typing import Any

from graphc.errors import UnsupportedError
from graphc.tracing import describe, user_line


class Unsupported:
    """The base class of layers that refuses quantization, low-rank updates and metrics that calls add."""

    name: str
    # Models are compiled, whatever they contain.
    supports_jit = True
    lora_enabled = False

    @property
    def quantization_mode(self) -> None:
        """None: layers are not quantized."""
        return None

    def quantize(self, mode: Any = None, type_check: bool = True, config: Any = None, **kwargs: Any) -> None:
        """Raises an error: weights of 8 bits and less are not supported."""
        raise self._refused("quantization is not supported", "use a half dtype: mixed_bfloat16 or mixed_float16")

    def quantized_build(self, input_shape: Any = None, mode: Any = None, config: Any = None) -> None:
        """Raises an error: see `quantize`."""
        self.quantize(mode)

    def quantized_call(self, *args: Any, **kwargs: Any) -> None:
        """Raises an error: see `quantize`."""
        self.quantize()

    def enable_lora(self, rank: Any = None, *args: Any, **kwargs: Any) -> None:
        """Raises an error: low-rank updates of kernels are not supported."""
        raise self._refused("low-rank updates are not supported", "train the kernel, or a Dense layer beside it")

    def add_metric(self, *args: Any, **kwargs: Any) -> None:
        """Raises an error, as in Keras 3."""
        raise self._refused(
            "`add_metric` is gone", "pass metrics to `compile`, or keep one in an attribute and update it in `call`"
        )

    def _refused(self, problem: str, hint: str) -> UnsupportedError:
        return UnsupportedError(problem, layer=self.name, where=describe(user_line()), hint=hint)
