"""Functions of `keras.backend` from before Keras 3 that are larger: windows, losses of sequences, loops of times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc import config, ops
from graphc.errors import ShapeError
from graphc.legacy_backend import pool2d, repeat_elements
from graphc.tracing import Tensor


def pool3d(
    x: Any,
    pool_size: Any,
    strides: Any = (1, 1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    pool_mode: str = "max",
) -> Tensor:
    """The largest element, or the mean, of each window: `pool_mode` is `"max"` or `"avg"`."""
    return pool2d(x, pool_size, strides, padding, data_format, pool_mode)


def conv2d_transpose(
    x: Any,
    kernel: Any,
    output_shape: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Tensor:
    """The transpose of a convolution of two axes, with a result of a shape.

    Raises:
        ShapeError: if no convolution has such a transpose.
    """
    found = ops.conv_transpose(x, kernel, strides, padding, None, data_format, dilation_rate)
    wanted = tuple(output_shape)[1:]
    known = [pair for pair in zip(found.shape[1:], wanted, strict=True) if all(isinstance(size, int) for size in pair)]
    if any(a != b for a, b in known):
        raise ShapeError("the transposed convolution has another shape", got=f"{found.shape}", expected=f"{wanted}")
    return found


def resize_images(
    x: Any, height_factor: int, width_factor: int, data_format: str, interpolation: str = "nearest"
) -> Tensor:
    """Images that are higher and wider by factors."""
    tensor = ops.convert_to_tensor(x)
    rows = 2 if data_format == "channels_first" else 1
    if interpolation == "nearest":
        return repeat_elements(repeat_elements(tensor, height_factor, rows), width_factor, rows + 1)
    size = tensor.shape[rows] * height_factor, tensor.shape[rows + 1] * width_factor
    resized: Tensor = ops.image.resize(tensor, size, interpolation, data_format=data_format)
    return resized


def resize_volumes(x: Any, depth_factor: int, height_factor: int, width_factor: int, data_format: str) -> Tensor:
    """Volumes in which each element is repeated along three axes."""
    first = 2 if data_format == "channels_first" else 1
    for axis, factor in enumerate((depth_factor, height_factor, width_factor), first):
        x = repeat_elements(x, factor, axis)
    return ops.convert_to_tensor(x)


def batch_normalization(
    x: Any, mean: Any, var: Any, beta: Any, gamma: Any, axis: int = -1, epsilon: float = 1e-3
) -> Tensor:
    """`(x - mean) / sqrt(var + epsilon) * gamma + beta`, with one number of each for an index along an axis."""
    return ops.batch_normalization(x, mean, var, axis, beta, gamma, epsilon)


# ---- losses of elements, and of sequences


def binary_focal_crossentropy(
    target: Any,
    output: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
) -> Tensor:
    """The cross-entropy of each element, smaller for those that are nearly right: see `BinaryFocalCrossentropy`."""
    wanted = ops.cast(target, ops.convert_to_tensor(output).dtype)
    chance = ops.sigmoid(output) if from_logits else ops.convert_to_tensor(output)
    right = wanted * chance + (1 - wanted) * (1 - chance)
    loss = ops.power(1 - right, gamma) * ops.binary_crossentropy(wanted, output, from_logits)
    return ops.multiply(loss, wanted * alpha + (1 - wanted) * (1 - alpha)) if apply_class_balancing else loss


def categorical_focal_crossentropy(
    target: Any, output: Any, alpha: Any = 0.25, gamma: float = 2.0, from_logits: bool = False, axis: int = -1
) -> Tensor:
    """The cross-entropy of each sample, smaller for those that are nearly right: see `CategoricalFocalCrossentropy`."""
    chances = ops.softmax(output, axis) if from_logits else ops.convert_to_tensor(output)
    chances = ops.divide(chances, ops.sum(chances, axis, keepdims=True))
    chances = ops.clip(chances, config.epsilon(), 1 - config.epsilon())
    weight = ops.multiply(alpha, ops.power(1 - chances, gamma))
    return ops.sum(-weight * ops.multiply(target, ops.log(chances)), axis)


def ctc_batch_cost(y_true: Any, y_pred: Any, input_length: Any, label_length: Any) -> Tensor:
    """The loss of sequences of labels, for probabilities at each time whose last class is no label.

    Args:
        y_true: Tensor of labels, of shape (samples, labels).
        y_pred: Tensor of probabilities, of shape (samples, times, classes).
        input_length: Tensor of shape (samples, 1): the number of times.
        label_length: Tensor of shape (samples, 1): the number of labels.

    Returns:
        A tensor of shape (samples, 1).
    """
    scores = ops.log(ops.add(y_pred, config.epsilon()))
    labels, (times, count) = ops.cast(y_true, "int32"), map(_lengths, (input_length, label_length))
    return ops.expand_dims(ops.ctc_loss(labels, scores, count, times, mask_index=scores.shape[-1] - 1), 1)


def _lengths(x: Any) -> Tensor:
    return ops.reshape(ops.cast(x, "int32"), (-1,))


def ctc_decode(
    y_pred: Any, input_length: Any, greedy: bool = True, beam_width: int = 100, top_paths: int = 1
) -> tuple[list[Tensor], Tensor]:
    """The likeliest sequences of labels, for probabilities at each time whose last class is no label.

    Args:
        y_pred: Tensor of probabilities, of shape (samples, times, classes).
        input_length: Tensor of shape (samples,): the number of times.
        greedy: Whether to take the likeliest class at each time; else beam search.
        beam_width: How many sequences beam search keeps.
        top_paths: How many sequences beam search returns.

    Returns:
        A list of sequences, of shape (samples, times) and filled up with -1; and their scores.
    """
    scores = ops.log(ops.add(y_pred, config.epsilon()))
    strategy = "greedy" if greedy else "beam_search"
    blank = scores.shape[-1] - 1
    paths, chances = ops.ctc_decode(
        scores, _lengths(input_length), strategy, beam_width, top_paths, mask_index=int(blank)
    )
    return [paths[i] for i in range(1 if greedy else top_paths)], chances


def rnn(
    step_function: Callable[[Any, Any], Any],
    inputs: Any,
    initial_states: Any,
    go_backwards: bool = False,
    mask: Any = None,
    constants: Any = None,
    unroll: bool = False,
    input_length: Any = None,
    time_major: bool = False,
    zero_output_for_mask: bool = False,
    return_all_outputs: bool = True,
) -> tuple[Any, Any, list[Any]]:
    """Calls a function for each time: `step_function(x, states)` returns an output, and the states of the next time.

    Args:
        step_function: The function; its states are a list, to which `constants` are added.
        inputs: Tensor of shape (samples, times, ...).
        initial_states: List of tensors.
        go_backwards: Whether it begins with the last time.
        mask: Tensor of booleans, of shape (samples, times): where it is False, output and states stay as they were.
        constants: List of tensors.
        unroll: Accepted; the times are a loop in any case.
        input_length: Accepted.
        time_major: Whether the times are the first axis.
        zero_output_for_mask: Whether outputs are 0 where the mask is False.
        return_all_outputs: Whether the outputs of all times are returned, or only the last one.

    Returns:
        The last output, all outputs, and the last states.
    """
    given = ops.convert_to_tensor(inputs)
    steps = given if time_major else ops.swapaxes(given, 0, 1)
    keeps = ops.ones(steps.shape[:2], "bool") if mask is None else ops.cast(mask, "bool")
    keeps = keeps if mask is None or time_major else ops.swapaxes(keeps, 0, 1)
    steps, keeps = (ops.flip(part, 0) if go_backwards else part for part in (steps, keeps))
    fixed = list(constants or [])
    first = [ops.convert_to_tensor(state) for state in initial_states]
    zero = ops.zeros_like(step_function(steps[0], [*first, *fixed])[0])

    def where(keep: Any, new: Any, old: Any) -> Any:
        return ops.where(ops.reshape(keep, (-1, *[1] * (new.ndim - 1))), new, old)

    def step(carry: Any, part: Any) -> Any:
        (last, states), (x, keep) = carry, part
        output, new = step_function(x, [*states, *fixed])
        if mask is not None:
            output, shown = where(keep, output, last), where(keep, output, zero)
            new = [where(keep, a, b) for a, b in zip(new, states, strict=True)]
            return (output, new), shown if zero_output_for_mask else output
        return (output, list(new)), output

    (_, states), outputs = ops.scan(step, (zero, first), (steps, keeps))
    last = outputs[-1]
    outputs = outputs if return_all_outputs else last[None]
    return last, outputs if time_major else ops.swapaxes(outputs, 0, 1), list(states)
