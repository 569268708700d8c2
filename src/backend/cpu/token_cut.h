// find_cut: where the front of a list of values ends, without sorting it.
//
// Promise: the smallest front, in order of value, whose weights add up to `wanted` or more, and at
//   least one value; all of them where they never do. Equal values have equal weights; without
//   weights each counts 1.
// Method: quickselect by weight; the pivots are medians of a few values that stand evenly in the
//   list, so that nothing is drawn at random.
// Memory: values and weights are scratch, with room as in sampling_kernels.h, and are changed.
// Threads: a pure function.
#pragma once

#include "backend/cpu/sampling_kernels.h"

namespace hangar::cpu {

TokenCut find_cut(float* values, float* weights, std::int64_t n, double wanted);

}  // namespace hangar::cpu
