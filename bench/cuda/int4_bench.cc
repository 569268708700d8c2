// Products of Llama-3-8B's layers with weights of 4 bits (groups of 128) and up to 8 rows, as a
// step asks for them: a norm on the way, gate and up together, what is added to the residual.
//
// What quantizes their inputs, where something does, is in the figure. Tuned before, one product
// after the other of the same kind: what overlaps in a step overlaps here.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "backend/cuda/int4_inputs.h"
#include "backend/cuda/int4_pack.h"
#include "backend/cuda/matmul.h"
#include "backend/cuda/products.h"
#include "bench_support.h"

namespace hangar::cuda::bench {
namespace {

constexpr Int4Form kForm = Int4Form::kZero128;
constexpr std::int64_t kRowCounts[] = {1, 2, 4, 8};
constexpr std::int64_t kQuickRowCounts[] = {1, 8};
constexpr std::size_t kScratchBytes = std::size_t{64} << 20U;

struct Shape {
  const char* name;
  std::int64_t outputs;
  std::int64_t columns;
  bool normed;
  bool gated;
  ProductOutput output;
};
constexpr Shape kShapes[] = {
    {"qkv", 6144, 4096, true, false, ProductOutput::kWork},
    {"attention_out", 4096, 4096, false, false, ProductOutput::kAdd},
    {"gate_up", 14336, 4096, true, true, ProductOutput::kWork},
    {"down", 4096, 14336, false, false, ProductOutput::kAdd},
};

class Int4Bench {
 public:
  Int4Bench(Bench& bench, const Shape& shape)
      : bench_(bench),
        shape_(shape),
        type_(bench.options().type),
        products_(memory_.take(kMatmulWorkspaceBytes), kMatmulWorkspaceBytes) {
    const std::int64_t weight_rows = shape.gated ? 2 * shape.outputs : shape.outputs;
    bytes_ = static_cast<std::size_t>(int4_bytes(kForm, weight_rows, shape.columns));
    CardMemory dense;
    const Activation numbers = dense.activation(weight_rows, shape.columns, type_, 0.02F);
    for (std::size_t i = 0; i < bench.cold_copies(bytes_); ++i) {
      weights_.push_back(memory_.take(bytes_));
      quantize_int4(bench.launch(), kForm, weights_.back(), numbers);
    }
    HANGAR_CUDA(cudaStreamSynchronize(bench.launch().stream));
    norm_ = memory_.activation(1, shape.columns, DType::kF32);
    scratch_ = {memory_.take(kScratchBytes), kScratchBytes};
  }

  void run(std::int64_t rows) {
    CardMemory memory;
    Product product;
    product.type = product.weight_type = type_;
    product.int4 = kForm;
    product.outputs = shape_.outputs;
    product.columns = shape_.columns;
    product.rows = rows;
    product.output = shape_.output;
    if (shape_.gated) product.gate = GateFunction::kSilu;
    const Activation x =
        memory.activation(rows, shape_.columns, shape_.normed ? DType::kF32 : type_);
    const Activation y = memory.activation(rows, shape_.outputs, product.y_type());
    product.y = y.data;
    product.y_stride = y.row_stride();
    void* const room = memory.take(int4_input_bytes(rows, shape_.columns));
    for (const void* weight : weights_) {
      product.weight = weight;
      products_.note(product);
    }
    const std::int64_t row_counts[] = {rows};
    products_.tune(bench_.launch(), row_counts, scratch_);
    Case c{.group = "int4",
           .name = shape_.name,
           .shape = fmt::format("{} x {}, {} rows", product.weight_rows(), shape_.columns, rows),
           .work = {}};
    c.work.read_bytes = static_cast<double>(bytes_) +
                        static_cast<double>(row_bytes(x.dtype, rows * shape_.columns));
    c.work.written_bytes = static_cast<double>(row_bytes(y.dtype, rows * shape_.outputs));
    bench_.measure(c, weights_.size(), [&](const Launch& launch, std::size_t turn) {
      product.weight = weights_[turn];
      take_inputs(launch, product, x, room);
      products_.multiply(launch, product);
    });
  }

 private:
  // As Matmul does.
  void take_inputs(const Launch& launch, Product& product, Activation x, void* room) const {
    const NormOfInputs norm = shape_.normed ? NormOfInputs{norm_.f32(), 1e-5F} : NormOfInputs{};
    if (takes_direct(launch, x.rows, x.columns)) {
      product.x = x.data;
      product.x_stride = x.row_stride();
      product.norm = norm;
      return;
    }
    const Int4Rows made = quantize_inputs(launch, room, x, int4_groups(kForm), norm);
    product.x = made.data;
    product.x_stride = made.stride;
    product.x_scales = made.scales;
    product.x_sums = made.sums;
  }

  Bench& bench_;
  const Shape& shape_;
  DType type_;
  CardMemory memory_;
  Products products_;
  std::size_t bytes_ = 0;
  std::vector<void*> weights_;
  Activation norm_;
  DeviceScratch scratch_;
};

}  // namespace

void int4_benchmarks(Bench& bench) {
  if (!bench.launch().hopper) return;
  for (const Shape& shape : kShapes) {
    if (!bench.wants("int4", shape.name)) continue;
    Int4Bench products(bench, shape);
    const std::span<const std::int64_t> row_counts =
        bench.options().quick ? std::span<const std::int64_t>(kQuickRowCounts)
                              : std::span<const std::int64_t>(kRowCounts);
    for (const std::int64_t rows : row_counts) products.run(rows);
  }
}

}  // namespace hangar::cuda::bench
