"""The optimizer Adafactor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc import ops
from graphc.optimizers.optimizer import Optimizer
from graphc.parameters import configured
from graphc.registration import exported
from graphc.tracing import Variable


@exported("keras.optimizers")
@configured
class Adafactor(Optimizer):
    """Adam with second moments of rows and columns alone, which take less memory (Shazeer and Stern, 2018).

    With `b = 1 - t ** beta_2_decay`, rows `r` and columns `c` of `b`-averages of `g * g + epsilon_1`, and
    `v = r / mean(r) * c`: `u = g / sqrt(v)`,
    `w = w - max(epsilon_2, rms(w)) * min(rate, 1 / sqrt(t)) * u / max(1, rms(u) / clip_threshold)`.

    Args:
        beta_2_decay: How the rate of decay of the second moments falls.
        epsilon_1: A small number that is added to squares of gradients.
        epsilon_2: The least scale of a weight.
        clip_threshold: The largest root mean square of an update.
        relative_step: Whether the learning rate is at most `1 / sqrt(t)`.

    Example:

    >>> optimizer, w = Adafactor(learning_rate=0.5), Variable([1.0])
    >>> optimizer.apply([[1.0]], [w])
    >>> float(w[0]) < 1.0
    True
    """

    learning_rate: Any = 0.001
    beta_2_decay: float = -0.8
    epsilon_1: float = 1e-30
    epsilon_2: float = 1e-3
    clip_threshold: float = 1.0
    relative_step: bool = True

    def build(self, variables: Sequence[Variable]) -> None:
        """Creates the optimizer's variables for some weights."""
        if self.built:
            return
        super().build(variables)
        self.rows: list[Variable] = []
        self.columns: list[Variable] = []
        self.velocities: list[Variable] = []
        for variable in variables:
            shape, dtype = variable.shape, variable.type.dtype.name
            is_matrix = len(shape) >= 2
            # Vectors have neither; Keras's files hold scalars for them.
            for group, sizes in ((self.rows, shape[:-1]), (self.columns, (*shape[:-2], *shape[-1:]))):
                group.append(self.add_variable(sizes if is_matrix else (), dtype=dtype, name=variable.name))
            self.velocities.append(self.add_variable_from_reference(variable, "velocity"))

    def _second_moment(self, index: int, squares: Any, decay: Any) -> Any:
        rows, columns, whole = self.rows[index], self.columns[index], self.velocities[index]
        if whole.ndim < 2:
            return decay * whole.value + (1 - decay) * squares
        rows.assign(decay * rows.value + (1 - decay) * ops.mean(squares, axis=-1))
        columns.assign(decay * columns.value + (1 - decay) * ops.mean(squares, axis=-2))
        shares = rows.value / ops.mean(rows.value, axis=-1, keepdims=True)
        return ops.expand_dims(shares, -1) * ops.expand_dims(columns.value, -2)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Updates one weight by its gradient."""
        index, dtype = self._get_variable_index(variable), variable.type.dtype.name
        step = ops.cast(self.iterations + 1, dtype)
        rate = ops.minimum(ops.cast(learning_rate, dtype), 1 / ops.sqrt(step))
        moment = self._second_moment(
            index, ops.square(gradient) + self.epsilon_1, 1 - ops.power(step, self.beta_2_decay)
        )
        self.velocities[index].assign(moment)
        update = gradient / ops.sqrt(moment)
        update = update / ops.maximum(1.0, _root_mean_square(update) / self.clip_threshold)
        variable.assign_sub(ops.maximum(self.epsilon_2, _root_mean_square(variable.value)) * rate * update)


def _root_mean_square(x: Any) -> Any:
    return ops.sqrt(ops.mean(ops.square(x)))
