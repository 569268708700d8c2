// The passes between the products, in the shapes of Llama-3-8B's layers (head norms: Qwen3-8B's).
//
// The bound is each input read and each output written once. Few rows lie in the L2 cache, behind
// the kernel that made them, in a step as here.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "backend/cuda/elementwise.h"
#include "backend/cuda/rope.h"
#include "bench_support.h"

namespace hangar::cuda::bench {
namespace {

constexpr std::int64_t kHidden = 4096;
constexpr std::int64_t kInner = 14336;
constexpr std::int64_t kHeadDim = 128;
constexpr std::int64_t kHeads = 32;
constexpr std::int64_t kKvHeads = 8;
constexpr std::int64_t kVocabulary = 128256;
constexpr float kEps = 1e-5F;
constexpr std::int64_t kRowCounts[] = {1, 8, 64, 256, 4096};
constexpr std::int64_t kQuickRowCounts[] = {1, 64, 4096};
constexpr double kFull = 4.0;  // bytes of a float32
constexpr double kWork = 2.0;  // of the work type

class PassBench {
 public:
  PassBench(Bench& bench, std::int64_t rows) : bench_(bench), rows_(rows) {}

  void run() {
    norms();
    gate();
    rotation();
    moves();
  }

 private:
  using Matrices = std::vector<Activation>;

  Matrices matrices(CardMemory& memory, std::size_t turns, std::int64_t columns, DType type) {
    return memory.activations(turns, rows_, columns, type);
  }
  std::size_t turns(double bytes) const {
    return bench_.cold_copies(static_cast<std::size_t>(bytes));
  }
  double elements(std::int64_t columns) const { return static_cast<double>(rows_ * columns); }
  void measure(const char* name, double read_bytes, double written_bytes, std::size_t turns,
               const Bench::Call& call) {
    Case c{.group = "elementwise",
           .name = name,
           .shape = fmt::format("Llama-3-8B, {} rows", rows_),
           .work = {}};
    c.work.read_bytes = read_bytes;
    c.work.written_bytes = written_bytes;
    bench_.measure(c, turns, call);
  }
  bool wants(const char* name) const { return bench_.wants("elementwise", name); }

  void norms() {
    const double n = elements(kHidden);
    CardMemory memory;
    const float* weight = memory.activation(1, kHidden, DType::kF32).f32();
    if (wants("rms_norm")) {
      const std::size_t count = turns(n * (kFull + kWork));
      const Matrices x = matrices(memory, count, kHidden, DType::kF32);
      const Matrices out = matrices(memory, count, kHidden, type_);
      measure("rms_norm", n * kFull, n * kWork, count, [&](const Launch& launch, std::size_t t) {
        rms_norm(launch, out[t], x[t], weight, kEps);
      });
    }
    if (!wants("head_norm")) return;
    const double q = elements(kHeads * kHeadDim);
    const std::size_t count = turns(q * kWork);
    const Matrices x = matrices(memory, count, kHeads * kHeadDim, type_);
    measure("head_norm", q * kWork, q * kWork, count, [&](const Launch& launch, std::size_t t) {
      head_norm(launch, x[t], kHeadDim, weight, kEps);
    });
  }

  void gate() {
    if (!wants("gate_mul")) return;
    CardMemory memory;
    const double n = elements(kInner);
    const std::size_t count = turns(n * 3 * kWork);
    const Matrices both = matrices(memory, count, 2 * kInner, type_);
    const Matrices out = matrices(memory, count, kInner, type_);
    measure("gate_mul", n * 2 * kWork, n * kWork, count, [&](const Launch& launch, std::size_t t) {
      const Activation gate{both[t].data, rows_, kInner, type_, 2 * kInner};
      auto* data = static_cast<std::uint16_t*>(both[t].data);
      const Activation up{data + kInner, rows_, kInner, type_, 2 * kInner};
      gate_mul(launch, out[t], gate, up, GateFunction::kSilu);
    });
  }

  void rotation() {
    if (!wants("rope")) return;
    CardMemory memory;
    const double n = elements((kHeads + kKvHeads) * kHeadDim);
    const std::size_t count = turns(n * kWork);
    const Matrices x = matrices(memory, count, (kHeads + kKvHeads) * kHeadDim, type_);
    std::vector<float> frequencies;
    for (std::int64_t i = 0; i < kHeadDim / 2; ++i) {
      frequencies.push_back(1.0F / static_cast<float>(1 + i * i));
    }
    std::vector<std::int32_t> positions;
    for (std::int64_t r = 0; r < rows_; ++r) positions.push_back(static_cast<std::int32_t>(r));
    RopeAngles angles;
    angles.inverse_frequency = memory.upload<float>(frequencies);
    angles.pairs = static_cast<std::int32_t>(kHeadDim / 2);
    angles.interleaved = false;
    const auto* places = memory.upload<std::int32_t>(positions);
    measure("rope", n * kWork, n * kWork, count, [&](const Launch& launch, std::size_t t) {
      rope(launch, x[t], kHeadDim, places, angles);
    });
  }

  void moves() {
    CardMemory memory;
    const double n = elements(kHidden);
    if (wants("embed")) {
      const Activation table = memory.activation(kVocabulary, kHidden, type_, 0.02F);
      std::vector<std::int32_t> ids;
      for (std::int64_t r = 0; r < rows_; ++r) {
        ids.push_back(static_cast<std::int32_t>(r * 7919 % kVocabulary));
      }
      const auto* on_card = memory.upload<std::int32_t>(ids);
      const std::size_t count = turns(n * kFull);
      const Matrices out = matrices(memory, count, kHidden, DType::kF32);
      measure("embed", n * kWork, n * kFull, count,
              [&](const Launch& launch, std::size_t t) { embed(launch, out[t], table, on_card); });
    }
    if (wants("add")) {
      const std::size_t count = turns(n * (kFull + kWork));
      const Matrices x = matrices(memory, count, kHidden, DType::kF32);
      const Matrices y = matrices(memory, count, kHidden, type_);
      measure("add", n * (kFull + kWork), n * kFull, count,
              [&](const Launch& launch, std::size_t t) { add(launch, x[t], y[t]); });
    }
  }

  Bench& bench_;
  std::int64_t rows_;
  DType type_ = bench_.options().type;
};

}  // namespace

void elementwise_benchmarks(Bench& bench) {
  for (const std::int64_t rows : kRowCounts) {
    if (bench.options().quick &&
        std::ranges::find(kQuickRowCounts, rows) == std::end(kQuickRowCounts)) {
      continue;
    }
    PassBench(bench, rows).run();
  }
}

}  // namespace hangar::cuda::bench
