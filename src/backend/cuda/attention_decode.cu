#include "backend/cuda/attention_decode_launch.cuh"

namespace hangar::cuda {

// In a file of its own.
extern template void attend::launch_decode<__nv_fp8_e4m3>(const Launch&, const AttentionArguments&,
                                                          const Plan&, void*);

namespace {

// Units of the line of work, as powers of 2: a slab, or where contexts are cut at fixed places 512
// tokens.
constexpr std::int32_t kGrain = 0;
constexpr std::int32_t kFixedGrain = 5;
// 256 tokens are read by one block before several have met to share them out.
constexpr std::int32_t kLeastSlabs = 16;
constexpr std::int32_t kPlacesPerBlock = 4;

template <int kDim>
std::size_t scratch_bytes(int blocks) {
  const int counters = (blocks + 63) / 64 * 64;
  return counters * sizeof(int) +
         static_cast<std::size_t>(kPlacesPerBlock) * blocks * sizeof(attend::Place<kDim>);
}

}  // namespace

std::size_t decode_scratch_bytes(const Launch& launch, std::int32_t head_dim) {
  const int blocks = attend::decode_blocks(launch, head_dim);
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
                   std::int32_t usual_rows, void* scratch) {
  attend::Plan plan;
  plan.most_rows = most_rows;
  plan.fixed = launch.deterministic;
  plan.grain_bits = plan.fixed ? kFixedGrain : kGrain;
  plan.least = plan.fixed ? 1 : kLeastSlabs;
  // With more rows to a tile keys and values would be read once more for each 8.
  const bool few = usual_rows * a.group <= kColumnRows;
  plan.tile_bits = few && !plan.fixed ? attend::kColumnBits : attend::kRowBits;
  plan.places = kPlacesPerBlock * attend::decode_blocks(launch, a.head_dim);
  switch (a.kv_type) {
    case KvType::kFp8:
      return attend::launch_decode<__nv_fp8_e4m3>(launch, a, plan, scratch);
    case KvType::kF16:
      return attend::launch_decode<__half>(launch, a, plan, scratch);
    default:
      return attend::launch_decode<__nv_bfloat16>(launch, a, plan, scratch);
  }
}

}  // namespace hangar::cuda
