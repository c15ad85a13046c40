"""Elementwise operations, reductions, operations on shapes, products and layers' operations beside Keras's."""

from __future__ import annotations

from tests.support.keras_calls import ALL, FLOATS, HALVES, INF, INTEGERS, NAN, NUMBERS, Call, Of, named, with_

INSIDE = Of((3, 4), 0.1, 0.9)
ABOVE = Of((3, 4), 1.1, 3)
AXES = ({"axis": None}, {"axis": 0}, {"axis": (0, -1)}, {"axis": -1, "keepdims": True})
ROWS = (Of((2, 3, 4)),)

ELEMENTWISE: dict[str, Call] = {
    **named("abs absolute negative square sign reciprocal", Of((3, 4), 1, 3)),
    **named("cos sin tan cosh sinh tanh arctan arcsinh exp exp2 expm1 erf erfc deg2rad rad2deg cbrt", Of()),
    **named("arccos arcsin arctanh log log2 log10 log1p sqrt rsqrt erfinv", INSIDE, dtypes=FLOATS),
    **named("arccosh", ABOVE),
    **named("floor ceil trunc isfinite isinf isnan isreal logical_not", Of((3, 4), special=(INF, -INF, NAN, 0.5))),
    **named("conj conjugate real imag angle", Of()),
    **with_("round", {}, {"decimals": 1}, {"decimals": 2}, dtypes=("float32", *INTEGERS)),
    **with_("nan_to_num", {}, {"nan": 1.0, "posinf": 2.0, "neginf": -2.0}, on=(Of((3, 4), special=(INF, -INF, NAN)),)),
    **named("add subtract multiply maximum minimum", Of(), Of((4,))),
    **named("divide true_divide divide_no_nan floor_divide mod", Of(), Of((3, 1), 1, 3), dtypes=NUMBERS),
    **named("power", Of((3, 4), 1, 2), Of((4,), 0, 3)),
    **named("arctan2 hypot logaddexp", Of(), Of((4,), 0.5, 2)),
    **named("equal not_equal less less_equal greater greater_equal", Of((3, 4), 0, 2), Of((4,), 0, 2)),
    **named("logical_and logical_or logical_xor", Of(), Of((4,))),
    **named("bitwise_and bitwise_or bitwise_xor", Of((3, 4), 0, 9), Of((4,), 0, 9), dtypes=(*INTEGERS, "bool")),
    **named("bitwise_not bitwise_invert", Of((3, 4), 0, 9), dtypes=(*INTEGERS, "bool")),
    **named(
        "left_shift right_shift bitwise_left_shift bitwise_right_shift",
        Of((3, 4), 0, 9),
        Of((4,), 0, 4),
        dtypes=INTEGERS,
    ),
    "where": Call(lambda o, c, x, y: o.where(c, x, y), (Of(dtype="bool"), Of(), Of((4,)))),
    "where of numbers": Call(lambda o, c, x: o.where(c, x, 2.5), (Of(dtype="bool"), Of())),
    **with_("clip", {"x_min": -1, "x_max": 1.5}, {"x_min": 0.5, "x_max": 2}, dtypes=("float32", *HALVES)),
    **{f"cast to {d}": Call(lambda o, x, d=d: o.cast(x, d), (Of((9,), -9, 99),)) for d in ALL},
}
ACTIVATIONS: dict[str, Call] = {
    **named(
        "celu elu gelu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu log_sigmoid relu relu6 selu "
        "sigmoid silu swish soft_shrink softplus softsign sparse_plus sparse_sigmoid squareplus tanh_shrink glu",
        Of((3, 4), -4, 4),
        dtypes=FLOATS,
    ),
    **with_("celu", {"alpha": 0.5}, dtypes=FLOATS),
    **with_("elu", {"alpha": 0.5}, dtypes=FLOATS),
    **with_("gelu", {"approximate": False}, dtypes=FLOATS),
    **with_("glu", {"axis": 0}, on=(Of((4, 3)),), dtypes=FLOATS),
    **with_("hard_shrink", {"threshold": 1.5}, dtypes=FLOATS),
    **with_("soft_shrink", {"threshold": 1.5}, dtypes=FLOATS),
    **with_("squareplus", {"b": 2}, dtypes=FLOATS),
    **with_("leaky_relu", {"negative_slope": 0.3}, dtypes=FLOATS),
    **with_("threshold", {"threshold": 0.5, "default_value": -7.0}, dtypes=FLOATS),
    **with_("softmax", {}, {"axis": 0}, {"axis": (0, 1)}, on=ROWS, dtypes=FLOATS),
    **with_("log_softmax", {}, {"axis": 0}, {"axis": 1}, on=ROWS, dtypes=FLOATS),
}
REDUCTIONS: dict[str, Call] = {
    **{
        key: call
        for name in ("sum", "mean", "max", "min", "amax", "amin", "std", "var", "ptp", "any", "all")
        for key, call in with_(name, *AXES, on=ROWS).items()
    },
    **with_("prod", *AXES, on=(Of((2, 3, 2), 0.5, 1.5),)),
    **with_("prod", {"axis": 1, "dtype": "float32"}, on=(Of((2, 3), 0.5, 1.5),)),
    **with_("max", {"axis": 1, "initial": 2.0}, on=ROWS, dtypes=FLOATS),
    **with_("min", {"initial": -2.0}, on=ROWS, dtypes=FLOATS),
    **with_("logsumexp", *AXES, on=ROWS, dtypes=FLOATS),
    **with_("argmax", {}, {"axis": 1}, {"axis": -1, "keepdims": True}, on=ROWS),
    **with_("argmin", {}, {"axis": 0}, {"axis": -1, "keepdims": True}, on=ROWS),
    **with_("count_nonzero", {}, {"axis": 1}, {"axis": (0, 2)}, on=(Of((2, 3, 4), 0, 2),)),
    "average": Call(lambda o, x, w: o.average(x, axis=1, weights=w), (Of(), Of((3, 4), 0.5, 2))),
    "average along an axis": Call(lambda o, x, w: o.average(x, axis=-1, weights=w), (Of(), Of((4,), 0.5, 2))),
    **with_("norm", {}, {"ord": 1, "axis": 0}, {"ord": 3, "axis": 1, "keepdims": True}, {"ord": INF, "axis": 1}),
    **with_("norm", {"ord": "fro"}, {"ord": -1}, {"ord": INF}, {"ord": 0, "axis": 0}, {"ord": -INF, "axis": 1}),
}
SHAPES: dict[str, Call] = {
    **named("ravel transpose copy ones_like zeros_like stop_gradient", Of((2, 3))),
    **with_("transpose", {"axes": (2, 0, 1)}, {"axes": (0, -1, 1)}, on=ROWS),
    **with_("flip", {}, {"axis": 1}, {"axis": (0, 2)}, on=ROWS),
    **with_("sort", {}, {"axis": 0}, {"axis": None}, on=ROWS),
    **with_("argsort", {}, {"axis": 1}, {"axis": None}, on=ROWS, slopes=False),
    **with_("reshape", {"newshape": (4, -1)}, {"newshape": -1}, {"newshape": (2, 1, 12)}, on=ROWS),
    **with_("expand_dims", {"axis": 0}, {"axis": (0, -1)}, {"axis": -2}),
    **with_("squeeze", {}, {"axis": 0}, {"axis": (0, -1)}, on=(Of((1, 3, 1)),)),
    **with_("broadcast_to", {"shape": (2, 3, 4)}, {"shape": (3, 4)}, on=(Of((3, 1)),)),
    **with_("moveaxis", {"source": 0, "destination": -1}, {"source": (0, 1), "destination": (2, 0)}, on=ROWS),
    **with_("swapaxes", {"axis1": 0, "axis2": -1}, on=ROWS),
    **with_("repeat", {"repeats": 2}, {"repeats": 3, "axis": 1}, {"repeats": [1, 0, 2], "axis": 1}, on=ROWS),
    **with_("tile", {"repeats": 2}, {"repeats": (2, 1, 3)}, {"repeats": (2, 1, 1, 2)}, on=ROWS),
    **with_("roll", {"shift": 2}, {"shift": -1, "axis": 1}, {"shift": (1, 2), "axis": (0, 2)}, on=ROWS),
    **with_("pad", {"pad_width": 1}, {"pad_width": ((1, 0), (0, 2))}, {"pad_width": (1, 2), "constant_values": 1}),
    **with_("pad", *({"pad_width": ((1, 2), (0, 1)), "mode": m} for m in ("reflect", "symmetric", "edge"))),
    **with_("tril", {}, {"k": 1}, {"k": -1}, on=ROWS),
    **with_("triu", {}, {"k": 1}, {"k": -1}, on=ROWS),
    **with_("split", {"indices_or_sections": 2, "axis": -1}, {"indices_or_sections": [1, 2], "axis": 1}, on=ROWS),
    **with_("unstack", {}, {"axis": 1}, on=ROWS),
    "concatenate": Call(lambda o, x, y: o.concatenate([x, y], axis=1), (Of((2, 3)), Of((2, 1), dtype="float32"))),
    "stack": Call(lambda o, x, y: o.stack([x, y], axis=-1), (Of((2, 3)), Of((2, 3)))),
    "get_item": Call(lambda o, x: o.get_item(x, (slice(1, None), None, -1)), ROWS),
    **with_("full_like", {"fill_value": 3}),
    "take": Call(lambda o, x, i: o.take(x, i, axis=1), (Of(), Of((2, 2), -4, 3, "int32"))),
    "take of all": Call(lambda o, x, i: o.take(x, i), (Of(), Of((5,), -12, 11, "int32"))),
    "take_along_axis": Call(lambda o, x, i: o.take_along_axis(x, i, axis=1), (Of(), Of((3, 2), -4, 3, "int32"))),
    "scatter": Call(lambda o, v: o.scatter([[0], [2], [0]], v, (4, 3)), (Of((3, 3)),), (*FLOATS, "int32")),
    **{
        f"scatter_update {r}": Call(
            lambda o, x, u, r=r: o.scatter_update(x, [[0, 1], [2, 0]], u, reduction=r),
            (Of((3, 2), 1, 3), Of((2,), 1, 3)),
            slopes=r != "mul",  # JAX has none of products
        )
        for r in (None, "add", "max", "min", "mul")
    },
    "slice": Call(lambda o, x: o.slice(x, (1, 0), (2, 3)), (Of((4, 5)),)),
    "slice_update": Call(lambda o, x, u: o.slice_update(x, (1, 2), u), (Of((4, 5)), Of((2, 2)))),
    "eye": Call(lambda o, x: x + o.cast(o.eye(3, 4, 1), x.dtype), dtypes=FLOATS),
    "tri": Call(lambda o, x: x + o.cast(o.tri(3, 4, -1), x.dtype), dtypes=FLOATS),
}
PRODUCTS: dict[str, Call] = {
    **named("matmul dot inner tensordot vdot outer", Of((3, 3)), Of((3, 3)), dtypes=NUMBERS),
    "matmul of batches": Call(lambda o, x, y: o.matmul(x, y), (Of((2, 1, 3, 4)), Of((5, 4, 2))), NUMBERS),
    "matmul of a vector": Call(lambda o, x, y: o.matmul(x, y), (Of((4,)), Of((2, 4, 3))), NUMBERS),
    "tensordot of axes": Call(lambda o, x, y: o.tensordot(x, y, axes=[[1, 2], [0, 1]]), (Of((2, 3, 4)), Of((3, 4)))),
    "einsum": Call(lambda o, x, y: o.einsum("bij,kj->bki", x, y), (Of((2, 3, 4)), Of((5, 4))), NUMBERS),
    "einsum of a diagonal": Call(lambda o, x: o.einsum("...ii->...", x), (Of((2, 3, 3)),), NUMBERS),
}
IMAGES = Of((2, 6, 7, 4))
LAYERS: dict[str, Call] = {
    **{
        f"conv {i}": Call(lambda o, x, w, given=given: o.conv(x, w, **given), (IMAGES, Of((3, 2, 4, 2))), FLOATS)
        for i, given in enumerate(({}, {"strides": 2, "padding": "same"}, {"dilation_rate": (1, 2), "padding": "same"}))
    },
    "conv of groups": Call(lambda o, x, w: o.conv(x, w), (IMAGES, Of((3, 2, 2, 6))), FLOATS),
    "conv of channels first": Call(
        lambda o, x, w: o.conv(x, w, data_format="channels_first"), (Of((2, 4, 6, 7)), Of((3, 2, 4, 2))), FLOATS
    ),
    **{
        f"conv_transpose {i}": Call(
            lambda o, x, w, given=given: o.conv_transpose(x, w, **given), (Of((2, 4, 5, 3)), Of((3, 2, 2, 3))), FLOATS
        )
        for i, given in enumerate(({}, {"strides": 2, "padding": "same"}, {"strides": (2, 3), "output_padding": 1}))
    },
    "depthwise_conv": Call(lambda o, x, w: o.depthwise_conv(x, w, 2, "same"), (IMAGES, Of((3, 3, 4, 2))), FLOATS),
    "separable_conv": Call(
        lambda o, x, d, p: o.separable_conv(x, d, p, 1, "valid"), (IMAGES, Of((2, 2, 4, 1)), Of((1, 1, 4, 3))), FLOATS
    ),
    **{
        f"{name} {i}": Call(lambda o, x, name=name, given=given: getattr(o, name)(x, **given), (IMAGES,), FLOATS)
        for name in ("max_pool", "average_pool")
        for i, given in enumerate(
            ({"pool_size": 2}, {"pool_size": (2, 3), "strides": 1, "padding": "same"}, {"pool_size": 3, "strides": 2})
        )
    },
    **with_("one_hot", {"num_classes": 4}, {"num_classes": 3, "axis": 0}, on=(Of((5,), -1, 4, "int32"),)),
    **with_("multi_hot", {"num_classes": 4}, on=(Of((3, 2), 0, 3, "int32"),)),
    **with_("moments", {"axes": [0]}, {"axes": [0, 2], "keepdims": True}, on=ROWS, dtypes=FLOATS),
    **with_("normalize", {}, {"axis": 0, "order": 1}, {"axis": 1, "order": 3}, dtypes=FLOATS),
    **with_("rms_normalization", {}, {"axis": 0, "epsilon": 0.1}, dtypes=FLOATS),
    **with_("layer_normalization", {}, {"axis": -1, "epsilon": 0.1}, dtypes=FLOATS),
    "batch_normalization": Call(
        lambda o, x, m, v, b, s: o.batch_normalization(x, m, v, -1, offset=b, scale=s),
        (Of((2, 3, 4)), Of((4,)), Of((4,), 0.5, 2), Of((4,)), Of((4,))),
        ("float32",),
    ),
    "categorical_crossentropy": Call(
        lambda o, y, t: o.categorical_crossentropy(o.softmax(t), y, from_logits=True), (Of(), Of()), FLOATS
    ),
    "sparse_categorical_crossentropy": Call(
        lambda o, y, t: o.sparse_categorical_crossentropy(t, y, from_logits=True),
        (Of(), Of((3,), 0, 3, "int32")),
        ("float32",),  # Keras rounds the logarithms of halves
    ),
    "binary_crossentropy": Call(lambda o, y, t: o.binary_crossentropy(t, y), (INSIDE, INSIDE), FLOATS),
    "dot_product_attention": Call(
        lambda o, q, k, v: o.dot_product_attention(q, k, v),
        (Of((2, 3, 2, 4)), Of((2, 5, 2, 4)), Of((2, 5, 2, 4))),
        ("float32", "bfloat16"),
    ),
}
BASIC: dict[str, dict[str, Call]] = {
    "elementwise": ELEMENTWISE,
    "activations": ACTIVATIONS,
    "reductions": REDUCTIONS,
    "shapes": SHAPES,
    "products": PRODUCTS,
    "layers": LAYERS,
}
