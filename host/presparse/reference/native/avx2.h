// Vectors of 16 edges, with AVX2.

#include <immintrin.h>

enum { RIGHT = 8, EDGES = 16, TILE = 2, STEP_DROP = 15, BYTES = 1 }; // see plain.h
typedef Edge Edges __attribute__((vector_size(32)));
typedef Sum Sums __attribute__((vector_size(32)));

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

// From the 32 inputs there, eight by eight: bytes are shuffled within 128 bits, and bits 4 and 5 of a byte's number
// choose between the four results.
INLINE Edges take_near(const Edge *inputs, Edges index) {
    const __m256i byte = (__m256i)index, upper = _mm256_slli_epi16(byte, 3), last = _mm256_slli_epi16(byte, 2);
    const __m256i a = _mm256_blendv_epi8(_mm256_shuffle_epi8(eight(inputs), byte),
                                         _mm256_shuffle_epi8(eight(inputs + 8), byte), upper);
    const __m256i b = _mm256_blendv_epi8(_mm256_shuffle_epi8(eight(inputs + 16), byte),
                                         _mm256_shuffle_epi8(eight(inputs + 24), byte), upper);
    return (Edges)_mm256_blendv_epi8(a, b, last);
}

// The 32 bits that begin with an input; the second of a pair goes to their upper half.
INLINE Edges take_far(const Edge *inputs, Edges index) {
    const __m256i both = (__m256i)index;
    const int *base = (const void *)inputs;
    const __m256i first = _mm256_i32gather_epi32(base, _mm256_and_si256(both, _mm256_set1_epi32(0xffff)), 2);
    const __m256i second = _mm256_i32gather_epi32(base, _mm256_srli_epi32(both, 16), 2);
    return (Edges)_mm256_blend_epi16(first, _mm256_slli_epi32(second, 16), 0xaa);
}

INLINE Edges take_same(const Edge *inputs) {
    int32_t both;
    memcpy(&both, inputs, sizeof both);
    return (Edges)_mm256_set1_epi32(both);
}

INLINE Sums totals(const Sums *of) {
    __m256i half[4], quarter[2];
    for (int i = 0; i < 4; ++i) half[i] = _mm256_hadd_epi32((__m256i)of[2 * i], (__m256i)of[2 * i + 1]);
    for (int i = 0; i < 2; ++i) quarter[i] = _mm256_hadd_epi32(half[2 * i], half[2 * i + 1]);
    const __m256i low = _mm256_permute2x128_si256(quarter[0], quarter[1], 0x20);
    const __m256i high = _mm256_permute2x128_si256(quarter[0], quarter[1], 0x31);
    return (Sums)_mm256_add_epi32(low, high);
}
