// What a board computes, block by block: presparse/reference.py in C.
//
// A sample stays in a slot of the ring while it is in flight; empty samples of a flush have kind FLUSH.
// SUM is the type of sums and products of edges: int32_t where they are all exact in it, which is faster, else int64_t.

#include <stdint.h>
#include <string.h>

enum { FLUSH, PREDICT, TRAIN, EVALUATE, KINDS }; // presparse.contract.wire.SampleKind
enum { RELU, SIGMOID, IDENTITY };

// A drop is by how many bits a binary point moves left; drops of 0 and less are exact.
typedef struct {
    int32_t left, right, in_degree, activation;
    int32_t forward, update;                 // blocks after the sample's own
    int32_t sum_shift, bias_shift;           // product, bias -> sum
    int32_t activation_drop;                 // sum -> activation, or input of the sigmoid table
    int32_t activation_low, activation_high; // limits of the same
    int32_t delta_drop;                      // left neurons' delta sum times derivative -> delta
    const int32_t *source;                   // (right, in_degree): left neuron of every edge
    int32_t *weights, *operands;             // (right, in_degree): as stored, and as multipliers see them
    int32_t *biases;                         // (right,)
    const int32_t *table, *slopes;           // sigmoid and its derivative, in two's-complement order
} Junction;

typedef struct {
    int32_t junctions, slots, classes, widest; // slots: depth of the pipeline + 1
    int32_t operand_shift, one;
    int32_t error_drop;                        // output -> delta
    int32_t step_drop, bias_drop;              // delta times activation, delta -> weight, at rate 1
    int32_t weight_low, weight_high, delta_low, delta_high;
    const Junction *junction;
    uint8_t *kinds, *rates;                    // (slots,)
    int32_t *labels;                           // (slots,)
    int32_t *activations;                      // (slots, junctions + 1, widest): features first
    int32_t *derivatives, *deltas;             // (slots, junctions, widest): of right neurons
    SUM *sums;                                 // (widest,): left neurons' deltas while they are added up
    int64_t blocks, scored[KINDS], correct, saturated_activation, saturated_weight, saturated_delta;
} Board;

static inline int64_t rescale(int64_t value, int drop) {
    return drop > 0 ? (value + (1LL << (drop - 1))) >> drop : value << -drop;
}

static inline SUM rescale_edge(SUM value, int drop) {
    return drop > 0 ? (value + ((SUM)1 << (drop - 1))) >> drop : value << -drop;
}

static inline int64_t clip(int64_t value, int64_t low, int64_t high) {
    return value < low ? low : value > high ? high : value;
}

static inline int32_t *activations(const Board *b, int slot, int layer) {
    return b->activations + ((size_t)slot * (size_t)(b->junctions + 1) + (size_t)layer) * (size_t)b->widest;
}

static inline size_t right_of(const Board *b, int slot, int junction) {
    return ((size_t)slot * (size_t)b->junctions + (size_t)junction) * (size_t)b->widest;
}

static int32_t to_delta(Board *b, int64_t value, int drop) {
    int64_t rounded = rescale(value, drop), kept = clip(rounded, b->delta_low, b->delta_high);
    b->saturated_delta += kept != rounded;
    return (int32_t)kept;
}

static void feed_forward(Board *b, const Junction *j, const int32_t *in, int32_t *out, int32_t *slope) {
    for (int r = 0; r < j->right; ++r) {
        const int32_t *source = j->source + (size_t)r * j->in_degree, *w = j->operands + (size_t)r * j->in_degree;
        SUM products = 0;
        for (int k = 0; k < j->in_degree; ++k) products += (SUM)w[k] * in[source[k]];
        int64_t sum = ((int64_t)products << j->sum_shift) + ((int64_t)j->biases[r] << j->bias_shift);
        int64_t rounded = rescale(sum, j->activation_drop);
        int64_t kept = clip(rounded, j->activation_low, j->activation_high);
        if (j->activation == SIGMOID) { // the limits' difference masks the index
            out[r] = j->table[kept & (j->activation_high - j->activation_low)];
            slope[r] = j->slopes[kept & (j->activation_high - j->activation_low)];
            continue;
        }
        out[r] = (int32_t)kept;
        slope[r] = j->activation == IDENTITY || (kept > j->activation_low && kept < j->activation_high);
        b->saturated_activation += rounded > j->activation_high;
        if (j->activation == IDENTITY) b->saturated_activation += rounded < j->activation_low; // ReLU's is no limit
    }
}

// The scores are there: compare them with the label, and start the way back.
static void score(Board *b, int slot) {
    const int32_t *scores = activations(b, slot, b->junctions);
    const int kind = b->kinds[slot], label = b->labels[slot];
    b->scored[kind] += 1;
    if (kind == PREDICT) return;
    int best = 0; // the lowest, if several are largest
    for (int c = 1; c < b->classes; ++c)
        if (scores[c] > scores[best]) best = c;
    b->correct += best == label;
    if (kind != TRAIN) return;
    int32_t *delta = b->deltas + right_of(b, slot, b->junctions - 1);
    for (int r = 0; r < b->junction[b->junctions - 1].right; ++r)
        delta[r] = to_delta(b, scores[r] - (r == label ? b->one : 0), b->error_drop);
}

static void backpropagate(Board *b, const Junction *j, const int32_t *delta, const int32_t *slope, int32_t *result) {
    memset(b->sums, 0, (size_t)j->left * sizeof *b->sums);
    for (int r = 0; r < j->right; ++r) {
        const int32_t *source = j->source + (size_t)r * j->in_degree, *w = j->operands + (size_t)r * j->in_degree;
        const SUM d = delta[r];
        SUM *sums = b->sums;
        if (!d) continue;
#pragma GCC ivdep // the left neurons of one right neuron are distinct
        for (int k = 0; k < j->in_degree; ++k) sums[source[k]] += (SUM)w[k] * d;
    }
    for (int n = 0; n < j->left; ++n) result[n] = to_delta(b, (int64_t)b->sums[n] * slope[n], j->delta_drop);
}

static void update(Board *b, const Junction *j, const int32_t *delta, const int32_t *in, int rate) {
    const int step_drop = b->step_drop + rate, bias_drop = b->bias_drop + rate, operand_shift = b->operand_shift;
    const SUM low = b->weight_low, high = b->weight_high;
    for (int r = 0; r < j->right; ++r) {
        const int32_t *source = j->source + (size_t)r * j->in_degree;
        int32_t *w = j->weights + (size_t)r * j->in_degree, *operand = j->operands + (size_t)r * j->in_degree;
        const SUM d = delta[r];
        int32_t saturated = 0;
        if (!d) continue; // every step is 0
        for (int k = 0; k < j->in_degree; ++k) {
            SUM wanted = w[k] - rescale_edge(d * in[source[k]], step_drop);
            SUM kept = wanted < low ? low : wanted > high ? high : wanted;
            saturated += kept != wanted;
            w[k] = (int32_t)kept;
            operand[k] = (int32_t)kept >> operand_shift;
        }
        int64_t wanted = j->biases[r] - rescale(d, bias_drop), kept = clip(wanted, low, high);
        j->biases[r] = (int32_t)kept;
        b->saturated_weight += saturated + (kept != wanted);
    }
}

// One block per sample. `scores` takes those of the predictions that come out; returns how many.
int64_t board_run(Board *b, int64_t count, const uint8_t *kinds, const uint8_t *rates, const uint16_t *labels,
                  const int32_t *features, int32_t *scores) {
    const int last = b->junctions - 1;
    const size_t left = (size_t)b->junction[0].left, right = (size_t)b->junction[last].right;
    int64_t results = 0;
    for (int64_t i = 0; i < count; ++i, ++b->blocks) {
        int slot = (int)(b->blocks % b->slots);
        b->kinds[slot] = kinds[i];
        b->rates[slot] = rates[i];
        b->labels[slot] = labels[i];
        if (kinds[i] != FLUSH)
            memcpy(activations(b, slot, 0), features + (size_t)i * left, left * sizeof *features);

        for (int n = 0; n <= last; ++n) {
            const Junction *j = &b->junction[n];
            slot = (int)((b->blocks + b->slots - j->forward) % b->slots);
            if (b->kinds[slot] == FLUSH) continue;
            feed_forward(b, j, activations(b, slot, n), activations(b, slot, n + 1),
                         b->derivatives + right_of(b, slot, n));
            if (n < last) continue;
            score(b, slot);
            if (b->kinds[slot] == PREDICT)
                memcpy(scores + (size_t)results++ * right, activations(b, slot, n + 1), right * sizeof *scores);
        }
        for (int n = last; n >= 0; --n) {
            const Junction *j = &b->junction[n];
            slot = (int)((b->blocks + b->slots - j->update) % b->slots);
            if (b->kinds[slot] != TRAIN) continue;
            const int32_t *delta = b->deltas + right_of(b, slot, n);
            if (n > 0)
                backpropagate(b, j, delta, b->derivatives + right_of(b, slot, n - 1),
                              b->deltas + right_of(b, slot, n - 1));
            update(b, j, delta, activations(b, slot, n), b->rates[slot]);
        }
    }
    return results;
}
