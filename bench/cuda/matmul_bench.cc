// Products of Llama-3-8B's layers and head: alone ("matmul"), beside cuBLASLt, and as the model
// asks for them, with norm, gate and residual ("fused", up to 8 rows).
//
// The peer of up to 8 rows is cuBLASLt's best algorithm, measured; of more rows the one that it
// proposes first.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "backend/cuda/matmul.h"
#include "bench_support.h"

namespace hangar::cuda::bench {
namespace {

constexpr std::int64_t kRowCounts[] = {1, 2, 4, 8, 16, 64, 256, 2048, 8192};
constexpr std::int64_t kQuickRowCounts[] = {1, 8, 64, 2048};
constexpr std::int64_t kFewRows = 8;
constexpr std::size_t kScratchBytes = std::size_t{700} << 20U;

enum class Role { kNorm, kAdd, kGate };  // what the model does besides

struct ProductShape {
  const char* name;
  std::int64_t outputs;
  std::int64_t columns;
  Role role;
  std::int64_t most_rows;
};
constexpr ProductShape kShapes[] = {
    {"qkv", 6144, 4096, Role::kNorm, 8192},      {"attention_out", 4096, 4096, Role::kAdd, 8192},
    {"gate_up", 28672, 4096, Role::kNorm, 8192}, {"down", 4096, 14336, Role::kGate, 8192},
    {"head", 128256, 4096, Role::kNorm, 256},  // a step wants one row of logits a sequence
};

class ShapeBench {
 public:
  ShapeBench(Bench& bench, const ProductShape& shape)
      : bench_(bench),
        shape_(shape),
        type_(bench.options().type),
        workspace_(memory_.take(kMatmulWorkspaceBytes)),
        matmul_(workspace_, kMatmulWorkspaceBytes),
        blas_(workspace_, kMatmulWorkspaceBytes, Fp8Sums::kExact) {
    const std::size_t bytes = row_bytes(type_, shape.outputs * shape.columns);
    const std::size_t copies = bench.cold_copies(bytes);
    for (const Activation& numbers :
         memory_.activations(copies, shape.outputs, shape.columns, type_, 0.02F)) {
      auto weight = std::make_unique<CudaWeight>();
      weight->rows = shape.outputs;
      weight->columns = shape.columns;
      weight->data = numbers.data;
      weight->dtype = type_;
      weight->layout = WeightForm::kDense;
      weights_.push_back(std::move(weight));
    }
    scratch_ = {memory_.take(kScratchBytes), kScratchBytes};
    norm_ = memory_.activation(1, shape.columns, DType::kF32);
  }

  void run(std::int64_t rows) {
    const bool add = shape_.role != Role::kNorm;
    const bool logits = shape_.outputs > 100000;
    const DType y_type = add || logits ? DType::kF32 : type_;
    CardMemory memory;
    const Activation x = memory.activation(rows, shape_.columns, type_);
    const Activation y = memory.activation(rows, shape_.outputs, y_type);
    const auto product = [&](std::size_t turn) {
      Product made;
      made.type = made.weight_type = type_;
      made.weight = weights_[turn]->data;
      made.outputs = shape_.outputs;
      made.columns = shape_.columns;
      made.x = x.data;
      made.x_stride = x.row_stride();
      made.rows = rows;
      made.y = y.data;
      made.y_stride = y.row_stride();
      made.output = add      ? ProductOutput::kAdd
                    : logits ? ProductOutput::kFull
                             : ProductOutput::kWork;
      return made;
    };
    tune(product(0), rows);
    const auto algorithms = blas_.candidates(product(0), true, rows <= kFewRows ? 8 : 1);
    Case what{"matmul", shape_.name,
              fmt::format("{} x {}, {} rows", shape_.outputs, shape_.columns, rows),
              work(rows, y_type, add)};
    const bool few = rows <= kFewRows;
    if (bench_.wants(what.group, what.name)) {
      what.peer = few ? "cuBLASLt, measured" : "cuBLASLt, proposed";
      for (const cublasLtMatmulAlgo_t& algorithm : algorithms) {
        const double us = bench_
                              .time(weights_.size(),
                                    [&](const Launch& launch, std::size_t turn) {
                                      (void)blas_.run(launch, product(turn), algorithm);
                                    })
                              .us;
        what.peer_us = std::min(what.peer_us.value_or(us), us);
      }
      bench_.measure(what, weights_.size(), [&](const Launch& launch, std::size_t turn) {
        const CudaWeight* weight = weights_[turn].get();
        if (add) {
          matmul_.matmul_add(launch, y, x, *weight);
        } else {
          matmul_.matmul(launch, std::span(&y, 1), x, std::span(&weight, 1));
        }
      });
    }
    what.group = "fused";
    what.peer_us.reset();
    what.peer.clear();
    if (few && bench_.wants(what.group, what.name)) run_fused(what, rows, y);
  }

 private:
  Work work(std::int64_t rows, DType y_type, bool add) const {
    const auto bytes = [](DType type, std::int64_t count) {
      return static_cast<double>(row_bytes(type, count));
    };
    Work made;
    made.read_bytes = bytes(type_, shape_.outputs * shape_.columns) +
                      bytes(type_, rows * shape_.columns) +
                      (add ? bytes(y_type, rows * shape_.outputs) : 0.0);
    made.written_bytes = bytes(y_type, rows * shape_.outputs);
    made.operations = 2.0 * static_cast<double>(rows) * static_cast<double>(shape_.outputs) *
                      static_cast<double>(shape_.columns);
    return made;
  }

  void tune(const Product& product, std::int64_t rows) {
    for (const auto& weight : weights_) {
      const CudaWeight* one = weight.get();
      matmul_.note(std::span(&one, 1), type_, product.y_type(),
                   product.output == ProductOutput::kAdd);
    }
    const std::int64_t row_counts[] = {rows};
    matmul_.tune(bench_.launch(), row_counts, scratch_);
  }

  void run_fused(const Case& what, std::int64_t rows, Activation y) {
    CardMemory memory;
    const Activation full = memory.activation(rows, shape_.columns, DType::kF32);
    const Activation both = memory.activation(rows, 2 * shape_.columns, type_);
    const Activation gate{both.data, rows, shape_.columns, type_, both.row_stride()};
    const Activation up{static_cast<std::byte*>(both.data) + row_bytes(type_, shape_.columns), rows,
                        shape_.columns, type_, both.row_stride()};
    const Activation between = memory.activation(rows, shape_.columns, type_);
    bench_.measure(what, weights_.size(), [&](const Launch& launch, std::size_t turn) {
      const CudaWeight* weight = weights_[turn].get();
      switch (shape_.role) {
        case Role::kNorm:
          matmul_.norm_matmul(launch, std::span(&y, 1), full, norm_.f32(), 1e-5F,
                              std::span(&weight, 1), between);
          break;
        case Role::kAdd:
          matmul_.matmul_add(launch, y, between, *weight);
          break;
        case Role::kGate:
          matmul_.gate_matmul_add(launch, y, gate, up, GateFunction::kSilu, *weight);
          break;
      }
    });
  }

  Bench& bench_;
  const ProductShape& shape_;
  DType type_;
  CardMemory memory_;
  void* workspace_;
  Matmul matmul_;
  Blas blas_;
  std::vector<std::unique_ptr<CudaWeight>> weights_;
  DeviceScratch scratch_;
  Activation norm_;
};

}  // namespace

void matmul_benchmarks(Bench& bench) {
  for (const ProductShape& shape : kShapes) {
    if (!bench.wants("matmul", shape.name) && !bench.wants("fused", shape.name)) continue;
    ShapeBench products(bench, shape);
    const std::span<const std::int64_t> row_counts =
        bench.options().quick ? std::span<const std::int64_t>(kQuickRowCounts)
                              : std::span<const std::int64_t>(kRowCounts);
    for (const std::int64_t rows : row_counts) {
      if (rows <= shape.most_rows) products.run(rows);
    }
  }
}

}  // namespace hangar::cuda::bench
