// What a board computes, block by block: presparse/reference/pytorch.py in C.
//
// A sample stays in a slot of the ring while it is in flight; empty samples of a flush have kind FLUSH.
// Edge is the type of weights, activations and deltas, Sum that of all exact sums and products of them; the narrowest
// that hold every number of the build (widths.py). Edges are computed in vectors, which lie as layout.py has them: of
// RIGHT right neurons two edges each, side by side. Neurons, too, are where layout.py puts them; between and behind
// them there are others without edges, whose weights, biases and deltas are 0 and stay so.

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

enum { FLUSH, PREDICT, TRAIN, EVALUATE, KINDS }; // presparse.contract.wire.SampleKind
enum { RELU, SIGMOID, IDENTITY };
enum { NEAR, FAR, SAME }; // how a vector's inputs are found: in one register, anywhere, the same two for all its neurons
enum { CHECKED_BLOCKS = 64 };

INLINE Sum clip(Sum value, Sum low, Sum high) { return value < low ? low : value > high ? high : value; }

// A drop is by how many bits a binary point moves left; drops of 0 and less are exact.
INLINE Sum rescale(Sum value, int drop) {
    return drop > 0 ? (value + ((Sum)1 << (drop - 1))) >> drop : value * ((Sum)1 << -drop);
}

INLINE int64_t rescale_long(int64_t value, int drop) {
    return drop > 0 ? (value + (1LL << (drop - 1))) >> drop : value * (1LL << -drop);
}

#if defined(NARROW) && defined(__AVX512BW__)
#include "avx512.h"
#elif defined(NARROW) && defined(__AVX2__)
#include "avx2.h"
#else
#include "plain.h"
#endif

// Two neighboring edges' inputs.
#ifdef NARROW
typedef uint32_t Pair __attribute__((may_alias));
#else
typedef uint64_t Pair __attribute__((may_alias));
#endif

typedef struct {
    int32_t left, right;                     // inputs, right neurons, those without edges included
    int32_t groups, tiles, tile, pairs;      // of right neurons: groups of tiles of 1 or TILE vectors; pairs of edges each
    int32_t kind, backpropagates;            // NEAR, FAR or SAME; there is a junction before this one
    int32_t activation, forward, update;     // blocks after the sample's own
    int32_t fused;                           // UP's deltas are there before the block in which they are used
    int32_t sum_shift, bias_shift;           // product, bias -> sum
    int32_t activation_drop;                 // sum -> activation, or input of the sigmoid table
    int32_t activation_low, activation_high; // limits of the same
    int32_t delta_drop, delta_is_long;       // left neurons' delta sum times derivative -> delta; it needs 64 bits
    int32_t checked;                         // blocks for which weights that saturate are still counted
    int64_t largest;                         // no weight is larger, nor smaller than its negative
    const int32_t *first;                    // (groups, pairs): the input from which on a pair's are numbered
    const Edge *index;                       // (groups, tiles, pairs, tile, EDGES); SAME: 0 where there is no edge, or -1
    const int32_t *back;                     // likewise, where BP adds: a right neuron of the junction before; not SAME
    Edge *weights;                           // (groups, tiles, pairs, tile, EDGES)
    Sum *biases;                             // (right,)
    Edge *inputs, *slopes, *deltas;          // (slots, left), (slots, right) twice
    const int32_t *places;                   // where the inputs go that come in order; NULL: they stay in order
    int32_t inputs_count, rows;              // those that come; rows of pairs that a transposition brings there, or 0
    const int32_t *table;                    // sigmoid, and its derivative 16 bits higher, in two's-complement order
} Junction;

typedef struct {
    int32_t junctions, slots, classes, outputs;
    int32_t operand_shift, one;
    int32_t error_drop;                      // output -> delta
    int32_t step_drop, bias_drop;            // delta times activation, delta -> weight, at rate 1
    int32_t weight_low, weight_high, delta_low, delta_high, delta_room, activation_low, activation_high;
    int32_t rate_low, rate_high;             // of training; none is between them where there is no training
    Junction *junction;
    uint8_t *kinds, *rates;                  // (slots,)
    int32_t *labels;                         // (slots,)
    const int32_t *output;                   // (outputs,): where the last junction has them
    const Edge *output_neurons;              // of all its places: -1, or 0 where there is none
    Edge *pairs, *spare, *spare_too;         // (2 * the most right neurons,), (the most neurons,) twice
    Sum *sums, *left_sums;                   // (the most neurons,)
    int64_t blocks, scored[KINDS], correct, saturated_activation, saturated_weight, saturated_delta;
} Board;

typedef struct {
    const Edge *in, *older, *deltas; // of FF, of UP; the deltas of BP and UP, each twice
    int drop, scale;                 // of UP's products; by how many bits its deltas are shifted before
    int operand_shift;
    bool check;                      // count weights that saturate
    Edge low, high;                  // their limits
    Sum *sums, *left_sums;           // of FF, of BP
} Pass;

INLINE Edges load(const Edge *from) {
    Edges edges;
    memcpy(&edges, from, sizeof edges);
    return edges;
}

INLINE Edges inputs_of(const Edge *in, const Edge *index, int kind) {
    return kind == NEAR ? take_near(in, load(index)) : kind == FAR ? take_far(in, load(index)) : take_same(in);
}

// Weights less steps; counts down where they saturate.
INLINE Edges saturated_weights(Edges weights, Edges steps, Edge low, Edge high, Edges *changed) {
    const Edges kept = limited(subtract(weights, steps), low, high);
    *changed += kept != weights - steps;
    return kept;
}

INLINE void add_to(Sum *to, Sums more) {
    Sums sums;
    memcpy(&sums, to, sizeof sums);
    sums += more;
    memcpy(to, &sums, sizeof sums);
}

INLINE Edges evens(Edges edges) { // and 0 in between
    Edges kept;
    for (int e = 0; e < EDGES; ++e) kept[e] = e & 1 ? 0 : -1;
    return edges & kept;
}

INLINE int64_t count(Edges minus_counts) {
    int64_t sum = 0;
    for (int e = 0; e < EDGES; ++e) sum += (Edge)-minus_counts[e];
    return sum;
}

// Once over all weights: FF of one sample, and if `learns` UP (SAME: and BP) of an older one, with the same weights.
// Returns how many saturated.
INLINE int64_t pass(const Junction *j, const Pass *a, const int tile, const int kind, const bool learns) {
    const bool check = learns && a->check;
    const int at_once = kind == SAME ? RIGHT / 2 : 1; // pairs whose left neurons' sums of BP fill a vector
    const int ways = tile == 1 ? 4 : 1, pairs = j->pairs, operand_shift = a->operand_shift, drop = a->drop, scale = a->scale;
    const Edge low = a->low, high = a->high, *in = a->in, *older = a->older, *deltas = a->deltas, *index = j->index;
    const int32_t *first = j->first;
    Edge *weights = j->weights;
    Sum *sums = a->sums;
    int64_t saturated = 0;
    for (int g = 0; g < j->groups; ++g, first += pairs)
        for (int t = 0; t < j->tiles; ++t, sums += tile * RIGHT, deltas += tile * EDGES) {
            Sums sum[TILE][4], left[RIGHT]; // sums in several ways: one would wait for itself
            Edges even[TILE], odd[TILE], scaled[TILE], changed = {0};
            for (int v = 0; v < tile; ++v) {
                sum[v][0] = sum[v][1] = sum[v][2] = sum[v][3] = (Sums){0};
                if (!learns) continue;
                const Edges both = load(deltas + v * EDGES);
                scaled[v] = both << (Edge)scale;
                even[v] = evens(both);
                odd[v] = both - even[v];
            }
            for (int p = 0; p < pairs; p += at_once) {
#pragma GCC unroll 8
                for (int i = 0; i < at_once; ++i) {
                    const Edge *fresh = in + first[p + i], *old = older + first[p + i];
                    left[2 * i] = left[2 * i + 1] = (Sums){0};
#pragma GCC unroll 2
                    for (int v = 0; v < tile; ++v, index += EDGES, weights += EDGES) {
                        const Edges w = load(weights), operands = operands_of(w, operand_shift);
                        sum[v][i % ways] = add_products(sum[v][i % ways], operands, inputs_of(fresh, index, kind));
                        if (!learns) continue;
                        if (kind == SAME) {
                            left[2 * i] = add_products(left[2 * i], operands, even[v]);
                            left[2 * i + 1] = add_products(left[2 * i + 1], operands, odd[v]);
                        }
                        Edges steps = step(scaled[v], inputs_of(old, index, kind), drop);
                        if (kind == SAME) steps &= load(index);
                        const Edges kept = check ? saturated_weights(w, steps, low, high, &changed) : w - steps;
                        memcpy(weights, &kept, sizeof kept);
                    }
                }
                if (learns && kind == SAME && j->backpropagates) add_to(a->left_sums + 2 * p, totals(left));
            }
            for (int v = 0; v < tile; ++v) {
                const Sums total = (sum[v][0] + sum[v][1]) + (sum[v][2] + sum[v][3]);
                memcpy(sums + v * RIGHT, &total, sizeof total);
            }
            if (check) saturated += count(changed);
        }
    return saturated;
}

typedef int64_t PassOf(const Junction *j, const Pass *a);
#define PASS(name, tile, kind, learns)                                                                                 \
    static int64_t name(const Junction *j, const Pass *a) { return pass(j, a, tile, kind, learns); }
#define PASSES(kind)                                                                                                   \
    PASS(feed_##kind, 1, kind, false)                                                                                  \
    PASS(feed_tiles_##kind, TILE, kind, false)                                                                         \
    PASS(learn_##kind, 1, kind, true)                                                                                  \
    PASS(learn_tiles_##kind, TILE, kind, true)                                                                         \
    static PassOf *const kind##_passes[2][2] = {{feed_##kind, feed_tiles_##kind}, {learn_##kind, learn_tiles_##kind}};
PASSES(NEAR)
PASSES(FAR)
PASSES(SAME)

static int64_t run_pass(const Junction *j, const Pass *a, bool learns) {
    const int tiles = j->tile == TILE;
    if (j->kind == NEAR) return NEAR_passes[learns][tiles](j, a);
    if (j->kind == FAR) return FAR_passes[learns][tiles](j, a);
    return SAME_passes[learns][tiles](j, a);
}

static void sigmoid(const Junction *j, const Sum *sums, Edge *restrict out, Edge *restrict slope) {
    const int right = j->right, drop = j->activation_drop;
    const Sum low = j->activation_low, high = j->activation_high, mask = high - low; // one less than a power of two
    const int32_t *table = j->table;
    for (int r = 0; r < right; ++r) {
        const int32_t entry = table[clip(rescale(sums[r], drop), low, high) & mask];
        out[r] = (Edge)(int16_t)entry;
        slope[r] = (Edge)(entry >> 16);
    }
}

// ReLU or identity; returns how many saturated, for which zero is no limit of ReLU.
static int64_t linear(const Junction *j, const Sum *sums, Edge *restrict out, Edge *restrict slope) {
    const int right = j->right, drop = j->activation_drop, identity = j->activation == IDENTITY;
    const Sum low = j->activation_low, high = j->activation_high, least = identity ? low : -((Sum)1 << 30) * 2;
    const Sum below = identity ? low - 1 : low, above = identity ? high + 1 : high; // between them the slope is 1
    Sum saturated = 0;
    for (int r = 0; r < right; ++r) {
        const Sum rounded = rescale(sums[r], drop), kept = clip(rounded, low, high);
        out[r] = (Edge)kept;
        slope[r] = (kept > below) & (kept < above) ? 1 : 0;
        saturated += rounded > high ? 1 : rounded < least ? 1 : 0;
    }
    return saturated;
}

static void add_biases(const Junction *j, Sum *restrict sums) {
    const int right = j->right;
    const Sum *biases = j->biases, one = (Sum)1 << j->sum_shift, bias_one = (Sum)1 << j->bias_shift;
    for (int r = 0; r < right; ++r) sums[r] = sums[r] * one + biases[r] * bias_one;
}

static void activate(Board *b, const Junction *j, Edge *out, Edge *slope) {
    add_biases(j, b->sums);
    if (j->activation == SIGMOID)
        sigmoid(j, b->sums, out, slope);
    else
        b->saturated_activation += linear(j, b->sums, out, slope);
}

static void place(const Junction *j, const Edge *from, Edge *to) {
    for (int n = 0; n < j->inputs_count; ++n) to[j->places[n]] = from[n];
}

static Edge *inputs(const Junction *j, int slot) { return j->inputs + (size_t)slot * (size_t)j->left; }
static size_t right_of(const Junction *j, int slot) { return (size_t)slot * (size_t)j->right; }

// The class with the largest score: the lowest, if there are several.
static int32_t argmax(const Board *b, const Edge *scores) {
    int32_t best = 0, largest = scores[b->output[0]];
    for (int c = 1; c < b->classes; ++c) {
        const int32_t score = scores[b->output[c]];
        best = score > largest ? c : best;
        largest = score > largest ? score : largest;
    }
    return best;
}

// Deltas of scores, as if all targets were 0; returns how many saturated.
static int64_t errors(const Board *b, int right, const Edge *scores, Edge *restrict deltas) {
    const int drop = b->error_drop;
    const Sum low = b->delta_low, high = b->delta_high;
    const Edge *neurons = b->output_neurons;
    Sum saturated = 0;
    for (int r = 0; r < right; ++r) {
        const Sum error = rescale(scores[r] & neurons[r], drop), kept = clip(error, low, high);
        deltas[r] = (Edge)kept;
        saturated += kept != error;
    }
    return saturated;
}

// The scores are there: compare them with the label, and start the way back.
static void score(Board *b, int slot, const Edge *scores) {
    const Junction *last = &b->junction[b->junctions - 1];
    const int kind = b->kinds[slot], label = b->labels[slot];
    b->scored[kind] += 1;
    if (kind == PREDICT) return;
    b->correct += argmax(b, scores) == label;
    if (kind != TRAIN) return;
    Edge *deltas = last->deltas + right_of(last, slot);
    b->saturated_delta += errors(b, last->right, scores, deltas);
    const Sum value = scores[b->output[label]], low = b->delta_low, high = b->delta_high;
    const Sum other = rescale(value, b->error_drop), error = rescale(value - b->one, b->error_drop);
    deltas[b->output[label]] = (Edge)clip(error, low, high);
    b->saturated_delta += (error < low || error > high) - (other < low || other > high);
}

// BP of a junction whose edges are not SAME: edge by edge.
static void backpropagate(const Board *b, const Junction *j, const Edge *deltas) {
    const Edge *weights = j->weights;
    const int32_t *back = j->back;
    for (int g = 0; g < j->groups * j->tiles; ++g, deltas += j->tile * RIGHT)
        for (int p = 0; p < j->pairs; ++p)
            for (int e = 0; e < j->tile * EDGES; ++e)
                b->left_sums[*back++] += (Sum)(*weights++ >> b->operand_shift) * deltas[e / 2];
}

// From the sums of BP to the deltas of the junction before; returns how many saturated.
static int64_t to_deltas(const Board *b, const Junction *j, const Edge *slopes, Edge *restrict deltas) {
    const int right = j[-1].right, drop = j->delta_drop;
    const Sum *sums = b->left_sums, low = b->delta_low, high = b->delta_high;
    Sum saturated = 0;
    if (j->delta_is_long)
        for (int n = 0; n < right; ++n) {
            const int64_t rounded = rescale_long((int64_t)sums[n] * slopes[n], drop);
            const int64_t kept = rounded < low ? low : rounded > high ? high : rounded;
            deltas[n] = (Edge)kept;
            saturated += kept != rounded;
        }
    else
        for (int n = 0; n < right; ++n) {
            const Sum rounded = rescale(sums[n] * slopes[n], drop), kept = clip(rounded, low, high);
            deltas[n] = (Edge)kept;
            saturated += kept != rounded;
        }
    return saturated;
}

// Returns how many saturated.
static int64_t update_biases(const Board *b, const Junction *j, const Edge *deltas, int drop) {
    const int right = j->right;
    const Sum low = b->weight_low, high = b->weight_high;
    Sum *restrict biases = j->biases, saturated = 0;
    for (int r = 0; r < right; ++r) {
        const Sum wanted = biases[r] - rescale(deltas[r], drop), kept = clip(wanted, low, high);
        biases[r] = kept;
        saturated += kept != wanted;
    }
    return saturated;
}

// Whether a step of so much may saturate a weight. If the bound on all of them does not exclude it, the largest is
// looked for; if that does not, they are counted in this block and some more.
static bool may_saturate(const Board *b, Junction *j, int64_t most) {
    if (j->checked) {
        j->checked -= 1;
        return true;
    }
    if (j->largest + most > b->weight_high) {
        const size_t count = (size_t)j->right * (size_t)j->pairs * 2;
        int32_t largest = 0;
        for (size_t e = 0; e < count; ++e) {
            const int32_t size = j->weights[e] < 0 ? -(int32_t)j->weights[e] : j->weights[e];
            if (size > largest) largest = size;
        }
        j->largest = largest;
    }
    j->largest += most;
    if (j->largest <= b->weight_high) return false;
    j->checked = CHECKED_BLOCKS - 1;
    j->largest = b->weight_high;
    return true;
}

// Every delta twice; returns the largest size of one.
static int64_t twice(const Edge *deltas, int right, Edge *restrict pairs) {
    Edge lowest = 0, highest = 0;
    for (int r = 0; r < right; ++r) {
        lowest = deltas[r] < lowest ? deltas[r] : lowest;
        highest = deltas[r] > highest ? deltas[r] : highest;
    }
    for (int r = 0; r < right; ++r) pairs[2 * r] = pairs[2 * r + 1] = deltas[r];
    return highest > -(int64_t)lowest ? highest : -(int64_t)lowest;
}

// FF of the sample in slot `fed`, BP and UP of the one in slot `taught`; -1: of none.
static void work(Board *b, int n, int fed, int taught) {
    Junction *j = &b->junction[n];
    Pass a = {.operand_shift = b->operand_shift, .low = (Edge)b->weight_low, .high = (Edge)b->weight_high};
    a.sums = b->sums;
    a.left_sums = b->left_sums;
    const Edge *deltas = NULL;
    int rate = 0;
    bool learns = false;
    if (taught >= 0) {
        deltas = j->deltas + right_of(j, taught);
        rate = b->rates[taught];
        a.drop = b->step_drop + rate;
        const int64_t most = twice(deltas, j->right, b->pairs);
        const int64_t step = rescale_long(most * -b->activation_low, a.drop);
        learns = step > 0 || (j->kind == SAME && j->backpropagates); // else no weight changes
        if (learns) {
            Edge *older = inputs(j, taught);
            if (STEP_DROP) { // FF of this sample is over: its inputs may change
                const int up = STEP_DROP - a.drop, rest = up - (a.scale = up < b->delta_room ? up : b->delta_room);
                if (rest)
                    for (int i = 0; i < j->left; ++i) older[i] = (Edge)(older[i] * (1 << rest));
            }
            a.older = older;
            a.deltas = b->pairs;
            a.check = may_saturate(b, j, step);
        }
        if (j->backpropagates) {
            memset(b->left_sums, 0, (size_t)b->junction[n - 1].right * sizeof *b->left_sums);
            if (j->kind != SAME) backpropagate(b, j, deltas);
        }
    }
    if (fed >= 0 || learns) {
        a.in = fed >= 0 ? inputs(j, fed) : a.older;
        b->saturated_weight += run_pass(j, &a, learns);
    }
    if (fed >= 0) {
        const Junction *next = n + 1 < b->junctions ? j + 1 : NULL;
        Edge *out = next && !next->places ? inputs(next, fed) : b->spare;
        activate(b, j, out, j->slopes + right_of(j, fed));
        if (!next)
            score(b, fed, out);
        else if (next->places)
            place(next, out, inputs(next, fed));
    }
    if (taught >= 0) {
        if (j->backpropagates) {
            const size_t before = right_of(j - 1, taught);
            b->saturated_delta += to_deltas(b, j, j[-1].slopes + before, j[-1].deltas + before);
        }
        b->saturated_weight += update_biases(b, j, deltas, b->bias_drop + rate);
    }
}

// From rows of pairs to columns of them: perfect shuffles, of `rows`, a power of two.
static void transpose(const Board *b, const Edge *from, Edge *to, int pairs, int rows) {
    const Pair *in = (const Pair *)from;
    Pair *spare = (Pair *)b->spare, *spare_too = (Pair *)b->spare_too;
    while (rows > 1) {
        const int ways = rows % 4 ? 2 : 4, way = pairs / ways;
        Pair *restrict out = rows == ways ? (Pair *)to : spare;
        if (ways == 4)
            for (int i = 0; i < way; ++i) {
                out[4 * i] = in[i];
                out[4 * i + 1] = in[i + way];
                out[4 * i + 2] = in[i + 2 * way];
                out[4 * i + 3] = in[i + 3 * way];
            }
        else
            for (int i = 0; i < way; ++i) {
                out[2 * i] = in[i];
                out[2 * i + 1] = in[i + way];
            }
        in = out;
        spare = spare_too;
        spare_too = out;
        rows /= ways;
    }
}

static void load_features(const Board *b, const Edge *features, int slot) {
    const Junction *j = &b->junction[0];
    for (int byte = 0; byte < j->inputs_count * (int)sizeof *features; byte += 64) // of the next sample
        __builtin_prefetch((const char *)(features + j->inputs_count) + byte);
    if (j->rows)
        transpose(b, features, inputs(j, slot), j->inputs_count / 2, j->rows);
    else if (j->places)
        place(j, features, inputs(j, slot));
    else
        memcpy(inputs(j, slot), features, (size_t)j->inputs_count * sizeof *features);
}

// Whether a board would take all of the samples (presparse/device/acceptance.py).
int32_t board_takes(const Board *b, int64_t count, const uint8_t *kinds, const uint8_t *rates, const uint16_t *labels,
                    const Edge *features) {
    const int64_t numbers = count * b->junction[0].inputs_count;
    Edge lowest = 0, highest = 0;
    for (int64_t n = 0; n < numbers; ++n) {
        lowest = features[n] < lowest ? features[n] : lowest;
        highest = features[n] > highest ? features[n] : highest;
    }
    bool wrong = lowest < b->activation_low || highest > b->activation_high;
    for (int64_t i = 0; i < count; ++i) {
        wrong |= (kinds[i] != PREDICT) & (kinds[i] != TRAIN) & (kinds[i] != EVALUATE);
        wrong |= (kinds[i] == TRAIN) & ((rates[i] < b->rate_low) | (rates[i] > b->rate_high));
        wrong |= labels[i] >= b->classes;
    }
    return !wrong;
}

// One block per sample. `scores` takes those of the predictions that come out; returns how many.
int64_t board_run(Board *b, int64_t count, const uint8_t *kinds, const uint8_t *rates, const uint16_t *labels,
                  const Edge *features, int32_t *scores) {
    const int last = b->junctions - 1;
    int64_t results = 0;
    for (int64_t i = 0; i < count; ++i, ++b->blocks) {
        int slot = (int)(b->blocks % b->slots);
        b->kinds[slot] = kinds[i];
        b->rates[slot] = rates[i];
        b->labels[slot] = labels[i];
        if (kinds[i] != FLUSH) load_features(b, features + (size_t)i * (size_t)b->junction[0].inputs_count, slot);

        for (int n = 0; n <= last; ++n) {
            const Junction *j = &b->junction[n];
            const int fed = (int)((b->blocks + b->slots - j->forward) % b->slots);
            const int taught = (int)((b->blocks + b->slots - j->update) % b->slots);
            work(b, n, b->kinds[fed] == FLUSH ? -1 : fed, j->fused && b->kinds[taught] == TRAIN ? taught : -1);
            if (n == last && b->kinds[fed] == PREDICT) {
                for (int r = 0; r < b->outputs; ++r) *scores++ = b->spare[b->output[r]];
                results += 1;
            }
        }
        for (int n = last; n >= 0; --n) {
            const Junction *j = &b->junction[n];
            const int taught = (int)((b->blocks + b->slots - j->update) % b->slots);
            if (!j->fused && b->kinds[taught] == TRAIN) work(b, n, -1, taught);
        }
    }
    return results;
}

// What layout.py has to know of the vectors.
int32_t vector_right(void) { return RIGHT; }
int32_t vector_tile(void) { return TILE; }
int32_t vector_numbers_bytes(void) { return BYTES; }
