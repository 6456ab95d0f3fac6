// Does this core, in this simulator, compute what Presparse's reference computed?
//
// Loads edges and biases as commands, feeds samples and a flush with pauses, and compares every score; then it reads
// back all edges and biases if the core can learn. Says PASS, or says FAIL and ends with a status other than 0.
//
//     iverilog -g2012 -o testbench.vvp presparse_core.v testbench.sv && vvp testbench.vvp

`timescale 1ns / 1ps

module testbench;
  // PARAMETERS

  reg clk = 0;
  reg rst = 1;

  reg samples_valid = 0;
  wire samples_ready;
  reg [SAMPLE_BITS-1:0] sample = 0;

  wire results_valid;
  reg results_ready = 0;
  wire [RESULT_BITS-2:0] results_scores;
  wire results_last;

  reg commands_valid = 0;
  wire commands_ready;
  reg [31:0] commands_address = 0;
  reg [31:0] commands_data = 0;
  reg commands_write = 0;

  wire answers_valid;
  wire [31:0] answers_data;
  wire answers_bad_address, answers_not_drained;

  wire events_correct;
  wire drained;

  presparse_core core (
    .clk(clk),
    .rst(rst),
    .samples_valid(samples_valid),
    .samples_ready(samples_ready),
    .samples_features(sample[SAMPLE_BITS-23:0]),
    .samples_kind(sample[SAMPLE_BITS-21-:2]),
    .samples_rate(sample[SAMPLE_BITS-17-:4]),
    .samples_label(sample[SAMPLE_BITS-1-:16]),
    .results_valid(results_valid),
    .results_ready(results_ready),
    .results_scores(results_scores),
    .results_last(results_last),
    .commands_valid(commands_valid),
    .commands_ready(commands_ready),
    .commands_address(commands_address),
    .commands_data(commands_data),
    .commands_write(commands_write),
    .answers_valid(answers_valid),
    .answers_ready(1'b1),
    .answers_data(answers_data),
    .answers_bad_address(answers_bad_address),
    .answers_not_drained(answers_not_drained),
    .events_correct(events_correct),
    .drained(drained),
    .discard(1'b0)
  );

  // {address, data} of every word that holds an edge or a bias: as it is loaded, and as it is in the end.
  reg [63:0] loaded[0:WORDS-1];
  reg [63:0] learned[0:WORDS-1];
  // {label, rate, kind, features} of every transfer, and {last, scores} of every one that must come.
  reg [SAMPLE_BITS-1:0] samples[0:TRANSFERS-1];
  reg [RESULT_BITS-1:0] results[0:RESULTS-1];

  integer word, transfer;
  integer came = 0;
  integer correct = 0;
  integer idle = 0;
  integer sample_pauses = 1;
  integer result_pauses = 2;

  always #5 clk = ~clk;

  // A command, and its answer. Inputs change right after a clock edge, and outputs are read right before the next.
  task command(input write, input [31:0] address, input [31:0] data);
    begin
      commands_valid <= 1;
      commands_write <= write;
      commands_address <= address;
      commands_data <= data;
      @(posedge clk);
      while (!commands_ready) @(posedge clk);
      commands_valid <= 0;
      @(posedge clk);
      while (!answers_valid) @(posedge clk);
      if (answers_bad_address || answers_not_drained) begin
        $display("FAIL: address %h is refused (bad address %b, not drained %b)", address, answers_bad_address,
                 answers_not_drained);
        $fatal(1);
      end
    end
  endtask

  initial begin
    $readmemh("model.hex", loaded);
    $readmemh("samples.hex", samples);
    $readmemh("results.hex", results);
    if (LEARNS) $readmemh("learned.hex", learned);
    repeat (3) @(posedge clk);
    rst <= 0;
    @(posedge clk);

    for (word = 0; word < WORDS; word = word + 1) command(1, loaded[word][63:32], loaded[word][31:0]);

    for (transfer = 0; transfer < TRANSFERS; transfer = transfer + 1) begin
      while ($random(sample_pauses) % 4 == 0) @(posedge clk);
      samples_valid <= 1;
      sample <= samples[transfer];
      @(posedge clk);
      while (!samples_ready) @(posedge clk);
      samples_valid <= 0;
    end

    @(posedge clk);
    while (!drained || came < RESULTS) @(posedge clk);
    repeat (100) @(posedge clk);  // nothing else may come

    if (correct != CORRECT) begin
      $display("FAIL: %0d labels were predicted, and %0d should be", correct, CORRECT);
      $fatal(1);
    end
    for (word = 0; LEARNS && word < WORDS; word = word + 1) begin
      command(0, learned[word][63:32], 0);
      if (answers_data !== learned[word][31:0]) begin
        $display("FAIL: address %h holds %h, and should hold %h", learned[word][63:32], answers_data,
                 learned[word][31:0]);
        $fatal(1);
      end
    end
    $display("PASS: %0d transfers of scores%0s are those of the reference", RESULTS,
             LEARNS ? ", and all edges and biases after learning," : "");
    $finish;
  end

  // Scores, as they come.
  always @(posedge clk) begin
    results_ready <= $random(result_pauses) % 4 != 0;
    if (!rst && events_correct) correct = correct + 1;
    if (results_valid && results_ready) begin
      if (came == RESULTS) begin
        $display("FAIL: scores came after the last that were due");
        $fatal(1);
      end
      if ({results_last, results_scores} !== results[came]) begin
        $display("FAIL: transfer %0d of scores is %h, and should be %h", came, {results_last, results_scores},
                 results[came]);
        $fatal(1);
      end
      came = came + 1;
    end
  end

  // A core that hangs fails, too.
  always @(posedge clk) begin
    idle = (samples_valid && samples_ready) || (results_valid && results_ready) || answers_valid ? 0 : idle + 1;
    if (idle > PATIENCE) begin
      $display("FAIL: nothing moved for %0d cycles", PATIENCE);
      $fatal(1);
    end
  end
endmodule
