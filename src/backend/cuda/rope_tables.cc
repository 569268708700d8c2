#include "backend/cuda/rope_tables.h"

#include <cstdint>

namespace hangar::cuda {

const RopeAngles& RopeTables::of(const RopeTable& table) {
  for (const auto& [known, angles] : angles_) {
    if (known == table) return angles;
  }
  const auto pairs = table.inverse_frequency.size();
  auto* memory = static_cast<float*>(weights_.take(pairs * sizeof(float), 16));
  if (memory == nullptr) throw CudaError(cudaErrorMemoryAllocation, "taking a rotary table");
  HANGAR_CUDA(cudaMemcpyAsync(memory, table.inverse_frequency.data(), pairs * sizeof(float),
                              cudaMemcpyHostToDevice, device_.stream()));
  device_.synchronize();
  angles_.emplace_back(table, RopeAngles{memory, static_cast<std::int32_t>(pairs), table.magnitude,
                                         table.interleaved});
  return angles_.back().second;
}

}  // namespace hangar::cuda
