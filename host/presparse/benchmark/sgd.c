// The baseline: stochastic gradient descent on a sparse network in float32, one sample at a time, as one writes it
// in plain C. Edges are stored as the hardware has them: of every right neuron its left neurons and weights.

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { RELU, SIGMOID, IDENTITY };

typedef struct {
    int32_t left, right, in_degree, activation;
    const int32_t *source;           // (right, in_degree): left neuron of every edge
    float *weights, *biases;         // (right, in_degree), (right,)
    float *inputs;                   // (right, in_degree): what the edges carry, gathered once, used twice
    float *activations, *deltas;     // (right,)
    float *sums;                     // (left,): deltas of the left neurons, before the derivative
} Layer;

static float activated(float sum, int32_t activation) {
    return activation == RELU ? (sum > 0 ? sum : 0) : activation == SIGMOID ? 1 / (1 + expf(-sum)) : sum;
}

static float slope(float value, int32_t activation) {
    return activation == RELU ? (float)(value > 0) : activation == SIGMOID ? value * (1 - value) : 1;
}

static void forward(const Layer *l, const float *in) {
    for (int r = 0; r < l->right; ++r) {
        const int32_t *source = l->source + (ptrdiff_t)r * l->in_degree;
        const float *w = l->weights + (ptrdiff_t)r * l->in_degree;
        float *inputs = l->inputs + (ptrdiff_t)r * l->in_degree, sum = l->biases[r];
#pragma omp simd reduction(+ : sum)
        for (int k = 0; k < l->in_degree; ++k) {
            inputs[k] = in[source[k]];
            sum += w[k] * inputs[k];
        }
        l->activations[r] = activated(sum, l->activation);
    }
}

static void update(const Layer *l, float rate) {
    for (int r = 0; r < l->right; ++r) {
        const float *inputs = l->inputs + (ptrdiff_t)r * l->in_degree;
        float *w = l->weights + (ptrdiff_t)r * l->in_degree;
        const float step = rate * l->deltas[r];
        if (step == 0) continue;
#pragma omp simd
        for (int k = 0; k < l->in_degree; ++k) w[k] -= step * inputs[k];
        l->biases[r] -= step;
    }
}

// Backpropagation and update in one pass over the edges; a right neuron's left neurons are distinct.
static void backward(const Layer *l, float rate) {
    memset(l->sums, 0, (size_t)l->left * sizeof *l->sums);
    for (int r = 0; r < l->right; ++r) {
        const int32_t *source = l->source + (ptrdiff_t)r * l->in_degree;
        const float *inputs = l->inputs + (ptrdiff_t)r * l->in_degree;
        float *w = l->weights + (ptrdiff_t)r * l->in_degree, *sums = l->sums;
        const float delta = l->deltas[r], step = rate * delta;
        if (delta == 0) continue;
#pragma GCC ivdep
        for (int k = 0; k < l->in_degree; ++k) {
            sums[source[k]] += w[k] * delta;
            w[k] -= step * inputs[k];
        }
        l->biases[r] -= step;
    }
}

// One step per sample, of `count` samples in order. Loss: cross-entropy after a sigmoid, else half the squared error.
void sgd(const Layer *layers, int32_t count_layers, const float *features, const int32_t *labels, int64_t count,
         float rate) {
    const Layer *last = layers + count_layers - 1;
    for (int64_t i = 0; i < count; ++i) {
        const float *in = features + (ptrdiff_t)i * layers[0].left;
        for (int n = 0; n < count_layers; ++n) forward(&layers[n], n ? layers[n - 1].activations : in);
        for (int r = 0; r < last->right; ++r) last->deltas[r] = last->activations[r] - (float)(r == labels[i]);
        for (int n = count_layers - 1; n > 0; --n) {
            const Layer *l = &layers[n], *left = l - 1;
            backward(l, rate);
            for (int r = 0; r < left->right; ++r)
                left->deltas[r] = l->sums[r] * slope(left->activations[r], left->activation);
        }
        update(layers, rate);
    }
}
