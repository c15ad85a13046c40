// memory.h -- sizes of the emulated memory.
#pragma once
#include <cstddef>

// What the device claims to have: CUDA_EMULATOR_MEMORY bytes, by default 4 GiB.
size_t device_memory_capacity();
