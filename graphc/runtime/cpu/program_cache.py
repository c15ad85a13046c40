"""Programs in the cache: the plan of a graph, and which library runs it, under a key made from the graph itself.

A graph that was compiled before needs no passes, no lowering and no source text. The key covers the graph, this very
compiler (the text of its modules), how the C compiler is called, its version and the processor; so an entry is never
out of date. Libraries have entries of their own: two programs with the same source share one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from graphc import plan_json
from graphc.errors import GraphcError
from graphc.plan import Plan
from graphc.runtime.cache import Cache, key

SUFFIX = ".json"
_PACKAGE = Path(__file__).resolve().parents[2]
# What programs are made by: every module of the compiler, and the text that generated source starts with.
_COMPILER = (
    "*.py",
    *(f"{part}/**/*.py" for part in ("graph", "primitives", "passes", "codegen", "runtime", "compiler")),
)
_PRELUDE = "codegen/*/prelude/*"


@lru_cache(maxsize=1)
def compiler_digest() -> str:
    """The digest of the compiler itself.

    Example:

    >>> len(compiler_digest())
    64
    """
    digest = hashlib.sha256()
    for path in sorted(path for pattern in (*_COMPILER, _PRELUDE) for path in _PACKAGE.glob(pattern)):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(_PACKAGE)} {len(data)}\n".encode())
        digest.update(data)
    return digest.hexdigest()


def program_key(
    graph_digest: str,
    arguments: Sequence[str],
    version: str,
    target: str,
    processors: int,
    has_lapack: bool,
    products: Sequence[str],
) -> str:
    """The key of a program.

    Args:
        graph_digest: `graph.digest.digest` of the graph before any pass.
        arguments: How the C compiler is called.
        version: Which C compiler it is.
        target: The system and the processor.
        processors: For how many of them the plan is made.
        has_lapack: Whether it may call LAPACK.
        products: Settings that decide if a library computes products of matrices; nothing where all are generated.
    """
    made_for = ("version", version, "target", target, "processors", str(processors), "lapack", str(has_lapack))
    return key("program", compiler_digest(), graph_digest, *arguments, *made_for, "products", *products)


def find(cache: Cache, name: str) -> tuple[Plan, Path] | None:
    """The plan and the library of a program, or None where one of them is not in the cache.

    Args:
        cache: Where to look.
        name: What `program_key` gave.
    """
    data = cache.get(name, SUFFIX)
    if data is None:
        return None
    try:
        entry = json.loads(data)
        library = cache.find(entry["library"], ".so")
        return None if library is None else (plan_json.from_object(entry["plan"]), library)
    except (ValueError, LookupError, TypeError, GraphcError):  # of another form than this compiler writes
        return None


def store(cache: Cache, name: str, plan: Plan, library: Path) -> None:
    """Puts a program into the cache.

    Args:
        cache: Where it goes.
        name: What `program_key` gave.
        plan: What runs.
        library: What runs it: the file of an entry of the same cache.
    """
    entry = {"library": library.name.partition(".")[0], "plan": plan_json.to_object(plan)}
    cache.put(name, json.dumps(entry, separators=(",", ":")).encode(), SUFFIX)
