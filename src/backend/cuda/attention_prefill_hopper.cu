#include "backend/cuda/attention_prefill_hopper_launch.cuh"

namespace hangar::cuda {

// In a file of its own.
extern template void attend::hopper::launch_prefill<__nv_fp8_e4m3>(const Launch&,
                                                                   const AttentionArguments&,
                                                                   std::int32_t, std::int32_t,
                                                                   unsigned*);

void attend_prefill_hopper(const Launch& launch, const AttentionArguments& a,
                           std::int32_t fewest_rows, std::int32_t most_rows, unsigned* counter) {
  switch (a.kv_type) {
    case KvType::kFp8:
      return attend::hopper::launch_prefill<__nv_fp8_e4m3>(launch, a, fewest_rows, most_rows,
                                                           counter);
    case KvType::kF16:
      return attend::hopper::launch_prefill<__half>(launch, a, fewest_rows, most_rows, counter);
    default:
      return attend::hopper::launch_prefill<__nv_bfloat16>(launch, a, fewest_rows, most_rows,
                                                           counter);
  }
}

}  // namespace hangar::cuda
