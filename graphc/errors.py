"""The error classes of graphc.

Every error that a user can cause is a `GraphcError`. Its message answers, one line each, what the user needs:
what went wrong, in which layer, at which line of their code, what came, what was expected, and what to do.
"""

from __future__ import annotations

from graphc.frames import user_frame


class GraphcError(Exception):
    """Base class of all errors that graphc raises on purpose.

    Args:
        problem: One sentence that says what is wrong.
        layer: Path of the layer concerned, such as `"sequential/dense_1"`.
        where: The user's file and line, as `"train.py:12"`. None: those of the innermost call in the user's code.
        got: What came.
        expected: What was expected instead.
        hint: What to do about it.

    Example:

    >>> print(ShapeError("the operands do not broadcast", where="train.py:12", got="(3,) and (4,)", hint="reshape one"))
    the operands do not broadcast
      at:       train.py:12
      got:      (3,) and (4,)
      to do:    reshape one
    """

    def __init__(
        self,
        problem: str,
        *,
        layer: str | None = None,
        where: str | None = None,
        got: object = None,
        expected: object = None,
        hint: str | None = None,
    ) -> None:
        self.problem = problem
        self.layer = layer
        self.where = where
        self.got = got
        self.expected = expected
        self.hint = hint
        frame = user_frame() if where is None else None
        # Shown unless a layer, or another caller who knows better, says where it was.
        self._called = None if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"
        super().__init__(problem)

    def __str__(self) -> str:
        rows = (
            ("layer", self.layer),
            ("at", self.where or self._called),
            ("got", self.got),
            ("expected", self.expected),
            ("to do", self.hint),
        )
        lines = [f"  {name + ':':<9} {value}" for name, value in rows if value is not None]
        return "\n".join([self.problem, *lines])

    def locate(self, *, layer: str | None = None, where: str | None = None) -> GraphcError:
        """Fills in the layer and the user's line where the raiser did not know them; returns the error itself."""
        self.layer = self.layer or layer
        self.where = self.where or where
        return self


class ShapeError(GraphcError, ValueError):
    """A shape or rank does not fit."""


class DTypeError(GraphcError, TypeError):
    """A dtype does not fit."""


class ImmutableError(GraphcError, TypeError):
    """A tensor cannot be changed in place."""


class ArgumentError(GraphcError, ValueError):
    """An argument has a value that cannot be used: an unknown name, a number out of range, a wrong count."""


class CallError(GraphcError, TypeError):
    """Something was called with arguments that it does not take, or without one that it needs."""


class DataError(GraphcError, ValueError):
    """The user's data cannot be used: empty, of unequal lengths, labels out of range."""


class SizeError(GraphcError, TypeError):
    """Something has no number of elements: it is infinite, or would have to be counted."""


class MissingPackageError(GraphcError, ImportError):
    """An optional package is needed, and is not installed."""


class StateError(GraphcError, RuntimeError):
    """A call came at the wrong time, such as `fit` before `compile`."""


class BuildError(StateError, ValueError):
    """Something is used before it is built, or with other weights than those for which it was built."""


class NoAttributeError(GraphcError, AttributeError):
    """Something does not have an attribute that others of its kind have."""


class UnsupportedError(GraphcError, NotImplementedError):
    """Something of Keras's is not supported."""


class ControlFlowError(GraphcError, TypeError):
    """Python's control flow depends on traced values in a way that no region of a graph can express."""


class NotCalledError(StateError, AttributeError):
    """Something is asked of a layer that it has only once it was called on symbolic tensors; `hasattr` says so."""


class BackendError(GraphcError, RuntimeError):
    """A backend that was asked for is absent, or failed."""


class OutOfMemoryError(BackendError, MemoryError):
    """A device has too little memory for what a program needs; what was there before is as it was."""


class CompileError(GraphcError, RuntimeError):
    """Generated source could not be built."""


class LoadError(BackendError):
    """What was built cannot be loaded."""


class FileError(GraphcError, OSError):
    """A file could not be read or written, or holds something else than it should."""


class WeightsError(FileError, ValueError):
    """A file of a model or its weights is not there, or does not hold what fits the model."""


class VerificationError(GraphcError, AssertionError):
    """An invariant of the compiler is broken: a graph, kernel or plan that should not exist. A bug of ours."""


class DataWarning(UserWarning):
    """The user's data looks wrong but can be used, such as NaN values in an array."""


class BackendWarning(UserWarning):
    """Models run on a backend that nobody wants unless there is no other."""


class CacheWarning(UserWarning):
    """The cache cannot be used, so that work is done again which it would have saved; results are the same."""
