#include "backend/cuda/kv_layer.h"

namespace hangar::cuda {
namespace {

constexpr int kThreads = 256;

// Block (i, j) of the grid makes copy i in tensor j, by Units.
template <typename Unit>
__global__ void copy_blocks(Unit* memory, std::int64_t tensor_units, std::int64_t block_units,
                            const BlockCopy* copies) {
#if __CUDA_ARCH__ >= 900
  cudaGridDependencySynchronize();
#endif
  const BlockCopy copy = copies[blockIdx.x];
  Unit* tensor = memory + blockIdx.y * tensor_units;
  const Unit* from = tensor + copy.from * block_units;
  Unit* to = tensor + copy.to * block_units;
  for (std::int64_t i = threadIdx.x; i < block_units; i += kThreads) to[i] = from[i];
}

}  // namespace

void copy_kv_blocks(const Launch& launch, const KvTensors& tensors, const BlockCopy* copies,
                    std::span<const std::int32_t> wave_ends) {
  constexpr std::int64_t kVector = sizeof(uint4);
  constexpr std::int64_t kLeast = sizeof(std::uint16_t);
  const bool whole_vectors = tensors.block_bytes % kVector == 0 &&
                             reinterpret_cast<std::uintptr_t>(tensors.memory) % kVector == 0;
  std::int32_t begin = 0;
  for (const std::int32_t end : wave_ends) {
    const dim3 grid(static_cast<unsigned>(end - begin), static_cast<unsigned>(tensors.count));
    if (whole_vectors) {
      launch_kernel(launch, copy_blocks<uint4>, grid, kThreads, 0,
                    static_cast<uint4*>(tensors.memory), tensors.bytes / kVector,
                    tensors.block_bytes / kVector, copies + begin);
    } else {
      launch_kernel(launch, copy_blocks<std::uint16_t>, grid, kThreads, 0,
                    static_cast<std::uint16_t*>(tensors.memory), tensors.bytes / kLeast,
                    tensors.block_bytes / kLeast, copies + begin);
    }
    begin = end;
  }
}

}  // namespace hangar::cuda
