// The memory model for simulators in Python (presparse_sim/chips/sdram.py).

#include "sdram.hpp"

#define EXPORT extern "C" __attribute__((visibility("default")))

using sdram::Model;

EXPORT Model* sdram_open(const sdram::Chip* chip) { return new Model(*chip); }
EXPORT void sdram_close(Model* model) { delete model; }
EXPORT void sdram_step(Model* model, const sdram::Pins* pins, uint32_t* both) {
    const auto seen = model->step(*pins);
    both[0] = seen[0], both[1] = seen[1];
}
EXPORT void sdram_fail(Model* model, const sdram::Faults* faults) { model->faults = *faults; }
EXPORT const char* sdram_broken(const Model* model, std::size_t number, uint64_t* cycle) {
    if (number >= model->broken.size()) return nullptr;
    *cycle = model->broken[number].cycle;
    return model->broken[number].rule;
}
EXPORT uint64_t sdram_cycles(const Model* model) { return model->cycle; }
EXPORT uint32_t* sdram_column(Model* model, uint32_t bank, uint32_t row, uint32_t number) {
    return &model->column(bank, row, number);
}
