#include "backend/cuda/stack.h"

#include <stdexcept>

#include "backend/cuda/stack_kernel.cuh"

namespace hangar::cuda {
namespace {

using stack::StackMemory;

using Kernel = void (*)(StackArguments, StackMemory);

// Where there is one (stack_takes()).
Kernel kernel_for(StackForm form, KvType type) {
  using namespace stack;
  const bool half = type == KvType::kF16;
  switch (form) {
    case StackForm::kInt4:
      return half ? stack_kernel<Int4Weights, __half> : stack_kernel<Int4Weights, __nv_bfloat16>;
    case StackForm::kFp8:
      return half ? stack_kernel<RowWeights<__nv_fp8_e4m3>, __half>
                  : stack_kernel<RowWeights<__nv_fp8_e4m3>, __nv_bfloat16>;
    case StackForm::kBF16:
      return stack_kernel<RowWeights<__nv_bfloat16>, __nv_bfloat16>;
    case StackForm::kF16:
      return stack_kernel<RowWeights<__half>, __half>;
  }
  return nullptr;
}

}  // namespace

bool stack_ways(const StackSizes& s) {
  // A warp for 16 rows of the gate.
  return s.inner > 0 && s.inner % stack::kUnitColumns == 0 &&
         s.inner / stack::kUnitColumns <= stack::kWarps && s.layers > 0 &&
         s.layers <= kStackMostLayers && StackMemory(s).slots >= stack::kLeastSlots;
}

bool stack_fits(const Launch& launch, const StackSizes& sizes) {
  if (!launch.hopper || launch.processors < kStackBlocks) return false;
  const int bytes = StackMemory(sizes).bytes();
  for (const KvType type : {KvType::kBF16, KvType::kF16}) {
    if (!stack_takes(sizes.form, type)) continue;
    const auto kernel = kernel_for(sizes.form, type);
    HANGAR_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
    int blocks = 0;
    HANGAR_CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, stack::kThreads,
                                                              static_cast<std::size_t>(bytes)));
    if (blocks * launch.processors < kStackBlocks) return false;
  }
  return true;
}

std::size_t stack_words_of(const StackSizes& sizes) {
  return static_cast<std::size_t>(stack::StackWords(sizes).all) * sizeof(uint4);
}

void run_stack(const Launch& launch, const StackArguments& a) {
  if (!stack_ways(a.sizes) || !stack_takes(a.sizes.form, a.kv.type) ||
      a.kv.block_tokens != stack::kTokens || a.kv.kv_heads != kStackKvHeads ||
      a.kv.head_dim != kStackHeadDim) {
    throw std::invalid_argument("a stack of layers that there is no kernel for");
  }
  const StackMemory memory(a.sizes);
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(kStackBlocks);
  config.blockDim = dim3(stack::kThreads);
  config.dynamicSmemBytes = static_cast<std::size_t>(memory.bytes());
  config.stream = launch.stream;
  // Blocks wait for each other: all begin, or none.
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeCooperative;
  attribute.val.cooperative = 1;
  config.attrs = &attribute;
  config.numAttrs = 1;
  HANGAR_CUDA(cudaLaunchKernelEx(&config, kernel_for(a.sizes.form, a.kv.type), a, memory));
}

}  // namespace hangar::cuda
