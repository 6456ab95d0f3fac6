// The SDRAM at the pads of a design that has them (`sdram`, an SdramPadSignature).
#pragma once

#include <optional>

#include "bench.hpp"
#include "sdram.hpp"

class SdramAtPads {
    std::optional<sdram::Model> model;
    std::array<uint32_t, 2> seen{};

public:
    void connect(const sdram::Chip& chip) { model.emplace(chip); }
    void fail(const sdram::Faults& faults) { model->faults = faults; }

    // Before the rising edge: the chip takes what is at its pins. False if that breaks a rule.
    template <class Top> bool take(Top& top) {
        if constexpr (requires { top.sdram_cke; }) {
            seen = model->step({top.sdram_cke, top.sdram_cs, top.sdram_ras, top.sdram_cas, top.sdram_we, top.sdram_ba,
                                top.sdram_a, top.sdram_dqm, top.sdram_dq_o, top.sdram_dq_oe});
            return model->broken.empty();
        }
        return true;
    }

    // After it: what the chip gave.
    template <class Top> void give(Top& top) {
        if constexpr (requires { top.sdram_dq_i_0; }) {
            top.sdram_dq_i_0 = seen[0];
            top.sdram_dq_i_1 = seen[1];
        }
    }

    // The first rule that was broken, and in which cycle; null if none was.
    const char* broken(uint64_t* cycle) const {
        if (!model || model->broken.empty()) return nullptr;
        *cycle = model->broken.front().cycle;
        return model->broken.front().rule;
    }
};
