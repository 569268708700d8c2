// What the kernels' benchmarks share: the backend, random numbers to work on, counters.
//
// Promise: activation() gives the same memory again for the same or a smaller size and slot, so
//   that benchmarks run one after another without growing. set_bound() adds bound_us and of_bound
//   (bound / time: 1 is as fast as the machine can).
// Threads: main's.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace hangar::bench {

struct BenchOptions {
  bool quick = false;  // the smallest model, fewer numbers of rows
};

// Every file's benchmarks; called from main before they run.
void register_matmuls(const BenchOptions& options);
void register_attention(const BenchOptions& options);
void register_elementwise(const BenchOptions& options);
void register_sampling(const BenchOptions& options);

Backend& backend();
int threads();
// A weight's bytes as a file holds them: random values, small scales.
std::vector<std::byte> random_weight_bytes(DType dtype, std::int64_t rows, std::int64_t columns);
// A norm's weight, all ones; until the next call.
const Weight& norm_weight(std::int64_t columns);
// Normally distributed numbers; `slot`: which of several that live at once.
Activation activation(std::size_t slot, std::int64_t rows, std::int64_t columns);

struct Work {
  double multiply_adds = 0.0;
  double bytes = 0.0;  // that must be read (or written)
  double bound_s = 0.0;
};
void set_counters(benchmark::State& state, const Work& work);

}  // namespace hangar::bench
