// Drives the ports of CoreSignature (presparse_hw/signature.py): samples in, results out, memory access.

#include "bench.hpp"

namespace {

// The numbers behind SampleLayout, ResultLayout and EventLayout.
struct Shape {
    uint32_t left;             // features per sample
    uint32_t port;             // features per transfer
    uint32_t feature_bits;
    uint32_t right;            // scores per result
    uint32_t group;            // scores per transfer
    uint32_t score_bits;
    uint32_t counters;
    const uint8_t* event_bits;  // (counters,), 1 .. 31 each
};

struct Stalls {
    double samples, results, commands, answers;
    uint64_t seed;
};

constexpr uint8_t FLUSH = 0, PREDICT = 1;  // presparse.contract.wire.SampleKind

// A batch on its way in; no features means one flush.
struct Batch {
    size_t count = 0;
    const uint8_t* kinds = nullptr;
    const uint8_t* rates = nullptr;
    const uint16_t* labels = nullptr;
    const int32_t* features = nullptr;
};

struct Commands {
    size_t count = 0;
    const uint32_t* words = nullptr;  // (count, 3): address, data, write
    uint32_t* answers = nullptr;      // (count, 2): data, flags
};

class Core {
    using SamplePort = std::remove_reference_t<decltype(Vtop::samples_payload)>;
    using ResultPort = std::remove_reference_t<decltype(Vtop::results_payload)>;
    using CommandPort = std::remove_reference_t<decltype(Vtop::commands_payload)>;
    using AnswerPort = std::remove_reference_t<decltype(Vtop::answers_payload)>;
    using EventPort = std::remove_reference_t<decltype(Vtop::events)>;

    const Shape shape;
    const std::vector<uint8_t> event_bits;
    Random random;
    Source samples, commands;
    Sink<ResultPort> results;
    Sink<AnswerPort> answers;
    Batch batch;
    size_t sample = 0, transfer = 0;
    Commands access;
    size_t sent = 0, answered = 0;
    uint64_t owed = 0;      // transfers of results that are still to come
    uint32_t received = 0;  // transfers of the result that is coming in
    Outcome fault = DONE;

    void offer_sample() {
        Words<SamplePort> words{};
        size_t at = 0;
        if (batch.features) {
            const int32_t* feature = batch.features + sample * shape.left + size_t(transfer) * shape.port;
            for (uint32_t i = 0; i < shape.port; ++i, at += shape.feature_bits)
                put_bits(words.data(), at, shape.feature_bits, uint32_t(feature[i]));
            put_bits(words.data(), at, 2, batch.kinds[sample]);
            put_bits(words.data(), at + 2, 4, batch.rates[sample]);
            put_bits(words.data(), at + 6, 16, batch.labels[sample]);
        }
        put(bench.top.samples_payload, words);
    }

    void sample_moved() {
        if (batch.features && transfer == 0 && batch.kinds[sample] == PREDICT) owed += shape.right / shape.group;
        if (!batch.features || ++transfer == shape.left / shape.port) {
            transfer = 0;
            ++sample;
        }
    }

    void result_moved() {
        const auto words = get(bench.top.results_payload);
        if (owed == 0) {
            fault = UNEXPECTED_RESULT;
            return;
        }
        --owed;
        for (uint32_t i = 0; i < shape.group; ++i)
            scores.push_back(get_signed(words.data(), size_t(i) * shape.score_bits, shape.score_bits));
        const bool last = get_signed(words.data(), size_t(shape.group) * shape.score_bits, 1) != 0;
        if (++received == shape.right / shape.group) received = 0;
        if (last != (received == 0)) fault = WRONG_LAST;
    }

    void answer_moved() {
        if (answered == sent) {
            fault = UNEXPECTED_ANSWER;
            return;
        }
        const auto words = get(bench.top.answers_payload);
        std::memcpy(access.answers + 2 * answered++, words.data(), 8);
    }

    // The endpoint of a board does this with presparse_hw.counters.
    void count() {
        const auto words = get(bench.top.events);
        if (words == Words<EventPort>{}) return;
        size_t at = 0;
        for (size_t i = 0; i < event_bits.size(); at += event_bits[i++])
            counters[i] += get_unsigned(words.data(), at, event_bits[i]);
    }

    // One clock cycle; returns whether anything was transferred.
    bool cycle() {
        Vtop& top = bench.top;
        if (samples.begins(sample < batch.count, random)) offer_sample();
        if (commands.begins(sent < access.count, random)) {
            Words<CommandPort> words{};
            std::memcpy(words.data(), access.words + 3 * sent, 12);
            put(top.commands_payload, words);
        }
        top.samples_valid = samples.offering;
        top.commands_valid = commands.offering;
        top.results_ready = !random.chance(results.stall);
        top.answers_ready = !random.chance(answers.stall);
        bench.settle();
        const bool sample_moves = samples.moves(top.samples_ready);
        const bool command_moves = commands.moves(top.commands_ready);
        const bool result_moves = results.moves(top.results_valid, top.results_ready, top.results_payload);
        const bool answer_moves = answers.moves(top.answers_valid, top.answers_ready, top.answers_payload);
        if (sample_moves) sample_moved(), samples.offering = false;
        if (command_moves) ++sent, commands.offering = false;
        if (result_moves) result_moved();
        if (answer_moves) answer_moved();
        if (!results.stable || !answers.stable) fault = UNSTABLE_OUTPUT;
        count();
        bench.edge();
        return sample_moves || command_moves || result_moves || answer_moves;
    }

    // Steps until `done()`, or until nothing has moved for `patience` cycles.
    template <class Done> Outcome until(Done done, uint64_t patience) {
        uint64_t idle = 0;
        while (!done()) {
            idle = cycle() ? 0 : idle + 1;
            if (fault != DONE) return std::exchange(fault, DONE);
            if (idle > patience) return STUCK;
        }
        return DONE;
    }

public:
    Bench bench;
    std::vector<int32_t> scores;
    std::vector<uint64_t> counters;

    Core(const Shape& shape, Files files)
        : shape(shape), event_bits(shape.event_bits, shape.event_bits + shape.counters), bench(files),
          counters(shape.counters) {}

    void stall(const Stalls& stalls) {
        samples.stall = stalls.samples;
        results.stall = stalls.results;
        commands.stall = stalls.commands;
        answers.stall = stalls.answers;
        random.seed(stalls.seed);
    }

    // Sends a batch or a flush; done when the design has accepted all of it.
    Outcome feed(const Batch& next, uint64_t patience) {
        batch = next;
        sample = transfer = 0;
        const Outcome outcome = until([this] { return sample == batch.count; }, patience);
        if (outcome != DONE) samples.offering = false;
        batch = {};
        sample = 0;
        return outcome;
    }

    Outcome flush(uint64_t patience) {
        Batch empty;
        empty.count = 1;
        const Outcome outcome = feed(empty, patience);
        if (outcome != DONE) return outcome;
        return until([this] { return bench.top.drained && owed == 0; }, patience);
    }

    Outcome run_commands(const Commands& next, uint64_t patience) {
        access = next;
        sent = answered = 0;
        const Outcome outcome = until([this] { return answered == access.count; }, patience);
        if (outcome != DONE) commands.offering = false;
        access = {};
        sent = answered = 0;
        return outcome;
    }

    void wait(uint64_t count) {
        while (count--) cycle();
    }

    // One cycle with an input raised that is neither a stream's nor the clock.
    void pulse(CData& input) {
        input = 1;
        cycle();
        input = 0;
        bench.settle();
    }

    // Events of the cycles before are forgotten with it, as by the gateware's counters.
    void clear_counters() {
        cycle();
        counters.assign(counters.size(), 0);
    }

    void restart(uint64_t settle) {
        pulse(bench.top.restart);
        wait(settle - 1);
        counters.assign(counters.size(), 0);
        results.forget();
        owed = received = 0;
        scores.clear();
    }

    size_t take(int32_t* target) {
        const size_t whole = scores.size() / shape.right * shape.right;
        std::memcpy(target, scores.data(), whole * sizeof(int32_t));
        scores.erase(scores.begin(), scores.begin() + ptrdiff_t(whole));
        return whole / shape.right;
    }

    size_t whole_results() const { return scores.size() / shape.right; }

    uint64_t owed_results() const { return (owed + shape.right / shape.group - 1) / (shape.right / shape.group); }
};

}  // namespace

EXPORT Core* core_open(const Shape* shape, const char* trace, const char* coverage) {
    return new Core(*shape, {trace, coverage});
}
EXPORT void core_close(Core* core) { delete core; }
EXPORT void core_stall(Core* core, const Stalls* stalls) { core->stall(*stalls); }
EXPORT int core_run(Core* core, size_t count, const uint8_t* kinds, const uint8_t* rates, const uint16_t* labels,
                    const int32_t* features, uint64_t patience) {
    return core->feed({count, kinds, rates, labels, features}, patience);
}
EXPORT int core_flush(Core* core, uint64_t patience) { return core->flush(patience); }
EXPORT int core_access(Core* core, size_t count, const uint32_t* commands, uint32_t* answers, uint64_t patience) {
    return core->run_commands({count, commands, answers}, patience);
}
EXPORT void core_wait(Core* core, uint64_t cycles) { core->wait(cycles); }
EXPORT size_t core_results(Core* core) { return core->whole_results(); }
EXPORT size_t core_take(Core* core, int32_t* scores) { return core->take(scores); }
EXPORT uint64_t core_owed(Core* core) { return core->owed_results(); }
EXPORT uint64_t core_cycles(Core* core) { return core->bench.cycles; }
EXPORT void core_counters(Core* core, uint64_t* counts) {
    std::memcpy(counts, core->counters.data(), core->counters.size() * sizeof(uint64_t));
}
EXPORT void core_restart(Core* core, uint64_t settle) { core->restart(settle); }
EXPORT void core_clear_counters(Core* core) { core->clear_counters(); }
