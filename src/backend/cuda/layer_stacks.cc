#include "backend/cuda/layer_stacks.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "backend/cuda/gate.cuh"

namespace hangar::cuda {
namespace {

const CudaWeight& as_cuda(const Weight* weight) {
  return static_cast<const CudaWeight&>(*weight);
}

struct CudaLayerStack final : LayerStack {
  StackArguments arguments;
};

std::optional<StackForm> form_of(const Weight* weight) {
  const CudaWeight& w = as_cuda(weight);
  switch (w.layout) {
    case WeightForm::kInt4:
      if (w.int4 == Int4Form::kZero128) return StackForm::kInt4;
      return std::nullopt;
    case WeightForm::kFp8:
      return StackForm::kFp8;
    case WeightForm::kDense:
      if (w.dtype == DType::kBF16) return StackForm::kBF16;
      if (w.dtype == DType::kF16) return StackForm::kF16;
      return std::nullopt;
    case WeightForm::kVector:
      return std::nullopt;
  }
  return std::nullopt;
}

bool alike(const AttentionShape& a, const AttentionShape& b) {
  return a.heads == b.heads && a.kv_heads == b.kv_heads && a.head_dim == b.head_dim &&
         a.scale == b.scale;
}

StackSizes sizes_of(std::span<const StackedLayer> layers) {
  const StackedLayer& first = layers.front();
  return {.layers = static_cast<std::int32_t>(layers.size()),
          .inner = static_cast<std::int32_t>(first.mlp.gate->rows),
          .form = form_of(first.q).value_or(StackForm::kInt4)};
}

// Whether a kernel for these sizes takes this layer beside the first.
bool fits(const StackedLayer& layer, const StackedLayer& first, const StackSizes& sizes) {
  constexpr std::int64_t hidden = kStackHidden;
  const std::int64_t inner = sizes.inner;
  const std::int64_t kv = kStackKvHeads * kStackHeadDim;
  const AttentionShape& attention = layer.attention;
  const auto is_matrix = [&](const Weight* weight, std::int64_t rows, std::int64_t columns) {
    const auto address = reinterpret_cast<std::uintptr_t>(as_cuda(weight).data);
    return form_of(weight) == sizes.form && weight->rows == rows && weight->columns == columns &&
           address % kBoxBytes == 0;
  };
  return alike(attention, first.attention) && attention.kv_heads == kStackKvHeads &&
         attention.heads == kStackKvHeads * kStackGroup && attention.head_dim == kStackHeadDim &&
         attention.softcap == 0.0F && attention.window == 0 && attention.scale > 0.0F &&
         std::ssize(layer.rope->inverse_frequency) == kStackHeadDim / 2 &&
         *layer.rope == *first.rope && layer.attention_norm.eps == first.attention_norm.eps &&
         layer.mlp_norm.eps == first.attention_norm.eps && layer.gate == first.gate &&
         Gate::knows(layer.gate) && is_matrix(layer.q, hidden, hidden) &&
         is_matrix(layer.k, kv, hidden) && is_matrix(layer.v, kv, hidden) &&
         is_matrix(layer.out, hidden, hidden) && is_matrix(layer.mlp.gate, inner, hidden) &&
         is_matrix(layer.mlp.up, inner, hidden) && is_matrix(layer.mlp.down, hidden, inner);
}

// How the copy engine finds rows of all of the layers' matrices: 16 rows from any 128 bytes on, as
// far as a coordinate goes. What no box names is not touched.
void find_rows(StackArguments& a) {
  const auto* lowest = static_cast<const std::byte*>(a.layers[0].q.data);
  for (const StackLayer& l : std::span(a.layers).first(static_cast<std::size_t>(a.sizes.layers))) {
    for (const StackMatrix& matrix : {l.q, l.k, l.v, l.out, l.gate, l.up, l.down}) {
      lowest = std::min(lowest, static_cast<const std::byte*>(matrix.data));
    }
  }
  const auto boxes = [&](std::int64_t columns) {
    constexpr std::int64_t kReach = (std::int64_t{1} << 31U) * kBoxBytes;
    constexpr int kRows = 16;
    const std::int64_t row_bytes = columns * (a.sizes.form == StackForm::kFp8 ? 1 : 2);
    return matrix_boxes(lowest, kRows, kReach, row_bytes, kRows, kStackBoxes);
  };
  a.boxes_from = lowest;
  a.boxes_of_hidden = boxes(kStackHidden);
  a.boxes_of_inner = boxes(a.sizes.inner);
}

StackLayer there(const StackedLayer& layer) {
  const auto matrix = [](const Weight* weight) -> StackMatrix {
    return {as_cuda(weight).data, as_cuda(weight).scales};
  };
  return {.q = matrix(layer.q),
          .k = matrix(layer.k),
          .v = matrix(layer.v),
          .out = matrix(layer.out),
          .gate = matrix(layer.mlp.gate),
          .up = matrix(layer.mlp.up),
          .down = matrix(layer.mlp.down),
          .attention_norm = as_cuda(layer.attention_norm.weight).vector(),
          .mlp_norm = as_cuda(layer.mlp_norm.weight).vector(),
          .q_norm = layer.q_norm == nullptr ? nullptr : as_cuda(layer.q_norm).vector(),
          .k_norm = layer.k_norm == nullptr ? nullptr : as_cuda(layer.k_norm).vector()};
}

}  // namespace

Result<std::unique_ptr<const LayerStack>> LayerStacks::join(std::span<const StackedLayer> layers) {
  const auto none = [] { return std::unique_ptr<const LayerStack>(); };
  if (!wanted_ || layers.empty()) return none();
  const StackSizes sizes = sizes_of(layers);
  const bool all = stack_ways(sizes) && std::ranges::all_of(layers, [&](const StackedLayer& layer) {
                     return fits(layer, layers.front(), sizes);
                   });
  if (!all || !stack_fits(device_.launch(), sizes)) return none();
  auto made = std::make_unique<CudaLayerStack>();
  StackArguments& a = made->arguments;
  a.sizes = sizes;
  std::ranges::transform(layers, a.layers, there);
  if (sizes.form != StackForm::kInt4) find_rows(a);
  a.eps = layers.front().attention_norm.eps;
  a.scale = layers.front().attention.scale;
  a.gate = layers.front().gate;
  a.angles = ropes_.of(*layers.front().rope);
  const std::size_t bytes = stack_words_of(sizes);
  a.words = take_(bytes, 256);
  if (a.words == nullptr) {
    return make_error(ErrorCode::kResourceExhausted,
                      "layers as one: {} wanted, {} of {} left on the card", bytes,
                      device_.left_bytes(), device_.memory_bytes());
  }
  HANGAR_CUDA(cudaMemsetAsync(a.words, 0, bytes, device_.stream()));
  spdlog::info("steps of one sequence: {} layers as one kernel", sizes.layers);
  return std::unique_ptr<const LayerStack>(std::move(made));
}

bool LayerStacks::run(const Launch& launch, Activation x, const LayerStack& stack,
                      const CudaKvCache& cache, const RaggedBatch& batch,
                      const DeviceBatch& there) {
  const StackArguments& joined = static_cast<const CudaLayerStack&>(stack).arguments;
  const KvLayer kv = cache.layer(0);
  if (batch.rows() != 1 || batch.block_tokens != 16 || launch.deterministic ||
      !stack_takes(joined.sizes.form, kv.type)) {
    return false;
  }
  StackArguments a = joined;
  a.x = static_cast<float*>(x.data);
  a.kv = kv;
  if (cache.shape.layers > 1) {
    a.kv_layer_bytes =
        static_cast<const std::byte*>(cache.layer(1).keys) - static_cast<const std::byte*>(kv.keys);
  }
  a.batch = there;
  run_stack(launch, a);
  return true;
}

}  // namespace hangar::cuda
