#!/bin/sh
# Install what the CUDA backend and its tests need, on a machine with neither a CUDA toolkit nor a GPU.
#
#   PYTHON=.venv/bin/python .ci/cuda/install.sh
#
# PyCUDA is published as source only. It is built here against NVIDIA's headers (from their pip wheels) and a stub
# libcuda.so; the wheel works unchanged on a machine with a real driver, because only the name libcuda.so.1 is
# recorded in it. The wheel is kept in $GRAPHC_WHEELS (default ~/.cache/graphc-ci), so that a second run takes seconds.
#
# Needs: a virtual environment's Python (PYTHON, default `python`), pip's access to PyPI, and g++ with Python's headers
# (installed with apt-get where they are missing and we are root).
set -eu

PYCUDA_VERSION=2026.1
CUDA_RELEASE=13.0      # the release that driver 580 brings: newer headers could name functions that it lacks
PYTHON=${PYTHON:-python}
WHEELS=${GRAPHC_WHEELS:-${XDG_CACHE_HOME:-$HOME/.cache}/graphc-ci}
HERE=$(cd "$(dirname "$0")" && pwd)
export PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf 'cuda/install: %s\n' "$*"; }

python_header() {
    "$PYTHON" -c 'import os, sysconfig; print(os.path.join(sysconfig.get_path("include"), "Python.h"))'
}

# A compiler and Python.h: the emulator needs g++ at test time too, not only this build.
ensure_compiler() {
    packages=
    command -v g++ >/dev/null 2>&1 || packages=g++
    [ -f "$(python_header)" ] || packages="$packages python3-dev"
    [ -n "$packages" ] || return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        say "missing:$packages - install them and run this again" >&2
        exit 1
    fi
    say "installing $packages"
    apt-get update -qq
    # shellcheck disable=SC2086  # a list of package names
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
}

# Where pip put NVIDIA's headers (nvidia/cu13/include).
nvidia_include() {
    "$PYTHON" - <<'PYTHON_END'
import importlib.metadata
for file in importlib.metadata.files("nvidia-cuda-runtime") or []:
    if file.name == "cuda.h":
        print(file.locate().resolve().parent)
        break
else:
    raise SystemExit("nvidia-cuda-runtime holds no cuda.h")
PYTHON_END
}

# Build the wheel in a scratch folder and move it, complete, into the folder of wheels.
build_pycuda() {
    include=$1
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    sh "$HERE/make_stub.sh" "$include" "$scratch/stub"
    fetch_source "$scratch"

    # PyCUDA's build reads siteconf.py from its source folder. curand would need one more library and is not used.
    cat > "$scratch/source/siteconf.py" <<SITECONF_END
CUDA_ROOT = None
CUDA_INC_DIR = ["$include"]
CUDADRV_LIB_DIR = ["$scratch/stub"]
CUDADRV_LIBNAME = ["cuda"]
CUDA_ENABLE_GL = False
CUDA_ENABLE_CURAND = False
SITECONF_END

    say "building PyCUDA $PYCUDA_VERSION (about two minutes)"
    if ! "$PYTHON" -m pip wheel --quiet --no-deps --wheel-dir "$scratch/wheel" "$scratch/source" \
            > "$scratch/log" 2>&1; then
        cat "$scratch/log" >&2
        exit 1
    fi
    mkdir -p "$WHEEL_FOLDER"
    for wheel in "$scratch"/wheel/pycuda-*.whl; do
        cp "$wheel" "$WHEEL_FOLDER/.incoming.$$"
        mv "$WHEEL_FOLDER/.incoming.$$" "$WHEEL_FOLDER/${wheel##*/}"
    done
}

# pip download runs the package's metadata step, which needs no CUDA; the archive is then unpacked with Python.
fetch_source() {
    "$PYTHON" -m pip download --quiet --no-deps --no-binary pycuda --dest "$1/sdist" "pycuda==$PYCUDA_VERSION"
    "$PYTHON" - "$1" <<'PYTHON_END'
import pathlib, sys, tarfile
scratch = pathlib.Path(sys.argv[1])
[archive] = (scratch / "sdist").glob("pycuda-*.tar.gz")
with tarfile.open(archive) as tar:
    tar.extractall(scratch, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
next(path for path in scratch.glob("pycuda-*") if path.is_dir()).rename(scratch / "source")
PYTHON_END
}

# Install from the folder of wheels only: no look at the network, and never a build by accident.
install_cached() {
    "$PYTHON" -m pip install --quiet --no-deps --no-index --find-links "$WHEEL_FOLDER" \
        --only-binary :all: "pycuda==$PYCUDA_VERSION" >/dev/null 2>&1
}

ensure_compiler
# cuda.h and cuda_fp16.h / cudaProfiler.h / the run-time compiler / graphs and capture.
# pytools, mako and platformdirs are what PyCUDA itself imports; filelock is for the emulator's build.
"$PYTHON" -m pip install --quiet \
    "nvidia-cuda-runtime==$CUDA_RELEASE.*" "nvidia-cuda-profiler-api==$CUDA_RELEASE.*" \
    "nvidia-cuda-nvrtc==$CUDA_RELEASE.*" "cuda-bindings==$CUDA_RELEASE.*" \
    "numpy>=1.26" pytools mako platformdirs filelock
WHEEL_FOLDER=$WHEELS/pycuda-$PYCUDA_VERSION-cuda-$CUDA_RELEASE
if ! install_cached; then
    build_pycuda "$(nvidia_include)"
    install_cached || { say "the wheel just built cannot be installed: see $WHEEL_FOLDER" >&2; exit 1; }
fi
say "PyCUDA $PYCUDA_VERSION from $WHEEL_FOLDER"
