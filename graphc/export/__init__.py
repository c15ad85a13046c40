"""Export: what a model computes in inference, in a form that runs without graphc."""

from __future__ import annotations

import inspect
import os
from importlib import import_module
from types import MappingProxyType
from typing import Any

from graphc.errors import ArgumentError, CallError, UnsupportedError
from graphc.tracing import describe, user_line
from graphc.utils.messages import print_msg

# By format: the module and the function that writes it, imported when it is used.
_FORMATS = MappingProxyType(
    {
        "c": ("graphc.export.c", "export_c"),
        "onnx": ("graphc.export.onnx", "export_onnx"),
    }
)
# Keras's formats that are those of other frameworks.
_OTHERS = ("litert", "openvino", "tf_saved_model", "torch")


def export_model(
    model: Any, filepath: Any, format: str, verbose: bool | None, input_signature: Any, **kwargs: Any
) -> None:
    """Writes what a model computes in inference to a file: see `Model.export`."""
    if format not in _FORMATS:
        error = UnsupportedError if format in _OTHERS else ArgumentError
        raise error(
            "models are not exported in this format" if format in _OTHERS else "there is no such format",
            layer=model.name,
            where=describe(user_line()),
            got=f"format={format!r}",
            expected=", ".join(map(repr, _FORMATS)),
            hint="format='onnx', which other systems read" if format in _OTHERS else None,
        )
    module, function = _FORMATS[format]
    write = getattr(import_module(module), function)
    if input_signature is not None:
        kwargs["input_signature"] = input_signature
    parameters = inspect.signature(write).parameters.values()
    known = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    unknown = sorted(set(kwargs) - set(known))
    if unknown:
        raise CallError(
            f"the export as {format!r} takes no such argument", got=", ".join(unknown), expected=", ".join(known)
        )
    try:
        path = os.fspath(filepath)
    except TypeError:
        raise ArgumentError("this is no path", got=repr(filepath)[:80]) from None
    write(model, path, **kwargs)
    if verbose is None or verbose:
        print_msg(f"Saved artifact at '{path}'.")


__all__ = ["export_model"]
