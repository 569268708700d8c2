#include "backend/cuda/attention_prefill_launch.cuh"

namespace hangar::cuda {

// In a file of its own.
extern template void attend::launch_prefill<__nv_fp8_e4m3>(const Launch&, const AttentionArguments&,
                                                           std::int32_t);

void attend_prefill(const Launch& launch, const AttentionArguments& a, std::int32_t fewest_rows) {
  switch (a.kv_type) {
    case KvType::kFp8:
      return attend::launch_prefill<__nv_fp8_e4m3>(launch, a, fewest_rows);
    case KvType::kF16:
      return attend::launch_prefill<__half>(launch, a, fewest_rows);
    default:
      return attend::launch_prefill<__nv_bfloat16>(launch, a, fewest_rows);
  }
}

}  // namespace hangar::cuda
