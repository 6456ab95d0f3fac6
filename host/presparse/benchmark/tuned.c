// As fast as one core of a PC trains a sparse network in float32 (to our knowledge): what everything is compared with.
//
// Edges lie in vectors of RIGHT right neurons, as presparse/reference/native/layout.py has them: a lane's bank of left
// neurons fits one or two registers, from which inputs are permuted (NEAR); a dense junction reads one left neuron in all
// edges of a vector (SAME). With batches of one sample, the update of junction 1 and the forward pass of the next sample
// take one pass over its weights. In larger batches threads add up gradients of their own samples, and then each updates
// its share of the weights.

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

enum { RELU, SIGMOID, IDENTITY };
enum { NEAR, FAR, SAME };
#if defined(__AVX512BW__) && defined(__AVX512VL__)
enum { RIGHT = 16, NEAR_INPUTS = 16 };
#else
enum { RIGHT = 8, NEAR_INPUTS = 16 };
#endif
enum { TILE = 4 };
typedef float Floats __attribute__((vector_size(4 * RIGHT)));
typedef int32_t Ints __attribute__((vector_size(4 * RIGHT)));

INLINE Floats load(const float *from) {
    Floats floats;
    memcpy(&floats, from, sizeof floats);
    return floats;
}

INLINE Ints load_ints(const int32_t *from) {
    Ints ints;
    memcpy(&ints, from, sizeof ints);
    return ints;
}

INLINE void store(float *to, Floats floats) { memcpy(to, &floats, sizeof floats); }
INLINE Floats all(float value) { return value - (Floats){0}; }
INLINE Floats where(Ints mask, Floats floats) { return (Floats)((Ints)floats & mask); }

// take_near: of NEAR_INPUTS inputs there. sum_each: the sum of the elements of each of RIGHT vectors.
#if defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>
INLINE Ints load_bytes(const int8_t *from) { return (Ints)_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)from)); }
INLINE Floats less_where(const int8_t *mask, Floats from, Floats a, Floats b) {
    const __mmask16 bits = _mm_movepi8_mask(_mm_loadu_si128((const void *)mask));
    return (Floats)_mm512_mask3_fnmadd_ps((__m512)a, (__m512)b, (__m512)from, bits);
}
typedef __m512 Table;
INLINE Table table_of(const float *inputs) { return _mm512_loadu_ps(inputs); }
INLINE Floats take_near(Table table, Ints index) { return (Floats)_mm512_permutexvar_ps((__m512i)index, table); }
INLINE Floats take_far(const float *inputs, Ints index) { return (Floats)_mm512_i32gather_ps((__m512i)index, inputs, 4); }
INLINE Floats sum_each(const Floats *of) {
    __m512 half[8], quarter[4], eighth[2];
    for (int i = 0; i < 8; ++i) {
        const __m512 a = (__m512)of[i], b = (__m512)of[i + 8];
        half[i] = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
    }
    for (int i = 0; i < 4; ++i) {
        const __m512 a = half[i], b = half[i + 4];
        quarter[i] = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
    }
    for (int i = 0; i < 2; ++i) {
        const __m512 a = quarter[i], b = quarter[i + 2];
        eighth[i] = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    }
    const __m512 total = _mm512_add_ps(_mm512_unpacklo_ps(eighth[0], eighth[1]), _mm512_unpackhi_ps(eighth[0], eighth[1]));
    return (Floats)_mm512_permutexvar_ps(_mm512_setr_epi32(0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15), total);
}
#elif defined(__AVX2__)
#include <immintrin.h>
INLINE Ints load_bytes(const int8_t *from) { return (Ints)_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)from)); }
typedef struct {
    __m256 low, high;
} Table;
INLINE Table table_of(const float *inputs) { return (Table){_mm256_loadu_ps(inputs), _mm256_loadu_ps(inputs + 8)}; }
INLINE Floats take_near(Table table, Ints index) {
    const __m256 low = _mm256_permutevar8x32_ps(table.low, (__m256i)index);
    const __m256 high = _mm256_permutevar8x32_ps(table.high, (__m256i)index);
    return (Floats)_mm256_blendv_ps(low, high, (__m256)_mm256_slli_epi32((__m256i)index, 28)); // bit 3 chooses
}
INLINE Floats take_far(const float *inputs, Ints index) { return (Floats)_mm256_i32gather_ps(inputs, (__m256i)index, 4); }
INLINE Floats sum_each(const Floats *of) {
    __m256 half[4], quarter[2];
    for (int i = 0; i < 4; ++i) half[i] = _mm256_hadd_ps((__m256)of[2 * i], (__m256)of[2 * i + 1]);
    for (int i = 0; i < 2; ++i) quarter[i] = _mm256_hadd_ps(half[2 * i], half[2 * i + 1]);
    return (Floats)_mm256_add_ps(_mm256_permute2f128_ps(quarter[0], quarter[1], 0x20),
                                 _mm256_permute2f128_ps(quarter[0], quarter[1], 0x31));
}
#else
INLINE Ints load_bytes(const int8_t *from) {
    Ints ints;
    for (int r = 0; r < RIGHT; ++r) ints[r] = from[r];
    return ints;
}
typedef const float *Table;
INLINE Table table_of(const float *inputs) { return inputs; }
INLINE Floats take_near(Table inputs, Ints index) {
    Floats taken;
    for (int r = 0; r < RIGHT; ++r) taken[r] = inputs[index[r]];
    return taken;
}
INLINE Floats take_far(const float *inputs, Ints index) { return take_near(inputs, index); }
INLINE Floats sum_each(const Floats *of) {
    Floats total;
    for (int n = 0; n < RIGHT; ++n) {
        float sum = 0;
        for (int r = 0; r < RIGHT; ++r) sum += of[n][r];
        total[n] = sum;
    }
    return total;
}
#endif

// One junction; what a thread has of its own comes last.
typedef struct {
    int32_t left, right;                // places of inputs, of right neurons
    int32_t groups, tiles, tile, edges; // of right neurons: groups of tiles of 1, 2 or TILE vectors; edges of each
    int32_t kind, activation;
    const int32_t *first, *numbers;     // (groups, edges), (groups, tiles, edges, tile, RIGHT): as in the reference's board.c
    const int8_t *bytes;                // the same of NEAR and SAME: small, so that a network stays in the first cache
    const int32_t *back, *places;       // likewise
    int32_t inputs_count;               // that come
    float *weights, *biases;            // (groups, tiles, edges, tile, RIGHT), (right,)
    float *gradients, *bias_gradients;  // of a thread; of batches of one sample those are the weights themselves
    float *inputs, *outputs, *steps;    // (left,), (right,) before they are placed, (right,): rate times delta
    float *left_sums;                   // of the junction before
} Layer;

// exp(x), relative error below 3e-7: 2 to the whole part, and a polynomial (Cephes).
INLINE Floats exponential(Floats x) {
    const Floats most = all(87), least = all(-87);
    Ints over = x > most, under = x < least;
    x = where(~(over | under), x) + where(over, most) + where(under, least);
    const Floats shift = all(12582912.0f); // 1.5 * 2^23 rounds to whole numbers
    const Floats n = (x * 1.44269504088896341f + shift) - shift;
    const Floats f = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    Floats p = all(1.9875691500e-4f);
    p = p * f + 1.3981999507e-3f;
    p = p * f + 8.3334519073e-3f;
    p = p * f + 4.1665795894e-2f;
    p = p * f + 1.6666665459e-1f;
    p = p * f + 5.0000001201e-1f;
    p = p * f * f + f + 1;
    return (Floats)((Ints)p + (__builtin_convertvector(n, Ints) << 23));
}

INLINE Floats activated(Floats sum, int activation) {
    if (activation == SIGMOID) return 1 / (1 + exponential(-sum));
    return activation == RELU ? where(sum > 0, sum) : sum;
}

INLINE Floats slope_of(Floats output, int activation) {
    if (activation == SIGMOID) return output * (1 - output);
    return activation == RELU ? where(output > 0, all(1)) : all(1);
}

// A pair's inputs, as `take` takes them: from registers, from memory, or one for all.
typedef struct {
    Table table;
    Floats same;
    const float *far;
} Inputs;

INLINE Inputs inputs_of(const float *inputs, int kind) {
    Inputs in = {.far = inputs};
    if (kind == NEAR) in.table = table_of(inputs);
    if (kind == SAME) in.same = all(*inputs);
    return in;
}

INLINE Floats take(Inputs in, Ints index, int kind) {
    return kind == SAME ? in.same : kind == NEAR ? take_near(in.table, index) : take_far(in.far, index);
}

#if !defined(__AVX512BW__) || !defined(__AVX512VL__)
// from - a * b where the mask is -1.
INLINE Floats less_where(const int8_t *mask, Floats from, Floats a, Floats b) {
    return from - a * where(load_bytes(mask), b);
}
#endif

// Once over the weights: with `learns` they (or gradients) less steps times `older`, and SAME's sums of BP from before;
// with `feeds` then sums of weights times `fresh`.
INLINE void pass(const Layer *l, const float *restrict fresh, const float *restrict older, const int tile, const int kind, const bool feeds,
                 const bool learns) {
    const int edges = l->edges, at_once = kind == SAME ? RIGHT : 1;
    const int32_t *first = l->first, *numbers = l->numbers;
    const int8_t *bytes = l->bytes;
    const float *weights = l->weights, *biases = l->biases, *steps = l->steps;
    const int ahead = l->left_sums ? 0 : l->left;
    const bool back = learns && kind == SAME && l->left_sums;
    float *to = l->gradients, *outputs = l->outputs, *left_sums = l->left_sums;
    for (int g = 0; g < l->groups; ++g, first += edges)
        for (int t = 0; t < l->tiles; ++t, biases += tile * RIGHT, outputs += tile * RIGHT, steps += tile * RIGHT) {
            Floats sum[TILE][4], step[TILE], left[RIGHT]; // sums in several ways: one would wait for itself
            for (int v = 0; v < tile; ++v) {
                sum[v][0] = load(biases + v * RIGHT);
                sum[v][1] = sum[v][2] = sum[v][3] = all(0);
                step[v] = load(steps + v * RIGHT);
            }
            for (int e = 0; e < edges; e += at_once) {
#pragma GCC unroll 16
                for (int i = 0; i < at_once; ++i) {
                    const int from = first[e + i];
                    const Inputs inputs = inputs_of(fresh + from, kind), old_inputs = inputs_of(older + from, kind);
                    left[i] = all(0);
                    if (feeds && kind != SAME && ahead) { // of the next samples, if this is junction 1
                        __builtin_prefetch(fresh + from + ahead);
                    }
#pragma GCC unroll 4
                    for (int v = 0; v < tile; ++v, bytes += RIGHT, numbers += RIGHT, weights += RIGHT, to += RIGHT) {
                        Ints index = {0};
                        if (kind == NEAR) index = load_bytes(bytes);
                        if (kind == FAR) index = load_ints(numbers);
                        Floats w = load(weights);
                        if (learns) {
                            if (kind == SAME) left[i] += w * step[v];
                            const Floats changed = kind == SAME ? less_where(bytes, load(to), step[v], old_inputs.same)
                                                                : load(to) - step[v] * take(old_inputs, index, kind);
                            store(to, changed);
                            if (feeds) w = changed; // never with gradients
                        }
                        if (feeds) sum[v][i % 4] += w * take(inputs, index, kind);
                    }
                }
                if (back) store(left_sums + e, load(left_sums + e) + sum_each(left));
            }
            if (!feeds) continue;
            for (int v = 0; v < tile; ++v) {
                const Floats total = (sum[v][0] + sum[v][1]) + (sum[v][2] + sum[v][3]);
                store(outputs + v * RIGHT, activated(total, l->activation));
            }
        }
}

#define KINDS(tile, feeds, learns)                                                                                     \
    (l->kind == NEAR  ? pass(l, fresh, older, tile, NEAR, feeds, learns)                                               \
     : l->kind == FAR ? pass(l, fresh, older, tile, FAR, feeds, learns)                                                \
                      : pass(l, fresh, older, tile, SAME, feeds, learns))
#define PASS(name, feeds, learns)                                                                                      \
    __attribute__((noinline)) static void name(const Layer *l, const float *fresh, const float *older) {               \
        l->tile == 1 ? KINDS(1, feeds, learns) : l->tile == 2 ? KINDS(2, feeds, learns) : KINDS(TILE, feeds, learns);  \
    }
PASS(feed, true, false)
PASS(learn, false, true)
PASS(learn_and_feed, true, true)

static void update_biases(const Layer *l) {
    for (int r = 0; r < l->right; ++r) l->bias_gradients[r] -= l->steps[r];
}

static void forward(const Layer *layers, int count, int first) {
    for (int n = first; n < count; ++n) {
        const Layer *l = &layers[n], *before = l - 1;
        if (n > 0) {
            if (l->places)
                for (int i = 0; i < l->inputs_count; ++i) l->inputs[l->places[i]] = before->outputs[i];
            else
                memcpy(l->inputs, before->outputs, (size_t)before->right * sizeof *l->inputs);
        }
        feed(l, l->inputs, l->inputs);
    }
}

// Steps of all junctions, and updates of all but the first.
static void backward(const Layer *layers, int count, const int32_t *outputs, const float *neurons, int label, float rate) {
    const Layer *last = &layers[count - 1];
    for (int r = 0; r < last->right; ++r) last->steps[r] = rate * last->outputs[r] * neurons[r];
    last->steps[outputs[label]] -= rate;
    for (const Layer *l = last; l > layers; --l) {
        const Layer *before = l - 1;
        float *sums = l->left_sums;
        memset(sums, 0, (size_t)before->right * sizeof *sums);
        if (l->kind != SAME)
            for (int t = 0, at = 0; t < l->groups * l->tiles; ++t)
                for (int e = 0; e < l->edges; ++e)
                    for (int r = 0; r < l->tile * RIGHT; ++r, ++at)
                        sums[l->back[at]] += l->weights[at] * l->steps[t * l->tile * RIGHT + r];
        learn(l, l->inputs, l->inputs);
        update_biases(l);
        for (int r = 0; r < before->right; r += RIGHT)
            store(before->steps + r, load(sums + r) * slope_of(load(before->outputs + r), before->activation));
    }
}

// One step per sample. Features (count, layers->left) lie as junction 1 has its inputs.
void train(const Layer *layers, int32_t layer_count, const int32_t *outputs, const float *neurons, const float *features,
           const int32_t *labels, int64_t count, float rate) {
    const float *older = NULL;
    for (int64_t i = 0; i < count; ++i) {
        const float *fresh = features + i * layers->left;
        if (older)
            learn_and_feed(layers, fresh, older);
        else
            feed(layers, fresh, fresh);
        forward(layers, layer_count, 1);
        backward(layers, layer_count, outputs, neurons, labels[i], rate);
        update_biases(layers);
        older = fresh;
    }
    if (older) learn(layers, older, older);
}

// Classes of `count` samples.
void infer(const Layer *layers, int32_t layer_count, const int32_t *outputs, int32_t classes, const float *features,
           int32_t *found, int64_t count) {
    const float *scores = layers[layer_count - 1].outputs;
    for (int64_t i = 0; i < count; ++i) {
        const float *fresh = features + i * layers->left;
        feed(layers, fresh, fresh);
        forward(layers, layer_count, 1);
        int32_t best = 0;
        for (int32_t c = 1; c < classes; ++c) best = scores[outputs[c]] > scores[outputs[best]] ? c : best;
        found[i] = best;
    }
}

static void wait_for_all(atomic_int *arrived, int threads) {
    const int round = atomic_fetch_add(arrived, 1) / threads;
    while (atomic_load(arrived) / threads == round) {
        if (threads == 1) break;
        sched_yield(); // there may be fewer processors
    }
}

// One step per batch: thread `thread` of `threads` has its own layers, whose weights all share.
void train_batches(const Layer *const *all_layers, int32_t thread, int32_t threads, atomic_int *arrived, int32_t layer_count,
                   const int32_t *outputs, const float *neurons, const float *features, const int32_t *labels,
                   int64_t count, int32_t batch, float rate) {
    const Layer *own = all_layers[thread];
    for (int64_t begin = 0; begin < count; begin += batch) {
        const int64_t end = begin + batch < count ? begin + batch : count, size = end - begin;
        for (int64_t i = begin + size * thread / threads; i < begin + size * (thread + 1) / threads; ++i) {
            const float *fresh = features + i * own->left;
            feed(own, fresh, fresh);
            forward(own, layer_count, 1);
            backward(own, layer_count, outputs, neurons, labels[i], rate);
            learn(own, fresh, fresh);
            update_biases(own);
        }
        wait_for_all(arrived, threads);
        for (int n = 0; n < layer_count; ++n) {
            const int64_t biases = own[n].right, edges = biases * own[n].edges;
            for (int t = 0; t < threads; ++t) {
                const Layer *l = &all_layers[t][n];
                for (int64_t e = edges * thread / threads; e < edges * (thread + 1) / threads; ++e) {
                    own[n].weights[e] += l->gradients[e];
                    l->gradients[e] = 0;
                }
                for (int64_t r = biases * thread / threads; r < biases * (thread + 1) / threads; ++r) {
                    own[n].biases[r] += l->bias_gradients[r];
                    l->bias_gradients[r] = 0;
                }
            }
        }
        wait_for_all(arrived, threads);
    }
}

int32_t vector_right(void) { return RIGHT; }
int32_t vector_tile(void) { return TILE; }
int32_t vector_near_inputs(void) { return NEAR_INPUTS; }
