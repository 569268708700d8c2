// Products of Llama-3-8B's layers with weights of 4 bits (groups of 128) and in FP8 and up to 8
// rows, as a step asks for them: a norm on the way, gate and up together, what is added to the
// residual.
//
// What quantizes their inputs, where something does, is in the figure. Tuned before, one product
// after the other of the same kind: what overlaps in a step overlaps here.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "backend/cuda/fp8_direct.h"
#include "backend/cuda/int4_inputs.h"
#include "backend/cuda/int4_pack.h"
#include "backend/cuda/matmul.h"
#include "backend/cuda/products.h"
#include "backend/cuda/quantize.h"
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

enum class Format { kInt4, kFp8 };

constexpr const char* group_of(Format format) {
  return format == Format::kInt4 ? "int4" : "fp8";
}

class QuantBench {
 public:
  QuantBench(Bench& bench, Format format, const Shape& shape)
      : bench_(bench),
        format_(format),
        shape_(shape),
        type_(bench.options().type),
        products_(memory_.take(kMatmulWorkspaceBytes), kMatmulWorkspaceBytes,
                  bench.options().deterministic ? Fp8Sums::kExact : Fp8Sums::kFast) {
    const std::int64_t weight_rows = shape.gated ? 2 * shape.outputs : shape.outputs;
    bytes_ = static_cast<std::size_t>(
        format == Format::kInt4 ? int4_bytes(kForm, weight_rows, shape.columns)
                                : weight_rows * (shape.columns + std::int64_t{sizeof(float)}));
    CardMemory dense;
    const Activation numbers = dense.activation(weight_rows, shape.columns, type_, 0.02F);
    for (std::size_t i = 0; i < bench.cold_copies(bytes_); ++i) {
      void* const weight = memory_.take(bytes_);
      float* scales = nullptr;
      if (format == Format::kInt4) {
        quantize_int4(bench.launch(), kForm, weight, numbers);
      } else {
        scales =
            reinterpret_cast<float*>(static_cast<std::byte*>(weight) + weight_rows * shape.columns);
        quantize_rows(bench.launch(), {weight, shape.columns, scales}, numbers);
      }
      weights_.push_back({weight, scales});
    }
    HANGAR_CUDA(cudaStreamSynchronize(bench.launch().stream));
    norm_ = memory_.activation(1, shape.columns, DType::kF32);
    scratch_ = {memory_.take(kScratchBytes), kScratchBytes};
  }

  void run(std::int64_t rows) {
    CardMemory memory;
    Product product;
    product.type = product.weight_type = type_;
    if (format_ == Format::kInt4) {
      product.int4 = kForm;
    } else {
      product.weight_type = DType::kF8E4M3;
    }
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
    for (const Weight& weight : weights_) {
      weight.set(product);
      products_.note(product);
    }
    const std::int64_t row_counts[] = {rows};
    products_.tune(bench_.launch(), row_counts, scratch_);
    Case c{.group = group_of(format_),
           .name = shape_.name,
           .shape = fmt::format("{} x {}, {} rows", product.weight_rows(), shape_.columns, rows),
           .work = {}};
    c.work.read_bytes = static_cast<double>(bytes_) +
                        static_cast<double>(row_bytes(x.dtype, rows * shape_.columns));
    c.work.written_bytes = static_cast<double>(row_bytes(y.dtype, rows * shape_.outputs));
    bench_.measure(c, weights_.size(), [&](const Launch& launch, std::size_t turn) {
      weights_[turn].set(product);
      take_inputs(launch, product, x, room);
      products_.multiply(launch, product);
    });
  }

 private:
  struct Weight {
    const void* data;
    const float* scales;

    void set(Product& product) const {
      product.weight = data;
      product.weight_scales = scales;
    }
  };

  // As Matmul does.
  void take_inputs(const Launch& launch, Product& product, Activation x, void* room) const {
    const NormOfInputs norm = shape_.normed ? NormOfInputs{norm_.f32(), 1e-5F} : NormOfInputs{};
    const bool int4 = format_ == Format::kInt4;
    if (int4 ? takes_direct(launch, x.rows, x.columns)
             : takes_fp8_direct(launch, x.rows, x.columns)) {
      product.x = x.data;
      product.x_stride = x.row_stride();
      product.norm = norm;
      return;
    }
    Int4Rows made = int4_rows_in(room, x.rows, x.columns);
    if (int4) {
      made = quantize_inputs(launch, room, x, int4_groups(kForm), norm);
    } else if (norm.weight != nullptr) {
      made.stride = x.columns;
      quantize_normed_rows(launch, {made.data, made.stride, made.scales}, x, norm.weight, norm.eps);
    } else {
      made.stride = x.columns;
      quantize_rows(launch, {made.data, made.stride, made.scales}, x);
    }
    product.x = made.data;
    product.x_stride = made.stride;
    product.x_scales = made.scales;
    product.x_sums = made.sums;
  }

  Bench& bench_;
  Format format_;
  const Shape& shape_;
  DType type_;
  CardMemory memory_;
  Products products_;
  std::size_t bytes_ = 0;
  std::vector<Weight> weights_;
  Activation norm_;
  DeviceScratch scratch_;
};

void run_all(Bench& bench, Format format) {
  if (!bench.launch().hopper) return;
  for (const Shape& shape : kShapes) {
    if (!bench.wants(group_of(format), shape.name)) continue;
    QuantBench products(bench, format, shape);
    const std::span<const std::int64_t> row_counts =
        bench.options().quick ? std::span<const std::int64_t>(kQuickRowCounts)
                              : std::span<const std::int64_t>(kRowCounts);
    for (const std::int64_t rows : row_counts) products.run(rows);
  }
}

}  // namespace

void int4_benchmarks(Bench& bench) {
  run_all(bench, Format::kInt4);
}

void fp8_benchmarks(Bench& bench) {
  run_all(bench, Format::kFp8);
}

}  // namespace hangar::cuda::bench
