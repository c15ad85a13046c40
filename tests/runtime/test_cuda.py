"""The CUDA runtime where memory runs out, calls fail, threads come and go, and garbage is collected at a bad time."""

from __future__ import annotations

import gc
import inspect
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import config, layers
from graphc.errors import BackendError, GraphcError, LoadError, OutOfMemoryError
from graphc.runtime import cache
from graphc.runtime.cuda import CudaProgram, build
from graphc.runtime.cuda.device import Device, device
from graphc.runtime.cuda.graph import CudaGraph
from graphc.runtime.cuda.memory import DeviceBuffer
from graphc.runtime.cuda.program import Kernels
from tests.cuda_emulator import control
from tests.runtime.test_interruptions import interrupted, points

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(
        Path("/dev/nvidiactl").exists() and not os.environ.get("GRAPHC_EMULATE"), reason="asks the emulator"
    ),
    pytest.mark.filterwarnings("error"),
]
X = np.random.default_rng(0).normal(size=(64, 30)).astype("float32")
Y = np.random.default_rng(1).normal(size=(64, 5)).astype("float32")
OUT_OF_MEMORY, INVALID_VALUE, LAUNCH_FAILED, NO_RESOURCES = 2, 1, 719, 701


@pytest.fixture(autouse=True)
def balanced() -> Iterator[None]:
    """On the emulator; whatever fails, this thread has as many contexts as before, and what is gone is freed."""
    device()
    gc.collect()
    before, live = control.context_depth(), control.live_allocations()
    with config.override(backend="cuda"):
        yield
    control.reset()
    assert control.context_depth() == before
    gc.collect()
    assert control.live_allocations() == live


def network() -> Any:
    graphc.utils.set_random_seed(3)
    model = graphc.Sequential([graphc.Input((30,)), layers.Dense(40, activation="tanh"), layers.Dense(5)])
    model.compile(graphc.optimizers.Adam(0.01), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def values(model: Any) -> list[np.ndarray]:
    return [np.array(v.numpy()) for v in [*model.weights, *model.optimizer.variables]]


def same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


# ---- memory


def test_uploads_of_many_sizes_take_the_memory_of_the_largest() -> None:
    model = network()
    model.predict(X, batch_size=64, verbose=0)
    live = control.live_allocations(), control.live_bytes()
    for size in range(1, 40):
        model.predict(X[:size], batch_size=64, verbose=0)
        model.predict_on_batch(X[:size])
    assert (control.live_allocations(), control.live_bytes()) == live


def test_what_grows_is_freed_before_the_larger_is_taken() -> None:
    model = network()
    model.predict(X[:32], verbose=0)
    model.predict_on_batch(X[:32])
    before = control.live_bytes()
    control.most_bytes()
    model.predict_on_batch(np.tile(X, (100, 1)))
    after, most = control.live_bytes(), control.most_bytes()
    assert before < after == most


def test_results_are_right_after_memory_has_moved() -> None:
    model = network()
    for size in (3, 64, 5, 640, 64, 3):
        x = np.tile(X, (10, 1))[:size]
        with config.override(backend="numpy"):
            expected = np.asarray(model(x))
        np.testing.assert_allclose(model.predict_on_batch(x), expected, rtol=1e-5, atol=1e-5)


def test_no_room_for_a_larger_batch() -> None:
    model = network()
    model.train_on_batch(X, Y)
    before = values(model)
    large = np.tile(X, (500, 1)), np.tile(Y, (500, 1))
    with control.memory(free=100_000):
        with pytest.raises(OutOfMemoryError, match=r"bytes are asked for(.|\n)*state \d+(.|\n)*smaller batches"):
            model.train_on_batch(*large)
        assert same(values(model), before)
        model.train_on_batch(X, Y)
        assert not same(values(model), before)
    model.train_on_batch(*large)


@pytest.mark.parametrize("room", [0, 20_000, 300_000])
def test_fit_goes_on_with_smaller_batches(room: int) -> None:
    """Whether the first thing that does not fit is the data, the weights or the arena."""
    model, other = network(), network()
    x, y = np.tile(X, (40, 1)), np.tile(Y, (40, 1))
    with control.memory(free=room):
        before = values(model)
        with pytest.raises(OutOfMemoryError, match=r"expected: +room for all(.*)input \d+, state \d+, constant \d+"):
            model.fit(x, y, batch_size=len(x), verbose=0)
        assert same(values(model), before)
    for each in (model, other):
        each.fit(X, Y, batch_size=16, shuffle=False, verbose=0)
    assert same(values(model), values(other))


def test_an_epoch_that_fails_half_way_keeps_what_was_done() -> None:
    model, other = network(), network()
    for each in (model, other):
        each.fit(X, Y, batch_size=16, shuffle=False, verbose=0)
    with control.failing("cuGraphLaunch", NO_RESOURCES, after=2), pytest.raises(BackendError, match="refused a call"):
        model.fit(X, Y, batch_size=16, shuffle=False, verbose=0)
    other.fit(X[:32], Y[:32], batch_size=16, shuffle=False, verbose=0)
    assert same(values(model), values(other))
    model.fit(X[32:], Y[32:], batch_size=16, shuffle=False, verbose=0)
    other.fit(X[32:], Y[32:], batch_size=16, shuffle=False, verbose=0)
    assert same(values(model), values(other))


def test_garbage_is_collected_before_memory_is_said_to_be_out() -> None:
    gc.disable()
    try:
        model = network()
        model.predict(np.tile(X, (100, 1)), batch_size=6400, verbose=0)
        used = control.live_bytes()
        del model  # a cycle
        assert control.live_bytes() == used
        model = network()
        with control.memory(free=100_000):
            model.predict(np.tile(X, (100, 1)), batch_size=6400, verbose=0)
    finally:
        gc.enable()


def test_a_program_without_room_for_its_constants() -> None:
    table = np.arange(200_000, dtype=np.float32)

    def run() -> object:
        return graphc.function(lambda x: x + graphc.ops.convert_to_tensor(table))(np.ones(1, np.float32))

    with control.memory(free=1000), pytest.raises(OutOfMemoryError, match=r"room for all(.*)constant 800000"):
        run()
    np.testing.assert_array_equal(np.asarray(run()), table + 1)


# ---- calls that fail


@pytest.mark.parametrize(
    ("call", "error", "kind"),
    [
        ("cuModuleLoad", INVALID_VALUE, LoadError),
        ("cuModuleLoad", OUT_OF_MEMORY, OutOfMemoryError),
        ("cuModuleGetFunction", 500, LoadError),
        ("cuMemAlloc", INVALID_VALUE, BackendError),
        ("cuMemcpyHtoDAsync", INVALID_VALUE, BackendError),
        ("cuMemcpyDtoHAsync", INVALID_VALUE, BackendError),
        ("cuStreamBeginCapture", INVALID_VALUE, BackendError),
        ("cuLaunchKernel", NO_RESOURCES, BackendError),
        ("cuStreamEndCapture", INVALID_VALUE, BackendError),
        ("cuGraphInstantiate", OUT_OF_MEMORY, OutOfMemoryError),
        ("cuGraphUpload", OUT_OF_MEMORY, OutOfMemoryError),
        ("cuGraphLaunch", NO_RESOURCES, BackendError),
        ("cuStreamSynchronize", LAUNCH_FAILED, BackendError),
        ("cuCtxPushCurrent", 201, BackendError),
    ],
)
def test_each_call_that_fails_is_an_error_of_ours(call: str, error: int, kind: type[GraphcError]) -> None:
    model = network()
    before = values(model)
    with control.failing(call, error), pytest.raises(GraphcError) as caught:
        model.predict_on_batch(X)
    assert type(caught.value) is kind, caught.value
    assert same(values(model), before)
    assert model.predict_on_batch(X).shape == (64, 5)
    with control.failing(call, error), pytest.raises(GraphcError):
        network().train_on_batch(X, Y)
    model.train_on_batch(X, Y)
    assert not same(values(model), before)


def test_a_lost_context_is_told_and_values_can_be_set_again() -> None:
    model = network()
    model.train_on_batch(X, Y)
    weights = model.get_weights()
    model.train_on_batch(X, Y)
    gpu = device()
    source = 'extern "C" __global__ void out(float *x) { x[1 << 28] = 1.0f; }'
    cubin = build.build_cubin(source, gpu.arch, cache.default())
    with pytest.raises(BackendError, match="start the process anew"), gpu:
        gpu.driver.module_from_buffer(cubin).get_function("out")(np.uint64(64), block=(1, 1, 1))
        gpu.stream.synchronize()
    with pytest.raises(BackendError):
        model.get_weights()
    control.reset()
    model.set_weights(weights)
    assert same(model.get_weights(), weights)


@pytest.mark.parametrize("compiler", ["/nowhere/nvcc", "/bin/false"])
def test_a_compiler_that_does_not_run(compiler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_NVCC", compiler)
    with pytest.raises(BackendError, match="does not run"):
        network().predict(X, verbose=0)


# ---- recordings


def recording(act: Callable[[], object]) -> None:
    """Records a copy while something else happens."""
    with device() as gpu:
        source, target = DeviceBuffer(64), DeviceBuffer(64)
        source.write(np.arange(16, dtype=np.float32))

        def record() -> None:
            act()
            gpu.driver.memcpy_dtod_async(target.pointer, source.pointer, 64, gpu.stream)

        graph = CudaGraph(gpu, record)
        graph.launch()
        gpu.stream.synchronize()
        graph.close()
        result = np.zeros(16, np.float32)
        target.read(result)
        np.testing.assert_array_equal(result, np.arange(16))


def on_another_thread(act: Callable[[], object]) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            act()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not failures, failures


@pytest.mark.parametrize("elsewhere", [False, True])
def test_what_is_dropped_during_a_recording_is_freed_after_it(elsewhere: bool) -> None:
    model = network()
    model.predict(X, verbose=0)
    held = [DeviceBuffer(1 << 20), model]
    del model
    live = control.live_bytes()

    def drop() -> None:
        held.clear()
        gc.collect()  # the model is a cycle
        assert control.live_bytes() >= live

    recording((lambda: on_another_thread(drop)) if elsewhere else drop)
    assert control.live_bytes() <= live - (1 << 20)


def test_no_garbage_is_collected_during_a_recording() -> None:
    recording(lambda: gc.isenabled() and pytest.fail("a collection may delete what others have on the device"))


def test_a_recording_that_fails_is_ended() -> None:
    def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        recording(fail)
    recording(lambda: None)


def test_others_may_use_the_default_stream_meanwhile() -> None:
    """A stream that is ordered with it would have its recording broken, and its work would wait for theirs."""
    gpu = device()

    def others() -> None:
        with gpu:
            gpu.driver.memcpy_htod(scratch.pointer, np.ones(4, np.float32))

    scratch = DeviceBuffer(16)
    recording(others)
    scratch.free()
    with control.lazy_streams():
        recording(lambda: None)


def test_training_with_late_streams_gives_the_same_values() -> None:
    """Nothing relies on work being done before somebody waits for it."""
    results = []
    for lazy in (False, True):
        with control.settings(lazy=lazy):
            model = network()
            model.fit(X, Y, batch_size=10, epochs=2, verbose=0)
            results.append([*values(model), model.predict(X, verbose=0), model.predict_on_batch(X[:7])])
    assert same(*results)


def test_an_interruption_of_a_first_run_leaves_nothing_behind() -> None:
    """Memory is taken, a module is loaded, and a step is recorded: at each line of it."""
    model, store = network(), cache.default()
    model.train_on_batch(X, Y)
    [step] = model.made_programs
    before, cubin = step.executable.program, build.build_cubin(step.executable.compilation.source.text, "sm_90", store)

    def run() -> None:
        step.executable.program = None
        step.executable.program = CudaProgram(before.plan, cubin, before.geometry)
        model.train_on_batch(X, Y)

    run()
    gc.collect()
    live, depth = control.live_allocations(), control.context_depth()
    # Python ignores what is raised where an object is deleted.
    deleting = (DeviceBuffer.__del__, Kernels.__del__, CudaGraph.__del__, Device.discard, Device._release_discarded)
    ignored = {line for function in deleting for line in lines_of(function)} | lines_of(Device.free_discarded)
    here = str(Path(str(inspect.getsourcefile(Device))).parent)
    places = [point for point in points(run) if point[0][0].startswith(here) and point[0] not in ignored]
    assert len(places) > 60
    for place, count in places:
        if count == 1 and "build.py" not in place[0]:
            assert interrupted(run, (place, 1)), place
            assert control.context_depth() == depth, place
            run()
            if control.live_allocations() != live:
                gc.collect()
            assert control.live_allocations() == live, place


def lines_of(function: Callable[..., object]) -> set[tuple[str, int]]:
    """The lines of a function, each as file and number."""
    source, first = inspect.getsourcelines(function)
    return {(str(inspect.getsourcefile(function)), first + i) for i in range(len(source))}


# ---- threads


def test_memory_is_freed_wherever_its_owner_is_dropped() -> None:
    live = control.live_allocations(), control.live_bytes()
    held: list[Any] = []

    def make() -> None:
        with config.override(backend="cuda"):
            model = network()
            model.fit(X, Y, verbose=0)
            held.extend([model, DeviceBuffer(1000)])

    def drop() -> None:
        held.clear()
        gc.collect()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for made, dropped in [(make, drop), (lambda: on_another_thread(make), drop)]:
            made()
            assert control.live_bytes() > live[1]
            dropped()
            assert (control.live_allocations(), control.live_bytes()) == live
            made()
            on_another_thread(dropped)
            assert (control.live_allocations(), control.live_bytes()) == live
    assert not caught


def test_memory_dropped_while_another_thread_is_in_the_device_is_freed_when_it_leaves() -> None:
    held = [DeviceBuffer(1 << 20)]
    live = control.live_bytes()
    with device():
        on_another_thread(held.clear)
        assert control.live_bytes() == live
    assert control.live_bytes() == live - (1 << 20)


def test_two_threads_train_two_models_while_programs_are_dropped() -> None:
    expected = network()
    expected.fit(X, Y, batch_size=8, epochs=3, shuffle=False, verbose=0)
    failures: list[object] = []
    stop = threading.Event()

    def train() -> None:
        try:
            with config.override(backend="cuda"):
                model = models.pop()
                model.fit(X, Y, batch_size=8, epochs=3, shuffle=False, verbose=0)
                assert same(values(model), values(expected))
        except BaseException as error:
            failures.append(error)

    def churn() -> None:
        try:
            with config.override(backend="cuda"):
                while not stop.is_set():
                    model = graphc.Sequential([graphc.Input((30,)), layers.Dense(2)])
                    model.predict_on_batch(X)
                    del model
                    gc.collect()
        except BaseException as error:
            failures.append(error)

    models = [network(), network()]
    threads = [threading.Thread(target=train) for _ in range(2)]
    other = threading.Thread(target=churn)
    for thread in [*threads, other]:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    other.join()
    assert not failures, failures


EXIT = """
import builtins, gc, sys, threading, warnings
warnings.simplefilter("error")
from tests.cuda_emulator.activation import activate
activate()
import numpy as np, graphc
from graphc import layers
def work():
    global model
    with graphc.backend("cuda"):
        model = graphc.Sequential([graphc.Input((4,)), layers.Dense(3)])
        model.predict(np.ones((8, 4), "float32"), verbose=0)
thread = threading.Thread(target=work)
thread.start()
thread.join()
if sys.argv[1] == "last":
    builtins.kept = [step.executable.program for step in model.made_programs]  # no cycle: they die behind modules
if sys.argv[1] != "kept":
    del model
    gc.collect()
"""


@pytest.mark.parametrize("what", ["dropped", "kept", "last"])
def test_a_process_ends_without_a_word_whichever_thread_used_the_device(what: str) -> None:
    done = subprocess.run([sys.executable, "-c", EXIT, what], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


# ---- one program


def test_recordings_of_freed_memory_are_dropped() -> None:
    model = network()
    model.predict_on_batch(X[:8])
    [program] = [p.executable.program for p in model.made_programs]
    assert isinstance(program, CudaProgram) and len(program._graphs) == 1
    model.predict_on_batch(X[:4])
    assert len(program._graphs) == 2
    model.predict_on_batch(X)
    assert len(program._graphs) == 1
