"""Writes the end of `docs/keras-compatibility.md`: every public name of Keras, and what it is here.

    python -m tests.support.names_table

A name is the same if graphc has it with Keras's parameters, in their order; what it computes is compared by the tests.
"""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import graphc

os.environ.setdefault("KERAS_BACKEND", "jax")
PAGE = Path(__file__).parents[2] / "docs" / "keras-compatibility.md"
MARK = "<!-- What follows is written by tests/support/names_table.py. -->\n"
_NO_METHODS = "weights of 8 bits and less are not supported: `quantize` says so"
_FRAMEWORK = "a layer of another framework"
_DEVICES = "models run on one device"
# Why a name is absent: the longest beginning that fits.
ABSENT = {
    "quantizers": _NO_METHODS,
    "Quantizer": _NO_METHODS,
    "dtype_policies.AWQDTypePolicy": _NO_METHODS,
    "dtype_policies.GPTQDTypePolicy": _NO_METHODS,
    "dtype_policies.Int4DTypePolicy": _NO_METHODS,
    "dtype_policies.Quantized": _NO_METHODS,
    "distribution": _DEVICES,
    "distillation": "not yet: a `train_step` of your own does it",
    "callbacks.OrbaxCheckpoint": "checkpoints of another framework",
    "export.ExportArchive": "TensorFlow's SavedModel is a format of another framework",
    "layers.FlaxLayer": _FRAMEWORK,
    "layers.JaxLayer": _FRAMEWORK,
    "layers.TFSMLayer": _FRAMEWORK,
    "layers.TorchModuleWrapper": _FRAMEWORK,
}
# How a name that is there differs; the sections above say more.
DIFFERS = {
    "KerasTensor": "sparse and ragged tensors are refused",
    "layers.Dense": "`lora_rank` and `quantization_config` are refused",
    "layers.EinsumDense": "`lora_rank` and `quantization_config` are refused",
    "layers.Embedding": "`lora_rank` and `quantization_config` are refused; indices below 0 are errors",
    "layers.LayerNormalization": "`rms_scaling=True` is refused: `RMSNormalization`",
    "layers.BatchNormalization": "`synchronized=True` is refused",
    "layers.Lambda": "it is not written to files",
    "layers.TextVectorization": "`ragged` and `sparse` are refused; models pad texts to the longest of the data",
    "layers.StringLookup": "`sparse` is refused",
    "layers.IntegerLookup": "`sparse` is refused",
    "layers.Hashing": "`sparse` is refused",
    "layers.HashedCrossing": "`sparse` is refused",
    "layers.CategoryEncoding": "`sparse` is refused",
    "layers.Discretization": "`sparse` is refused",
    "layers.Normalization": "`set_weights` changes what it computes",
    "callbacks.TensorBoard": "no profiles, and no embeddings",
    "callbacks.SwapEMAWeights": "the averages end up in the model also when training stops early",
    "callbacks.BackupAndRestore": "the optimizer's variables are kept, too",
    "random.uniform": "dtypes of integers are drawn, too",
    "utils.plot_model": "without Graphviz, a layout of graphc's own",
    "utils.model_to_dot": "it returns an object of graphc's with pydot's `create`, `write` and `to_string`",
    "utils.normalize": "`axis=0` divides by the norms of columns",
    "utils.get_file": "archives with paths outside of their folder are refused",
    "utils.image_dataset_from_directory": "it returns a `graphc.data.Dataset`",
    "utils.text_dataset_from_directory": "it returns a `graphc.data.Dataset`",
    "utils.audio_dataset_from_directory": "it returns a `graphc.data.Dataset`, and does not resample",
    "utils.timeseries_dataset_from_array": "it returns a `graphc.data.Dataset`",
    "models.load_model": "code in files is never run",
    "saving.load_model": "code in files is never run",
    "losses.Huber": "`delta` is in configurations",
    "losses.CosineSimilarity": "`axis` is in configurations",
    "activations.sparsemax": "the projection onto the simplex",
    "ops.sparsemax": "the projection onto the simplex",
    "ops.saturate_cast": "floats reach the ends of the range of integers",
    "ops.fold": "it returns the `output_size` that was asked for",
    "ops.argpartition": "all elements are in their places",
    "ops.segment_prod": "it has a gradient",
    "ops.image.gaussian_blur": "without a data format, the configured one",
    "ops.eig": "gradients of the eigenvalues",
    "tree.map_structure_up_to": "None may be a leaf of the shallow structure",
}


def names(module: ModuleType, path: str = "", depth: int = 3) -> Iterator[tuple[str, Any]]:
    """The public names of Keras, with what they are: functions and classes."""
    for name, value in sorted(vars(module).items()):
        if name.startswith("_") or name in ("src", "api"):
            continue
        if inspect.ismodule(value) and value.__name__.startswith("keras.") and depth:
            yield from names(value, f"{path}{name}.", depth - 1)
        elif (callable(value) and not inspect.ismodule(value)) and getattr(value, "__module__", "").startswith("keras"):
            yield f"{path}{name}", value


def counterpart(path: str) -> Any:
    """What graphc has under a name; None if it has nothing."""
    found: Any = graphc
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


def parameters(value: Any) -> list[str] | None:
    """The names of the parameters, in order; None where they are not known."""
    try:
        found = inspect.signature(value.__init__ if inspect.isclass(value) else value).parameters.values()
    except (TypeError, ValueError):
        return None
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in found if p.kind not in kinds and p.name not in ("self", "/")]


def described(path: str, theirs: Any) -> tuple[str, str]:
    """Whether a name is the `"same"`, `"differs"` or is `"absent"`, and how or why."""
    ours = counterpart(path)
    if ours is None:
        fits = [start for start in ABSENT if path.startswith(start)]
        if not fits:
            raise LookupError(f"it is not said why {path} is absent")
        return "absent", ABSENT[max(fits, key=len)]
    if path in DIFFERS:
        return "differs", DIFFERS[path]
    wanted, found = parameters(theirs), parameters(ours)
    if wanted is not None and found is not None and [name for name in found if name in wanted] != wanted:
        return "differs", f"parameters: {', '.join(found) or 'none'}"
    return "same", ""


def table() -> str:
    """The generated part of the page."""
    keras = importlib.import_module("keras")
    groups: dict[str, dict[str, list[tuple[str, str]]]] = {}
    for path, value in names(keras):
        area, _, name = path.rpartition(".")
        status, note = described(path, value)
        groups.setdefault(area, {}).setdefault(status, []).append((name, note))
    counts = {status: sum(len(group.get(status, ())) for group in groups.values()) for status in _STATUSES}
    lines = [
        MARK,
        "## Names",
        "",
        f"Of Keras {keras.__version__}'s public names {counts['same']} are the same, {counts['differs']} differ and"
        f" {counts['absent']} are absent.",
    ]
    for area, group in sorted(groups.items()):
        lines += ["", f"### keras{'.' if area else ''}{area}", ""]
        if "same" in group:
            lines.append("Same: " + ", ".join(f"`{name}`" for name, _ in group["same"]) + ".")
        for status in _STATUSES[1:]:
            lines += [f"- `{name}` {status}: {note}." for name, note in group.get(status, ())]
    return "\n".join(lines) + "\n"


_STATUSES = ("same", "differs", "absent")


def page() -> str:
    """The whole page, as it is and with the generated part of now."""
    return PAGE.read_text().partition(MARK)[0].rstrip() + "\n\n" + table()


if __name__ == "__main__":
    PAGE.write_text(page())
