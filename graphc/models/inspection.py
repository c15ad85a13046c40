"""Inspection of a model's programs: their graphs at every stage, and their memory before they run."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import tree
from graphc.errors import ArgumentError, StateError
from graphc.graph.core import Graph
from graphc.models.data import DataSpec, arrays_of
from graphc.models.fitting import Fitting
from graphc.models.outputs import Outputs
from graphc.models.program import SAMPLES, VISITS, Compiled
from graphc.models.state_trees import StateTrees
from graphc.tracing import BATCH, Variable, describe, user_line

MODES = ("train", "test", "predict")


class Inspectable(Fitting, StateTrees):
    """The methods of a model that inspect its programs and its state."""

    input: Any
    output: Any

    def graph(self, stage: str = "final", mode: str | None = None) -> Graph:
        """Returns the graph of one of the model's programs, a networkx graph.

        Args:
            stage: `"traced"` (a step of training before its first gradient), `"initial"` (the whole step), the name of
                a pass (the graph after it), or `"final"` (after all passes).
            mode: `"train"`, `"test"` or `"predict"`. None: `"train"` for a model that is compiled, else `"predict"`.

        Raises:
            ArgumentError: if there is no such stage or mode.
            StateError: if the program does not exist: the model has not run, and its inputs have unknown shapes.

        Example:

        >>> from graphc import Input, Sequential, layers
        >>> model = Sequential([Input((4,)), layers.Dense(3)])
        >>> [node.op for node in model.graph().of_op("contract")]
        ['contract']
        """
        stages = self._inspected(mode).executable.compilation.stages
        if stage == "final":
            return next(reversed(stages.values()))
        if stage not in stages:
            raise ArgumentError("there is no such stage", got=repr(stage), expected=", ".join([*stages, "final"]))
        return stages[stage]

    def memory_report(
        self, batch_size: int = 32, samples: int | None = None, mode: str | None = None
    ) -> dict[str, int]:
        """Returns the bytes that a run of one of the model's programs takes, before anything runs.

        Args:
            batch_size: Samples in a step.
            samples: Samples in the data set, which is in memory whole. None: one batch.
            mode: `"train"`, `"test"` or `"predict"`. None: `"train"` for a model that is compiled, else `"predict"`.

        Returns:
            Bytes by role: `"input"` (the data), `"state"` (weights, moments, metrics), `"constant"`, `"output"`,
            `"arena"` (all temporaries), and `"total"`.

        Raises:
            ArgumentError: on the interpreter, which does not plan its memory.

        Example:

        >>> from graphc import Input, Sequential, backend, layers
        >>> model = Sequential([Input((4,)), layers.Dense(3)])
        >>> with backend("cpu"):
        ...     model.memory_report(batch_size=10)["output"]
        120
        """
        sizes = {BATCH: batch_size, SAMPLES: samples or batch_size, VISITS: samples or batch_size}
        report = self._inspected(mode).executable.memory(sizes)
        return report | {"total": sum(report.values())}

    def _variables_by_kind(self) -> dict[str, list[Variable]]:
        return {
            "trainable_variables": self.trainable_variables,
            "non_trainable_variables": self.non_trainable_variables,
            "optimizer_variables": list(self.optimizer.variables) if self.compiled and self.optimizer else [],
            "metrics_variables": self.metrics_variables,
        }

    def _inspected(self, mode: str | None) -> Compiled:
        """The program of a mode: the one that ran last, else one for data of the shapes of the model's inputs."""
        chosen = mode or ("train" if self.compiled else "predict")
        if chosen not in MODES:
            raise ArgumentError("there is no such mode", got=repr(mode), expected=", ".join(MODES))
        for program in reversed(self.made_programs):
            if program.mode == chosen and isinstance(program, Compiled):
                return program
        if chosen != "predict":
            self._require_compiled("graph")
        found = self.program(chosen, self._spec_of_inputs(chosen))
        if not isinstance(found, Compiled):
            raise StateError("a model that runs eagerly has no graphs", hint="compile it without run_eagerly=True")
        return found

    def _spec_of_inputs(self, mode: str) -> DataSpec:
        """The spec of data that fit the model's inputs and losses."""
        inputs, outputs = getattr(self, "inputs", None), getattr(self, "outputs", None)
        parts = [*tree.flatten(inputs), *tree.flatten(outputs)] if inputs and outputs else []
        if not parts or any(size is None for part in parts for size in part.shape[1:]):
            raise StateError(
                "the model's data are not known yet",
                layer=self.name,
                where=describe(user_line()),
                hint="give its inputs whole shapes, or call fit, evaluate or predict first",
            )

        def sample(shape: tuple[Any, ...], dtype: str) -> Any:
            return np.zeros((1, *shape[1:]), dtype)

        x = tree.map_structure(lambda part: sample(part.shape, part.dtype), self.input)
        if mode == "predict":
            return arrays_of(x).spec
        outputs = Outputs(self.output, self._output_names)
        sparse = self._compile_loss.classes(outputs) if self._compile_loss is not None else {}
        y = [
            sample(part.shape[:-1], "int32") if index in sparse else sample(part.shape, "float32")
            for index, part in enumerate(outputs.leaves)
        ]
        return arrays_of(x, tree.pack_sequence_as(self.output, y)).spec
