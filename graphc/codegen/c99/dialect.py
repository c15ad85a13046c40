"""How portable C99 writes scalars and loops: as C for the CPU does, without what only some compilers have."""

from __future__ import annotations

from dataclasses import replace

from graphc.codegen.cpu.dialect import C

C99 = replace(C, rounding=None, simd="", wraps=False)
