"""Signals as spectrograms: how strong which frequencies are at which time."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np

from graphc import config as settings
from graphc import initializers, ops
from graphc.errors import ArgumentError, DTypeError
from graphc.frames import warn
from graphc.layers.input_spec import InputSpec
from graphc.layers.kinds import KINDS, positive
from graphc.layers.layer import Layer
from graphc.parameters import Kind, configured
from graphc.registration import deserialize_keras_object, exported, serialize_keras_object
from graphc.tracing import describe

_MODULE = "keras.layers"
# Windows may be tensors.
_KINDS = MappingProxyType({**KINDS, "window": Kind("", deserialize_keras_object, serialize_keras_object)})
_MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")


@exported(_MODULE)
@configured
class STFTSpectrogram(Layer):
    """Short-time Fourier transforms of signals, by convolutions whose kernels may be trained.

    Args:
        mode: `"log"`: the logarithm of magnitudes; `"magnitude"`; `"psd"`: the power spectral density; `"real"`,
            `"imag"`, `"angle"`: these parts; `"stft"`: the real and the imaginary parts one after the other.
        frame_length: How many samples a frame has.
        frame_step: The distance of two frames. None: half of a frame.
        fft_length: The length of a transform. None: the power of two that is not below `frame_length`.
        window: The name of a window, such as `"hann"`, a tensor of its weights, or None: no window.
        periodic: Whether the window is periodic and not symmetric.
        scaling: By what transforms are divided: `"density"` (the root of the sum of the window's squares), `"spectrum"`
            (its sum), or None.
        padding: `"valid"`, or `"same"`: as many zeros as there must be for a frame at each step.
        expand_dims: Whether frequencies have an axis of their own; else they are channels.

    Call arguments:
        inputs: Floats `[batch, time, channels]`, or `[batch, channels, time]`.

    Raises:
        ArgumentError: if an argument does not fit.
        DTypeError: if the inputs are no floats.

    Example:

    >>> STFTSpectrogram(frame_length=8)(ops.ones((2, 32, 1))).shape
    (2, 7, 5)
    """

    _kinds = _KINDS
    mode: str = "log"
    frame_length: int = 256
    frame_step: int | None = None
    fft_length: int | None = None
    window: Any = "hann"
    periodic: bool = False
    scaling: str | None = "density"
    padding: str = "valid"
    expand_dims: bool = False
    data_format: Any = None

    def _prepare(self) -> None:
        positive("frame_length")(self.frame_length)
        step, length = self.frame_step, self.fft_length
        checks = (
            ("frame_step", step, step is None or 1 <= step <= self.frame_length, "from 1 to `frame_length`"),
            ("fft_length", length, length is None or length >= self.frame_length, "not less than `frame_length`"),
            ("mode", self.mode, self.mode in _MODES, f"one of {', '.join(_MODES)}"),
            ("scaling", self.scaling, self.scaling in (None, "density", "spectrum"), "density, spectrum or None"),
            ("padding", self.padding, self.padding in ("valid", "same"), "valid or same"),
        )
        for name, given, fits, expected in checks:
            if not fits:
                raise ArgumentError(f"`{name}` is invalid", got=f"{name}={given!r}", expected=expected)
        if length is not None and length & -length != length:
            warn(f"`fft_length` is recommended to be a power of two, and is {length}")
        self._frame_step = step or self.frame_length // 2
        self._fft_length = length or 1 << (self.frame_length - 1).bit_length()
        # Errors of a window's name come here, and not when the layer is built.
        self._sides = {
            side: initializers.STFT(side, self.window, self.scaling, self.periodic) for side in ("real", "imag")
        }
        self.input_spec = InputSpec(ndim=3)

    def build(self, input_shape: Any = None) -> None:
        """Creates the kernels."""
        shape = (self.frame_length, 1, self._fft_length // 2 + 1)
        if self.mode != "imag":
            self.real_kernel = self.add_weight(shape, self._sides["real"], name="real_kernel")
        if self.mode != "real":
            self.imag_kernel = self.add_weight(shape, self._sides["imag"], name="imag_kernel")

    def _transformed(self, inputs: Any, kernel: Any) -> Any:
        """One part of the transforms: `[batch, channels, frames, frequencies]`."""
        x = ops.swapaxes(inputs, 1, 2) if self.data_format == "channels_last" else inputs
        batch, channels, time = x.shape
        x = ops.reshape(x, (batch * channels, time, 1))
        found = ops.conv(x, ops.cast(kernel, x.dtype), self._frame_step, self.padding, "channels_last")
        return ops.reshape(found, (batch, channels, *found.shape[1:]))

    def _arranged(self, x: Any) -> Any:
        batch, channels, frames, frequencies = x.shape
        if self.data_format == "channels_last":
            if self.expand_dims:
                return ops.transpose(x, (0, 2, 3, 1))
            return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (batch, frames, channels * frequencies))
        if self.expand_dims:
            return x
        return ops.reshape(ops.transpose(x, (0, 1, 3, 2)), (batch, channels * frequencies, frames))

    def call(self, inputs: Any) -> Any:
        """The spectrograms."""
        if not inputs.type.dtype.is_float:
            raise DTypeError("Invalid input type: a spectrogram is of floats", layer=self.name, got=str(inputs.type))
        real = None if self.mode == "imag" else self._transformed(inputs, self.real_kernel)
        imag = None if self.mode == "real" else self._transformed(inputs, self.imag_kernel)
        if real is None or imag is None:
            return self._arranged(imag if real is None else real)
        if self.mode == "angle":
            return self._arranged(ops.arctan2(imag, real))
        if self.mode == "stft":
            return self._arranged(ops.concatenate([real, imag], -1))
        power = real * real + imag * imag
        if self.mode == "psd":
            # All frequencies but the first and the last stand for the negative ones, too.
            return self._arranged(power + ops.pad(power[..., 1:-1], [[0, 0], [0, 0], [0, 0], [1, 1]]))
        least = settings.epsilon()
        magnitude = self._arranged(ops.sqrt(ops.maximum(power, least)))
        return magnitude if self.mode == "magnitude" else ops.log(ops.maximum(magnitude, least))


@exported(_MODULE)
@configured
class MelSpectrogram(Layer):
    """Spectrograms on the mel scale, whose steps sound equally large.

    Args:
        fft_length: The length of a transform.
        sequence_stride: The distance of two frames.
        sequence_length: How many samples a frame has. None: `fft_length`.
        window: The weights of a frame's samples: see `ops.stft`.
        sampling_rate: The number of samples in a second.
        num_mel_bins: The number of frequencies.
        min_freq: The lowest one, in hertz.
        max_freq: The highest one. None: half of the sampling rate.
        power_to_db: Whether powers are in decibels.
        top_db: How many decibels below the maximum the least ones are.
        mag_exp: The exponent of magnitudes: 1 for energy, 2 for power.
        min_power: The least power.
        ref_power: The power of 0 decibels.

    Call arguments:
        inputs: Signals `[time]` or `[batch, time]`.

    Raises:
        ArgumentError: if frames are longer than transforms.

    Example:

    >>> MelSpectrogram(fft_length=16, sequence_stride=8, num_mel_bins=4)(ops.ones((2, 32))).shape
    (2, 4, 5)
    """

    _kinds = _KINDS
    fft_length: int = 2048
    sequence_stride: int = 512
    sequence_length: int | None = None
    window: Any = "hann"
    sampling_rate: int = 16000
    num_mel_bins: int = 128
    min_freq: float = 20.0
    max_freq: float | None = None
    power_to_db: bool = True
    top_db: float = 80.0
    mag_exp: float = 2.0
    min_power: float = 1e-10
    ref_power: float = 1.0

    def _prepare(self) -> None:
        self.sequence_length = self.sequence_length or self.fft_length
        if self.fft_length < self.sequence_length:
            raise ArgumentError(
                "`fft_length` must be greater than or equal to `sequence_length`",
                where=describe(self._origin),
                got=f"{self.fft_length} and {self.sequence_length}",
            )
        self.max_freq = self.max_freq or int(self.sampling_rate / 2)

    def call(self, inputs: Any) -> Any:
        """The spectrograms, `[frequencies, frames]` or `[batch, frequencies, frames]`."""
        assert self.sequence_length is not None
        dtype = self.compute_dtype if self.compute_dtype == "float64" else "float32"
        x = ops.cast(inputs, dtype)
        real, imag = ops.stft(x, self.sequence_length, self.sequence_stride, self.fft_length, self.window, center=True)
        power = real * real + imag * imag
        power = power if self.mag_exp == 2 else ops.power(power, self.mag_exp / 2)
        found = ops.matmul(power, ops.convert_to_tensor(self._bands(), dtype))
        if self.power_to_db:
            reference = max(abs(self.ref_power), self.min_power)
            found = 10.0 * (ops.log10(ops.maximum(found, self.min_power)) - float(np.log10(reference)))
            found = ops.maximum(found, ops.max(found, initial=-np.inf) - self.top_db)
        return ops.cast(ops.swapaxes(found, -1, -2), self.compute_dtype)

    def _bands(self) -> Any:
        bins = self.fft_length // 2 + 1
        return _mel_weights(self.num_mel_bins, bins, self.sampling_rate, self.min_freq, self.max_freq)

    def linear_to_mel_weight_matrix(
        self,
        num_mel_bins: int = 20,
        num_spectrogram_bins: int = 129,
        sampling_rate: int = 8000,
        lower_edge_hertz: float = 125.0,
        upper_edge_hertz: float = 3800.0,
        dtype: Any = "float32",
    ) -> Any:
        """The matrix `[num_spectrogram_bins, num_mel_bins]` that maps spectrograms to the mel scale, by triangles.

        Args:
            num_mel_bins: The number of frequencies on the mel scale.
            num_spectrogram_bins: The number of frequencies of the spectrogram.
            sampling_rate: The number of samples in a second.
            lower_edge_hertz: The lowest frequency.
            upper_edge_hertz: The highest one.
            dtype: The dtype of the result.
        """
        numbers = num_mel_bins, num_spectrogram_bins, sampling_rate, lower_edge_hertz, upper_edge_hertz
        return ops.convert_to_tensor(_mel_weights(*numbers), dtype)


def _mel(hertz: Any) -> Any:
    return 1127.0 * np.log(1.0 + hertz / 700.0)


def _mel_weights(count: int, bins: int, rate: Any, low: Any, high: Any) -> Any:
    frequencies = _mel(np.linspace(0.0, rate / 2.0, bins))[:, None]
    edges = np.linspace(_mel(low), _mel(high), count + 2)
    left, middle, right = edges[:-2], edges[1:-1], edges[2:]
    weights = np.minimum((frequencies - left) / (middle - left), (right - frequencies) / (right - middle))
    weights[0] = 0.0
    return np.maximum(weights, 0.0)
