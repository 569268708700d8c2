#include "backend/cuda/attention_decode_launch.cuh"

namespace hangar::cuda::attend {

template void launch_decode<__nv_fp8_e4m3>(const Launch&, const AttentionArguments&, const Plan&,
                                           void*);

}  // namespace hangar::cuda::attend
