"""The GPU: compiles CUDA source to a cubin, loads it with PyCUDA, and runs plans as CUDA graphs.

PyCUDA and NVIDIA's packages are imported on first use. The device's primary context is used, so that other libraries of
the process share it.
"""

from graphc.runtime.cuda.build import build_cubin
from graphc.runtime.cuda.device import HOW_TO_GET_IT, available, device
from graphc.runtime.cuda.foreign import copied_to_host
from graphc.runtime.cuda.program import CudaProgram

__all__ = ["HOW_TO_GET_IT", "CudaProgram", "available", "build_cubin", "copied_to_host", "device"]
