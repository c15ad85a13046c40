"""Runs ONNX models by ONNX Runtime, to compare them with what was exported."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

OLDEST = 17


def _runs(opset: int) -> bool:
    """Whether ONNX Runtime knows a version of the operators."""
    x, y = (onnx.helper.make_tensor_value_info(name, 1, [1]) for name in "xy")
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "relu", [x], [y])
    imports = [onnx.helper.make_opsetid("", opset)]
    version = onnx.helper.find_min_ir_version_for(imports)
    try:
        session(onnx.helper.make_model(graph, opset_imports=imports, ir_version=version).SerializeToString())
    except Exception:  # the package has classes of its own
        return False
    return True


def session(model: Any) -> Any:
    """A session for a model, by its path or its bytes."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run(session: Any, arrays: list[Any]) -> list[Any]:
    """The outputs for arrays, in the order of the inputs."""
    arrays = [array.astype(object) if array.dtype.kind == "U" else array for array in arrays]
    inputs = {x.name: array for x, array in zip(session.get_inputs(), arrays, strict=True)}
    return list(session.run(None, inputs))


def close(found: list[Any], expected: list[Any], rtol: float = 1e-5, atol: float = 2e-6) -> None:
    """Compares lists of arrays: dtypes, shapes and values."""
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_allclose(np.asarray(a, "float64"), np.asarray(b, "float64"), rtol, atol)


# The newest version of operators that both packages know.
NEWEST = next(opset for opset in range(onnx.defs.onnx_opset_version(), OLDEST, -1) if _runs(opset))
