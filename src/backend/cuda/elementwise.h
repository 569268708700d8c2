// The passes over rows between the products, on the card.
//
// Promise: what Backend says of the operations of these names, with sums in float32 and in an order
//   that the number of columns alone fixes: a row's result depends on that row alone. Operands are
//   float32 or a type of 16 bits; "any" is either, of one 16-bit type in a call. Biases and norms'
//   weights are float32. A pass over no rows or no columns launches nothing.
// Shapes: rows lie row_stride() apart. Where pointers, strides and columns are multiples of 16
//   bytes a thread moves 8 elements at once; elsewhere one.
// Memory: everything named ids, rows, weights, bias or drawn is on the card. Nothing is read on the
//   host, so that all can be recorded in a graph.
// Errors: CudaError; std::invalid_argument for element types that no pass is made for.
// Threads: one (the step thread).
#pragma once

#include <cstdint>

#include "backend/cuda/launch.h"
#include "tensor/activation.h"
#include "tensor/gate_function.h"

namespace hangar::cuda {

// out[r] = table[ids[r]]; `out` any, the table {vocabulary, columns} any. An id of -1 - i is the
// token drawn[i].
void embed(const Launch& launch, Activation out, Activation table, const std::int32_t* ids,
           const std::int32_t* drawn = nullptr);
// out = x, of other types or strides; both any.
void copy(const Launch& launch, Activation out, Activation x);
// out[i] = x[rows[i]]; both any.
void gather_rows(const Launch& launch, Activation out, Activation x, const std::int32_t* rows);
// x[rows[i]] += weights[i] * y[i], one after the other where a row comes more than once. x float32
// or as y.
void scatter_add_rows(const Launch& launch, Activation x, Activation y, const std::int32_t* rows,
                      const float* weights);

// out = x / sqrt(mean(x^2) + eps) * weight; both any. In place allowed.
void rms_norm(const Launch& launch, Activation out, Activation x, const float* weight, float eps);
// The same over each head of x {rows, heads * head_dim}, in place; weight [head_dim].
void head_norm(const Launch& launch, Activation x, std::int32_t head_dim, const float* weight,
               float eps);
// y[r] += bias.
void add_bias(const Launch& launch, Activation y, const float* bias);
// out = f(gate) * up, all of one type. In place allowed.
void gate_mul(const Launch& launch, Activation out, Activation gate, Activation up, GateFunction f);
// x *= factor.
void scale(const Launch& launch, Activation x, float factor);
// x = cap * tanh(x / cap).
void softcap(const Launch& launch, Activation x, float cap);
// x += y. x float32 or as y.
void add(const Launch& launch, Activation x, Activation y);

}  // namespace hangar::cuda
