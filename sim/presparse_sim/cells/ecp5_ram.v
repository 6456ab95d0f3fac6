// Behavioural model of the ECP5 block RAM DP16KD, for netlists.
//
// After Lattice FPGA-TN-02204 (ECP5 and ECP5-5G Memory Usage Guide), as far as its author knows it, and, for how PDPW16KD (36 bits wide, one
// port writes, the other reads) becomes this cell, from Yosys' techlibs/lattice/brams_map_16kd.v.
//
// 18,432 bits. Address pins count bits: a port of width 18 uses AD13:4, of width 9 AD13:3, 4 AD13:2, 2 AD13:1, 1 AD13:0;
// ports of width 1, 2 and 4 do not reach the ninth bit of a byte. At width 18, AD1 and AD0 enable the writing of the
// two bytes, at width 36 AD3 .. AD0 that of four. Width 36: port A only writes, DIB and DIA (low), port B only reads,
// DOB and DOA (low), both at AD13:5.
//
// A port acts at its clock while CE is high and CS equals CSDECODE. WRITEMODE says what its output shows when it
// writes: NORMAL the value before, WRITETHROUGH the new word, READBEFOREWRITE the old word. REGMODE OUTREG adds a
// register with clock enable OCE (at width 36, OCEB). RST clears both, without CE, and blocks a write.
//
// What one port reads of bits that the other one writes at the same time is undefined: here it reads the complement
// of the old bits, so that nothing can rely on it.

module DP16KD #(
    parameter DATA_WIDTH_A = 18, parameter DATA_WIDTH_B = 18,
    parameter REGMODE_A = "NOREG", parameter REGMODE_B = "NOREG",
    parameter RESETMODE = "SYNC", parameter ASYNC_RESET_RELEASE = "SYNC",
    parameter CSDECODE_A = "0b000", parameter CSDECODE_B = "0b000",
    parameter WRITEMODE_A = "NORMAL", parameter WRITEMODE_B = "NORMAL",
    parameter CLKAMUX = "CLKA", parameter CLKBMUX = "CLKB", parameter GSR = "ENABLED",
    parameter WID = 0, parameter INIT_DATA = "STATIC",
    parameter [319:0] INITVAL_00 = 0, parameter [319:0] INITVAL_01 = 0,
    parameter [319:0] INITVAL_02 = 0, parameter [319:0] INITVAL_03 = 0,
    parameter [319:0] INITVAL_04 = 0, parameter [319:0] INITVAL_05 = 0,
    parameter [319:0] INITVAL_06 = 0, parameter [319:0] INITVAL_07 = 0,
    parameter [319:0] INITVAL_08 = 0, parameter [319:0] INITVAL_09 = 0,
    parameter [319:0] INITVAL_0A = 0, parameter [319:0] INITVAL_0B = 0,
    parameter [319:0] INITVAL_0C = 0, parameter [319:0] INITVAL_0D = 0,
    parameter [319:0] INITVAL_0E = 0, parameter [319:0] INITVAL_0F = 0,
    parameter [319:0] INITVAL_10 = 0, parameter [319:0] INITVAL_11 = 0,
    parameter [319:0] INITVAL_12 = 0, parameter [319:0] INITVAL_13 = 0,
    parameter [319:0] INITVAL_14 = 0, parameter [319:0] INITVAL_15 = 0,
    parameter [319:0] INITVAL_16 = 0, parameter [319:0] INITVAL_17 = 0,
    parameter [319:0] INITVAL_18 = 0, parameter [319:0] INITVAL_19 = 0,
    parameter [319:0] INITVAL_1A = 0, parameter [319:0] INITVAL_1B = 0,
    parameter [319:0] INITVAL_1C = 0, parameter [319:0] INITVAL_1D = 0,
    parameter [319:0] INITVAL_1E = 0, parameter [319:0] INITVAL_1F = 0,
    parameter [319:0] INITVAL_20 = 0, parameter [319:0] INITVAL_21 = 0,
    parameter [319:0] INITVAL_22 = 0, parameter [319:0] INITVAL_23 = 0,
    parameter [319:0] INITVAL_24 = 0, parameter [319:0] INITVAL_25 = 0,
    parameter [319:0] INITVAL_26 = 0, parameter [319:0] INITVAL_27 = 0,
    parameter [319:0] INITVAL_28 = 0, parameter [319:0] INITVAL_29 = 0,
    parameter [319:0] INITVAL_2A = 0, parameter [319:0] INITVAL_2B = 0,
    parameter [319:0] INITVAL_2C = 0, parameter [319:0] INITVAL_2D = 0,
    parameter [319:0] INITVAL_2E = 0, parameter [319:0] INITVAL_2F = 0,
    parameter [319:0] INITVAL_30 = 0, parameter [319:0] INITVAL_31 = 0,
    parameter [319:0] INITVAL_32 = 0, parameter [319:0] INITVAL_33 = 0,
    parameter [319:0] INITVAL_34 = 0, parameter [319:0] INITVAL_35 = 0,
    parameter [319:0] INITVAL_36 = 0, parameter [319:0] INITVAL_37 = 0,
    parameter [319:0] INITVAL_38 = 0, parameter [319:0] INITVAL_39 = 0,
    parameter [319:0] INITVAL_3A = 0, parameter [319:0] INITVAL_3B = 0,
    parameter [319:0] INITVAL_3C = 0, parameter [319:0] INITVAL_3D = 0,
    parameter [319:0] INITVAL_3E = 0, parameter [319:0] INITVAL_3F = 0
) (
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3,
        DIA2, DIA1, DIA0,
    input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3,
        DOA2, DOA1, DOA0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3,
        DIB2, DIB1, DIB0,
    input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3,
        DOB2, DOB1, DOB0
);
    generate
        if (DATA_WIDTH_B == 36 && (DATA_WIDTH_A != 36 || REGMODE_A != REGMODE_B))
            $fatal(1, "DP16KD: port B reads 36 bits only where port A writes 36, and both have the same REGMODE");
    endgenerate

    localparam [64*320-1:0] CONTENTS = {INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B,
        INITVAL_3A, INITVAL_39, INITVAL_38, INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33,
        INITVAL_32, INITVAL_31, INITVAL_30, INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B,
        INITVAL_2A, INITVAL_29, INITVAL_28, INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23,
        INITVAL_22, INITVAL_21, INITVAL_20, INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B,
        INITVAL_1A, INITVAL_19, INITVAL_18, INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13,
        INITVAL_12, INITVAL_11, INITVAL_10, INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B,
        INITVAL_0A, INITVAL_09, INITVAL_08, INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03,
        INITVAL_02, INITVAL_01, INITVAL_00};

    reg [35:0] memory [0:511];
    integer pair;
    initial
        for (pair = 0; pair < 512; pair = pair + 1)
            memory[pair] = {CONTENTS[40*pair+20 +: 18], CONTENTS[40*pair +: 18]};

    wire [13:0] address_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
    wire [13:0] address_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
    wire [17:0] data_a = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5,
        DIA4, DIA3, DIA2, DIA1, DIA0};
    wire [17:0] data_b = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5,
        DIB4, DIB3, DIB2, DIB1, DIB0};
    wire [35:0] mask_a, mask_b, word_a, word_b;  // bits that a port addresses; data to write, at their place
    wire [35:0] enable_a, enable_b;  // bits that a port is writing
    wire [17:0] out_a, out_b, high_b;

    wire clock_a = CLKAMUX == "INV" ? ~CLKA : CLKA;
    wire clock_b = CLKBMUX == "INV" ? ~CLKB : CLKB;
    wire same_pair = address_a[13:5] == address_b[13:5];

    presparse_block_ram_port #(DATA_WIDTH_A, REGMODE_A, RESETMODE, CSDECODE_A, WRITEMODE_A) port_a(
        .clock(clock_a), .ce(CEA), .oce(OCEA), .we(WEA), .rst(RSTA), .cs({CSA2, CSA1, CSA0}), .address(address_a),
        .data(DATA_WIDTH_A == 36 ? {data_b, data_a} : {18'd0, data_a}),
        .old(memory[address_a[13:5]]), .other(same_pair ? enable_b : 36'd0),
        .enable(enable_a), .word(word_a), .low(out_a), .high());
    presparse_block_ram_port #(DATA_WIDTH_B, REGMODE_B, RESETMODE, CSDECODE_B, WRITEMODE_B) port_b(
        .clock(clock_b), .ce(CEB), .oce(OCEB), .we(DATA_WIDTH_A == 36 ? 1'b0 : WEB), .rst(RSTB),
        .cs({CSB2, CSB1, CSB0}), .address(address_b), .data({18'd0, data_b}),
        .old(memory[address_b[13:5]]), .other(same_pair ? enable_a : 36'd0),
        .enable(enable_b), .word(word_b), .low(out_b), .high(high_b));

    integer i, j;
    always @(posedge clock_a)
        for (i = 0; i < 36; i = i + 1)
            if (enable_a[i]) memory[address_a[13:5]][i] <= word_a[i];
    always @(posedge clock_b)
        for (j = 0; j < 36; j = j + 1)
            if (enable_b[j]) memory[address_b[13:5]][j] <= word_b[j];

    assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} = DATA_WIDTH_B == 36 ? out_b : out_a;
    assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} = DATA_WIDTH_B == 36 ? high_b : out_b;
endmodule

// One port: which bits of a 36-bit word it addresses, what it writes there, and its output.
module presparse_block_ram_port #(
    parameter WIDTH = 18, parameter REGMODE = "NOREG", parameter RESETMODE = "SYNC",
    parameter CSDECODE = "0b000", parameter WRITEMODE = "NORMAL"
) (
    input clock, ce, oce, we, rst,
    input [2:0] cs,
    input [13:0] address,
    input [35:0] data,    // to write, from bit 0
    input [35:0] old,     // the word at the address
    input [35:0] other,   // its bits that the other port is writing
    output [35:0] enable, // its bits that this port is writing
    output [35:0] word,   // `data` at its place in the word
    output [17:0] low, high
);
    localparam [39:0] SELECT = CSDECODE;  // text: bit 0 of a character is its digit
    wire active = ce && cs == {SELECT[16], SELECT[8], SELECT[0]};
    wire [35:0] ones = WIDTH == 36 ? ~36'd0 : (36'd1 << WIDTH) - 36'd1;
    wire [5:0] at = (WIDTH <= 18 && address[4] ? 6'd18 : 6'd0) + (WIDTH <= 9 && address[3] ? 6'd9 : 6'd0)
        + (WIDTH <= 4 && address[2] ? 6'd4 : 6'd0) + (WIDTH <= 2 && address[1] ? 6'd2 : 6'd0)
        + (WIDTH <= 1 && address[0] ? 6'd1 : 6'd0);
    wire [35:0] bytes = WIDTH == 36 ? {{9{address[3]}}, {9{address[2]}}, {9{address[1]}}, {9{address[0]}}}
        : WIDTH == 18 ? {18'd0, {9{address[1]}}, {9{address[0]}}} : ones;
    assign enable = active && we && !rst ? bytes << at : 36'd0;
    assign word = data << at;

    wire [35:0] seen = WRITEMODE == "WRITETHROUGH" ? (old & ~enable) | (word & enable) : old;
    wire [35:0] next = ((seen ^ other) >> at) & ones;
    wire holds = !active || (we && WRITEMODE == "NORMAL");
    reg [35:0] latch = 0, register = 0;
    generate
        if (RESETMODE == "ASYNC") begin
            always @(posedge clock, posedge rst)
                if (rst) latch <= 0;
                else if (!holds) latch <= next;
            always @(posedge clock, posedge rst)
                if (rst) register <= 0;
                else if (oce) register <= latch;
        end else begin
            always @(posedge clock)
                if (rst) latch <= 0;
                else if (!holds) latch <= next;
            always @(posedge clock)
                if (rst) register <= 0;
                else if (oce) register <= latch;
        end
    endgenerate
    assign {high, low} = REGMODE == "OUTREG" ? register : latch;
endmodule
