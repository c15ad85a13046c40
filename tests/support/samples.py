"""Graphs that several tests look at: a training step, awkward attributes, names that want to be code."""

from __future__ import annotations

import numpy as np

import graphc.primitives  # noqa: F401  (registers them)
from graphc import dims, dtypes
from graphc.autodiff import grad
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.types import Array, Attrs, Node, Origin, Ref, TensorType

FLOAT = dtypes.float32
# Names that break what does not escape them.
AWKWARD = (
    'quote " and back \\ slash',
    "<b>&amp;</b>]]>",
    "two\nlines # not a comment",
    "tab\t, comma: 12, %3 = exp",
    "\u202eright to left\u0000\ud800",
    "名前 é",
    "{} () ; -> n0",
    "?",
    " ",
)


def training_step() -> Graph:
    """A dense layer with loss, gradient and momentum."""
    builder, batch = Builder({"B": (1, 1024)}), dims.size("B")
    x = builder.input("x", TensorType((batch, 8), FLOAT))
    y = builder.input("y", TensorType((batch, 3), FLOAT))
    with builder.located((Origin("sequential/dense", "train.py", 7),)):
        kernel = builder.state("dense/kernel", TensorType((8, 3), FLOAT))
        bias = builder.state("dense/bias", TensorType((3,), FLOAT))
        axes = {"lhs_batch": (), "rhs_batch": (), "lhs_contract": (1,), "rhs_contract": (0,)}
        out = builder.apply("contract", x, kernel, **axes)
        out = builder.apply("add", out, builder.broadcast(bias, out.shape, (1,)))
    with builder.located((Origin("loss", "train.py", 9),)):
        miss = builder.apply("sub", out, y)
        total = builder.apply("sum", builder.apply("mul", miss, miss), axes=(0, 1))
        loss = builder.apply("div", total, builder.size(batch * 3, FLOAT))
    with builder.located((Origin("sgd", "train.py", 10),)):
        for state, gradient in zip((kernel, bias), grad(loss, [kernel, bias]), strict=True):
            descend(builder, state, gradient)
    return builder.finish([loss, out])


def descend(builder: Builder, state: Value, gradient: Value) -> None:
    """A step of gradient descent with momentum."""
    name = builder.node(state.ref).attrs["name"]
    speed = builder.state(f"sgd/{name}", state.type)
    faster = builder.apply("add", builder.apply("mul", speed, builder.full(0.9, state.shape, FLOAT)), gradient)
    builder.update(speed, faster)
    step = builder.apply("mul", faster, builder.full(0.01, state.shape, FLOAT))
    builder.update(state, builder.apply("sub", state, step))


def recurrence() -> Graph:
    """A scan, and one in its body."""
    builder, time = Builder({"T": (1, 64)}), dims.size("T")
    element = TensorType((2,), FLOAT)
    inner = Builder({"T": (1, 64)})
    s0, x0 = inner.input("s0", element), inner.input("x0", element)
    with inner.located((Origin("rnn", "model.py", 3),)):
        added = inner.apply("add", s0, x0)
    once = inner.finish([added, added])
    outer = Builder({"T": (1, 64)})
    c0, s0, x0 = outer.input("c0", TensorType((time, 2), FLOAT)), outer.input("s0", element), outer.input("x0", element)
    counts = {"constants": 0, "carries": 1, "xs": 1, "length": time, "reverse": True}
    last = outer.apply_many("scan", outer.apply("mul", s0, x0), c0, body=once, **counts)[0]
    xs, start = builder.input("xs", TensorType((time, 2), FLOAT)), builder.input("start", element)
    counts |= {"constants": 1, "reverse": False}
    body = outer.finish([last])
    first = builder.apply_many("scan", xs, start, xs, body=body, **counts)
    again = builder.apply_many("scan", xs, first[0], xs, body=body, **counts)
    return builder.finish([*first, *again])


def awkward() -> Graph:
    """Every kind of attribute and many bad names, in operations that need not exist: texts and pictures do not mind."""
    batch = dims.size("B")
    values: list[object] = [
        None,
        True,
        False,
        0,
        1,
        -3,
        2**70,
        0.0,
        -0.0,
        1.0,
        -1e-300,
        1e22,
        0.1,
        float("nan"),
        float("inf"),
        float("-inf"),
        1 + 2j,
        -0.0 - 0.0j,
        complex(float("nan"), -0.0),
        complex(float("-inf"), 1e-300),
        "",
        *AWKWARD,
        batch,
        batch * 2 + 1,
        dims.floordiv(batch * batch - 1, 3) * 2 - dims.mod(batch, 5),
        dims.size("none"),
        dims.size("float32"),
        dims.size("nan"),
        dims.size("complex"),
        dtypes.bfloat16,
        (),
        (1,),
        (1, (2.0, ("x", (None,))), batch),
        Array.of(np.float32([1.5, -0.0, np.inf, np.nan])),
        Array.of(np.frombuffer(b"\x01\x00\xc0\x7f", np.float32)),
        Array.of(np.array([complex(0.1, -0.0), complex(np.nan, np.inf)], np.complex64)),
        Array.of(np.array([1e300 - 1e-300j] * 3)),
        Array.of(np.asarray(0.1 - 2j, np.complex64)),
        Array.of(np.arange(6, dtype=np.int8).reshape(2, 3)),
        Array.of(np.random.default_rng(0).normal(size=(5, 7))),
        Array.of(np.zeros((0, 3), np.float16)),
        Array.of(np.asarray([True, False])),
        Array.of(np.asarray(2**64 - 1, np.uint64)),
        Array.of(np.asarray(0.1, dtypes.bfloat16.numpy)),
        recurrence(),
    ]
    locs = [(Origin(name, "f.py", 1), Origin("", name, 0), Origin(name), Origin("", "", 5)) for name in AWKWARD]
    nodes = [Node(0, "input", Attrs({"name": AWKWARD[0], "shape": (batch,), "dtype": FLOAT}), (), (_type(batch),))]
    nodes.append(Node(2, "state", Attrs({"name": AWKWARD[1], "shape": (2, 3), "dtype": FLOAT}), (), (_type(2, 3),)))
    nodes.append(Node(3, "input", Attrs({"name": "odd"}), (), (_type(2), _type())))
    for position, value in enumerate(values):
        id = 10 + 3 * position
        loc = (Origin(),) if position == 3 else locs[position % len(locs)]
        outs = (_type(batch + 1), _type(), TensorType((2 * batch, 3), dtypes.int64))[: 1 + position % 3]
        nodes.append(Node(id, "odd_op", Attrs({"value": value, "b": (value, 1)}), (Ref(0), Ref(3, 1)), outs, loc))
        if isinstance(value, Array):
            nodes.append(Node(id + 1, "constant", Attrs({"value": value}), (), (TensorType(value.shape, value.dtype),)))
    symbols = {"B": (1, 9), "none": (1, 1), "float32": (2, 3), "nan": (1, 2), "complex": (1, 2)}
    return Graph(nodes, [Ref(10), Ref(3, 1), Ref(10)], {2: Ref(2)}, symbols)


def _type(*shape: dims.Dim) -> TensorType:
    return TensorType(shape, FLOAT)


def locations(graph: Graph) -> list[object]:
    """The origins of all nodes, those in bodies included, which graphs do not compare."""
    found: list[object] = []
    for node in graph.table.values():
        found.append(node.loc)
        for attr in node.attrs.values():
            if isinstance(attr, Graph):
                found.append(locations(attr))
    return found
