"""The optimizer Muon."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from graphc import ops
from graphc.errors import ShapeError
from graphc.optimizers.optimizer import Optimizer
from graphc.parameters import configured
from graphc.registration import exported
from graphc.tracing import Variable


@exported("keras.optimizers")
@configured
class Muon(Optimizer):
    """Momentum whose matrices are made orthogonal: `m = momentum * m + g; w = w - rate * scale * o`.

    (Jordan et al., 2024) Here `o` is `m`, or `g + momentum * m` with Nesterov's momentum, after `ns_steps` steps of
    `o = a * o + (b * s + c * s @ s) @ o` with `s = o @ o.T`, and `scale` is `rms_rate * sqrt(max(rows, columns))`.
    Weights that are no matrices, embeddings, and those that are left out, are updated as by `Adam`.

    Args:
        adam_beta_1: Decay rate of the first moment of weights that are updated as by Adam.
        adam_beta_2: Decay rate of their second moment.
        adam_weight_decay: The weight decay of these weights.
        exclude_layers: Patterns that are searched in the paths of weights, which are then updated as by Adam.
        exclude_embeddings: Whether weights with `embedding` in their path are.
        muon_a: The coefficient `a`.
        muon_b: The coefficient `b`.
        muon_c: The coefficient `c`.
        adam_lr_ratio: By what the learning rate is multiplied for weights that are updated as by Adam.
        momentum: The fraction of the last momentum that is kept.
        ns_steps: The number of steps towards an orthogonal matrix.
        nesterov: Whether to use Nesterov's momentum.
        rms_rate: What the root mean square of an update's elements is about. None: updates are not scaled.

    Example:

    >>> optimizer, w = Muon(learning_rate=0.5), Variable([[1.0, 0.0], [0.0, 1.0]])
    >>> optimizer.apply([[[1.0, 0.0], [0.0, 1.0]]], [w])
    >>> float(w[0, 0]) < 1.0
    True
    """

    learning_rate: Any = 0.001
    adam_beta_1: float = 0.9
    adam_beta_2: float = 0.999
    adam_weight_decay: float | None = 0.004
    epsilon: float = 1e-7
    weight_decay: float | None = 0.004
    clipnorm: float | None = None
    clipvalue: float | None = None
    global_clipnorm: float | None = None
    use_ema: bool = False
    ema_momentum: float = 0.99
    ema_overwrite_frequency: int | None = None
    loss_scale_factor: float | None = None
    gradient_accumulation_steps: int | None = None
    name: Any = None
    exclude_layers: Any = None
    exclude_embeddings: bool = True
    muon_a: float = 3.4445
    muon_b: float = -4.775
    muon_c: float = 2.0315
    adam_lr_ratio: float = 1
    momentum: float = 0.95
    ns_steps: int = 5
    nesterov: bool = True
    rms_rate: float | None = 0.2

    def _prepare(self) -> None:
        self.exclude_layers = list(self.exclude_layers or ())

    def _as_adam(self, variable: Variable) -> bool:
        """Whether a weight is updated as by Adam."""
        embeds = self.exclude_embeddings and "embedding" in variable.path.lower()
        left_out = any(re.search(pattern, variable.path) for pattern in self.exclude_layers)
        return variable.ndim != 2 or embeds or left_out

    def build(self, variables: Sequence[Variable]) -> None:
        """Creates the optimizer's variables for some weights."""
        if self.built:
            return
        super().build(variables)
        self.momentums: list[Variable] = []
        self.adam_velocities: list[Variable | None] = []
        for variable in variables:
            self.momentums.append(self.add_variable_from_reference(variable, "momentum"))
            as_adam = self._as_adam(variable)
            self.adam_velocities.append(self.add_variable_from_reference(variable, "velocity") if as_adam else None)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Updates one weight by its gradient."""
        index, dtype = self._get_variable_index(variable), variable.type.dtype.name
        mean, power = self.momentums[index], self.adam_velocities[index]
        rate = ops.cast(learning_rate, dtype)
        if power is not None:
            self._adam_step(gradient, variable, rate * self.adam_lr_ratio, mean, power)
            return
        mean.assign(self.momentum * mean.value + gradient)
        wanted = gradient + self.momentum * mean.value if self.nesterov else mean.value
        variable.assign_sub(self.lr_adjust(rate * self.zeropower_via_newtonschulz5(wanted, self.ns_steps)))

    def _adam_step(self, gradient: Any, variable: Variable, rate: Any, mean: Variable, power: Variable) -> None:
        step = ops.cast(self.iterations + 1, variable.type.dtype.name)
        bias = ops.sqrt(1 - ops.power(self.adam_beta_2, step)) / (1 - ops.power(self.adam_beta_1, step))
        mean.assign_add((gradient - mean.value) * (1 - self.adam_beta_1))
        power.assign_add((ops.square(gradient) - power.value) * (1 - self.adam_beta_2))
        variable.assign_sub(mean.value * (rate * bias) / (ops.sqrt(power.value) + self.epsilon))

    def lr_adjust(self, x: Any) -> Any:
        """An update, scaled to elements of about `rms_rate`."""
        return x if self.rms_rate is None else x * (self.rms_rate * math.sqrt(max(x.shape[0], x.shape[1])))

    def transpose_last_axis(self, X: Any) -> Any:
        """Transposed matrices: the last two axes are exchanged."""
        return ops.swapaxes(X, -1, -2)

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        """Matrices whose singular values are near 1, with the singular vectors of others.

        Args:
            x: Tensor of matrices.
            steps: The number of steps.

        Raises:
            ShapeError: if it has fewer than two axes.
        """
        x = ops.convert_to_tensor(x)
        if x.ndim < 2:
            raise ShapeError("Muon makes matrices orthogonal", got=str(x.type), expected="two axes or more")
        tall = x.shape[-2] > x.shape[-1]
        x = self.transpose_last_axis(x) if tall else x
        x = x / (ops.norm(x, axis=(-2, -1), keepdims=True) + 1e-7)
        for _ in range(steps):
            square = ops.matmul(x, self.transpose_last_axis(x))
            x = self.muon_a * x + ops.matmul(self.muon_b * square + self.muon_c * ops.matmul(square, square), x)
        return self.transpose_last_axis(x) if tall else x

    def _decay_of(self, variable: Variable) -> float | None:
        return self.adam_weight_decay if self._as_adam(variable) else self.weight_decay
