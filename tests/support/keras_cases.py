"""Operations of NumPy's kind, and neural ones, that are called beside those of Keras."""

from __future__ import annotations

import numpy as np

from tests.support.keras_calls import ALL, FLOATS, INF, INTEGERS, NAN, NUMBERS, Call, Of, named, with_

AXES = ({"axis": None}, {"axis": 0}, {"axis": -1}, {"axis": 1, "keepdims": True}, {"axis": (0, 1), "keepdims": True})
GAPS = (Of((3, 4), special=(NAN, NAN, NAN)),)
ROWS = (Of((2, 3, 5)),)
SMALL = Of((3, 4), 1, 3)

CUMULATIVE: dict[str, Call] = {
    **with_("cumsum", {"axis": None}, {"axis": 0}, {"axis": -1}, {"axis": 1, "dtype": "float32"}, on=ROWS),
    **with_("cumprod", {"axis": None}, {"axis": 0}, {"axis": -1}, on=(Of((2, 3), 0.5, 1.5),)),
    **with_("cumprod", {"axis": 1, "dtype": "int32"}, on=(Of((2, 3), 0.5, 1.5),), slopes=False),
    **with_("nancumsum", {"axis": None}, {"axis": 0}, on=GAPS),
    **with_("nancumprod", {"axis": None}, {"axis": 0}, on=(Of((2, 3), 0.5, 1.5, special=(NAN, NAN)),)),
    "cumsum of a scalar": Call(lambda o, x: o.cumsum(x), (Of(()),)),
    "cumsum of none": Call(lambda o, x: o.cumsum(x, 1), (Of((2, 0)),), slopes=False),
    **with_("diff", {}, {"n": 2, "axis": 0}, {"n": 0}, {"n": 7}, {"axis": 1}),
    **with_("trapezoid", {}, {"dx": 0.5, "axis": 0}, on=(Of((4, 5)),)),
    # Keras takes the differences of points in halves.
    "trapezoid over points": Call(lambda o, y, x: o.trapezoid(y, x), (Of((4, 5)), Of((5,))), ("float32", *INTEGERS)),
    "trapezoid over rows": Call(lambda o, y, x: o.trapezoid(y, x, axis=0), (Of((4, 5)), Of((4, 5))), ("float32",)),
}
WITHOUT_NAN: dict[str, Call] = {
    **with_("nansum", *AXES, on=GAPS),
    **with_("nanprod", *AXES[:4], on=(Of((3, 4), 0.5, 1.5, special=(NAN, NAN)),)),
    **with_("nanmean", *AXES, on=GAPS),
    **with_("nanmax", *AXES, on=GAPS),
    **with_("nanmin", *AXES, on=GAPS),
    **with_("nanvar", *AXES, on=GAPS),
    **with_("nanstd", *AXES, on=GAPS),
    **with_("nanargmax", {}, {"axis": 1}, {"axis": 0, "keepdims": True}, on=GAPS),
    **with_("nanargmin", {}, {"axis": 1}, {"axis": 0, "keepdims": True}, on=GAPS),
    **{
        f"{name} of nothing else": Call(
            lambda o, x, name=name: getattr(o, name)(x, axis=1), (Of((1, 3), special=(NAN,) * 3),), FLOATS, slopes=False
        )
        for name in ("nansum", "nanprod", "nanmean", "nanmax", "nanmin", "nanvar", "nanstd", "nanargmax", "nanargmin")
    },
}
METHODS = ("linear", "lower", "higher", "midpoint", "nearest")
QUANTILES: dict[str, Call] = {
    **with_("median", *AXES, on=(Of((3, 5)),)),
    **with_("median", {"axis": 1}, {"axis": (0, 2)}, on=(Of((2, 4, 3)),)),
    **with_("nanmedian", *AXES, on=GAPS),
    **with_("quantile", *({"q": 0.3, "axis": -1, "method": m} for m in METHODS), on=ROWS),
    **with_("quantile", {"q": [0.0, 0.4, 1.0]}, {"q": [0.25, 0.75], "axis": (0, 2), "keepdims": True}, on=ROWS),
    **with_("percentile", {"q": 35.0, "axis": 0}, {"q": [10.0, 90.0], "axis": 1}, on=(Of((4, 5)),)),
    **with_("nanquantile", {"q": 0.3, "axis": 1}, {"q": [0.2, 0.9]}, {"q": 0.5, "axis": 0, "keepdims": True}, on=GAPS),
    **with_("nanpercentile", {"q": [20.0, 60.0], "axis": -1}, {"q": 50.0, "method": "nearest"}, on=GAPS),
    "quantile of a row with NaN": Call(lambda o, x: o.quantile(x, 0.5, axis=1), GAPS, FLOATS, slopes=False),
    "quantile of one": Call(lambda o, x: o.quantile(x, [0.1, 0.9], axis=0), (Of((1, 3)),)),
}
ORDERING: dict[str, Call] = {
    **with_("top_k", {"k": 1}, {"k": 3}, {"k": 5, "sorted": False}, {"k": 0}, on=ROWS),
    "top_k of equal ones": Call(lambda o, x: o.top_k(x, 3), (Of((4, 6), 0, 1),), ("int32", "bool", "uint8")),
    **{
        f"searchsorted {side}": Call(
            lambda o, s, v, side=side: o.searchsorted(s, v, side=side), (Of((9,), order=True), Of((3, 4)))
        )
        for side in ("left", "right")
    },
    "searchsorted among equal ones": Call(
        lambda o, s, v: o.searchsorted(s, v, "right"), (Of((9,), 0, 2, "int32", order=True), Of((5,), 0, 3, "int32"))
    ),
    "digitize": Call(lambda o, x, b: o.digitize(x, b), (Of(), Of((4,), order=True)), NUMBERS),
    "digitize downwards": Call(lambda o, x, b: o.digitize(x, o.flip(b)), (Of(), Of((4,), order=True)), NUMBERS),
    "isin": Call(lambda o, x, y: o.isin(x, y), (Of((3, 4), 0, 9), Of((2, 3), 0, 9))),
    "isin of many": Call(lambda o, x, y: o.isin(x, y, invert=True), (Of((3, 4), 0, 90), Of((50,), 0, 90))),
    "in_top_k": Call(lambda o, t, p: o.in_top_k(t, p, 2), (Of((6,), 0, 4, "int32"), Of((6, 5), special=(NAN,)))),
    "unique of size": Call(
        lambda o, x: o.unique(x, size=9, return_index=True, return_inverse=True, return_counts=True),
        (Of((8,), 0, 3, "int32"),),
    ),
    "fewer unique": Call(lambda o, x: o.unique(x, size=2, return_counts=True), (Of((8,), 0, 5, "int32"),)),
    "unique filled up": Call(lambda o, x: o.unique(x, size=9, fill_value=7), (Of((8,), 0, 3, "int32"),)),
}
STACKING: dict[str, Call] = {
    **{
        f"{name} of rank {rank}": Call(
            lambda o, x, y, name=name: getattr(o, name)([x, y]), (Of((3, 4, 2)[:rank]), Of((3, 4, 2)[:rank]))
        )
        for name in ("hstack", "vstack", "dstack")
        for rank in range(4)
    },
    "append": Call(lambda o, x, y: o.append(x, y), (Of((2, 3)), Of((4,), dtype="float32"))),
    "append along an axis": Call(lambda o, x, y: o.append(x, y, axis=1), (Of((2, 3)), Of((2, 1)))),
    **with_(
        "array_split", *({"indices_or_sections": n} for n in (2, 3, 5, [1, 3])), {"indices_or_sections": 3, "axis": 1}
    ),
    **with_("hsplit", {"indices_or_sections": 2}, {"indices_or_sections": [1, 3]}),
    **with_("vsplit", {"indices_or_sections": 3}, {"indices_or_sections": [1]}),
    **with_("dsplit", {"indices_or_sections": 2}, {"indices_or_sections": [1, 3]}, on=(Of((2, 3, 4)),)),
    **named("fliplr flipud", Of((2, 3, 4))),
    **with_("rot90", *({"k": k} for k in range(-1, 5)), {"axes": (2, 0)}, on=(Of((2, 3, 4)),)),
    "meshgrid": Call(lambda o, x, y: o.meshgrid(x, y), (Of((3,)), Of((4,)))),
    "meshgrid of three": Call(lambda o, x, y, z: o.meshgrid(x, y, z, indexing="ij"), (Of((3,)), Of((2,)), Of(()))),
    "meshgrid xy of three": Call(lambda o, x, y, z: o.meshgrid(x, y, z), (Of((3,)), Of((2,)), Of((1,)))),
}
DIAGONALS: dict[str, Call] = {
    **with_("diag", *({"k": k} for k in (-2, 0, 1, 5)), on=(Of((3,)),)),
    **with_("diag", *({"k": k} for k in (-1, 0, 2, 9)), on=(Of((3, 5)),)),
    **with_("diagflat", {}, {"k": 1}, on=(Of((2, 2)),)),
    **with_("diagonal", {}, {"offset": 1, "axis1": 2, "axis2": 0}, {"offset": -1, "axis1": -2, "axis2": -1}, on=ROWS),
    **with_("diagonal", {"offset": 9}, {"offset": -3}, on=(Of((3, 5)),)),
    **with_("trace", {}, {"offset": -1}, {"axis1": 1, "axis2": 2}, on=ROWS),
    **with_("vander", {}, {"N": 2}, {"N": 5, "increasing": True}, on=(Of((3,), 0.5, 2),)),
    **named("kron", Of((2, 3)), Of((3, 2))),
    "kron of ranks": Call(lambda o, x, y: o.kron(x, y), (Of((2, 3)), Of((4,)))),
}
PAIR = (Of((3, 4)), Of((4,)))
NUMBER_CALLS: dict[str, Call] = {
    **named("fabs isneginf isposinf signbit sinc", Of((4, 3), special=(INF, -INF, NAN, 0.0, -0.0))),
    **named("fmax fmin", Of((4, 3), special=(INF, -INF, NAN, 0.0)), Of((4, 3), special=(NAN, 1.0, NAN))),
    **named("fmod", Of((4, 3)), Of((4, 3), 1, 4), dtypes=NUMBERS),
    **named("heaviside", Of((4, 3), special=(0.0, NAN, INF, -INF)), Of((3,))),
    **named("isclose", Of((4, 3), special=(INF, NAN, INF)), Of((4, 3), special=(INF, NAN, 0.0))),
    **named("allclose logaddexp2", Of(), Of((4,))),
    "isclose widely": Call(lambda o, x, y: o.isclose(x, y, rtol=0.5, atol=0.5, equal_nan=True), (Of(), Of())),
    "allclose to itself": Call(lambda o, x: o.allclose(x, x, equal_nan=True), GAPS),
    **named("gcd lcm", Of((4, 5), -30, 30), Of((5,), -30, 30), dtypes=INTEGERS),
    **named("ldexp", Of((4, 5)), Of((5,), -9, 9, "int32")),
    "ldexp far": Call(
        lambda o, x, e: o.ldexp(x, e),
        (Of((4, 6), special=(0.0, INF, NAN)), Of((6,), -60, 160, "int32")),
        ("float32",),
        slopes=False,
    ),
    **named("nextafter", Of((3, 4), special=(0.0, 1.0, INF, NAN)), Of((3, 4)), dtypes=FLOATS, slopes=False),
    "select": Call(
        lambda o, c, d, x, y: o.select([c, d], [x, y], default=0.5),
        (Of(dtype="bool"), Of(dtype="bool"), Of(), Of((4,))),
    ),
    "select of a number": Call(lambda o, c, x: o.select([c], [x]), (Of(dtype="bool"), Of())),
    **{
        f"saturate_cast to {d}": Call(lambda o, x, d=d: o.saturate_cast(x, d), (Of((9,), -90, 900),), FLOATS)
        for d in ALL
    },
    # Of integers that are cast to floats Keras returns the least number of their dtype.
    **{
        f"saturate_cast of integers to {d}": Call(
            lambda o, x, d=d: o.saturate_cast(x, d), (Of((9,), -90, 900),), (*INTEGERS, "bool")
        )
        for d in (*INTEGERS, "bool")
    },
    **{
        f"view as {d}": Call(lambda o, x, d=d: o.view(x, d), (Of((2, 4)),), slopes=False)
        for d in ("uint8", "int32", "float16", None)
    },
    "unravel_index": Call(lambda o, x: o.unravel_index(x, (3, 4, 5)), (Of((6,), -70, 70),), ("int32", "uint8")),
}
SPACES: dict[str, Call] = {
    name: Call(lambda o, run=run: run(o), (), ("float32",), slopes=False)
    for name, run in {
        "logspace": lambda o: o.logspace(0, 3, 7),
        "logspace of base 2": lambda o: o.logspace(0.0, 3.0, 5, endpoint=False, base=2),
        "logspace of integers": lambda o: o.logspace(1, 3, 4, dtype="int32"),
        "logspace of rows": lambda o: o.logspace(np.array([0.0, 1.0]), 2.0, 4, axis=-1),
        "geomspace": lambda o: o.geomspace(1, 100, 5),
        "geomspace down": lambda o: o.geomspace(-8.0, -1.0, 4, endpoint=False),
        "geomspace of rows": lambda o: o.geomspace(np.array([1.0, 2.0]), np.array([4.0, 32.0]), 3, axis=1),
        "linspace": lambda o: o.linspace(0.1, 0.7, 9),
        "linspace of one": lambda o: o.linspace(2.0, 3.0, 1),
        **{
            f"{w} {n}": (lambda o, w=w, n=n: getattr(o, w)(n))
            for w in ("bartlett", "blackman", "hamming", "hanning")
            for n in (1, 2, 7)
        },
        "kaiser": lambda o: o.kaiser(8, 4.5),
        "kaiser of one": lambda o: o.kaiser(1, 14.0),
    }.items()
}
IDS = Of((6,), -1, 5, "int32")
SEGMENTS: dict[str, Call] = {
    **{
        f"{name} of {rank}": Call(
            lambda o, x, i, name=name: getattr(o, name)(x, i, num_segments=4), (Of((6, 2)[:rank], 0.5, 2), IDS)
        )
        for name in ("segment_sum", "segment_max", "segment_min", "segment_prod")
        for rank in (1, 2)
        if name != "segment_prod"
    },
    # JAX has no gradients of products of segments.
    "segment_prod": Call(lambda o, x, i: o.segment_prod(x, i, 4), (Of((6, 2), 0.5, 2), IDS), slopes=False),
    "segment_sum of sorted": Call(
        lambda o, x, i: o.segment_sum(x, i, 4, sorted=True), (Of((6, 3)), Of((6,), 0, 3, "int32", order=True))
    ),
    "histogram": Call(lambda o, x: o.histogram(x, bins=4), (Of((20,)),), slopes=False),
    "histogram in a range": Call(lambda o, x: o.histogram(x, bins=3, range=(-1.6, 1.9)), (Of((20,)),), slopes=False),
    "histogram of equal ones": Call(lambda o, x: o.histogram(x * 0 + 1, bins=3), (Of((5,)),), FLOATS, slopes=False),
}
STATISTICS: dict[str, Call] = {
    **named("cdist", Of((3, 2)), Of((4, 2), 4, 6)),
    "cdist of batches": Call(lambda o, x, y: o.cdist(x, y), (Of((2, 3, 4)), Of((1, 5, 4), 4, 6))),
    **named("corrcoef", Of((3, 6)), dtypes=("float32", "int32", "bool")),
    "corrcoef of one": Call(lambda o, x: o.corrcoef(x), (Of((6,)),), ("float32",)),
    **{
        f"correlate {mode} {m} {n}": Call(lambda o, x, y, mode=mode: o.correlate(x, y, mode), (Of((m,)), Of((n,))))
        for mode in ("valid", "same", "full")
        for m, n in ((5, 3), (3, 5), (4, 4))
    },
    "cross": Call(lambda o, x, y: o.cross(x, y), (Of((4, 3)), Of((4, 3)))),
    "cross of two": Call(lambda o, x, y: o.cross(x, y), (Of((4, 2)), Of((4, 2)))),
    "cross of two and three": Call(lambda o, x, y: o.cross(x, y, axis=0), (Of((2, 4)), Of((3, 4)))),
    "cross along axes": Call(lambda o, x, y: o.cross(x, y, axisa=0, axisb=1, axisc=0), (Of((3, 4)), Of((4, 3)))),
    "psnr": Call(lambda o, x, y: o.psnr(x, y, 3.0), (Of(), Of()), FLOATS),
}
IMAGE = Of((2, 4, 6, 8))
BLOCKS: dict[str, Call] = {
    **{
        f"{name} {f}": Call(lambda o, x, name=name, f=f: getattr(o, name)(x, 2, data_format=f), (IMAGE,))
        for name in ("depth_to_space", "space_to_depth")
        for f in ("channels_last", "channels_first")
    },
    **with_(
        "unfold",
        {"kernel_size": 2},
        {"kernel_size": (3, 2), "stride": 2, "padding": 1},
        {"kernel_size": 2, "dilation": (1, 3), "padding": (0, 2)},
        on=(Of((2, 3, 5, 6)),),
        dtypes=FLOATS,
    ),
    "fold": Call(lambda o, x: o.fold(x, (4, 5), 2), (Of((2, 12, 12)),), FLOATS),
    "fold with strides": Call(lambda o, x: o.fold(x, 5, 3, padding=1, stride=2), (Of((1, 18, 9)),), FLOATS),
    "fold dilated": Call(lambda o, x: o.fold(x, (6, 7), 2, dilation=2, stride=(1, 2)), (Of((1, 4, 12)),), FLOATS),
    **{
        f"adaptive_{kind}_pool {rank}, {size}, {f}": Call(
            lambda o, x, kind=kind, size=size, f=f: getattr(o, f"adaptive_{kind}_pool")(x, size, data_format=f),
            (Of((2, 7, 5, 6, 3)[: rank + 1] + (4,)),),
            FLOATS,
        )
        for kind in ("average", "max")
        for rank, size, f in (
            (1, 3, None),
            (2, (3, 4), "channels_first"),
            (2, (5, 3), "channels_last"),
        )
    },
}
LOGITS = Of((3, 7, 5))
NEURAL: dict[str, Call] = {
    "polar": Call(lambda o, x, y: o.absolute(o.polar(x, y)), (Of((4,), 0.5, 2), Of((4,))), FLOATS),
    "angle of polar": Call(lambda o, x, y: o.angle(o.polar(x, y)), (Of((4,), 0.5, 2), Of((4,))), FLOATS),
    "ctc_loss": Call(
        lambda o, y, t, n: o.ctc_loss(t, y, n, o.zeros_like(n) + 7),
        (LOGITS, Of((3, 3), 1, 4, "int32"), Of((3,), 1, 3, "int32")),
        FLOATS,
    ),
    "ctc_loss of lengths": Call(
        lambda o, y, t, n, m: o.ctc_loss(t, y, n, m, mask_index=4),
        (LOGITS, Of((3, 3), 0, 3, "int32"), Of((3,), 1, 2, "int32"), Of((3,), 5, 7, "int32")),
        FLOATS,
    ),
    **with_(
        "ctc_decode",
        {},
        {"merge_repeated": False},
        {"mask_index": 4},
        {"strategy": "beam_search", "beam_width": 10, "top_paths": 3},
        {"strategy": "beam_search", "beam_width": 4, "top_paths": 2, "mask_index": 2},
        on=(LOGITS, Of((3,), 3, 7, "int32")),
        dtypes=("float32",),
        slopes=False,
    ),
    "i0": Call(lambda o, x: o.i0(x), (Of((9,), -12, 12, special=(0.5, 8.0)),), (*FLOATS, "int32", "bool")),
    **{
        f"rearrange {pattern}": Call(lambda o, x, p=pattern, s=sizes: o.rearrange(x, p, **s), (Of((2, 4, 6, 3)),))
        for pattern, sizes in (
            ("b h w c -> b c h w", {}),
            ("b h w c -> (b h) w c", {}),
            ("b h w c -> h (b w) c", {}),
            ("b h w c -> b (c h w)", {}),
            ("b (h1 h) (w1 w) c -> (b h1 w1) h w c", {"h1": 2, "w1": 2}),
            ("b (h h1) (w w1) c -> b h w (c h1 w1)", {"h1": 2, "w1": 3}),
        )
    },
    "vectorize": Call(lambda o, x, y: o.vectorize(lambda a, b: a * b + a)(x, y), (Of((3, 1)), Of((4,))), FLOATS),
    "vectorize of rows": Call(
        lambda o, x, y: o.vectorize(lambda a, b: o.sum(a * b), signature="(n),(n)->()")(x, y),
        (Of((3, 4)), Of((4,))),
        FLOATS,
    ),
}
TABLES: dict[str, dict[str, Call]] = {
    "cumulative": CUMULATIVE,
    "nan": WITHOUT_NAN,
    "quantiles": QUANTILES,
    "ordering": ORDERING,
    "stacking": STACKING,
    "diagonals": DIAGONALS,
    "numbers": NUMBER_CALLS,
    "spaces": SPACES,
    "segments": SEGMENTS,
    "statistics": STATISTICS,
    "blocks": BLOCKS,
    "neural": NEURAL,
}
