// Matrix products of a layer and the head, in the types weights come in: alone ("matmul") and as
// the model calls them, with norm, gate and residual ("fused").
//
// Counters: GMAC/s are the model's multiply-adds; GB/s the weights' bytes. The bound is the larger
//   of bytes / read bandwidth and the multiply-adds, twice as many where x is kept in two planes,
//   by the machine's rate for the type.
#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "backend/cpu/instruction_set.h"
#include "bench_support.h"
#include "machine_bounds.h"
#include "model_shapes.h"

namespace hangar::bench {
namespace {

constexpr std::size_t kWorkingSetBytes = std::size_t{64} << 20;
// Larger ones (a head in BF16) are left out: they take longer to make than to measure.
constexpr std::size_t kMostBytes = std::size_t{700} << 20;

struct MatmulCase {
  const ModelShape* model;
  ProductShape product;
  DType dtype;
  bool fused = false;
};

std::size_t file_bytes(const MatmulCase& c) {
  std::size_t bytes = 0;
  for (const std::int64_t outputs : c.product.outputs) {
    bytes += row_bytes(c.dtype, c.product.columns) * static_cast<std::size_t>(outputs);
  }
  return bytes;
}

// A product's weights as often as it takes to fill caches, as the layers of a model do.
class WeightStack {
 public:
  explicit WeightStack(const MatmulCase& c) {
    const std::size_t wanted = (kWorkingSetBytes + file_bytes(c) - 1) / file_bytes(c);
    const auto copies =
        std::clamp<std::size_t>(wanted, 1, static_cast<std::size_t>(c.product.count));
    const auto precision = c.product.fine ? InputPrecision::kFine : InputPrecision::kFast;
    for (const std::int64_t outputs : c.product.outputs) {
      files_.push_back(random_weight_bytes(c.dtype, outputs, c.product.columns));
    }
    calls_.resize(copies);
    for (auto& call : calls_) {
      for (std::size_t i = 0; i < files_.size(); ++i) {
        const TensorView view{"w", c.dtype, {c.product.outputs[i], c.product.columns}, files_[i]};
        owned_.push_back(backend().load_weight(view, precision).value());
        call.push_back(owned_.back().get());
        const std::size_t memory = owned_.back()->memory_bytes;
        bytes_ += memory > 0 ? memory : files_[i].size();
      }
    }
  }

  // The next copy of them, round and round.
  std::span<const Weight* const> next() { return calls_[at_++ % calls_.size()]; }
  std::size_t total_bytes() const { return bytes_; }
  double call_bytes() const {
    return static_cast<double>(bytes_) / static_cast<double>(calls_.size());
  }

 private:
  std::vector<std::vector<std::byte>> files_;
  std::vector<WeightPtr> owned_;
  std::vector<std::vector<const Weight*>> calls_;
  std::size_t bytes_ = 0;
  std::size_t at_ = 0;
};

// Google Benchmark calls a function several times; the weights are made for the first.
WeightStack& stack_of(const MatmulCase& c) {
  static std::string made;
  static std::unique_ptr<WeightStack> stack;
  const std::string wanted =
      std::string(c.model->name) + c.product.name + std::string(dtype_name(c.dtype));
  if (made != wanted) {
    stack.reset();
    stack = std::make_unique<WeightStack>(c);
    made = wanted;
  }
  return *stack;
}

// Slots of activations: x, the ys from 1 on, and what only fused operations have.
constexpr std::size_t kUpSlot = 8;
constexpr std::size_t kScratchSlot = 9;
constexpr std::size_t kGateSlot = 12;

void run_fused(const MatmulCase& c, std::span<const Activation> ys, Activation x,
               std::span<const Weight* const> weights) {
  const std::string_view name = c.product.name;
  if (name == "attention_out") {
    backend().matmul_add(ys[0], x, *weights[0],
                         activation(kScratchSlot, ys[0].rows, ys[0].columns));
  } else if (name == "down") {
    backend().gate_matmul_add(ys[0], x, activation(kUpSlot, x.rows, x.columns), GateFunction::kSilu,
                              *weights[0], activation(kScratchSlot, ys[0].rows, ys[0].columns));
  } else {
    backend().norm_matmul(ys, x, {&norm_weight(x.columns), 1e-5F}, weights,
                          activation(kScratchSlot, x.rows, x.columns));
  }
}

void matmul(benchmark::State& state, const MatmulCase& c) {
  const std::int64_t rows = state.range(0);
  WeightStack& stack = stack_of(c);
  const Activation x = activation(0, rows, c.product.columns);
  std::vector<Activation> ys;
  std::int64_t outputs = 0;
  for (std::size_t i = 0; i < c.product.outputs.size(); ++i) {
    ys.push_back(activation(1 + i, rows, c.product.outputs[i]));
    outputs += c.product.outputs[i];
  }
  // Made here, not while the clock runs.
  for (const std::size_t slot : {kUpSlot, kGateSlot}) activation(slot, rows, x.columns);
  activation(kScratchSlot, rows, std::max(x.columns, ys[0].columns));
  for (auto _ : state) {
    if (c.fused) {
      // Gated again and again x would become as small as floats are, and they slow.
      if (c.product.name == std::string_view("down")) {
        state.PauseTiming();
        std::copy_n(activation(kGateSlot, rows, x.columns).f32(), rows * x.columns, x.f32());
        state.ResumeTiming();
      }
      run_fused(c, ys, x, stack.next());
    } else {
      backend().matmul(ys, x, stack.next());
    }
  }
  Work work;
  work.multiply_adds = static_cast<double>(outputs * c.product.columns * rows);
  work.bytes = stack.call_bytes();
  const bool is_float = c.dtype == DType::kBF16;
  // Two planes of bf16 are AMX's only: elsewhere fine inputs are floats.
  const bool amx = cpu::extension_in_use() == cpu::Extension::kAmx;
  const bool in_planes = c.product.fine && (!is_float || amx);
  const double planes = in_planes ? 2.0 : 1.0;
  const double rate = is_float ? bf16_macs_per_s(threads()) : int8_macs_per_s(threads());
  work.bound_s = std::max(work.bytes / read_bytes_per_s(threads(), stack.total_bytes()),
                          work.multiply_adds * planes / rate);
  set_counters(state, work);
}

}  // namespace

namespace {

void register_product(const MatmulCase& c, const BenchOptions& options) {
  if (c.product.columns % dtype_info(c.dtype).block_elements != 0) return;
  if (file_bytes(c) > kMostBytes) return;
  const std::string name = std::string(c.fused ? "fused/" : "matmul/") + c.model->name + "/" +
                           std::string(dtype_name(c.dtype)) + "/" + c.product.name;
  auto* b = benchmark::RegisterBenchmark(name.c_str(), matmul, c);
  for (const std::int64_t rows : {1, 4, 16, 64, 512}) {
    const bool few = rows == 4 || rows == 64;
    // A step wants one row of logits of each sequence.
    if ((few && options.quick) || (rows > 16 && c.product.count == 1)) continue;
    b->Arg(rows);
  }
  b->ArgName("rows")->UseRealTime()->Unit(benchmark::kMicrosecond);
}

}  // namespace

void register_matmuls(const BenchOptions& options) {
  for (const ModelShape& model : kModelShapes) {
    if (options.quick && &model != &kModelShapes.front()) break;
    for (const DType dtype :
         {DType::kQ4_0, DType::kQ4_1, DType::kQ4_K, DType::kQ8_0, DType::kBF16}) {
      for (const ProductShape& product : products_of(model)) {
        register_product({&model, product, dtype}, options);
        // What the fusing saves does not depend on the type: the default model's, and floats.
        if (product.count > 1 && (dtype == DType::kQ4_1 || dtype == DType::kBF16)) {
          register_product({&model, product, dtype, true}, options);
        }
      }
    }
  }
}

}  // namespace hangar::bench
