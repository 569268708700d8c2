#include "backend/cuda/model_weights.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "backend/cuda/int4_pack.h"

namespace hangar::cuda {

ModelWeights::ModelWeights(Device& device, const BackendOptions& options)
    : device_(device),
      choice_(options.quant, device.launch().hopper, device.launch().hopper),
      loader_([this](std::size_t bytes, std::size_t alignment) { return take(bytes, alignment); },
              options.work_type, options.threads),
      keeps_copies_(wanted(options.quant.copies)) {
  loader_.round_copies(rounded(options.quant.copies));
}

std::size_t ModelWeights::head_bytes(const TensorView& table) const {
  const WeightForm form = choice_.tied_head_form(table.rows(), table.columns());
  return is_few_bits(form) ? form_bytes(form, table.rows(), table.columns()) : 0;
}

std::size_t ModelWeights::copy_bytes(const TensorView& view) const {
  return device_.launch().deterministic ? 0 : choice_.copy_bytes(view);
}

Result<CudaWeightPtr> ModelWeights::load(const TensorView& view) {
  if (choice_.gives_up_int4(view)) ++reordered_;
  HANGAR_TRY(CudaWeightPtr weight, loader_.load(view, choice_.form(view)));
  note(*weight, copy_bytes(view));
  return weight;
}

Result<CudaWeightPtr> ModelWeights::make(const TensorView& view, const RandomWeights& how) {
  const RandomRole role = random_role(view);
  const bool normal = how.kind == RandomWeights::Kind::kNormal;
  Result<CudaWeightPtr> made =
      role == RandomRole::kMatrix
          ? loader_.make_random(
                view.rows(), view.columns(),
                // A slice is a weight of its own here: which rows it is joins the seed.
                random_key(view.name, how.seed) + static_cast<std::uint64_t>(view.first_row),
                normal ? RandomWeights::kNormalDeviation : RandomWeights::kUniformLimit,
                normal ? RandomNumbers::kNormal : RandomNumbers::kUniform, choice_.form(view),
                int4_form_for(view))
          : loader_.make_constant(view.rows(), view.columns(),
                                  role == RandomRole::kOnes ? 1.0F : 0.0F);
  if (made) note(**made, copy_bytes(view));
  return made;
}

Result<CudaWeightPtr> ModelWeights::make_head(const CudaWeight& table) {
  const WeightForm form = choice_.tied_head_form(table.rows, table.columns);
  if (!is_few_bits(form)) return CudaWeightPtr{};
  HANGAR_TRY(CudaWeightPtr weight, loader_.make_head(table, form));
  note(*weight, 0);
  return weight;
}

void ModelWeights::note(CudaWeight& weight, std::size_t copy_bytes) {
  loading_ = true;
  if (is_few_bits(weight.layout)) widest_input_ = std::max(widest_input_, weight.columns);
  if (keeps_copies_ && copy_bytes > 0) loader_.copy_later(weight);
}

void ModelWeights::finish() {
  if (!loading_) return;
  loader_.finish();
  loading_ = false;
  if (reordered_ > 0) {
    spdlog::info(
        "{} matrices of 4 bits have their inputs in another order (act-order) and are kept in 16 "
        "bits; --quant int4 quantizes them anew",
        reordered_);
  }
  reordered_ = 0;
}

void* ModelWeights::take(std::size_t bytes, std::size_t alignment) {
  constexpr std::size_t kSmall = std::size_t{64} << 10U;
  constexpr std::size_t kSlab = std::size_t{1} << 20U;
  if (bytes > kSmall) return device_.take_unfilled(bytes, alignment);
  small_left_ -= small_left_ % std::max<std::size_t>(alignment, 16);
  if (small_left_ < bytes) {
    small_ = static_cast<std::byte*>(device_.take_unfilled(kSlab, 256));
    if (small_ == nullptr) return nullptr;
    small_left_ = kSlab;
  }
  std::byte* piece = small_ + (kSlab - small_left_);
  small_left_ -= bytes;
  return piece;
}

}  // namespace hangar::cuda
