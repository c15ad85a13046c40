"""The base class of layers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

import numpy as np

from graphc import dtype_policies, dtypes, ops, regularizers, tree
from graphc.dtype_policies import DTypePolicy
from graphc.errors import ArgumentError, CallError, GraphcError, StateError
from graphc.layers.arguments import given_arguments, legacy_shape, signature_of
from graphc.layers.dataset_graphs import add_node, is_in_dataset_graph
from graphc.layers.input_spec import check_inputs
from graphc.layers.kinds import KINDS
from graphc.layers.masks import fill_in_masks, propagate_masks, record_masks
from graphc.layers.rematerialization import RematScope, current_remat_scope, rematerialized
from graphc.layers.shapes import as_tuples, map_shapes, shapes_of
from graphc.layers.unsupported import Unsupported
from graphc.layers.weights import WeightOwner, active_layers
from graphc.parameters import declared_config, declared_of
from graphc.registration import choices, deserialize_keras_object, serialize_keras_object
from graphc.tracing import (
    KerasTensor,
    Tensor,
    Variable,
    as_tensor,
    autocast,
    cast,
    current_origin,
    describe,
    get_mask,
    has_symbolic,
    scope,
    set_mask,
    untraced,
    user_line,
)
from graphc.tracing.arrays import is_array_like
from graphc.tracing.conversion import tensor_of_list
from graphc.tracing.host import HostTensor, strings_given
from graphc.tracing.state import StatelessScope, zip_values
from graphc.tracing.symbolic import infer_outputs
from graphc.transforms.autograph import for_trace
from graphc.transforms.repeated_calls import RepeatedCalls, is_counted

# The training mode of the enclosing calls, for layers that are called without `training`.
_training: ContextVar[bool | None] = ContextVar("graphc_training", default=None)


@contextmanager
def training_mode(training: bool | None) -> Iterator[None]:
    """A context that sets the training mode of layers that are called without `training`."""
    token = _training.set(training)
    try:
        yield
    finally:
        _training.reset(token)


_TENSORS = (np.ndarray, Tensor, Variable)
# What is known to be no structure.
_LEAVES = (*_TENSORS, bool, int, float, str, type(None))


class Layer(WeightOwner, Unsupported):
    """A map of tensors to tensors that may have weights.

    A subclass creates its weights in `build(input_shape)` with `add_weight`, and computes its outputs in
    `call(inputs)`, which may have a parameter `training`.

    Args:
        activity_regularizer: Regularizer of the outputs, by name or object.
        trainable: Whether optimizers change the weights.
        dtype: Name of a dtype, or a `DTypePolicy`. None: the default float dtype.
        autocast: Whether floating-point inputs are cast to the compute dtype of the layer.
        name: Its name. None: one derived from the name of the class.
        *args: None; type checkers see here that subclasses may declare some.
        **kwargs: `input_shape` (without the batch), `input_dim` or `batch_input_shape`, with a warning: the shape of
            the inputs, if the layer is the first of a `Sequential`.

    Raises:
        ArgumentError: if an argument is unknown.

    Example:

    >>> class Twice(Layer):
    ...     def call(self, inputs):
    ...         return 2 * inputs
    >>> Twice()(np.array([1.0, 2.0], "float32")).numpy()
    array([2., 4.], dtype=float32)
    """

    _init_args: tuple[tuple[Any, ...], dict[str, Any]]
    _losses: list[Tensor]
    _build_args: dict[str, Any] | None
    # Whether a layer without `build` records the shapes of its first call, for summaries: False where Keras's does not.
    _builds_when_called = True
    _repeated_calls: RepeatedCalls | None
    _remat_scope: RematScope | None
    # The shape of the inputs, batch included, with which a `Sequential` begins that has the layer first.
    _first_shape: tuple[int | None, ...] | None = None
    _kinds = KINDS
    # Whether `get_config` here is for any class.
    _has_generic_config = True
    # Whether `call` computes on the host, and no program can contain it.
    _runs_on_host = False
    # The dtype of the inputs of a `Sequential` that begins with it. None: the default float dtype.
    _input_dtype: str | None = None
    # Whether the layer supports masks; a layer that overrides `compute_mask` does, too.
    _passes_masks = False

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Records the line at which the user creates the layer, before the `__init__` of a subclass runs."""
        self = super().__new__(cls)
        self._origin = user_line()
        self._init_args = (args, kwargs)
        self._weights = []
        self._losses = []
        self._build_args = None
        self._repeated_calls = None
        self._remat_scope = current_remat_scope()
        self._trainable = True
        self.built = False
        return self

    def __getstate__(self) -> dict[str, Any]:
        """The state for copies and pickles: without what its last calls left."""
        return {**super().__getstate__(), "_losses": [], "_repeated_calls": None}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in vars(cls):
            setattr(cls, "build", _named_build(vars(cls)["build"]))  # noqa: B010  (mypy: a method is replaced)

    def __init__(
        self,
        *args: Any,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if args:
            raise CallError(f"{type(self).__name__} takes its arguments by name", got=repr(args)[:80])
        self._first_shape = legacy_shape(kwargs)
        if kwargs:
            known = inspect.signature(type(self).__init__).parameters
            raise ArgumentError(
                f"{type(self).__name__} takes no such argument",
                where=describe(self._origin),
                got=", ".join(map(repr, kwargs)),
                hint=choices(next(iter(kwargs)), known),
            )
        super().__init__(name)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self._dtype_policy = dtype_policies.get(dtype)
        self.autocast = autocast
        self.input_spec: Any = None
        self.supports_masking = self._passes_masks or type(self).compute_mask is not Layer.compute_mask
        if not isinstance(trainable, bool | np.bool_):
            raise ArgumentError("trainable is True or False", where=describe(self._origin), got=repr(trainable)[:80])
        self._trainable = bool(trainable)
        # A layer without a `build` of its own needs no building.
        self.built = type(self).build is Layer.build

    def _prepare(self) -> None:
        """Checks the arguments that the class declares, which are attributes now, and derives others."""

    # ---- dtypes

    @property
    def dtype_policy(self) -> DTypePolicy:
        """Its policy for the dtypes of computation and of weights."""
        return self._dtype_policy

    @property
    def dtype(self) -> str:
        """The dtype of its weights."""
        return self._dtype_policy.variable_dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype of its weights."""
        return self._dtype_policy.variable_dtype

    @property
    def compute_dtype(self) -> str:
        """The dtype of its computation."""
        return self._dtype_policy.compute_dtype

    # ---- building

    def build(self, input_shape: Any = None) -> None:
        """Creates the weights; subclasses define it.

        Args:
            input_shape: Tuple of integers and None, or a structure of them.
        """
        self.built = True

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Builds the layer with a configuration that `get_build_config` returned."""
        shapes = {key: as_tuples(shape) for key, shape in config.get("shapes_dict", config).items()}
        if set(shapes) == {"input_shape"}:
            self.build(shapes["input_shape"])
        else:
            self.build(**shapes)

    def get_build_config(self) -> dict[str, Any] | None:
        """The shapes for which it was built, as in Keras: `input_shape`, or a dictionary; None if it is not built."""
        shapes = {name: shape for name, shape in (self._build_args or {}).items() if shape is not None}
        if not shapes:
            return None
        return {"input_shape": next(iter(shapes.values()))} if len(shapes) == 1 else {"shapes_dict": shapes}

    def _ensure_built(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self.built and not (self._builds_when_called and self._build_args is None):
            return
        given = given_arguments(type(self).call, self, args, kwargs)
        shapes = {f"{name}_shape": shapes_of(value) for name, value in given.items() if shapes_of(value) is not None}
        first = next(iter(shapes.values()), None)
        parameters = list(signature_of(type(self).build).parameters)[1:]
        if self.built:
            pass
        elif len(parameters) <= 1 or "input_shape" in parameters:
            self.build(first)
        else:
            self.build(**{name: shapes.get(name) for name in parameters})
        if self._build_args is None:  # it has no `build` of its own
            self._build_args = {} if first is None else {"input_shape": as_tuples(first)}
        self.built = True

    # ---- calling

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Computes the outputs; on symbolic tensors adds a node to a functional model.

        Args:
            *args: The arguments of `call`: tensors, arrays or symbolic tensors, or structures of them.
            **kwargs: Likewise; `training` is whether the model trains.

        Raises:
            GraphcError: if the inputs do not fit, with the layer, and the user's line.
        """
        if not hasattr(self, "_dtype_policy"):
            raise StateError(
                f"{type(self).__name__} is not initialized",
                where=describe(self._origin),
                hint="call super().__init__() first in __init__",
            )
        if is_in_dataset_graph(args, kwargs):
            return add_node(self, args, kwargs)
        try:
            if has_symbolic(args, kwargs):
                self._check_inputs(args, kwargs)
                return self.symbolic_call(*args, **kwargs)
            return self._eager(args, kwargs) if is_counted() else self._run(*args, **kwargs)
        except GraphcError as error:
            raise self._located(error) from None

    def _eager(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Computes the outputs eagerly, or with a program that was compiled for such calls."""
        calls = self._repeated_calls
        if calls is None or not calls.is_current(self):
            calls = self._repeated_calls = RepeatedCalls(self, Layer._run_in_mode)
        return calls.outputs(self, _training.get(), args, kwargs)

    def _run_in_mode(self, training: bool | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with training_mode(training):
            return self._run(*args, **kwargs)

    def _located(self, error: GraphcError) -> GraphcError:
        with scope(self.name, self._origin):
            origin = current_origin()
        return error.locate(layer=origin.layer, where=describe(origin))

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Adds a node that applies the layer to a functional model, and nodes for the masks of its outputs."""
        outputs = super().symbolic_call(*args, **kwargs)
        record_masks(self, args, kwargs, outputs)
        return outputs

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Infers the symbolic outputs for symbolic tensors.

        If `call` cannot be traced on them and the layer defines `compute_output_shape`, the outputs have these shapes,
        as in Keras; the error of `call` is then raised when the model runs.
        """
        recorded = [(layer, list(layer._losses)) for layer in self._flatten_layers()]
        try:
            return infer_outputs(self._run, args, kwargs)
        except Exception:
            ours = "_keras_module" in vars(type(self))
            if ours or type(self).compute_output_shape is Layer.compute_output_shape:
                raise
            return self._outputs_from_shapes(args, kwargs)
        finally:
            # Losses that were added during inference belong to a discarded trace.
            for layer in self._flatten_layers():
                layer._losses.clear()
            for layer, losses in recorded:
                layer._losses.extend(losses)

    def _outputs_from_shapes(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self._ensure_built(args, kwargs)
        shapes = [shape for shape in map(shapes_of, (*args, *kwargs.values())) if shape is not None]
        shapes_of_outputs = self.compute_output_shape(*shapes)
        symbolic = map_shapes(lambda shape: KerasTensor(shape, self.compute_dtype), shapes_of_outputs)
        return tuple(symbolic) if isinstance(shapes_of_outputs, tuple) and isinstance(symbolic, list) else symbolic

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Computes the shape of the outputs from that of the inputs, or structures of shapes.

        Args:
            input_shape: Tuple of integers and None.
        """
        inputs = map_shapes(lambda shape: KerasTensor(shape, self.compute_dtype), input_shape)
        outputs = self.compute_output_spec(inputs)
        return tree.map_structure(lambda x: x.shape, outputs)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Computes the mask of the outputs: that of the inputs, unless a subclass overrides it.

        Args:
            inputs: The first argument of `call`.
            previous_mask: Its mask, or a structure of masks.
        """
        return previous_mask

    def _check_inputs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self.input_spec is not None and (args or kwargs):
            check_inputs(self.input_spec, args[0] if args else next(iter(kwargs.values())))

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        args = tuple([self._converted_structure(tensor_of_list(arg)) for arg in args])
        kwargs = {name: self._converted_structure(arg) for name, arg in kwargs.items()}
        outermost = not active_layers.get()
        if outermost:
            self._clear_losses()
        training, args = self._training(args, kwargs)
        self._check_inputs(args, kwargs)
        self._ensure_built(args, kwargs)
        mask = fill_in_masks(type(self).call, self, args, kwargs)
        token = active_layers.set((*active_layers.get(), id(self)))
        compute_dtype = dtypes.as_dtype(self.compute_dtype)
        try:
            with (
                scope(self.name, self._origin),
                training_mode(training),
                autocast(compute_dtype if self.autocast else None),
            ):
                call = for_trace(self.call)
                if self._remat_scope is not None:
                    call = self.rematerialized_call(call, *args, **kwargs)
                outputs = call(*args, **kwargs)
                propagate_masks(self, args[0] if args else next(iter(kwargs.values()), None), outputs, mask)
                if self.activity_regularizer is not None:
                    self._regularize(outputs)
        finally:
            active_layers.reset(token)
        return outputs

    def rematerialized_call(self, layer_call: Any, *args: Any, **kwargs: Any) -> Any:
        """The `call` for these arguments: rematerialized, if the layer is one for which a `RematScope` asks."""
        applies = self._remat_scope is not None and self._remat_scope.applies(self, args)
        return rematerialized(layer_call) if applies else layer_call

    def _converted_structure(self, value: Any) -> Any:
        return self._converted(value) if isinstance(value, _LEAVES) else tree.map_structure(self._converted, value)

    def _converted(self, leaf: Any) -> Any:
        """Converts an array to a tensor, and a floating-point tensor to the compute dtype."""
        strings = isinstance(leaf, HostTensor) or (isinstance(leaf, np.ndarray) and leaf.dtype.kind in "OSU")
        ours = strings and "_keras_module" in vars(type(self))
        if ours and not any(layer._runs_on_host for layer in self._flatten_layers()):
            raise strings_given(repr(leaf)[:80])
        if strings or (not isinstance(leaf, _TENSORS) and not is_array_like(leaf)):
            return leaf
        tensor = as_tensor(leaf)
        compute_dtype = dtypes.as_dtype(self.compute_dtype)
        if not self.autocast or not tensor.type.dtype.is_float or tensor.type.dtype is compute_dtype:
            return tensor
        converted = cast(tensor, compute_dtype)
        set_mask(converted, get_mask(tensor))
        return converted

    def _training(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[bool | None, tuple[Any, ...]]:
        """Resolves the training mode: the argument `training`, else the mode of the enclosing call, else the default.

        Returns:
            The mode, and the positional arguments with the mode in place of None. If `call` has the parameter and it is
            not positional, it is set in `kwargs`.
        """
        parameter = signature_of(type(self).call).parameters.get("training")
        if parameter is None:
            given = kwargs.pop("training", None)
            return (_training.get() if given is None else given), args
        given = given_arguments(type(self).call, self, args, kwargs)
        training = given.get("training")
        if training is None:
            training = _training.get()
            if training is None and parameter.default is not parameter.empty:
                training = parameter.default
            if "training" in given and "training" not in kwargs:
                position = list(given).index("training")
                args = (*args[:position], training, *args[position + 1 :])
            else:
                kwargs["training"] = training
        return (training if training is None else bool(training)), args

    def stateless_call(
        self,
        trainable_variables: Sequence[Any],
        non_trainable_variables: Sequence[Any],
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """Computes the outputs with values instead of its variables: a pure function.

        Args:
            trainable_variables: The value of each of its trainable variables.
            non_trainable_variables: The value of each of its other variables.
            *args: The arguments of `call`.
            return_losses: Whether the losses that layers add are returned, too.
            **kwargs: Arguments of `call`.

        Returns:
            `(outputs, non_trainable_variables)`: with the new values of these; then the losses, if asked for.

        Raises:
            StateError: if the layer is not built.
            ArgumentError: if the numbers of values and variables differ.
        """
        if not self.built:
            raise StateError(
                "`stateless_call` of a layer that is not built",
                layer=self.name,
                where=describe(user_line()),
                hint="call it on data, or call its `build`, first",
            )
        others = self.non_trainable_variables
        mapping = [*zip_values(self.trainable_variables, trainable_variables)]
        mapping += zip_values(others, non_trainable_variables)
        with StatelessScope(mapping) as state:
            outputs = self(*args, **kwargs)
            losses = self.losses if return_losses else []
        self._clear_losses()
        changed = [state.read(v) for v in others]
        return (outputs, changed, losses) if return_losses else (outputs, changed)

    # ---- losses

    def add_loss(self, loss: Any) -> None:
        """Adds a scalar to the loss of the model, until its next call; to be used in `call`.

        Args:
            loss: A scalar tensor, or a list of them.
        """
        for part in tree.flatten(loss):
            if callable(part):
                raise ArgumentError("`add_loss` takes a tensor and no function", layer=self.name, got=repr(part))
            self._losses.append(as_tensor(part))

    def _regularize(self, outputs: Any) -> None:
        for output in tree.flatten(outputs):
            if isinstance(output, Tensor):
                # Divided by the batch size, so that the penalty does not depend on it.
                count = ops.cast(output.shape[0] if output.ndim else 1, output.dtype)
                self.add_loss(self.activity_regularizer(output) / count)

    def _clear_losses(self) -> None:
        for layer in self._flatten_layers():
            layer._losses.clear()

    @property
    def losses(self) -> list[Any]:
        """The losses that `add_loss` added in the last call, and the penalties of weight regularizers."""
        added = [loss for layer in self._flatten_layers() for loss in layer._losses]
        weights = [v for v in self.trainable_weights if v.regularizer is not None]
        return [*added, *(v.regularizer(v) for v in weights)]

    # ---- configuration

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer.

        A subclass with arguments of its own in `__init__` extends what `super().get_config()` returns. If it does not,
        the arguments with which it was created are serialized; they may be layers or other objects that have
        configurations.

        Raises:
            StateError: if an argument cannot be serialized.
        """
        base = {"name": self.name, "trainable": self.trainable, "dtype": serialize_keras_object(self._dtype_policy)}
        base |= declared_config(self)
        if not _is_written_automatically(type(self)):
            return base
        args, kwargs = self._init_args
        signature = inspect.signature(type(self).__init__)
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        named = [name for name, p in signature.parameters.items() if p.kind not in variadic]
        own = {name: bound.arguments[name] for name in named[1:]}
        try:
            return {**base, **{name: serialize_keras_object(value) for name, value in own.items()}}
        except ArgumentError as error:
            raise StateError(
                f"{type(self).__name__} takes arguments that cannot be written to a configuration",
                layer=self.name,
                where=describe(self._origin),
                got=f"{', '.join(own)}: {error.problem}: {error.got}",
                hint="define `get_config`",
            ) from None

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Creates a layer from a configuration that `get_config` returned."""
        if _is_written_automatically(cls):
            # Arguments that are objects were serialized, too.
            config = {name: deserialize_keras_object(value) for name, value in config.items()}
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _is_written_automatically(cls: type[Layer]) -> bool:
    """Whether the configurations of a class are the arguments of its `__init__`, since it has no `get_config`."""
    defining = next(base for base in cls.__mro__ if "get_config" in vars(base))
    generic = "_has_generic_config" in vars(defining)
    return generic and cls.__init__ is not Layer.__init__ and not declared_of(cls)


def _named_build(build: Callable[..., None]) -> Callable[..., None]:
    """Wraps the `build` of a subclass: it runs eagerly, in the layer's scope, and the shapes are recorded."""

    @wraps(build)
    def wrapped(self: Layer, *args: Any, **kwargs: Any) -> None:
        # A `build` that calls the `build` of its parent class counts as one.
        if active_layers.get()[-1:] == (id(self),):
            build(self, *args, **kwargs)
            return
        token = active_layers.set((*active_layers.get(), id(self)))
        before, self.built = self.built, False
        try:
            # Also within a trace: a first value that `build` computes has to be known.
            with untraced(), scope(self.name, self._origin):
                build(self, *args, **kwargs)
        except BaseException:
            self.built = before
            raise
        finally:
            active_layers.reset(token)
        self.built = True
        if not self._trainable:
            # The layer was frozen before these parts were created.
            self.trainable = False
        names = list(signature_of(build).parameters)[1:]
        shapes = {**dict(zip(names, args, strict=False)), **kwargs}
        self._build_args = {k: as_tuples(v) for k, v in shapes.items()} if shapes else None

    return wrapped
