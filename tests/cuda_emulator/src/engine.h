// engine.h -- running one grid of a compiled kernel.
#pragma once
#include <string>

#include "abi.h"

struct Grid {
    const EmuModule *module;
    const EmuKernel *kernel;
    uint3 grid, block;
    unsigned dynamic_shared_bytes;
    const char *arguments;
};

enum class Outcome { success, illegal_address, deadlock, trap };

struct GridResult {
    Outcome outcome = Outcome::success;
    std::string message;             // which thread did what; empty on success
    const void *address = nullptr;   // of an illegal access
};

// Run all blocks, one after the other. Not reentrant: the driver's lock must be held.
GridResult run_grid(const Grid &grid);

// Run the threads of a block, and the blocks, last to first: results that change depend on an order CUDA does not give.
// Returns the setting before.
bool set_reverse_order(bool reverse);
