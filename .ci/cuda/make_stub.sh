#!/bin/sh
# make_stub.sh INCLUDE OUT: write OUT/libcuda.so, a library to link against where no driver is installed.
#
# It defines every driver function that the headers in INCLUDE name. An empty library would link too, but then the
# linker drops it and the extension would not record that it needs libcuda.so.1. Names are taken from the raw text,
# not from preprocessed declarations: PyCUDA calls both the plain names and those that macros rename to (_v2, _v3),
# and a name too many does no harm.
set -eu
INCLUDE=$1
OUT=$2
mkdir -p "$OUT"
cat "$INCLUDE/cuda.h" "$INCLUDE/cudaProfiler.h" | grep -oE '\bcu[A-Z][A-Za-z0-9_]*' | sort -u |
    sed 's/.*/void &(void) {}/' > "$OUT/stub.c"
gcc -shared -fPIC -nostdlib -fno-builtin -Wl,-soname,libcuda.so.1 -o "$OUT/libcuda.so" "$OUT/stub.c"
