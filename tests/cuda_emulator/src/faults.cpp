// faults.cpp -- signal handlers for the time that a kernel runs.
#include "faults.h"

#include <cstring>

namespace {

constexpr int SIGNALS[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};

thread_local sigjmp_buf *fault_exit = nullptr;
thread_local bool signal_caught = false;
thread_local Signal last_signal;

const char *describe(int number) {
    switch (number) {
    case SIGFPE:
        return "integer division by zero or overflow";
    case SIGILL:
        return "illegal instruction (__trap or unreachable code)";
    default:
        return "illegal address";
    }
}

void on_signal(int number, siginfo_t *info, void *) {
    if (!fault_exit) {   // not ours: let the process die of it
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    last_signal = {describe(number), info->si_addr, number == SIGSEGV || number == SIGBUS};
    signal_caught = true;
    siglongjmp(*fault_exit, 1);
}

// A handler needs a stack of its own: the fault may be that the thread's stack is full.
char *handler_stack() {
    static constexpr size_t BYTES = 64 * 1024;
    static thread_local char stack[BYTES];
    return stack;
}

}   // namespace

FaultHandlers::FaultHandlers(sigjmp_buf *exit) {
    stack_t stack = {};
    stack.ss_sp = handler_stack();
    stack.ss_size = 64 * 1024;
    sigaltstack(&stack, &previous_stack_);

    struct sigaction action = {};
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    for (int i = 0; i < COUNT; ++i)
        sigaction(SIGNALS[i], &action, &previous_[i]);
    signal_caught = false;
    fault_exit = exit;
}

FaultHandlers::~FaultHandlers() {
    fault_exit = nullptr;
    for (int i = 0; i < COUNT; ++i)
        sigaction(SIGNALS[i], &previous_[i], nullptr);
    sigaltstack(&previous_stack_, nullptr);
}

const Signal *FaultHandlers::caught() const {
    return signal_caught ? &last_signal : nullptr;
}
