#include "backend/cuda/attention_prefill_hopper_launch.cuh"

namespace hangar::cuda::attend::hopper {

template void launch_prefill<__nv_fp8_e4m3>(const Launch&, const AttentionArguments&, std::int32_t,
                                            std::int32_t, unsigned*);

}  // namespace hangar::cuda::attend::hopper
