#include "backend/cuda/expert_sets.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace hangar::cuda {
namespace {

const CudaWeight& as_cuda(const Weight* weight) {
  return static_cast<const CudaWeight&>(*weight);
}

bool alike(const CudaWeight& a, const CudaWeight& b) {
  return a.layout == b.layout && a.dtype == b.dtype && a.int4 == b.int4 && a.rows == b.rows &&
         a.columns == b.columns;
}

}  // namespace

Result<std::unique_ptr<const ExpertSet>> ExpertSets::join(std::span<const ExpertWeights> experts,
                                                          std::int32_t used) {
  const auto none = [] { return std::unique_ptr<const ExpertSet>(); };
  if (experts.empty()) return none();
  const CudaWeight& gate = as_cuda(experts[0].gate);
  const CudaWeight& down = as_cuda(experts[0].down);
  auto made = std::make_unique<CudaExpertSet>();
  Mixture& mixture = made->mixture;
  mixture.weight_type = gate.dtype;
  mixture.experts = static_cast<std::int32_t>(experts.size());
  mixture.inner = gate.rows;
  mixture.hidden = gate.columns;
  mixture.used = used;
  const bool all = std::ranges::all_of(experts, [&](const ExpertWeights& expert) {
    return alike(as_cuda(expert.gate), gate) && alike(as_cuda(expert.up), gate) &&
           alike(as_cuda(expert.down), down);
  });
  if (gate.layout == WeightForm::kInt4) mixture.int4 = gate.int4;
  const bool one_form =
      down.layout == gate.layout && down.dtype == gate.dtype && down.int4 == gate.int4;
  if (!all || !one_form || gate.layout == WeightForm::kVector || !mixes(work_type_, mixture)) {
    return none();
  }

  // Weights of gate, of up, of down; then their scales.
  std::vector<const void*> table;
  for (const bool scales : {false, true}) {
    for (const auto part : {&ExpertWeights::gate, &ExpertWeights::up, &ExpertWeights::down}) {
      for (const ExpertWeights& expert : experts) {
        const CudaWeight& weight = as_cuda(expert.*part);
        table.push_back(scales ? weight.scales : weight.data);
      }
    }
  }
  const std::size_t bytes = table.size() * sizeof(table[0]);
  auto* const there = static_cast<const void**>(take_(bytes, 256));
  const std::size_t wanted = mixture_room_bytes(kRows, mixture);
  if (there != nullptr && wanted > room_bytes_) {
    room_ = take_(wanted, 256);
    room_bytes_ = wanted;
  }
  if (there == nullptr || room_ == nullptr) {
    return make_error(ErrorCode::kResourceExhausted,
                      "a mixture of experts: {} wanted, {} of {} left on the card", bytes + wanted,
                      device_.left_bytes(), device_.memory_bytes());
  }
  HANGAR_CUDA(cudaMemcpyAsync(static_cast<void*>(there), static_cast<const void*>(table.data()),
                              bytes, cudaMemcpyHostToDevice, device_.stream()));
  device_.synchronize();
  const auto matrix = [&](std::size_t part) {
    const void* const* const weights = there + part * experts.size();
    MixtureMatrix of;
    of.weights = weights;
    of.zeros = gate.int4 == Int4Form::kZero32;
    if (gate.layout == WeightForm::kFp8) {
      of.scales = reinterpret_cast<const float* const*>(weights + 3 * experts.size());
    }
    return of;
  };
  mixture.gate = matrix(0);
  mixture.up = matrix(1);
  mixture.down = matrix(2);
  return std::unique_ptr<const ExpertSet>(std::move(made));
}

}  // namespace hangar::cuda
