// Behavioural model of the ECP5 multiplier MULT18X18D, for netlists.
//
// After Lattice FPGA-TN-02205 (ECP5 and ECP5-5G sysDSP Usage Guide), as far as its author knows it: an 18x18 multiplier with optional
// registers for each operand, behind the multiplier (pipeline) and at the output. Each register has its choice of
// four clocks, clock enables and resets; a register without a clock is bypassed, so latency is the number of
// registers from operand to product. An operand is two's complement while its SIGNED pin is high, else unsigned;
// the pin is registered with its operand. A reset acts without the clock enable.
//
// What a netlist must not use is missing, or stops the compile: the shift chain (SRIA, SROA, ...: read as 0 if
// SOURCEA or SOURCEB selects them), input register C, the bypass, divided and high-speed clocks, the pre-adder
// and ALU outputs (ROA, ROB, ROC, SIGNEDP).

module MULT18X18D #(
    parameter REG_INPUTA_CLK = "NONE", parameter REG_INPUTA_CE = "CE0", parameter REG_INPUTA_RST = "RST0",
    parameter REG_INPUTB_CLK = "NONE", parameter REG_INPUTB_CE = "CE0", parameter REG_INPUTB_RST = "RST0",
    parameter REG_INPUTC_CLK = "NONE", parameter REG_INPUTC_CE = "CE0", parameter REG_INPUTC_RST = "RST0",
    parameter REG_PIPELINE_CLK = "NONE", parameter REG_PIPELINE_CE = "CE0", parameter REG_PIPELINE_RST = "RST0",
    parameter REG_OUTPUT_CLK = "NONE", parameter REG_OUTPUT_CE = "CE0", parameter REG_OUTPUT_RST = "RST0",
    parameter CLK0_DIV = "ENABLED", parameter CLK1_DIV = "ENABLED",
    parameter CLK2_DIV = "ENABLED", parameter CLK3_DIV = "ENABLED",
    parameter HIGHSPEED_CLK = "NONE", parameter GSR = "ENABLED", parameter CAS_MATCH_REG = "FALSE",
    parameter SOURCEB_MODE = "B_SHIFT", parameter MULT_BYPASS = "DISABLED", parameter RESETMODE = "SYNC"
) (
    input A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
    input B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
    input C17, C16, C15, C14, C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2, C1, C0,
    input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
    input CLK3, CLK2, CLK1, CLK0, CE3, CE2, CE1, CE0, RST3, RST2, RST1, RST0,
    output P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17, P16,
        P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
);
    generate
        if (REG_INPUTC_CLK != "NONE" || HIGHSPEED_CLK != "NONE" || CAS_MATCH_REG != "FALSE" ||
            SOURCEB_MODE != "B_SHIFT" || MULT_BYPASS != "DISABLED")
            $fatal(1, "MULT18X18D: the model knows no input register C, bypass, cascade or high-speed clock");
    endgenerate

    wire [3:0] clk = {CLK3, CLK2, CLK1, CLK0};
    wire [3:0] ce = {CE3, CE2, CE1, CE0};
    wire [3:0] rst = {RST3, RST2, RST1, RST0};

    wire [17:0] a = {A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
    wire [17:0] b = {B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};

    // Operands with their sign: 19 bits hold signed and unsigned 18 bits.
    wire signed [18:0] left, right;
    presparse_dsp_register #(19, REG_INPUTA_CLK, REG_INPUTA_CE, REG_INPUTA_RST, RESETMODE)
        input_a(clk, ce, rst, SOURCEA ? 19'd0 : {SIGNEDA & A17, a}, left);
    presparse_dsp_register #(19, REG_INPUTB_CLK, REG_INPUTB_CE, REG_INPUTB_RST, RESETMODE)
        input_b(clk, ce, rst, SOURCEB ? 19'd0 : {SIGNEDB & B17, b}, right);

    wire signed [37:0] product = left * right;
    wire [35:0] pipelined, p;
    presparse_dsp_register #(36, REG_PIPELINE_CLK, REG_PIPELINE_CE, REG_PIPELINE_RST, RESETMODE)
        pipeline(clk, ce, rst, product[35:0], pipelined);
    presparse_dsp_register #(36, REG_OUTPUT_CLK, REG_OUTPUT_CE, REG_OUTPUT_RST, RESETMODE)
        result(clk, ce, rst, pipelined, p);

    assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17,
        P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0} = p;
endmodule

// One optional register of a DSP block.
module presparse_dsp_register #(
    parameter WIDTH = 18, parameter CLK = "NONE", parameter CE = "CE0", parameter RST = "RST0",
    parameter RESETMODE = "SYNC"
) (
    input [3:0] clk, ce, rst,
    input [WIDTH-1:0] d,
    output [WIDTH-1:0] q
);
    localparam integer C = CLK == "CLK0" ? 0 : CLK == "CLK1" ? 1 : CLK == "CLK2" ? 2 : 3;
    localparam integer E = CE == "CE0" ? 0 : CE == "CE1" ? 1 : CE == "CE2" ? 2 : 3;
    localparam integer R = RST == "RST0" ? 0 : RST == "RST1" ? 1 : RST == "RST2" ? 2 : 3;
    wire clock = clk[C];
    wire reset = rst[R];
    generate
        if (CLK == "NONE") begin
            assign q = d;
        end else begin
            reg [WIDTH-1:0] held = 0;
            assign q = held;
            if (RESETMODE == "ASYNC") begin
                always @(posedge clock, posedge reset)
                    if (reset) held <= 0;
                    else if (ce[E]) held <= d;
            end else begin
                always @(posedge clock)
                    if (reset) held <= 0;
                    else if (ce[E]) held <= d;
            end
        end
    endgenerate
endmodule
