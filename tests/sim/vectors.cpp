// Drives a design whose only ports are one input `i` and one output `o`: a row of words each per clock cycle.

#include "../../sim/presparse_sim/harness/bench.hpp"

namespace {

using Input = std::remove_reference_t<decltype(Vtop::i)>;
using Output = std::remove_reference_t<decltype(Vtop::o)>;

}  // namespace

// One cycle, as in vectors_run, of a design that is held between calls.
EXPORT void* vectors_open() { return new Bench({}); }

EXPORT void vectors_close(void* bench) { delete static_cast<Bench*>(bench); }

EXPORT void vectors_step(void* handle, const uint32_t* input, uint32_t* output) {
    Bench& bench = *static_cast<Bench*>(handle);
    Words<Input> in{};
    std::memcpy(in.data(), input, sizeof(in));
    put(bench.top.i, in);
    bench.settle();
    const auto out = get(bench.top.o);
    std::memcpy(output, out.data(), sizeof(out));
    bench.edge();
}

EXPORT size_t vectors_input_words() { return words_of<Input>(); }
EXPORT size_t vectors_output_words() { return words_of<Output>(); }

// Output row k is what `o` shows in cycle k, with input row k, before the clock edge that ends it.
EXPORT void vectors_run(size_t count, const uint32_t* inputs, uint32_t* outputs) {
    Bench bench({});
    for (size_t cycle = 0; cycle < count; ++cycle) {
        vectors_step(&bench, inputs + cycle * words_of<Input>(), outputs + cycle * words_of<Output>());
    }
}
