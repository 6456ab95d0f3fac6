// What a board computes, block by block: presparse/reference/pytorch.py in C.
//
// A sample stays in a slot of the ring while it is in flight; empty samples of a flush have kind FLUSH.
// Edge is the type of weights, activations and deltas, Sum that of all exact sums and products of them; the narrowest
// that hold every number of the build (widths.py). Edges are computed in vectors, which lie as layout.py has them: of
// RIGHT right neurons two edges each, side by side; of SAME, of RIGHT left ones. Neurons, too, are where layout.py puts
// them; between and behind them there are others without edges, whose weights, biases and deltas are 0 and stay so.

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

enum { FLUSH, PREDICT, TRAIN, EVALUATE, KINDS }; // presparse.contract.wire.SampleKind
enum { RELU, SIGMOID, IDENTITY };
enum { NEAR, FAR, SAME }; // how a vector's inputs are found: in a register, anywhere, in order (a dense junction)
enum { CHECKED_BLOCKS = 64 };
enum { EDGE_LOW = sizeof(Edge) == 2 ? INT16_MIN : INT32_MIN };

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

typedef struct {
    int32_t left, right;                     // inputs, right neurons, those without edges included
    int32_t groups, tiles, tile, pairs;      // of right neurons: groups of tiles of 1 or TILE vectors; of edges of each
    int32_t kind, backpropagates;            // NEAR, FAR or SAME; there is a junction before this one
    int32_t activation, forward, update;     // blocks after the sample's own
    int32_t fused;                           // UP's deltas are there before the block in which they are used
    int32_t sum_shift, bias_shift;           // product, bias -> sum
    int32_t activation_drop;                 // sum -> activation, or input of the sigmoid table
    int32_t activation_low, activation_high; // limits of the same
    int32_t delta_drop, delta_split;         // left neurons' delta sum times derivative -> delta; dropped first, or 0
    int32_t checked;                         // blocks for which weights that saturate are still counted
    int64_t largest;                         // no weight is larger, nor smaller than its negative
    const int32_t *first;                    // (groups, pairs, BANKS): the input from which on a pair's are numbered
    const Edge *index;                       // (groups, tiles, pairs, tile, EDGES), unless PACKED; SAME: 0 where there
                                             // is no edge, or -1
    int32_t holes;                           // SAME: there are such zeros
    const int32_t *back;                     // likewise, where BP adds: a right neuron of the junction before; not SAME
    Edge *weights;                           // likewise; SAME: (right / RIGHT, left / RIGHT, RIGHT / 2, EDGES)
    Sum *biases;                             // (right,)
    Edge *inputs, *slopes, *deltas;          // (slots, left), (slots, right) twice
    const int32_t *places;                   // where the inputs go that come in order; NULL: they stay in order
    int32_t inputs_count, rows;              // those that come; rows of units that a transposition brings there, or 0
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
    Edge *scaled, *spare, *spare_too;        // (2 * the most right neurons,), (the most neurons,) twice
    Sum *sums, *left_sums;                   // (the most neurons,)
    int64_t blocks, scored[KINDS], correct, saturated_activation, saturated_weight, saturated_delta;
} Board;

typedef struct {
    const Edge *in, *older;      // of FF, of UP
    const Edge *deltas, *scaled; // of BP; of UP, shifted so that `step` drops the right bits, each twice (SAME: once)
    int drop, operand_shift;     // of UP's products; of weights
    int mode;                    // FEED to LIMIT
    Edge low, high;              // limits of weights
    Sum *sums, *left_sums;       // of FF, of BP
} Pass;

// What a pass does beside FF: nothing; UP (SAME: and BP) of weights that cannot saturate, that saturate where Edge
// does, or at narrower limits.
enum { FEED, LEARN, SATURATE, LIMIT, MODES };

INLINE Edges load(const Edge *from) {
    Edges edges;
    memcpy(&edges, from, sizeof edges);
    return edges;
}

// Weights less steps; counts those that saturate.
INLINE Edges updated(Edges weights, Edges steps, const Pass *a, const int mode, Edges *changed) {
    if (mode == LEARN) return weights - steps;
    Edges kept = subtract(weights, steps);
    if (mode == LIMIT) kept = limited(kept, a->low, a->high);
    *changed = count_unequal(*changed, kept, weights - steps);
    return kept;
}

INLINE void store(Edge *to, Edges edges) { memcpy(to, &edges, sizeof edges); }
INLINE void store_sums(Sum *to, Sums sums) { memcpy(to, &sums, sizeof sums); }

INLINE int64_t total(Edges counts) {
    int64_t sum = 0;
    const Sums parts = add_products((Sums){0}, counts, (Edges){0} + 1);
    for (int r = 0; r < RIGHT; ++r) sum += parts[r];
    return sum;
}

// Once over all weights: FF of one sample, and UP of an older one, with the same weights. Returns how many saturated.
INLINE int64_t pass(const Junction *j, const Pass *a, const int tile, const int kind, const int mode) {
    const int numbers = PACKED && kind == NEAR ? EDGES : tile * EDGES; // of a pair
    const int pairs = j->pairs, operand_shift = a->operand_shift, drop = a->drop;
    const Edge *in = a->in, *older = a->older, *scaled = a->scaled, *index = j->index;
    const int32_t *first = j->first;
    Edge *weights = j->weights;
    Sum *sums = a->sums;
    int64_t saturated = 0;
    for (int g = 0; g < j->groups; ++g, first += BANKS * pairs)
        for (int t = 0; t < j->tiles; ++t, sums += tile * RIGHT, scaled += tile * EDGES) {
            Sums sum[TILE] = {{0}};
            Edges delta[TILE], changed = {0};
            for (int v = 0; v < tile; ++v)
                if (mode != FEED) delta[v] = load(scaled + v * EDGES);
            for (int p = 0; p < pairs; ++p, index += numbers, weights += tile * EDGES) {
                Edges fresh[TILE], old[TILE];
                take(fresh, in, first + BANKS * p, index, kind, tile);
                if (mode != FEED) take(old, older, first + BANKS * p, index, kind, tile);
#pragma GCC unroll 2
                for (int v = 0; v < tile; ++v) {
                    const Edges w = load(weights + v * EDGES);
                    sum[v] = add_products(sum[v], operands_of(w, operand_shift), fresh[v]);
                    if (mode == FEED) continue;
                    store(weights + v * EDGES, updated(w, step(delta[v], old[v], drop), a, mode, &changed));
                }
            }
            for (int v = 0; v < tile; ++v) store_sums(sums + v * RIGHT, sum[v]);
            if (mode > LEARN) saturated += total(changed);
        }
    return saturated;
}

// The same of a dense junction, and BP with the same weights: a vector has the edges of RIGHT left neurons to two right
// neurons, so that BP adds vectors, and FF adds up a vector's elements once for RIGHT right neurons.
INLINE int64_t pass_same(const Junction *j, const Pass *a, const bool holes, const int mode) {
    const int lefts = 2 * j->pairs, operand_shift = a->operand_shift, drop = a->drop;
    Edge *weights = j->weights;
    int64_t saturated = 0, vector = 0;
    for (int r = 0; r < j->right; r += RIGHT) {
        Sums sum[RIGHT] = {{0}};
        Edges deltas[RIGHT / 2], scaled[RIGHT / 2], changed = {0};
        for (int p = 0; p < RIGHT / 2; ++p)
            if (mode != FEED) deltas[p] = pair_of(a->deltas + r + 2 * p), scaled[p] = pair_of(a->scaled + r + 2 * p);
        for (int n = 0; n < lefts; n += RIGHT) {
            const Edges fresh = take_same(a->in + n), evens = fresh & even_edges(), odds = fresh - evens;
            Edges old;
            Sums left[2] = {{0}, {0}}; // one would wait for itself
            if (mode != FEED) old = take_same(a->older + n);
#pragma GCC unroll 8
            for (int p = 0; p < RIGHT / 2; ++p, weights += EDGES, ++vector) {
                const Edges w = load(weights), operands = operands_of(w, operand_shift);
                sum[2 * p] = add_products(sum[2 * p], operands, evens);
                sum[2 * p + 1] = add_products(sum[2 * p + 1], operands, odds);
                if (mode == FEED) continue;
                left[p & 1] = add_products(left[p & 1], operands, deltas[p]);
                Edges steps = step(scaled[p], old, drop);
                if (holes) steps = where_edges(steps, j->index, vector);
                store(weights, updated(w, steps, a, mode, &changed));
            }
            if (mode == FEED || !j->backpropagates) continue;
            Sums before = left[0] + left[1];
            if (r) {
                Sums others;
                memcpy(&others, a->left_sums + n, sizeof others);
                before += others;
            }
            store_sums(a->left_sums + n, before);
        }
        store_sums(a->sums + r, totals(sum));
        if (mode > LEARN) saturated += total(changed);
    }
    return saturated;
}

typedef int64_t PassOf(const Junction *j, const Pass *a);
#define PASS(name, of, ...)                                                                                            \
    static int64_t name##_feed(const Junction *j, const Pass *a) { return of(j, a, __VA_ARGS__, FEED); }               \
    static int64_t name##_learn(const Junction *j, const Pass *a) { return of(j, a, __VA_ARGS__, LEARN); }             \
    static int64_t name##_saturate(const Junction *j, const Pass *a) { return of(j, a, __VA_ARGS__, SATURATE); }       \
    static int64_t name##_limit(const Junction *j, const Pass *a) { return of(j, a, __VA_ARGS__, LIMIT); }             \
    static PassOf *const name[MODES] = {name##_feed, name##_learn, name##_saturate, name##_limit};
PASS(near, pass, 1, NEAR)
PASS(near_tile, pass, TILE, NEAR)
PASS(far, pass, 1, FAR)
PASS(far_tile, pass, TILE, FAR)
PASS(same, pass_same, false)
PASS(same_with_holes, pass_same, true)

static int64_t run_pass(const Junction *j, const Pass *a) {
    if (j->kind == SAME) return (j->holes ? same_with_holes : same)[a->mode](j, a);
    if (j->kind == NEAR) return (j->tile == TILE ? near_tile : near)[a->mode](j, a);
    return (j->tile == TILE ? far_tile : far)[a->mode](j, a);
}

static void sigmoid(const Junction *j, Sum *sums, Edge *out, Edge *slope) {
    const int right = j->right, drop = j->activation_drop;
    const Sum low = j->activation_low, high = j->activation_high, mask = high - low; // one less than a power of two
    for (int r = 0; r < right; ++r) sums[r] = clip(rescale(sums[r], drop), low, high) & mask;
    for (int r = 0; r < right; r += RIGHT) look_up(j->table, sums + r, out + r, slope + r);
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
    memset(b->left_sums, 0, (size_t)j[-1].right * sizeof *b->left_sums);
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
    if (j->delta_split) { // the product needs more bits than Sum has: those that are dropped anyway are, in two steps
        const int split = j->delta_split, rest = drop - split;
        const Sum lower = ((Sum)1 << split) - 1, half = (Sum)1 << (rest - 1);
        for (int n = 0; n < right; ++n) {
            const Sum upper = (sums[n] >> split) * slopes[n], carried = (sums[n] & lower) * slopes[n] >> split;
            const Sum rounded = (upper + carried + half) >> rest, kept = clip(rounded, low, high);
            deltas[n] = (Edge)kept;
            saturated += kept != rounded;
        }
    } else
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

// The largest size of one.
static int64_t largest(const Edge *deltas, int right) {
    Edge lowest = 0, highest = 0;
    for (int r = 0; r < right; ++r) {
        lowest = deltas[r] < lowest ? deltas[r] : lowest;
        highest = deltas[r] > highest ? deltas[r] : highest;
    }
    return highest > -(int64_t)lowest ? highest : -(int64_t)lowest;
}

// Deltas as a pass has them for UP.
static void scale(const Junction *j, const Edge *restrict deltas, int by, Edge *restrict scaled) {
    const int right = j->right;
    if (j->kind == SAME)
        for (int r = 0; r < right; ++r) scaled[r] = (Edge)(deltas[r] * (1 << by));
    else
        for (int r = 0; r < right; ++r) scaled[2 * r] = scaled[2 * r + 1] = (Edge)(deltas[r] * (1 << by));
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
        const int64_t step = rescale_long(largest(deltas, j->right) * -b->activation_low, a.drop);
        learns = step > 0 || (j->kind == SAME && j->backpropagates); // else no weight changes
        if (learns) {
            Edge *older = inputs(j, taught);
            int by = 0;
            if (STEP_DROP) { // FF of this sample is over: its inputs may change
                const int up = STEP_DROP - a.drop, rest = up - (by = up < b->delta_room ? up : b->delta_room);
                if (rest)
                    for (int i = 0; i < j->left; ++i) older[i] = (Edge)(older[i] * (1 << rest));
            }
            scale(j, deltas, by, b->scaled);
            a.older = older;
            a.deltas = deltas;
            a.scaled = b->scaled;
            a.mode = !may_saturate(b, j, step) ? LEARN : b->weight_low == EDGE_LOW ? SATURATE : LIMIT;
        }
        if (j->backpropagates && j->kind != SAME) backpropagate(b, j, deltas);
    }
    if (fed >= 0 || learns) {
        a.in = fed >= 0 ? inputs(j, fed) : a.older; // of none, too, sums are made, which nobody reads
        b->saturated_weight += run_pass(j, &a);
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

// From rows of units to columns of them: perfect shuffles, of `rows`, a power of two.
static void transpose(const Board *b, const Edge *from, Edge *to, int units, int rows) {
    const Unit *in = (const Unit *)from;
    Unit *spare = (Unit *)b->spare, *spare_too = (Unit *)b->spare_too;
    while (rows > 1) {
        const int ways = rows % 4 ? 2 : 4, way = units / ways;
        Unit *restrict out = rows == ways ? (Unit *)to : spare;
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
        transpose(b, features, inputs(j, slot), j->inputs_count * (int)sizeof(Edge) / (int)sizeof(Unit), j->rows);
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
int32_t vector_packed(void) { return PACKED; }
int32_t vector_own_banks(void) { return BANKS == 2; }
int32_t vector_near_inputs(void) { return NEAR_INPUTS; }
