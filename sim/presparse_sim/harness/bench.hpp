// What every harness shares: one design with one clock, its streams, and random stalls.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "Vtop.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif
#if VM_COVERAGE
#include <string>

#include "verilated_cov.h"
#endif

#define EXPORT extern "C" __attribute__((visibility("default")))

// What a call that steps the design returns (presparse_sim.core and .board know the numbers).
enum Outcome : int {
    DONE = 0,
    STUCK = 1,
    UNEXPECTED_RESULT = 2,
    UNEXPECTED_ANSWER = 3,
    WRONG_LAST = 4,
    UNSTABLE_OUTPUT = 5,
    BROKEN_MEMORY = 6,
};

// Ports are integers up to 64 bits and arrays of 32-bit words beyond; here every port is an array of words.
template <class Port> constexpr size_t words_of() { return (sizeof(Port) + 3) / 4; }

template <class Port> using Words = std::array<uint32_t, words_of<Port>()>;

template <class Port> Words<Port> get(const Port& port) {
    Words<Port> words{};
    std::memcpy(words.data(), &port, sizeof(Port));
    return words;
}

template <class Port> void put(Port& port, const Words<Port>& words) {
    static_assert(std::is_trivially_copyable_v<Port>);
    std::memcpy(static_cast<void*>(&port), words.data(), sizeof(Port));
}

// Writes `width` (1 .. 32) bits of `value` at bit `at`; the bits must be zero before.
inline void put_bits(uint32_t* words, size_t at, unsigned width, uint32_t value) {
    const uint64_t bits = uint64_t(value & (0xffffffffu >> (32 - width))) << (at % 32);
    words[at / 32] |= uint32_t(bits);
    if (at % 32 + width > 32) words[at / 32 + 1] |= uint32_t(bits >> 32);
}

// Reads `width` (1 .. 32) bits at bit `at` as a signed number.
inline int32_t get_signed(const uint32_t* words, size_t at, unsigned width) {
    uint64_t bits = words[at / 32];
    if (at % 32 + width > 32) bits |= uint64_t(words[at / 32 + 1]) << 32;
    return int32_t(uint32_t(bits >> (at % 32)) << (32 - width)) >> (32 - width);
}

// Reads `width` (1 .. 31) bits at bit `at` as a number without sign.
inline uint32_t get_unsigned(const uint32_t* words, size_t at, unsigned width) {
    return uint32_t(get_signed(words, at, width)) & (0xffffffffu >> (32 - width));
}

// xorshift64*: the same stalls for the same seed everywhere.
class Random {
    uint64_t state = 1;

public:
    void seed(uint64_t value) { state = value * 0x9e3779b97f4a7c15u | 1; }

    // True with the given probability; draws nothing when that is 0.
    bool chance(double probability) {
        if (probability <= 0) return false;
        state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
        return (state * 0x2545f4914f6cdd1du >> 11) * 0x1p-53 < probability;
    }
};

// Where a design that traces or counts what it exercises writes that; null where it does not.
struct Files {
    const char* trace = nullptr;
    const char* coverage = nullptr;
};

// The design, its clock and its trace. Inputs change after a rising edge; `settle` lets outputs follow them.
class Bench {
    VerilatedContext context;
#if VM_TRACE
    VerilatedVcdC trace;
#endif
#if VM_COVERAGE
    std::string coverage;
#endif

    void dump() {
#if VM_TRACE
        context.timeInc(5);
        trace.dump(context.time());
#endif
    }

public:
    Vtop top{&context};
    uint64_t cycles = 0;

    explicit Bench(Files files) {
#if VM_TRACE
        context.traceEverOn(true);
        top.trace(&trace, 99);
        trace.open(files.trace);
#endif
#if VM_COVERAGE
        coverage = files.coverage;
#endif
        (void)files;
    }

    ~Bench() {
        top.final();
#if VM_TRACE
        trace.close();
#endif
#if VM_COVERAGE
        context.coveragep()->write(coverage.c_str());
#endif
    }

    void settle() {
        top.clk = 0;
        top.eval();
        dump();
    }

    void edge() {
        top.clk = 1;
        top.eval();
        dump();
        ++cycles;
    }
};

// An input stream's valid: once raised it stays until the transfer, as streams demand.
struct Source {
    double stall = 0;
    bool offering = false;

    // Whether a new transfer shall be offered in this cycle.
    bool begins(bool available, Random& random) {
        if (offering || !available || random.chance(stall)) return false;
        return offering = true;
    }

    // After `settle`: whether the transfer takes place.
    bool moves(bool ready) { return offering && ready; }
};

// An output stream's ready, and the check that an offered payload stays until it is taken.
template <class Port> struct Sink {
    double stall = 0;
    bool waiting = false;
    bool stable = true;
    Words<Port> offered{};

    // After `settle`: whether the transfer takes place.
    bool moves(bool valid, bool ready, const Port& payload) {
        if (waiting && (!valid || get(payload) != offered)) stable = false;
        waiting = valid && !ready;
        if (waiting) offered = get(payload);
        return valid && ready;
    }

    // What was offered may be gone now (restart).
    void forget() { waiting = false; }
};
