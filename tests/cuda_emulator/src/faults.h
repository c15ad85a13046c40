// faults.h -- turning a signal raised by a kernel into a result instead of a crash.
#pragma once
#include <csetjmp>
#include <csignal>

struct Signal {
    const char *name;
    const void *address;
    bool is_memory;   // an address that may not be read or written, as opposed to an arithmetic fault
};

// While it lives, a fault of this OS thread jumps to `exit`; other threads and other times keep the handlers that were
// there (Python's faulthandler, for one).
class FaultHandlers {
public:
    explicit FaultHandlers(sigjmp_buf *exit);
    ~FaultHandlers();
    FaultHandlers(const FaultHandlers &) = delete;
    FaultHandlers &operator=(const FaultHandlers &) = delete;

    // The signal that was caught, or null when the jump came from elsewhere.
    const Signal *caught() const;

private:
    static constexpr int COUNT = 4;
    struct sigaction previous_[COUNT];
    stack_t previous_stack_;
};
