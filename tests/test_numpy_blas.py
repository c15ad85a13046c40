"""Products on one thread: the number of threads is as before afterwards, however calls overlap."""

from __future__ import annotations

from threading import Barrier, Thread

import numpy as np
import pytest

from graphc import numpy_blas

functions = numpy_blas._functions()
pytestmark = pytest.mark.skipif(functions is None, reason="NumPy's BLAS is not OpenBLAS")


def threads() -> int:
    assert functions is not None
    return functions[0]()


@pytest.fixture(autouse=True)
def two_threads() -> object:
    assert functions is not None
    before = threads()
    functions[1](2)
    yield
    functions[1](before)


def test_one_thread_inside_and_as_many_as_before_outside() -> None:
    with numpy_blas.one_thread():
        assert threads() == 1
        with numpy_blas.one_thread():
            assert threads() == 1
        assert threads() == 1
    assert threads() == 2


def test_errors_change_nothing() -> None:
    with pytest.raises(ValueError, match="mine"), numpy_blas.one_thread():
        raise ValueError("mine")
    with pytest.raises(ValueError):
        numpy_blas.matmul(np.zeros((300, 300)), np.zeros((200, 300)))
    assert threads() == 2


def test_calls_of_several_python_threads_overlap() -> None:
    meet = Barrier(4)

    def work() -> None:
        for _ in range(50):
            with numpy_blas.one_thread():
                meet.wait(10)
                assert threads() == 1

    workers = [Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert threads() == 2


@pytest.mark.parametrize("shape", [(3, 4, 5), (100, 90, 80), (700, 700, 200)])
def test_products_are_numpys(shape: tuple[int, int, int]) -> None:
    rows, depth, columns = shape
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(rows, depth)), rng.normal(size=(depth, columns))
    np.testing.assert_allclose(numpy_blas.matmul(a, b), a @ b, rtol=1e-10, atol=1e-10)
    out = np.empty((rows, columns))
    assert numpy_blas.matmul(a, b, out=out) is out
