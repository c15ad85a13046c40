// engine.cpp -- runs one grid on the host: blocks in turn, threads as lazily made fibers.
//
// The threads of a block are called one after the other on one fiber. Only a thread that has to wait, at a barrier or a
// warp operation, keeps its stack: it is parked, and the threads not yet started go on upon a fresh fiber. A kernel
// without barriers therefore costs a function call a thread, and the order of events is always the same.
#include "engine.h"

#include <sys/mman.h>

#include <algorithm>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <deque>
#include <utility>
#include <vector>

#include "faults.h"
#include "fiber.h"

// The variables of abi.h. Only one grid runs at a time, so plain globals do.
uint3 threadIdx, blockIdx, blockDim, gridDim;
unsigned emu_lane;
char *emu_dynamic_shared;

namespace {

constexpr unsigned WARP_SIZE = 32;
constexpr unsigned char POISON = 0xFF;   // a NaN in every floating point type

// The lanes that name the same mask meet here. Two exchanges are kept, used in turn: a lane may still have to read the
// values of one meeting when others already gather for the next; it cannot be two behind.
struct WarpMeeting {
    unsigned mask = 0, arrived = 0, generation = 0;
    EmuExchange exchanges[2];
    std::vector<Fiber *> waiting;

    EmuExchange &current() { return exchanges[generation & 1]; }
};

struct Warp {
    unsigned live = 0;                  // lanes that have not returned
    std::deque<WarpMeeting> meetings;   // one a mask; a deque, because lanes keep pointers into it
};

struct BlockBarrier {
    unsigned arrived = 0, generation = 0;
    int line = 0;   // where the first thread arrived
    std::vector<Fiber *> waiting;
    int reductions[2][3];

    void clear_reduction() {
        int *next = reductions[generation & 1];
        next[EMU_COUNT] = 0;
        next[EMU_AND] = 1;
        next[EMU_OR] = 0;
    }
};

// The block that runs at present.
struct Block {
    unsigned thread_count = 0, started = 0, live = 0;
    BlockBarrier barrier;
    std::vector<Warp> warps;
    std::deque<Fiber *> ready;   // parked fibers that may go on
};

const Grid *grid;
Block block;
bool reverse_order = false;

std::vector<Fiber *> all_fibers, free_fibers;
Fiber driver_fiber;         // the stack that called run_grid
Fiber *current = nullptr;

sigjmp_buf fault_exit;
GridResult result;

// Give up the grid from wherever we are. Parked fibers are simply forgotten: their stacks are used again.
[[noreturn]] void fault(Outcome outcome, const std::string &message) {
    result.outcome = outcome;
    result.message = message;
    siglongjmp(fault_exit, 1);
}

std::string index_text(const uint3 &index) {
    char text[64];
    snprintf(text, sizeof text, "(%u,%u,%u)", index.x, index.y, index.z);
    return text;
}

std::string place_text() {
    return "block " + index_text(blockIdx) + " thread " + index_text(threadIdx);
}

// --- fibers and threads

void enter_thread(Fiber *fiber) {
    threadIdx = fiber->index;
    emu_lane = fiber->thread % WARP_SIZE;
}

uint3 index_of(unsigned number, const uint3 &extent) {
    return {number % extent.x, number / extent.x % extent.y, number / (extent.x * extent.y)};
}

void start_next_thread() {
    unsigned position = block.started++;
    current->thread = reverse_order ? block.thread_count - 1 - position : position;
    current->index = index_of(current->thread, blockDim);
    current->waits_at = 0;
    enter_thread(current);
}

void release_barrier();
void release_meeting(WarpMeeting &meeting);

bool meeting_complete(const Warp &warp, const WarpMeeting &meeting) {
    return meeting.arrived && (meeting.arrived & warp.live) == (meeting.mask & warp.live);
}

// A thread has returned. Those who waited for it need wait no longer: a barrier counts the threads that still live.
void finish_thread() {
    Warp &warp = block.warps[current->thread / WARP_SIZE];
    warp.live &= ~(1u << current->thread % WARP_SIZE);
    block.live--;
    for (WarpMeeting &meeting : warp.meetings)
        if (meeting_complete(warp, meeting))
            release_meeting(meeting);
    if (block.barrier.arrived && block.barrier.arrived == block.live)
        release_barrier();
}

void run_threads();

Fiber *take_fiber() {
    if (free_fibers.empty()) {
        all_fibers.push_back(new_fiber());
        free_fibers.push_back(all_fibers.back());
    }
    Fiber *fiber = free_fibers.back();
    free_fibers.pop_back();
    prepare_fiber(*fiber, run_threads);
    return fiber;
}

void switch_to(Fiber *next) {
    Fiber *previous = current ? current : &driver_fiber;
    current = next;
    switch_fiber(*previous, next ? *next : driver_fiber);
    if (current)
        enter_thread(current);   // we were resumed
}

std::string waiting_text(const std::vector<Fiber *> &waiting, const char *what, const char *who) {
    if (waiting.empty())
        return "";
    return "; " + std::to_string(waiting.size()) + " " + who + " at " + what + " in line " +
           std::to_string(waiting[0]->waits_at);
}

[[noreturn]] void report_deadlock() {
    std::string waiting = waiting_text(block.barrier.waiting, "__syncthreads", "threads");
    for (const Warp &warp : block.warps)
        for (const WarpMeeting &meeting : warp.meetings)
            waiting += waiting_text(meeting.waiting, "a warp operation", "lanes");
    fault(Outcome::deadlock, "deadlock in block " + index_text(blockIdx) + waiting);
}

// Leave the current fiber for another: first those that may go on, then threads not yet started.
void leave_fiber(bool finished) {
    if (!block.ready.empty()) {
        Fiber *next = block.ready.front();
        block.ready.pop_front();
        if (finished)
            free_fibers.push_back(current);
        if (next == current)
            enter_thread(current);
        else
            switch_to(next);
    } else if (!finished && block.started < block.thread_count) {
        switch_to(take_fiber());
    } else if (block.live > 0) {
        report_deadlock();
    } else {
        free_fibers.push_back(current);
        switch_to(nullptr);
    }
}

// The body of every fiber: run the threads that nobody has started, but let those who can go on go first.
void run_threads() {
    for (;;) {
        while (block.started < block.thread_count && block.ready.empty()) {
            start_next_thread();
            grid->kernel->call(grid->arguments);
            finish_thread();
        }
        leave_fiber(true);
    }
}

void park(std::vector<Fiber *> &waiting, int line) {
    current->waits_at = line;
    waiting.push_back(current);
    leave_fiber(false);
}

void make_ready(std::vector<Fiber *> &waiting) {
    block.ready.insert(block.ready.end(), waiting.begin(), waiting.end());
    waiting.clear();
}

// --- barriers and warp operations

void release_barrier() {
    block.barrier.arrived = 0;
    block.barrier.generation++;
    block.barrier.clear_reduction();
    make_ready(block.barrier.waiting);
}

void release_meeting(WarpMeeting &meeting) {
    meeting.arrived = 0;
    meeting.generation++;
    make_ready(meeting.waiting);
}

WarpMeeting &find_meeting(Warp &warp, unsigned mask) {
    for (WarpMeeting &meeting : warp.meetings)
        if (meeting.mask == mask)
            return meeting;
    warp.meetings.emplace_back();
    warp.meetings.back().mask = mask;
    return warp.meetings.back();
}

// --- blocks

// Dynamic shared memory lies against an inaccessible page, so that a thread cannot run past its end unseen. CUDA aligns
// the start to 16 bytes, which leaves at most 15 bytes before that page.
char *dynamic_shared_ending_at_guard(unsigned bytes) {
    constexpr size_t CAPACITY = 256 * 1024, GUARD = 1024 * 1024;
    static char *const guard = [] {
        void *base = mmap(nullptr, CAPACITY + GUARD, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        char *end = static_cast<char *>(base) + CAPACITY;
        mprotect(end, GUARD, PROT_NONE);
        return end;
    }();
    return guard - (bytes + 15) / 16 * 16;
}

// Shared memory holds nothing that a block may rely on. Poison makes a read before the write show.
void poison_shared() {
    const EmuKernel &kernel = *grid->kernel;
    const EmuModule &module = *grid->module;
    memset(kernel.shared, POISON, kernel.shared_end - kernel.shared);
    memset(module.common_shared, POISON, module.common_shared_end - module.common_shared);
    memset(emu_dynamic_shared, POISON, (grid->dynamic_shared_bytes + 15) / 16 * 16);
}

void reset_warps() {
    for (size_t i = 0; i < block.warps.size(); ++i) {
        Warp &warp = block.warps[i];
        unsigned lanes = std::min<unsigned>(WARP_SIZE, block.thread_count - WARP_SIZE * i);
        warp.live = lanes == WARP_SIZE ? ~0u : (1u << lanes) - 1;
        for (WarpMeeting &meeting : warp.meetings) {   // kept from block to block: they allocate
            meeting.arrived = 0;
            meeting.waiting.clear();
        }
    }
}

void run_block(const uint3 &index) {
    blockIdx = index;
    block.started = 0;
    block.live = block.thread_count;
    block.ready.clear();
    block.barrier.arrived = block.barrier.generation = 0;
    block.barrier.waiting.clear();
    block.barrier.clear_reduction();
    reset_warps();
    poison_shared();
    switch_to(take_fiber());
}

void run_blocks() {
    const uint3 &extent = grid->grid;
    const uint64_t count = uint64_t(extent.x) * extent.y * extent.z;
    for (uint64_t position = 0; position < count; ++position) {
        uint64_t number = reverse_order ? count - 1 - position : position;
        uint64_t row = number / extent.x;
        run_block({unsigned(number % extent.x), unsigned(row % extent.y), unsigned(row / extent.y)});
    }
}

void prepare_grid(const Grid &request) {
    grid = &request;
    gridDim = request.grid;
    blockDim = request.block;
    block.thread_count = blockDim.x * blockDim.y * blockDim.z;
    block.warps.clear();
    block.warps.resize((block.thread_count + WARP_SIZE - 1) / WARP_SIZE);
    emu_dynamic_shared = dynamic_shared_ending_at_guard(request.dynamic_shared_bytes);
    free_fibers = all_fibers;   // those that a fault left parked are free again
    current = nullptr;
    result = GridResult();
}

}   // namespace

GridResult run_grid(const Grid &request) {
    prepare_grid(request);
    FaultHandlers handlers(&fault_exit);
    if (sigsetjmp(fault_exit, 1) == 0) {
        run_blocks();
    } else if (const Signal *signal = handlers.caught()) {
        result.outcome = signal->is_memory ? Outcome::illegal_address : Outcome::trap;
        result.address = signal->address;
        result.message = std::string(signal->name) + ", " + place_text();
    }
    current = nullptr;
    return result;
}

bool set_reverse_order(bool reverse) {
    return std::exchange(reverse_order, reverse);
}

// --- the functions of abi.h

void emu_block_barrier(int line) {
    BlockBarrier &barrier = block.barrier;
    if (barrier.arrived == 0)
        barrier.line = line;
    else if (barrier.line != line)
        fault(Outcome::deadlock, "threads of one block are at different barriers: " + place_text() + " at line " +
                                     std::to_string(line) + ", others at line " + std::to_string(barrier.line));
    barrier.arrived++;
    if (barrier.arrived == block.live)
        release_barrier();
    else
        park(barrier.waiting, line);
}

int emu_block_barrier_reduce(int predicate, EmuReduction reduction, int line) {
    int *totals = block.barrier.reductions[block.barrier.generation & 1];
    totals[EMU_COUNT] += predicate != 0;
    totals[EMU_AND] &= predicate != 0;
    totals[EMU_OR] |= predicate != 0;
    emu_block_barrier(line);
    return totals[reduction];   // of the generation that we entered with
}

const EmuExchange *emu_warp_exchange(unsigned mask, uint64_t value, int line) {
    if (!(mask >> emu_lane & 1))
        fault(Outcome::trap, "a warp operation at line " + std::to_string(line) +
                                 " whose mask leaves out the calling lane, " + place_text());
    Warp &warp = block.warps[current->thread / WARP_SIZE];
    WarpMeeting &meeting = find_meeting(warp, mask);
    EmuExchange &exchange = meeting.current();
    if (!meeting.arrived) {
        memset(exchange.value, POISON, sizeof exchange.value);
        exchange.participants = 0;
    }
    exchange.value[emu_lane] = value;
    exchange.participants |= 1u << emu_lane;
    meeting.arrived |= 1u << emu_lane;
    if (meeting_complete(warp, meeting))
        release_meeting(meeting);
    else
        park(meeting.waiting, line);
    return &exchange;
}

unsigned emu_active_mask() {
    return block.warps[current->thread / WARP_SIZE].live;
}

void emu_trap(const char *reason) {
    fault(Outcome::trap, std::string(reason) + ", " + place_text());
}
