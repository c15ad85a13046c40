"""Models: layers that can be trained, saved and inspected."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from graphc import dtypes, optimizers, tree
from graphc.errors import ArgumentError, NotCalledError, StateError
from graphc.export import export_model
from graphc.layers import InputLayer, Layer
from graphc.layers.shapes import map_shapes, shapes_of
from graphc.models.data import ArraySpec, DataSpec
from graphc.models.functional import LayerGraph, graph_between
from graphc.models.graph_config import graph_config, graph_from_config
from graphc.models.inspection import Inspectable
from graphc.models.summary import print_summary
from graphc.registration import (
    custom_object_scope,
    deserialize_keras_object,
    exported,
    serialize_keras_object,
    serialize_whole,
)
from graphc.saving import weights as files
from graphc.saving.model_files import save_model
from graphc.tracing import KerasTensor, auto_name, describe, scope, user_line


def _is_functional(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    return len(args) == 2 or (len(args) == 1 and "outputs" in kwargs) or {"inputs", "outputs"} <= set(kwargs)


@exported("keras", "Functional")
class Model(Inspectable):
    """A group of layers, with methods for training, evaluation and prediction.

    There are three kinds of models. `Model(inputs, outputs)` is the graph of layers between symbolic tensors. A
    subclass creates layers in `__init__` and calls them in `call`. `Sequential` is a stack of layers.

    Args:
        inputs: Symbolic tensor, or a structure of them.
        outputs: Likewise.
        name: Its name.
        trainable: Whether optimizers change its weights.
        dtype: Name of a dtype, or a `DTypePolicy`.

    Example:

    >>> from graphc import layers
    >>> x = layers.Input((3,))
    >>> model = Model(x, layers.Dense(2)(x))
    >>> model.count_params()
    8
    """

    _has_generic_config = True
    _builds_when_called = False

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """`Model(inputs, outputs)` is a `Functional`."""
        return super().__new__(Functional if cls is Model and _is_functional(args, kwargs) else cls, *args, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        functional = _is_functional(args, kwargs)
        inputs, outputs = (*args, kwargs.pop("inputs", None), kwargs.pop("outputs", None))[:2] if functional else (0, 0)
        if functional and len(args) == 1:
            outputs = args[1] if len(args) > 1 else outputs
        if not functional and args:
            raise ArgumentError(
                "a model takes inputs and outputs, or nothing",
                where=describe(self._origin),
                got=f"{len(args)} positional arguments",
            )
        super().__init__(**kwargs)
        self._prepare_trainer()
        self._graph: LayerGraph | None = None
        if functional:
            self._set_graph(graph_between(inputs, outputs))
            if not self._trainable:
                self.trainable = False

    def __getstate__(self) -> dict[str, Any]:
        """The state for copies and pickles: the graph first, since it orders the layers, and no compiled programs."""
        state = super().__getstate__()
        return {
            "_graph": state.pop("_graph"),
            **state,
            "_programs": {},
            "_progress": None,
            "_restored": None,
            **dict.fromkeys(("train_function", "test_function", "predict_function")),
            "_collected": None,
            "_prediction_cache": {},
            "_lookups": {},
        }

    def _set_graph(self, graph: LayerGraph) -> None:
        self._graph = graph
        self.built = True
        self._output_names = _output_names(graph)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Computes the outputs; subclasses define it.

        Args:
            inputs: Tensors that nest as the model's inputs do.
            training: Whether the model trains; passed on to layers that are called without `training`.
            mask: The masks of the inputs. None: the masks that the inputs carry.
        """
        if self._graph is None:
            raise NotImplementedError(f"{type(self).__name__} does not define `call`")
        return self._graph.run(inputs, mask)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The symbolic outputs: as in Keras a list, if the model was created with a list of one output."""
        outputs = super().compute_output_spec(*args, **kwargs)
        original = self._graph.outputs if self._graph is not None and type(self).call is Model.call else None
        alone = isinstance(original, list | tuple) and len(original) == 1 and isinstance(outputs, KerasTensor)
        return type(original)([outputs]) if alone else outputs  # type: ignore[misc]

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """None: the layers of the model compute the masks of the outputs."""
        return None

    def build(self, input_shape: Any = None) -> None:
        """Creates the weights, for inputs of a shape.

        Args:
            input_shape: Tuple of integers and None, or a structure of them.
        """
        if self._graph is None and not self.built:
            inputs = map_shapes(lambda shape: KerasTensor(shape, self.compute_dtype), input_shape)
            with scope("", absolute=True):
                self.compute_output_spec(inputs)
        self.built = True

    def _ensure_built(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        # A model without a `build` of its own is built by its first call, in which its layers are built.
        if type(self).build is not Model.build:
            super()._ensure_built(args, kwargs)
        elif self._build_args is None and self._graph is None and args:
            self._build_args = {"input_shape": shapes_of(args[0])}
        self.built = True

    # ---- parts

    @property
    def layers(self) -> list[Any]:
        """The layers, in topological order for functional models."""
        return self._layers if self._graph is None else [op for op in self._graph.operations if isinstance(op, Layer)]

    def _parts(self) -> Iterator[Any]:
        """The operations of its graph, then the layers, variables and metrics in its attributes."""
        graph = self.__dict__.get("_graph")
        if graph is not None:
            yield from graph.operations
        yield from super()._parts()

    def _functions(self) -> Iterator[Any]:
        """The functions in its attributes, and those among the arguments in its graph."""
        yield from super()._functions()
        for node in self._graph.nodes if self._graph is not None else ():
            leaves = tree.flatten((node.args, node.kwargs))
            yield from (leaf for leaf in leaves if callable(leaf))

    @property
    def operations(self) -> list[Any]:
        """The layers and the functions of `graphc.ops` between inputs and outputs."""
        return self._graph.operations if self._graph is not None else self._layers

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """The layer of a name or at an index.

        Raises:
            ArgumentError: if there is none.
        """
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ArgumentError("there is no such layer", got=index, expected=f"below {len(self.layers)}")
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ArgumentError(
            "there is no such layer", got=repr(name), expected=", ".join(layer.name for layer in self.layers)
        )

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic inputs."""
        return self._require_graph().flat_inputs

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic outputs."""
        return self._require_graph().flat_outputs

    @property
    def input(self) -> Any:
        """The symbolic inputs, nested as they were given."""
        return self._require_graph().inputs

    @property
    def output(self) -> Any:
        """The symbolic outputs, nested as they were given."""
        return self._require_graph().outputs

    @property
    def input_shape(self) -> Any:
        """The shape of the input, or a list of shapes."""
        shapes = [x.shape for x in self._require_graph().flat_inputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shape(self) -> Any:
        """The shape of the output, or a list of shapes."""
        shapes = [x.shape for x in self._require_graph().flat_outputs]
        return shapes[0] if len(shapes) == 1 else shapes

    def _require_graph(self) -> LayerGraph:
        if self._graph is None:
            raise NotCalledError(f"{self.name!r} has no symbolic inputs", hint="they exist in functional models only")
        return self._graph

    def _match_inputs(self, data_spec: DataSpec) -> list[tuple[ArraySpec, KerasTensor]]:
        if self._graph is None or not self._graph.strict:
            return []
        given = data_spec.unflatten("x", {leaf.name: leaf for leaf in data_spec.of("x")})
        return [(leaf, wanted) for leaf, wanted in self._graph.match_inputs(given) if leaf is not None]

    # ---- summary

    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
    ) -> None:
        """Prints a table of the layers with their output shapes and numbers of parameters.

        Args:
            line_length: The length of a line in characters. None: that of the terminal.
            positions: The ends of the columns, as fractions of a line.
            print_fn: A function that prints the text. None: the terminal, in color.
            expand_nested: Whether to list the layers of nested models.
            show_trainable: Whether to show which layers are trainable.
            layer_range: Names of the first and last layer to list.
        """
        print_summary(self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range)

    # ---- files

    def save(self, filepath: Any, overwrite: bool = True, zipped: Any = None, **kwargs: Any) -> None:
        """Writes the model to a file: see `graphc.saving.save_model`."""
        save_model(self, filepath, overwrite, zipped, **kwargs)

    def save_weights(self, filepath: Any, overwrite: bool = True, max_shard_size: Any = None) -> None:
        """Writes the weights to a file.

        Args:
            filepath: Path that ends with `.weights.safetensors` or `.weights.h5` (Keras's layout), or with
                `.weights.json` for weights in several files.
            overwrite: Whether an existing file may be replaced.
            max_shard_size: The largest size of a file in GB, where weights are in several. None: one file.

        Raises:
            FileError: if the file cannot be written, or exists and may not be replaced.
        """
        files.save(self, filepath, overwrite, max_shard_size)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> None:
        """Reads weights from a file that `save_weights` wrote.

        Args:
            filepath: Path of the file.
            skip_mismatch: Whether to skip weights that are missing or have another shape.

        Raises:
            FileError: if the file cannot be read, or does not hold exactly this model's weights; no weight is then
                changed.
        """
        if kwargs:
            raise ArgumentError("`load_weights` takes no such argument", got=", ".join(kwargs))
        files.load(self, filepath, skip_mismatch)

    def export(
        self,
        filepath: Any,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """Writes what the model computes in inference to a file that runs without graphc.

        Args:
            filepath: Path of the file.
            format: `"onnx"`, or `"c"`: a source in C. Keras's other formats are those of other frameworks.
            verbose: Whether a message tells that the file is written. None: it does.
            input_signature: A structure of `InputSpec`, symbolic tensors or arrays like the inputs. None: the inputs
                that the model has. The size of the batch is never fixed.
            **kwargs: For ONNX `opset_version`, the version of its operators, 17 or later. For C `max_batch`, the bound
                of the batch (32), `name`, the prefix of the functions, and `weights`: `"source"`, or `"file"` for a
                file beside the source.

        Raises:
            UnsupportedError: if the format cannot say what a layer computes.
            FileError: if the file cannot be written; an existing file is then unchanged.

        Example:

        >>> import tempfile, pathlib
        >>> from graphc import layers
        >>> model = Sequential([layers.Input((3,)), layers.Dense(2)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "model.onnx")
        ...     model.export(path, format="onnx", verbose=False)
        ...     path.exists()
        True
        """
        export_model(self, filepath, format, verbose, input_signature, **kwargs)

    # ---- configuration

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal model.

        That of a functional model is its graph of layers; that of a subclass with an `__init__` of its own are the
        arguments with which it was created.
        """
        if self._graph is None or not _takes_graph(type(self)):
            return super().get_config()
        return {"name": self.name, "trainable": self.trainable, **graph_config(self._graph, _is_functional_model)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Creates a model from a configuration that `get_config` returned.

        Raises:
            FileError: if the layers of the configuration do not fit each other.
        """
        if not {"layers", "input_layers", "output_layers"} <= set(config) or not _takes_graph(cls):
            return super().from_config(config)
        with custom_object_scope(custom_objects or {}):
            inputs, outputs = graph_from_config(config, custom_objects, _is_functional_model)
        graph = ("layers", "input_layers", "output_layers")
        others = {name: value for name, value in config.items() if name not in graph and value is not None}
        return cls(inputs=inputs, outputs=outputs, **others)

    @property
    def output_names(self) -> list[str]:
        """The names of the layers that compute the outputs of a model of symbolic tensors."""
        if self._graph is None:
            raise AttributeError(f"{type(self).__name__!r} has no attribute 'output_names': its outputs have no names")
        return list(self._output_names or ())

    def to_json(self, **kwargs: Any) -> str:
        """The configuration as JSON text."""
        return json.dumps(serialize_whole(self), **kwargs)

    def get_compile_config(self) -> dict[str, Any] | None:
        """The arguments of `compile`, as a configuration."""
        if not self.compiled:
            return None
        config = dict(self._compile_config)
        config["optimizer"] = optimizers.serialize(self.optimizer)
        return {name: serialize_keras_object(value) for name, value in config.items()}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles the model with a configuration that `get_compile_config` returned."""
        self.compile(**{name: deserialize_keras_object(value) for name, value in config.items()})


@exported("keras.src.models.functional")
class Functional(Model):
    """A functional model, the graph of layers between symbolic tensors: what `Model(inputs, outputs)` creates.

    Args:
        inputs: Symbolic tensor, or a structure of them.
        outputs: Likewise.
        name: Its name.
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(inputs, outputs, name=name, **kwargs)


def _is_functional_model(layer: Any) -> bool:
    return isinstance(layer, Functional)


def _takes_graph(cls: type[Model]) -> bool:
    """Whether a class of models is created from inputs and outputs."""
    parameters = inspect.signature(cls.__init__).parameters
    variadic = {p.kind for p in parameters.values()} >= {
        inspect.Parameter.VAR_POSITIONAL,
        inspect.Parameter.VAR_KEYWORD,
    }
    return variadic or {"inputs", "outputs"} <= set(parameters)


def _output_names(graph: LayerGraph) -> list[str]:
    """The names of the layers that compute the outputs; as in Keras, two outputs of one layer have the same name."""
    return [x.node.operation.name if x.node is not None else x.name for x in graph.flat_outputs]


@exported("keras")
class Sequential(Model):
    """A stack of layers.

    Args:
        layers: List of layers; the first may be an `Input`. None: an empty stack, to which `add` adds layers.
        trainable: Whether optimizers change its weights.
        name: Its name.

    Example:

    >>> from graphc import layers
    >>> model = Sequential([layers.Input((3,)), layers.Dense(2)])
    >>> model.count_params()
    8
    """

    def __init__(self, layers: Any = None, trainable: bool = True, name: str | None = None) -> None:
        super().__init__(name=name, trainable=trainable)
        self._stack: list[Any] = []
        for layer in layers or ():
            self._add(layer)
        self._count_graph()
        if not trainable:
            self.trainable = False

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Adds a layer on top.

        Args:
            layer: A layer, an `Input`, or a function of a tensor.

        Raises:
            ArgumentError: if it is none of these, or has the name of another layer.
        """
        self._add(layer)
        self._count_graph()

    def _count_graph(self) -> None:
        """Takes an automatic name: in Keras there is a functional model within a Sequential, made anew each time."""
        if self._graph is not None and len(self._all_layers()) > 1:
            auto_name("functional")

    def _add(self, layer: Any) -> None:
        if isinstance(layer, KerasTensor):
            layer = layer.node.operation if layer.node is not None else layer
        if callable(layer) and not isinstance(layer, Layer):
            raise ArgumentError("wrap functions in a Lambda layer", where=describe(user_line()), got=repr(layer)[:80])
        if not isinstance(layer, Layer):
            raise ArgumentError(
                "only layers can be added", where=describe(user_line()), got=repr(layer)[:80], hint="see graphc.layers"
            )
        if any(layer is not other and layer.name == other.name for other in self._stack):
            raise ArgumentError("there is a layer of this name already", where=describe(user_line()), got=layer.name)
        if isinstance(layer, InputLayer) and self._stack:
            raise ArgumentError("an Input comes first", where=describe(user_line()), got=layer.name)
        if layer._first_shape is not None and not self._stack:
            self._add(InputLayer(batch_shape=layer._first_shape))
        self._stack.append(layer)
        self._grow(layer)

    def pop(self, rebuild: bool = True) -> Any:
        """Removes the last layer and returns it."""
        layer = self._stack.pop()
        known = self._graph.flat_inputs[0].shape if self._graph is not None else None
        self._graph, self.built = None, False
        self.clear_programs()
        self._rebuild()
        self._count_graph()
        if known is not None:
            self.build(known)
        return layer

    def _grow(self, layer: Layer) -> None:
        """Calls a new layer on the last symbolic output, if the shapes are known."""
        self.clear_programs()
        if isinstance(layer, InputLayer):
            # If the shape was inferred from the first data, later data may differ as far as the layers allow.
            self._set_graph(LayerGraph(layer.output, layer.output, strict=layer in self._stack))
            return
        if self._graph is None:
            self.built = False
            return
        with scope(self._enclosing_scope(), self._origin):
            output = layer(self._graph.flat_outputs[0])
        if len(tree.flatten(output)) != 1:
            raise ArgumentError("a layer of a Sequential has one output", layer=layer.name)
        self._set_graph(LayerGraph(self._graph.inputs, output, self._graph.strict))

    def _rebuild(self) -> None:
        for layer in self._stack:
            self._grow(layer)

    def build(self, input_shape: Any = None) -> None:
        """Creates the weights, for inputs of a shape.

        Args:
            input_shape: Tuple of integers and None, batch included.
        """
        if self._graph is not None or not self._stack or input_shape is None:
            return
        below = self._stack[0]
        inner = below._graph.flat_inputs[0].dtype if isinstance(below, Model) and below._graph is not None else None
        dtype = inner if inner == dtypes.string.name else below._input_dtype
        first = InputLayer(batch_shape=tuple(input_shape), dtype=dtype, name=auto_name("input_layer"))
        self._grow(first)
        self._rebuild()
        self._count_graph()

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The output of the last layer."""
        if self._graph is None:
            raise StateError(f"{self.name!r} has no layers", hint="add some")
        return self._graph.run(inputs)

    @property
    def layers(self) -> list[Any]:
        """The layers, without the input layer."""
        return [layer for layer in self._stack if not isinstance(layer, InputLayer)]

    def get_build_config(self) -> dict[str, Any] | None:
        """The shape of the inputs; None if it is not known."""
        known = self._graph is not None and len(self._graph.flat_inputs) == 1
        return {"input_shape": self._graph.flat_inputs[0].shape} if known and self._graph is not None else None

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal model."""
        config = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": serialize_keras_object(self.dtype_policy),
            "layers": [serialize_keras_object(layer) for layer in self._all_layers()],
        }
        if self._graph is not None and len(self._graph.flat_inputs) == 1:
            config["build_input_shape"] = self._graph.flat_inputs[0].shape
        return config

    def _all_layers(self) -> list[Any]:
        """The layers, with the input layer if the shapes are known."""
        if self._graph is None or (self._stack and isinstance(self._stack[0], InputLayer)):
            return self._stack
        first = self._graph.flat_inputs[0].node
        return [first.operation, *self._stack] if first is not None else self._stack

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Creates a model from a configuration that `get_config` returned."""
        model = cls(name=config.get("name"), trainable=config.get("trainable", True))
        for part in config["layers"]:
            layer, built = (
                deserialize_keras_object({**part, "build_config": None}, custom_objects),
                part.get("build_config"),
            )
            # The others are built for the shape of the model, of which that of the layer may be one batch only.
            if built and type(layer).build_from_config is not Layer.build_from_config:
                layer.build_from_config(built)
            model.add(layer)
        shape = config.get("build_input_shape")
        if model._graph is None and shape is not None:
            model.build(tuple(shape))
        return model
