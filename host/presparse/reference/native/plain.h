// Vectors of edges in plain C, for any processor and any integer types: the compiler makes of them what it can.

enum {
    RIGHT = 32 / sizeof(Sum), // right neurons of a vector
    EDGES = 2 * RIGHT,        // two edges of each
    TILE = 2,                 // vectors that are worked on at once, at most
    BYTES = 0,                // whether `take_near` numbers the bytes of inputs
    STEP_DROP = 0,            // bits that `step` drops, where that is fixed; 0: any number
};
typedef Edge Edges __attribute__((vector_size(EDGES * sizeof(Edge))));
typedef Sum Sums __attribute__((vector_size(RIGHT * sizeof(Sum))));

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

INLINE Edges take_near(const Edge *inputs, Edges index) {
    Edges taken;
    for (int e = 0; e < EDGES; ++e) taken[e] = inputs[index[e]];
    return taken;
}

INLINE Edges take_far(const Edge *inputs, Edges index) { return take_near(inputs, index); }

INLINE Edges take_same(const Edge *inputs) {
    Edges taken;
    for (int e = 0; e < EDGES; ++e) taken[e] = inputs[e & 1];
    return taken;
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
