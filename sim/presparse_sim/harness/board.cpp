// Drives a design with a byte stream each way (presparse_hw/accelerator.py).

#include <algorithm>
#include <deque>

#include "pads.hpp"

namespace {

class Board {
    Random random;
    Source input;
    Sink<CData> output;
    std::deque<uint8_t> pending;

public:
    Bench bench;
    SdramAtPads sdram;

    explicit Board(Files files) : bench(files) {}

    void stall(double probability, uint64_t seed) {
        input.stall = output.stall = probability;
        random.seed(seed);
    }

    void write(const uint8_t* bytes, size_t count) { pending.insert(pending.end(), bytes, bytes + count); }

    // Steps until `limit` bytes came out, or some did and none for `quiet` cycles, or `budget` cycles without any.
    Outcome read(uint8_t* bytes, size_t limit, size_t* count, uint64_t budget, uint64_t quiet) {
        Vtop& top = bench.top;
        *count = 0;
        for (uint64_t idle = 0; *count < limit && idle < (*count ? quiet : budget); ++idle) {
            if (input.begins(!pending.empty(), random)) top.i_bytes_payload = pending.front();
            top.i_bytes_valid = input.offering;
            top.o_bytes_ready = !random.chance(output.stall);
            bench.settle();
            const bool input_moves = input.moves(top.i_bytes_ready);
            if (output.moves(top.o_bytes_valid, top.o_bytes_ready, top.o_bytes_payload)) {
                bytes[(*count)++] = top.o_bytes_payload;
                idle = 0;
            }
            if (input_moves) pending.pop_front(), input.offering = false;
            if (!sdram.take(top)) return BROKEN_MEMORY;
            bench.edge();
            sdram.give(top);
            if (!output.stable) {
                output.stable = true;
                return UNSTABLE_OUTPUT;
            }
        }
        return DONE;
    }
};

}  // namespace

EXPORT Board* board_open(const char* trace, const char* coverage) { return new Board({trace, coverage}); }
EXPORT void board_close(Board* board) { delete board; }
EXPORT void board_sdram(Board* board, const sdram::Chip* chip) { board->sdram.connect(*chip); }
EXPORT void board_sdram_fail(Board* board, const sdram::Faults* faults) { board->sdram.fail(*faults); }
EXPORT const char* board_sdram_broken(const Board* board, uint64_t* cycle) { return board->sdram.broken(cycle); }
EXPORT void board_stall(Board* board, double probability, uint64_t seed) { board->stall(probability, seed); }
EXPORT void board_write(Board* board, const uint8_t* bytes, size_t count) { board->write(bytes, count); }
EXPORT int board_read(Board* board, uint8_t* bytes, size_t limit, size_t* count, uint64_t budget, uint64_t quiet) {
    return board->read(bytes, limit, count, budget, quiet);
}
EXPORT uint64_t board_cycles(Board* board) { return board->bench.cycles; }
