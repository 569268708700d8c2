#include "bench_support.h"

#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <numbers>

#include "backend/registry.h"
#include "base/thread_pool.h"
#include "tensor/float16.h"

namespace hangar::bench {
namespace {

// splitmix64: benchmarks make hundreds of megabytes of it.
struct Random {
  std::uint64_t state;

  std::uint64_t operator()() {
    std::uint64_t z = (state += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }
  float uniform() { return static_cast<float>((*this)() >> 40U) * 0x1p-24F; }
};

}  // namespace

Backend& backend() {
  static const std::unique_ptr<Backend> cpu = make_backend("cpu", 0).value();
  return *cpu;
}

int threads() {
  static const int count = ThreadPool().threads();
  return count;
}

std::vector<std::byte> random_weight_bytes(DType dtype, std::int64_t rows, std::int64_t columns) {
  Random random{1};
  std::vector<std::byte> bytes(row_bytes(dtype, columns) * static_cast<std::size_t>(rows));
  if (dtype == DType::kBF16) {
    for (std::size_t at = 0; at < bytes.size(); at += 2) {
      const std::uint16_t value = float_to_bfloat16(random.uniform() * 0.04F - 0.02F);
      std::memcpy(bytes.data() + at, &value, sizeof(value));
    }
    return bytes;
  }
  for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
    const std::uint64_t value = random();
    std::memcpy(bytes.data() + at, &value, sizeof(value));
  }
  const std::uint16_t scale = float_to_half(0.01F);
  const std::size_t block_bytes = dtype_info(dtype).block_bytes;
  const bool has_minimum = dtype == DType::kQ4_1 || dtype == DType::kQ4_K;
  for (std::size_t at = 0; at < bytes.size(); at += block_bytes) {
    std::memcpy(bytes.data() + at, &scale, sizeof(scale));
    if (has_minimum) std::memcpy(bytes.data() + at + 2, &scale, sizeof(scale));
  }
  return bytes;
}

Activation activation(std::size_t slot, std::int64_t rows, std::int64_t columns) {
  static std::map<std::size_t, Activation> made;
  Activation& known = made[slot];
  if (known.rows * known.columns < rows * columns) {
    known = backend().allocate(rows, columns).value();
    Random random{slot + 2};
    for (std::int64_t i = 0; i < rows * columns; i += 2) {
      const float radius = std::sqrt(-2.0F * std::log(1.0F - random.uniform()));
      const float angle = 2.0F * std::numbers::pi_v<float> * random.uniform();
      known.f32()[i] = radius * std::cos(angle);
      if (i + 1 < rows * columns) known.f32()[i + 1] = radius * std::sin(angle);
    }
  }
  return {known.data, rows, columns, DType::kF32};
}

const Weight& norm_weight(std::int64_t columns) {
  static std::vector<std::byte> ones;
  static WeightPtr weight;
  if (weight == nullptr || weight->columns != columns) {
    const float one = 1.0F;
    ones.resize(static_cast<std::size_t>(columns) * sizeof(float));
    for (std::size_t i = 0; i < ones.size(); i += sizeof(float)) {
      std::memcpy(ones.data() + i, &one, sizeof(one));
    }
    const TensorView view{"norm", DType::kF32, {columns}, ones};
    weight = backend().load_weight(view, InputPrecision::kFast).value();
  }
  return *weight;
}

void set_counters(benchmark::State& state, const Work& work) {
  using benchmark::Counter;
  if (work.multiply_adds > 0.0) {
    state.counters["GMAC/s"] =
        Counter(work.multiply_adds / 1e9, Counter::kIsIterationInvariantRate);
  }
  state.counters["GB/s"] = Counter(work.bytes / 1e9, Counter::kIsIterationInvariantRate);
  state.counters["bound_us"] = work.bound_s * 1e6;
  state.counters["of_bound"] = Counter(work.bound_s, Counter::kIsIterationInvariantRate);
}

}  // namespace hangar::bench
