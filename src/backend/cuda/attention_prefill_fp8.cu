#include "backend/cuda/attention_prefill_launch.cuh"

namespace hangar::cuda::attend {

template void launch_prefill<__nv_fp8_e4m3>(const Launch&, const AttentionArguments&, std::int32_t);

}  // namespace hangar::cuda::attend
