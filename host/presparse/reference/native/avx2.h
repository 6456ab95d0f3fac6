// Vectors of 16 edges, with AVX2.

#include <immintrin.h>

enum { RIGHT = 8, EDGES = 16, TILE = 2, STEP_DROP = 15, BANKS = 2, NEAR_INPUTS = 16, PACKED = 0 }; // see plain.h
typedef Edge Edges __attribute__((vector_size(32)));
typedef Sum Sums __attribute__((vector_size(32)));
typedef uint16_t Unit __attribute__((may_alias));

INLINE Sums add_products(Sums sums, Edges a, Edges b) { return sums + (Sums)_mm256_madd_epi16((__m256i)a, (__m256i)b); }

INLINE Edges operands_of(Edges weights, int shift) {
    return (Edges)_mm256_sra_epi16((__m256i)weights, _mm_cvtsi32_si128(shift));
}

INLINE Edges subtract(Edges a, Edges b) { return (Edges)_mm256_subs_epi16((__m256i)a, (__m256i)b); }

INLINE Edges limited(Edges edges, Edge low, Edge high) {
    const __m256i floored = _mm256_max_epi16((__m256i)edges, _mm256_set1_epi16(low));
    return (Edges)_mm256_min_epi16(floored, _mm256_set1_epi16(high));
}

INLINE Edges step(Edges delta, Edges input, int drop) {
    (void)drop; // rounds half up, as `rescale`
    return (Edges)_mm256_mulhrs_epi16((__m256i)delta, (__m256i)input);
}

INLINE __m256i eight(const Edge *inputs) { return _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)inputs)); }

// Of a bank of 16 inputs, eight by eight: bytes are shuffled within 128 bits, and are 0 where bit 7 of a number is set.
INLINE __m256i take_near(const Edge *bank, const Edge *index) {
    const __m256i numbers = _mm256_loadu_si256((const void *)index);
    const __m256i others = _mm256_xor_si256(numbers, _mm256_set1_epi8(-128));
    return _mm256_or_si256(_mm256_shuffle_epi8(eight(bank), numbers), _mm256_shuffle_epi8(eight(bank + 8), others));
}

// The 32 bits that begin with an input; the second of a pair goes to their upper half.
INLINE Edges take_far(const Edge *inputs, Edges index) {
    const __m256i both = (__m256i)index;
    const int *base = (const void *)inputs;
    const __m256i first = _mm256_i32gather_epi32(base, _mm256_and_si256(both, _mm256_set1_epi32(0xffff)), 2);
    const __m256i second = _mm256_i32gather_epi32(base, _mm256_srli_epi32(both, 16), 2);
    return (Edges)_mm256_blend_epi16(first, _mm256_slli_epi32(second, 16), 0xaa);
}

// Of NEAR the first edges of a tile's two vectors from one bank, the second ones from another.
INLINE void take(Edges *taken, const Edge *inputs, const int32_t *first, const Edge *index, const int kind,
                 const int tile) {
    if (kind == NEAR) {
        const __m256i firsts = take_near(inputs + first[0], index);
        const __m256i seconds = take_near(inputs + first[1], index + EDGES);
        taken[0] = (Edges)_mm256_unpacklo_epi16(firsts, seconds);
        taken[1] = (Edges)_mm256_unpackhi_epi16(firsts, seconds);
    } else
        for (int v = 0; v < tile; ++v) {
            const __m256i numbers = _mm256_loadu_si256((const void *)(index + v * EDGES));
            taken[v] = take_far(inputs + first[0], (Edges)numbers);
        }
}

INLINE Edges take_same(const Edge *inputs) {
    const __m256i each = _mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)inputs));
    return (Edges)_mm256_or_si256(each, _mm256_slli_epi32(each, 16));
}

INLINE Edges pair_of(const Edge *pair) {
    int32_t both;
    memcpy(&both, pair, sizeof both);
    return (Edges)_mm256_set1_epi32(both);
}

INLINE Edges even_edges(void) { return (Edges)_mm256_set1_epi32(0xffff); }

INLINE Edges where_edges(Edges steps, const Edge *masks, int64_t vector) {
    return steps & (Edges)_mm256_loadu_si256((const void *)(masks + vector * EDGES));
}

INLINE Edges count_unequal(Edges counts, Edges a, Edges b) { return counts - (a != b); }

INLINE void look_up(const int32_t *table, const Sum *places, Edge *low, Edge *high) {
    const __m256i entries = _mm256_i32gather_epi32(table, _mm256_loadu_si256((const void *)places), 4);
    const __m256i lower = _mm256_srai_epi32(_mm256_slli_epi32(entries, 16), 16), upper = _mm256_srai_epi32(entries, 16);
    const __m256i order = _mm256_permute4x64_epi64(_mm256_packs_epi32(lower, upper), 0xd8);
    _mm_storeu_si128((void *)low, _mm256_castsi256_si128(order));
    _mm_storeu_si128((void *)high, _mm256_extracti128_si256(order, 1));
}

INLINE Sums totals(const Sums *of) {
    __m256i half[4], quarter[2];
    for (int i = 0; i < 4; ++i) half[i] = _mm256_hadd_epi32((__m256i)of[2 * i], (__m256i)of[2 * i + 1]);
    for (int i = 0; i < 2; ++i) quarter[i] = _mm256_hadd_epi32(half[2 * i], half[2 * i + 1]);
    const __m256i low = _mm256_permute2x128_si256(quarter[0], quarter[1], 0x20);
    const __m256i high = _mm256_permute2x128_si256(quarter[0], quarter[1], 0x31);
    return (Sums)_mm256_add_epi32(low, high);
}
