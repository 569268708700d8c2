#include "backend/cuda/attention_decode.cuh"

namespace hangar::cuda {
namespace {

// Units of the line of work: 64 tokens are a slab for each warp; where contexts are cut at fixed
// places, every 512 tokens.
constexpr std::int32_t kGrain = attend::kDecodeWarps;
constexpr std::int32_t kFixedGrain = 32;
// 256 tokens are read by one block before several have met to share them out.
constexpr std::int32_t kLeastUnits = 4;
constexpr std::int32_t kPlacesPerBlock = 4;

int blocks_of(const Launch& launch, std::int32_t head_dim) {
  return launch.processors * (launch.hopper && head_dim <= 128 ? 2 : 1);
}

template <int kDim>
std::size_t scratch_bytes(int blocks) {
  const int counters = (blocks + 63) / 64 * 64;
  return counters * sizeof(int) +
         static_cast<std::size_t>(kPlacesPerBlock) * blocks * sizeof(attend::Place<kDim>);
}

template <typename T, int kDim>
void launch_decode(const Launch& launch, const AttentionArguments& a, const attend::Plan& plan,
                   void* scratch) {
  const auto kernel = attend::decode_kernel<T, kDim>;
  using Sizes = attend::DecodeSizes<kDim>;
  int stages = Sizes::kStages;
  if (!launch.hopper) {
    // What this card runs was not compiled for Hopper, unless somebody only says so.
    cudaFuncAttributes attributes{};
    HANGAR_CUDA(cudaFuncGetAttributes(&attributes, kernel));
    if (attributes.ptxVersion < 90) stages = Sizes::kOlderStages;
  }
  const int shared_bytes = Sizes::shared_bytes(stages);
  HANGAR_CUDA(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes));
  launch_kernel(launch, kernel, dim3(static_cast<unsigned>(blocks_of(launch, kDim))),
                dim3(attend::kDecodeThreads), static_cast<std::size_t>(shared_bytes), a, plan,
                scratch);
}

template <typename T>
void launch_for_head(const Launch& launch, const AttentionArguments& a, const attend::Plan& plan,
                     void* scratch) {
  switch (a.head_dim) {
    case 64:
      return launch_decode<T, 64>(launch, a, plan, scratch);
    case 96:
      return launch_decode<T, 96>(launch, a, plan, scratch);
    case 128:
      return launch_decode<T, 128>(launch, a, plan, scratch);
    default:
      return launch_decode<T, 256>(launch, a, plan, scratch);
  }
}

}  // namespace

std::size_t decode_scratch_bytes(const Launch& launch, std::int32_t head_dim) {
  const int blocks = blocks_of(launch, head_dim);
  switch (head_dim) {
    case 64:
      return scratch_bytes<64>(blocks);
    case 96:
      return scratch_bytes<96>(blocks);
    case 128:
      return scratch_bytes<128>(blocks);
    case 256:
      return scratch_bytes<256>(blocks);
    default:
      return 0;
  }
}

void attend_decode(const Launch& launch, const AttentionArguments& a, std::int32_t most_rows,
                   void* scratch) {
  attend::Plan plan;
  plan.most_rows = most_rows;
  plan.fixed = launch.deterministic;
  plan.grain = plan.fixed ? kFixedGrain : kGrain;
  plan.least = plan.fixed ? 1 : kLeastUnits;
  plan.places = kPlacesPerBlock * blocks_of(launch, a.head_dim);
  if (a.kv_type == KvType::kF16) {
    launch_for_head<__half>(launch, a, plan, scratch);
  } else {
    launch_for_head<__nv_bfloat16>(launch, a, plan, scratch);
  }
}

}  // namespace hangar::cuda
