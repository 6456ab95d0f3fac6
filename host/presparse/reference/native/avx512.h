// Vectors of 32 edges, with AVX-512 (BW).

#include <immintrin.h>

enum { RIGHT = 16, EDGES = 32, TILE = 2, STEP_DROP = 15, BANKS = 1, NEAR_INPUTS = 32, PACKED = 1 }; // see plain.h
typedef Edge Edges __attribute__((vector_size(64)));
typedef Sum Sums __attribute__((vector_size(64)));
typedef uint32_t Unit __attribute__((may_alias));

INLINE Sums add_products(Sums sums, Edges a, Edges b) {
#ifdef __AVX512VNNI__
    return (Sums)_mm512_dpwssd_epi32((__m512i)sums, (__m512i)a, (__m512i)b);
#else
    return sums + (Sums)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#endif
}

INLINE Edges operands_of(Edges weights, int shift) {
    return (Edges)_mm512_srav_epi16((__m512i)weights, _mm512_set1_epi16((int16_t)shift));
}

INLINE Edges subtract(Edges a, Edges b) { return (Edges)_mm512_subs_epi16((__m512i)a, (__m512i)b); }

INLINE Edges limited(Edges edges, Edge low, Edge high) {
    const __m512i floored = _mm512_max_epi16((__m512i)edges, _mm512_set1_epi16(low));
    return (Edges)_mm512_min_epi16(floored, _mm512_set1_epi16(high));
}

INLINE Edges step(Edges delta, Edges input, int drop) {
    (void)drop; // rounds half up, as `rescale`
    return (Edges)_mm512_mulhrs_epi16((__m512i)delta, (__m512i)input);
}

// The 32 bits that begin with an input; the second of a pair goes to their upper half.
INLINE Edges take_far(const Edge *inputs, Edges index) {
    const __m512i both = (__m512i)index;
    const __m512i first = _mm512_i32gather_epi32(_mm512_and_si512(both, _mm512_set1_epi32(0xffff)), inputs, 2);
    const __m512i second = _mm512_i32gather_epi32(_mm512_srli_epi32(both, 16), inputs, 2);
    return (Edges)_mm512_mask_blend_epi16(0xaaaaaaaa, first, _mm512_slli_epi32(second, 16));
}

// Of NEAR one permutation of a register, which reads 5 bits of a number: in the upper byte is that of the next vector.
INLINE void take(Edges *taken, const Edge *inputs, const int32_t *first, const Edge *index, const int kind,
                 const int tile) {
    if (kind == NEAR) {
        const __m512i table = _mm512_loadu_si512(inputs + *first), numbers = _mm512_loadu_si512(index);
        taken[0] = (Edges)_mm512_permutexvar_epi16(numbers, table);
        if (tile == 2) taken[1] = (Edges)_mm512_permutexvar_epi16(_mm512_srli_epi16(numbers, 8), table);
    } else
        for (int v = 0; v < tile; ++v)
            taken[v] = take_far(inputs + *first, (Edges)_mm512_loadu_si512(index + v * EDGES));
}

INLINE Edges take_same(const Edge *inputs) {
    const __m512i each = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)inputs));
    return (Edges)_mm512_or_si512(each, _mm512_slli_epi32(each, 16));
}

INLINE Edges pair_of(const Edge *pair) {
    int32_t both;
    memcpy(&both, pair, sizeof both);
    return (Edges)_mm512_set1_epi32(both);
}

INLINE Edges even_edges(void) { return (Edges)_mm512_set1_epi32(0xffff); }

INLINE Edges where_edges(Edges steps, const Edge *masks, int64_t vector) {
    return (Edges)_mm512_maskz_mov_epi16(((const uint32_t *)masks)[vector], (__m512i)steps);
}

INLINE Edges count_unequal(Edges counts, Edges a, Edges b) {
    const __mmask32 unequal = _mm512_cmpneq_epi16_mask((__m512i)a, (__m512i)b);
    return (Edges)_mm512_mask_sub_epi16((__m512i)counts, unequal, (__m512i)counts, _mm512_set1_epi16(-1));
}

INLINE void look_up(const int32_t *table, const Sum *places, Edge *low, Edge *high) {
    const __m512i entries = _mm512_i32gather_epi32(_mm512_loadu_si512(places), table, 4);
    _mm256_storeu_si256((void *)low, _mm512_cvtepi32_epi16(entries));
    _mm256_storeu_si256((void *)high, _mm512_cvtepi32_epi16(_mm512_srli_epi32(entries, 16)));
}

INLINE Sums totals(const Sums *of) {
    __m512i half[8], quarter[4], eighth[2];
    for (int i = 0; i < 8; ++i) {
        const __m512i a = (__m512i)of[i], b = (__m512i)of[i + 8];
        half[i] = _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x44), _mm512_shuffle_i32x4(a, b, 0xee));
    }
    for (int i = 0; i < 4; ++i) {
        const __m512i a = half[i], b = half[i + 4];
        quarter[i] = _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xdd));
    }
    for (int i = 0; i < 2; ++i) {
        const __m512i a = quarter[i], b = quarter[i + 2];
        eighth[i] = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    }
    const __m512i total = _mm512_add_epi32(_mm512_unpacklo_epi32(eighth[0], eighth[1]),
                                           _mm512_unpackhi_epi32(eighth[0], eighth[1]));
    const __m512i order = _mm512_setr_epi32(0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15);
    return (Sums)_mm512_permutexvar_epi32(order, total);
}
