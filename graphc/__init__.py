"""graphc: a graph compiler with a front end that is source-compatible with Keras 3."""

from typing import TYPE_CHECKING

from graphc import config, lazy

if TYPE_CHECKING:
    from graphc import (
        activations,
        applications,
        backend,
        callbacks,
        checkpoint,
        constraints,
        data,
        datasets,
        dtype_policies,
        errors,
        estimators,
        initializers,
        inspect,
        layers,
        legacy,
        losses,
        metrics,
        mixed_precision,
        models,
        ops,
        optimizers,
        preprocessing,
        random,
        regularizers,
        saving,
        tree,
        utils,
        visualization,
        wrappers,
    )
    from graphc.dtype_policies import DTypePolicy, FloatDTypePolicy
    from graphc.initializers import Initializer
    from graphc.layers import Input, InputSpec, Layer
    from graphc.layers.rematerialization import RematScope
    from graphc.losses import Loss
    from graphc.metrics import Metric
    from graphc.models import Functional, Model, Sequential
    from graphc.models.function import Function
    from graphc.ops.custom import primitive
    from graphc.ops.gradients import remat
    from graphc.optimizers import Optimizer
    from graphc.regularizers import Regularizer
    from graphc.tracing import KerasTensor, Operation, Tensor, Variable
    from graphc.tracing.state import StatelessScope, SymbolicScope
    from graphc.transforms.function import function
    from graphc.transforms.gradients import grad, hessian, jacobian, jvp, value_and_grad, vjp
    from graphc.transforms.tape import GradientTape
    from graphc.utils.scopes import device, name_scope

# What is imported when it is first used; the block above tells the same to type checkers.
_SUBMODULES = (
    *(
        "activations",
        "applications",
        "backend",
        "callbacks",
        "checkpoint",
        "constraints",
        "data",
        "datasets",
        "dtype_policies",
        "errors",
        "estimators",
        "initializers",
        "inspect",
    ),
    *(
        "layers",
        "legacy",
        "losses",
        "metrics",
        "mixed_precision",
        "models",
        "ops",
        "optimizers",
        "preprocessing",
        "random",
    ),
    *("regularizers", "saving", "tree", "utils", "visualization", "wrappers"),
)
_MEMBERS = {
    **dict.fromkeys(("DTypePolicy", "FloatDTypePolicy"), "graphc.dtype_policies"),
    "Initializer": "graphc.initializers",
    # Where initializers are known, too: `Variable("zeros", shape=...)` names one.
    "Variable": "graphc.layers.weights",
    **dict.fromkeys(("Input", "InputSpec", "Layer"), "graphc.layers"),
    "Loss": "graphc.losses",
    "Metric": "graphc.metrics",
    **dict.fromkeys(("Functional", "Model", "Sequential"), "graphc.models"),
    "Optimizer": "graphc.optimizers",
    "Regularizer": "graphc.regularizers",
    **dict.fromkeys(("KerasTensor", "Operation", "Tensor"), "graphc.tracing"),
    "primitive": "graphc.ops.custom",
    "remat": "graphc.ops.gradients",
    **dict.fromkeys(("StatelessScope", "SymbolicScope"), "graphc.tracing.state"),
    "RematScope": "graphc.layers.rematerialization",
    "Function": "graphc.models.function",
    **dict.fromkeys(("grad", "hessian", "jacobian", "jvp", "value_and_grad", "vjp"), "graphc.transforms.gradients"),
    "GradientTape": "graphc.transforms.tape",
    "function": "graphc.transforms.function",
    **dict.fromkeys(("device", "name_scope"), "graphc.utils.scopes"),
}
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy.attributes(__name__, _SUBMODULES, _MEMBERS)

__version__ = "0.1.0"


def version() -> str:
    """The version of graphc."""
    return __version__


__all__ = [
    "DTypePolicy",
    "FloatDTypePolicy",
    "Function",
    "Functional",
    "GradientTape",
    "Initializer",
    "Input",
    "InputSpec",
    "KerasTensor",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Operation",
    "Optimizer",
    "Regularizer",
    "RematScope",
    "Sequential",
    "StatelessScope",
    "SymbolicScope",
    "Tensor",
    "Variable",
    "activations",
    "applications",
    "backend",
    "callbacks",
    "checkpoint",
    "config",
    "constraints",
    "data",
    "datasets",
    "device",
    "dtype_policies",
    "errors",
    "estimators",
    "function",
    "grad",
    "hessian",
    "initializers",
    "inspect",
    "jacobian",
    "jvp",
    "layers",
    "legacy",
    "losses",
    "metrics",
    "mixed_precision",
    "models",
    "name_scope",
    "ops",
    "optimizers",
    "preprocessing",
    "primitive",
    "random",
    "regularizers",
    "remat",
    "saving",
    "tree",
    "utils",
    "value_and_grad",
    "version",
    "visualization",
    "vjp",
    "wrappers",
]
