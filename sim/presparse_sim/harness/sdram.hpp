// An SDR SDRAM at its pins, written from datasheets (JEDEC 21-C, Micron, Winbond, ISSI, ESMT) and without a look at
// the controller. It keeps what it is given, and loses it if it is not refreshed; every rule that is broken is named.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

namespace sdram {

// Sizes, and times in ns as in the datasheet. The same fields, in this order, in presparse_sim/chips/sdram.py.
struct Chip {
    uint32_t rows, columns;  // address bits
    uint32_t banks, width;
    uint32_t wr_cycles, mrd_cycles;
    double clock;                  // one cycle
    double shortest_2, shortest_3;  // cycles at CAS latency 2 and 3
    double rcd, rp, ras, rc, rrd, rfc, wr;
    double refresh;  // between two REFRESH
    double power_up;
    // How late the data come, in half cycles after the middle of the cycle `latency` cycles after READ, and for how
    // many of these moments they are there: 1 or 2.
    uint32_t late, stay;
};

// What is wrong with the chip or its wires; nothing at first.
struct Faults {
    uint32_t data_mask, data_value;        // data pins that are stuck
    uint32_t address_mask, address_value;  // A
    uint32_t bank_mask, bank_value;        // BA
    uint32_t silent;                       // never drives its data pins
    uint32_t weak_bank, weak_row, weak_column, weak_mask;
    double weak_ns;  // after which these bits of this cell are 0
};

// The pins in one cycle. Control is 1 when it is asserted.
struct Pins {
    uint32_t cke, cs, ras, cas, we, ba, a, dqm, dq, oe;
};

struct Broken {
    const char* rule;
    uint64_t cycle;
};

class Model {
    static constexpr double LONGEST_OPEN = 100'000;
    static constexpr double LONG_AGO = -1e18;
    static constexpr unsigned START_REFRESHES = 8;
    static constexpr unsigned POSTPONED = 8;  // refreshes that may be late at once
    static constexpr uint32_t AUTO = 1 << 10;

    struct Row {
        std::vector<uint32_t> columns;
        double restored;
    };

    struct Bank {
        bool open = false;
        uint32_t row = 0;
        double opened = LONG_AGO;
        double closed = LONG_AGO;  // the moment in which its precharge begins: after a command with precharge, to come
        double read = LONG_AGO, written = LONG_AGO;
    };

    struct Reading {
        uint64_t cycle;  // in which the data are at the pins of an ideal chip
        uint32_t data;
    };

    Chip chip;
    std::vector<Bank> banks;
    std::unordered_map<uint64_t, Row> rows;
    std::deque<Reading> readings;
    std::array<uint32_t, 64> moments{};  // of the data pins, two per cycle, around
    std::array<bool, 64> driven{};
    uint64_t noise_state = 0x9e3779b97f4a7c15u;
    double activated = LONG_AGO, refreshed = LONG_AGO, weak_written = LONG_AGO;
    uint64_t mode_set = 0;
    unsigned latency = 0, refreshes = 0;
    uint32_t next_row = 0;
    bool awake = false, precharged = false, overdue = false;

    double now() const { return double(cycle) * chip.clock; }

    // `from` was less than `least` ago.
    bool soon(double from, double least) const { return now() - from < least - 1e-6; }

    void broke(const char* rule) {
        if (broken.size() < 1000) broken.push_back({rule, cycle});
    }

    void require(bool holds, const char* rule) {
        if (!holds) broke(rule);
    }

    uint32_t mask() const { return chip.width == 32 ? 0xffffffffu : (1u << chip.width) - 1; }

    uint32_t noise() {
        noise_state ^= noise_state >> 12, noise_state ^= noise_state << 25, noise_state ^= noise_state >> 27;
        return uint32_t(noise_state * 0x2545f4914f6cdd1du >> 32) & mask();
    }

    double recovery() const {
        const double cycles = chip.wr_cycles * chip.clock;
        return chip.wr > cycles ? chip.wr : cycles;
    }

    bool started() const { return precharged && latency && refreshes >= START_REFRESHES; }

    // A row, as it is by now: with noise in it if nobody wrote it or it was left alone for too long.
    Row& row_of(uint32_t bank, uint32_t number) {
        const auto [found, made] = rows.try_emplace(uint64_t(bank) << 32 | number);
        Row& row = found->second;
        if (made) {
            row.columns.resize(std::size_t(1) << chip.columns);
            for (uint32_t& column : row.columns) column = noise();
        } else if (now() - row.restored > chip.refresh * double(uint64_t(1) << chip.rows) + 1e-6) {
            broke("a row was not refreshed in time, and lost its data");
            for (uint32_t& column : row.columns) column = noise();
        }
        row.restored = now();
        return row;
    }

    // The precharge of a bank begins at `when`, or as early as `earliest`, which not all makers tell.
    void close(Bank& bank, uint32_t number, double earliest, double when) {
        require(earliest - bank.opened > chip.ras - 1e-6, "tRAS: ACTIVATE to PRECHARGE");
        require(when - bank.opened < LONGEST_OPEN, "tRAS: a row was open for too long");
        row_of(number, bank.row);  // restores it
        bank.open = false;
        bank.closed = when;
    }

    void activate(const Pins& pins) {
        Bank& bank = banks[pins.ba];
        require(started(), "ACTIVATE before the chip has started");
        require(!bank.open, "ACTIVATE of a bank with an open row");
        require(!soon(bank.closed, chip.rp), "tRP: PRECHARGE to ACTIVATE");
        require(!soon(bank.opened, chip.rc), "tRC: ACTIVATE to ACTIVATE of the same bank");
        require(!soon(activated, chip.rrd), "tRRD: ACTIVATE to ACTIVATE of another bank");
        bank.open = true;
        bank.row = pins.a & ((1u << chip.rows) - 1);
        bank.opened = activated = now();
        row_of(pins.ba, bank.row);
    }

    void access(const Pins& pins) {
        Bank& bank = banks[pins.ba];
        if (!bank.open) return broke(pins.we ? "WRITE to a closed row" : "READ of a closed row");
        require(!soon(bank.opened, chip.rcd), "tRCD: ACTIVATE to READ or WRITE");
        const uint32_t number = pins.a & ((1u << chip.columns) - 1) & ~(chip.columns > 10 ? AUTO : 0);
        uint32_t& column = row_of(pins.ba, bank.row).columns[number];
        const bool weak = faults.weak_mask && pins.ba == faults.weak_bank && bank.row == faults.weak_row &&
                          number == faults.weak_column;
        if (pins.we) {
            require(pins.oe, "WRITE without data");
            for (unsigned byte = 0; byte < chip.width / 8; ++byte) {
                const uint32_t bits = 0xffu << 8 * byte;
                if (!(pins.dqm >> byte & 1)) column = (column & ~bits) | (pins.dq & bits);
            }
            if (weak) weak_written = now();
            bank.written = now();
        } else {
            if (weak && now() - weak_written >= faults.weak_ns) column &= ~faults.weak_mask;
            readings.push_back({cycle + latency, column});
            bank.read = now();
        }
        if (!(pins.a & AUTO)) return;
        const double first = now() + (pins.we ? recovery() : chip.clock);
        close(bank, pins.ba, first, pins.we ? first : now() + chip.clock * (latency - 1));
    }

    void precharge(const Pins& pins) {
        for (uint32_t number = 0; number < chip.banks; ++number) {
            Bank& bank = banks[number];
            if (!bank.open || !(pins.a & AUTO || number == pins.ba)) continue;
            require(!soon(bank.written, recovery()), "tWR: WRITE to PRECHARGE");
            require(!soon(bank.read, chip.clock * (latency - 1)), "PRECHARGE too soon after a READ");
            close(bank, number, now(), now());
        }
        if (pins.a & AUTO) precharged = true;
    }

    void refresh() {
        require(precharged, "REFRESH before the first PRECHARGE of all banks");
        for (const Bank& bank : banks) {
            require(!bank.open, "REFRESH with an open row");
            require(!soon(bank.closed, chip.rp), "tRP: PRECHARGE to REFRESH");
        }
        for (uint32_t bank = 0; bank < chip.banks; ++bank) {
            if (rows.count(uint64_t(bank) << 32 | next_row)) row_of(bank, next_row);
        }
        next_row = (next_row + 1) & ((1u << chip.rows) - 1);
        ++refreshes;
        refreshed = now();
        overdue = false;
    }

    void set_mode(const Pins& pins) {
        require(precharged, "MODE REGISTER SET before the first PRECHARGE of all banks");
        for (const Bank& bank : banks) {
            require(!bank.open, "MODE REGISTER SET with an open row");
            require(!soon(bank.closed, chip.rp), "tRP: PRECHARGE to MODE REGISTER SET");
        }
        require((pins.a & ~0x70u) == 0 && pins.ba == 0, "the mode is none that this model has (burst length 1)");
        latency = pins.a >> 4 & 7;
        mode_set = cycle;
        if (latency != 2 && latency != 3) {
            broke("the CAS latency is not 2 or 3");
            latency = 3;
        }
        const double shortest = latency == 2 ? chip.shortest_2 : chip.shortest_3;
        require(shortest > 0 && chip.clock > shortest - 1e-6, "the clock is too fast for this CAS latency");
    }

    void command(const Pins& pins) {
        if (!pins.cs || !(pins.ras || pins.cas || pins.we)) return;
        require(now() > chip.power_up - 1e-6, "a command before the power-up time is over");
        require(!soon(refreshed, chip.rfc), "tRFC: REFRESH to any command");
        require(!latency || cycle >= mode_set + chip.mrd_cycles, "tMRD: MODE REGISTER SET to any command");
        switch (pins.ras << 2 | pins.cas << 1 | pins.we) {
            case 0b100: return activate(pins);
            case 0b010:
            case 0b011: return access(pins);
            case 0b101: return precharge(pins);
            case 0b110: return refresh();
            case 0b111: return set_mode(pins);
            default: return broke("BURST TERMINATE, which nobody needs with bursts of 1");
        }
    }

    // The data pins: what was read comes out of them, unless the other side drives them, too.
    void drive(const Pins& pins) {
        for (Reading& reading : readings) {
            // A mask acts two cycles later.
            if (reading.cycle != cycle + 2) continue;
            for (unsigned byte = 0; byte < chip.width / 8; ++byte) {
                if (pins.dqm >> byte & 1) reading.data ^= (noise() | 1u << 8 * byte) & 0xffu << 8 * byte;
            }
        }
        // A chip lets go of its pins only after the edge at which its data are taken.
        for (const Reading& reading : readings) {
            const bool busy = cycle == reading.cycle || cycle == reading.cycle + 1;
            require(!(busy && pins.oe), "both sides drive the data pins");
        }
        while (!readings.empty() && readings.front().cycle + 2 <= cycle) readings.pop_front();
        for (const Reading& reading : readings) {
            if (reading.cycle != cycle || faults.silent) continue;
            for (unsigned moment = 0; moment < chip.stay; ++moment) {
                const std::size_t at = (2 * cycle + chip.late + moment) % moments.size();
                moments[at] = reading.data;
                driven[at] = true;
            }
        }
    }

    uint32_t seen(uint64_t moment) {
        const std::size_t at = moment % moments.size();
        const uint32_t value = driven[at] ? moments[at] : noise();
        driven[at] = false;
        return (value & ~faults.data_mask) | (faults.data_value & faults.data_mask & mask());
    }

public:
    Faults faults{};
    std::vector<Broken> broken;
    uint64_t cycle = 0;

    explicit Model(const Chip& chip) : chip(chip), banks(chip.banks) {}

    // One cycle; returns what is at the data pins in its middle and at its end.
    std::array<uint32_t, 2> step(Pins pins) {
        pins.a = (pins.a & ~faults.address_mask) | (faults.address_value & faults.address_mask);
        pins.ba = (pins.ba & ~faults.bank_mask) | (faults.bank_value & faults.bank_mask);
        pins.dq = (pins.dq & ~faults.data_mask) | (faults.data_value & faults.data_mask);
        require(pins.cke || !awake, "CKE went low");
        awake |= pins.cke;
        if (pins.cke) command(pins);
        if (started() && !overdue && now() - refreshed > (1 + POSTPONED) * chip.refresh) {
            broke("more refreshes are late than may be postponed");
            overdue = true;
        }
        drive(pins);
        const std::array<uint32_t, 2> both{seen(2 * cycle), seen(2 * cycle + 1)};
        ++cycle;
        return both;
    }

    // A column as it is, for tests and for what would take too long through the pins.
    uint32_t& column(uint32_t bank, uint32_t row, uint32_t number) { return row_of(bank, row).columns[number]; }
};

}  // namespace sdram
