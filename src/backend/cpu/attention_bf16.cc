#include "backend/cpu/attention.h"
#include "backend/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/attention_bf16.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "backend/cpu/attention-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace hangar::cpu::HWY_NAMESPACE {

void ComputeChunksBf16(const AttentionTile& tile, std::int64_t first_chunk, std::int64_t end_chunk,
                       float* scratch, const AttentionPartial& to) {
  compute_chunks_of<hwy::bfloat16_t>(tile, first_chunk, end_chunk, scratch, to);
}

}  // namespace hangar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hangar::cpu {

HWY_EXPORT(ComputeChunksBf16);

void compute_chunks_bf16(const AttentionTile& tile, std::int64_t first_chunk,
                         std::int64_t end_chunk, float* scratch, const AttentionPartial& to) {
  HWY_DYNAMIC_DISPATCH(ComputeChunksBf16)(tile, first_chunk, end_chunk, scratch, to);
}

}  // namespace hangar::cpu
#endif
