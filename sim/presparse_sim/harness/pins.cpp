// Drives a design with nothing but a UART's two pins (presparse_hw/accelerator.py): the functions of board.cpp, bit by
// bit.

#include <deque>

#include "pads.hpp"

namespace {

constexpr unsigned DIVISOR = 25;  // clock cycles per bit (PINS_DIVISOR of presparse_sim/design.py)
constexpr unsigned BITS = 10;     // start bit, eight data bits from the lowest, stop bit

class Pins {
    std::deque<uint8_t> pending;
    unsigned sending = 0, sending_left = 0;      // bits on their way, lowest first; cycles until they are through
    unsigned received = 0, receiving_cycle = 0;  // bits sampled, newest on top; cycles since the start bit's edge, from 1

    // The level of rx in this cycle.
    bool send() {
        if (!sending_left && !pending.empty()) {
            sending = 1u << (BITS - 1) | unsigned(pending.front()) << 1;
            sending_left = BITS * DIVISOR;
            pending.pop_front();
        }
        if (!sending_left) return true;
        const bool level = sending >> ((BITS * DIVISOR - sending_left) / DIVISOR) & 1;
        --sending_left;
        return level;
    }

    // Looks at tx in the middle of every bit; whether a byte is complete.
    bool receive(bool level) {
        if (!receiving_cycle && level) return false;
        const unsigned cycle = receiving_cycle++;
        if (cycle % DIVISOR != DIVISOR / 2) return false;
        received = received >> 1 | unsigned(level) << (BITS - 1);
        if (cycle / DIVISOR < BITS - 1) return false;
        receiving_cycle = 0;
        return true;
    }

public:
    Bench bench;
    SdramAtPads sdram;

    explicit Pins(Files files) : bench(files) {}

    void write(const uint8_t* bytes, size_t count) { pending.insert(pending.end(), bytes, bytes + count); }

    // As board.cpp, with `quiet` no less than two bytes take.
    Outcome read(uint8_t* bytes, size_t limit, size_t* count, uint64_t budget, uint64_t quiet) {
        if (quiet < 2 * BITS * DIVISOR) quiet = 2 * BITS * DIVISOR;
        *count = 0;
        for (uint64_t idle = 0; *count < limit && idle < (*count ? quiet : budget); ++idle) {
            bench.top.rx = send();
            bench.settle();
            if (receive(bench.top.tx)) {
                if ((received & 1) || !(received >> (BITS - 1))) return UNSTABLE_OUTPUT;  // no start bit, no stop bit
                bytes[(*count)++] = uint8_t(received >> 1);
                idle = 0;
            }
            if (!sdram.take(bench.top)) return BROKEN_MEMORY;
            bench.edge();
            sdram.give(bench.top);
        }
        return DONE;
    }
};

}  // namespace

EXPORT Pins* board_open(const char* trace, const char* coverage) { return new Pins({trace, coverage}); }
EXPORT void board_close(Pins* pins) { delete pins; }
EXPORT void board_sdram(Pins* pins, const sdram::Chip* chip) { pins->sdram.connect(*chip); }
EXPORT void board_sdram_fail(Pins* pins, const sdram::Faults* faults) { pins->sdram.fail(*faults); }
EXPORT const char* board_sdram_broken(const Pins* pins, uint64_t* cycle) { return pins->sdram.broken(cycle); }
EXPORT void board_stall(Pins*, double, uint64_t) {}  // a UART does not wait
EXPORT void board_write(Pins* pins, const uint8_t* bytes, size_t count) { pins->write(bytes, count); }
EXPORT int board_read(Pins* pins, uint8_t* bytes, size_t limit, size_t* count, uint64_t budget, uint64_t quiet) {
    return pins->read(bytes, limit, count, budget, quiet);
}
EXPORT uint64_t board_cycles(Pins* pins) { return pins->bench.cycles; }
