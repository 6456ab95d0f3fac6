// Vectors of edges in plain C, for any processor and any integer types: the compiler makes of them what it can.

enum {
    RIGHT = 32 / sizeof(Sum), // right neurons of a vector
    EDGES = 2 * RIGHT,        // two edges of each
    TILE = 1,                 // vectors that are worked on at once, at most
    BANKS = 1,                // NEAR takes a pair's inputs from as many ranges
    NEAR_INPUTS = 32,         // of so many
    PACKED = 0,               // whether the numbers of NEAR's tiles share their bits, and masks of SAME are bits
    STEP_DROP = 0,            // bits that `step` drops, where that is fixed; 0: any number
};
typedef Edge Edges __attribute__((vector_size(EDGES * sizeof(Edge))));
typedef Sum Sums __attribute__((vector_size(RIGHT * sizeof(Sum))));

// Inputs that lie side by side in columns: two neighboring edges' ones.
#ifdef NARROW
typedef uint32_t Unit __attribute__((may_alias));
#else
typedef uint64_t Unit __attribute__((may_alias));
#endif

// Of every right neuron the products of its two edges, added to its sum.
INLINE Sums add_products(Sums sums, Edges a, Edges b) {
    for (int r = 0; r < RIGHT; ++r) sums[r] += (Sum)a[2 * r] * b[2 * r] + (Sum)a[2 * r + 1] * b[2 * r + 1];
    return sums;
}

INLINE Edges operands_of(Edges weights, int shift) { return weights >> (Edge)shift; }

INLINE Edges limited(Edges edges, Edge low, Edge high) {
    for (int e = 0; e < EDGES; ++e) edges[e] = (Edge)clip(edges[e], low, high);
    return edges;
}

// Delta times input, rounded; as large as saturates any weight where Edge cannot hold it.
INLINE Edges step(Edges delta, Edges input, int drop) {
    const Sum most = sizeof(Edge) == 2 ? INT16_MAX : 1 << 30;
    Edges steps;
    for (int e = 0; e < EDGES; ++e) steps[e] = (Edge)clip(rescale((Sum)delta[e] * input[e], drop), -most, most);
    return steps;
}

// Saturated to what Edge holds.
INLINE Edges subtract(Edges a, Edges b) {
    const Sum most = sizeof(Edge) == 2 ? INT16_MAX : INT32_MAX;
    Edges difference;
    for (int e = 0; e < EDGES; ++e) difference[e] = (Edge)clip((Sum)a[e] - b[e], -most - 1, most);
    return difference;
}

// The inputs of a tile's vectors.
INLINE void take(Edges *taken, const Edge *inputs, const int32_t *first, const Edge *index, const int kind,
                 const int tile) {
    (void)kind;
    const Edge *from = inputs + *first;
    for (int v = 0; v < tile; ++v)
        for (int e = 0; e < EDGES; ++e) taken[v][e] = from[index[v * EDGES + e]];
}

// RIGHT inputs, each twice.
INLINE Edges take_same(const Edge *inputs) {
    Edges taken;
    for (int e = 0; e < EDGES; ++e) taken[e] = inputs[e / 2];
    return taken;
}

// Two numbers, over and over.
INLINE Edges pair_of(const Edge *pair) {
    Edges pairs;
    for (int e = 0; e < EDGES; ++e) pairs[e] = pair[e & 1];
    return pairs;
}

INLINE Edges even_edges(void) {
    Edges evens;
    for (int e = 0; e < EDGES; ++e) evens[e] = e & 1 ? 0 : -1;
    return evens;
}

// 0 where there is no edge.
INLINE Edges where_edges(Edges steps, const Edge *masks, int64_t vector) {
    Edges mask;
    memcpy(&mask, masks + vector * EDGES, sizeof mask);
    return steps & mask;
}

// One more where they differ.
INLINE Edges count_unequal(Edges counts, Edges a, Edges b) { return counts - (a != b); }

// Of RIGHT entries of a table the lower 16 bits and the upper ones.
INLINE void look_up(const int32_t *table, const Sum *places, Edge *low, Edge *high) {
    for (int r = 0; r < RIGHT; ++r) {
        const int32_t entry = table[places[r]];
        low[r] = (Edge)(int16_t)entry;
        high[r] = (Edge)(entry >> 16);
    }
}

// The sum of the elements of each of RIGHT vectors.
INLINE Sums totals(const Sums *of) {
    Sums total;
    for (int n = 0; n < RIGHT; ++n) {
        Sum sum = 0;
        for (int r = 0; r < RIGHT; ++r) sum += of[n][r];
        total[n] = sum;
    }
    return total;
}
