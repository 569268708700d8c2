#include "backend/cuda/element_io.cuh"
#include "backend/cuda/sampling_front.cuh"
#include "backend/cuda/sampling_kernels.h"

namespace hangar::cuda {
namespace {

constexpr int kMostChunks = kMostVocabulary / kSampleChunk;

struct PickShared {
  FrontShared front;
  double passed[kMostChunks];  // sums of the chunks up to and with each, on one scale
  double scale[kMostChunks];   // of a chunk's own sum
  double total;
  float largest;
  int at;
  int found;
  int last;
  double sums[kPickWarps];
};

// Brings the chunks' sums together: largest, its lowest token, the total relative to it.
__device__ void combine(const ChunkSum* sums, int chunks, float inverse_temperature,
                        PickShared& shared) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  __syncthreads();
  if (threadIdx.x < 32) {
    std::uint64_t best = 0;
    for (int c = lane; c < chunks; c += 32) {
      const std::uint64_t own = ranked(key_of(sums[c].largest), sums[c].at);
      best = own > best ? own : best;
    }
    best = warp_maximum(best);
    const float largest = value_of_key(key_of_ranked(best));
    double passed = 0.0;
    for (int begin = 0; begin < chunks; begin += 32) {
      const int c = begin + lane;
      double scale = 0.0;
      double sum = 0.0;
      if (c < chunks && sums[c].largest > never()) {
        scale = exp((static_cast<double>(sums[c].largest) - static_cast<double>(largest)) *
                    static_cast<double>(inverse_temperature));
        sum = sums[c].sum * scale;
      }
#pragma unroll
      for (int offset = 1; offset < 32; offset *= 2) {
        const double other = __shfl_up_sync(~0U, sum, offset);
        if (lane >= offset) sum += other;
      }
      sum += passed;
      if (c < chunks) {
        shared.passed[c] = sum;
        shared.scale[c] = scale;
      }
      passed = __shfl_sync(~0U, sum, 31);
    }
    if (lane == 0) {
      shared.total = passed;
      shared.largest = largest;
      shared.at = index_of_ranked(best);
    }
  }
  __syncthreads();
}

// Of the chunk's tokens, weighed relative to its own largest as they were when its sum was taken,
// the first that with those before it passes `target`; the last of any weight where rounding keeps
// it from that.
__device__ int draw_in_chunk(const float* logits, int count, float largest,
                             float inverse_temperature, double target, PickShared& shared) {
  constexpr int kEach = kSampleChunk / kPickThreads;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int first = static_cast<int>(threadIdx.x) * kEach;
  double weights[kEach];
  double own = 0.0;
#pragma unroll
  for (int e = 0; e < kEach; ++e) {
    const float logit = first + e < count ? finite_or_never(logits[first + e]) : never();
    weights[e] = static_cast<double>(expf((logit - largest) * inverse_temperature));
    own += weights[e];
  }
  double sum = own;
#pragma unroll
  for (int offset = 1; offset < 32; offset *= 2) {
    const double other = __shfl_up_sync(~0U, sum, offset);
    if (lane >= offset) sum += other;
  }
  if (lane == 31) shared.sums[warp] = sum;
  if (threadIdx.x == 0) {
    shared.found = kSampleChunk;
    shared.last = 0;
  }
  __syncthreads();
  double before = sum - own;
  for (int w = 0; w < warp; ++w) before += shared.sums[w];
  int found = kSampleChunk;
  int last = 0;
#pragma unroll
  for (int e = 0; e < kEach; ++e) {
    before += weights[e];
    if (!(weights[e] > 0.0)) continue;
    last = first + e;
    if (before > target) found = min(found, last);
  }
  found = __reduce_min_sync(~0U, found);
  last = __reduce_max_sync(~0U, last);
  if (lane == 0) {
    atomicMin(&shared.found, found);
    atomicMax(&shared.last, last);
  }
  __syncthreads();
  return shared.found < kSampleChunk ? shared.found : shared.last;
}

// Among all tokens: the chunk by the chunks' sums, then the token in it.
__device__ int draw_from_all(const SamplerArrays& arrays, const RowParams& params,
                             const ChunkSum* sums, const float* logits, PickShared& shared) {
  const double target = params.uniform * shared.total;
  int chunk = 0;
  int last = 0;
  bool passed = false;
  for (int c = 0; c < arrays.chunks() && !passed; ++c) {
    if (!(shared.scale[c] > 0.0)) continue;
    last = c;
    passed = shared.passed[c] > target;
  }
  chunk = last;
  const double before = chunk > 0 ? shared.passed[chunk - 1] : 0.0;
  const int base = chunk * kSampleChunk;
  return base + draw_in_chunk(logits + base, min(kSampleChunk, arrays.vocabulary - base),
                              sums[chunk].largest, params.inverse_temperature,
                              (target - before) / shared.scale[chunk], shared);
}

// Where in the order of likelihood nothing that matters to the cut can stand any more: a key.
__device__ std::uint32_t bound_of_front(const SamplerArrays& arrays, const RowParams& params,
                                        const float* maxima, Front& front, PickShared& shared) {
  const double largest = static_cast<double>(shared.largest);
  const double temperature = static_cast<double>(params.temperature);
  if (params.top_k > 0) return front.bound_of(maxima, arrays.blocks(), params.top_k);
  if (params.top_p < 1.0F) {
    // Were a token of less weight than this in the front, all that follow it would together weigh
    // less than what the front leaves away.
    const double rest = (1.0 - static_cast<double>(params.top_p)) * shared.total;
    const double least = 0.5 * rest / static_cast<double>(arrays.vocabulary);
    return key_of(static_cast<float>(largest + log(least) * temperature));
  }
  const double slack = 1e-5 * temperature + 1e-6 * fabs(largest);
  return key_of(
      static_cast<float>(largest + log(static_cast<double>(params.min_p)) * temperature - slack));
}

__device__ int draw_from_front(const SamplerArrays& arrays, const RowParams& params,
                               const float* maxima, const float* logits, PickShared& shared) {
  Front front(shared.front, logits, arrays.vocabulary, shared.largest, params.inverse_temperature);
  front.keep_from(maxima, arrays.blocks(), bound_of_front(arrays, params, maxima, front, shared));
  if (params.top_k > 0) front.find_cut(false, static_cast<Integer>(params.top_k));
  if (params.top_p < 1.0F) {
    const double total =
        params.top_k > 0 ? static_cast<double>(front.weight()) : shared.total * (1.0 / kWeightUnit);
    const double wanted = ceil(static_cast<double>(params.top_p) * total);
    front.find_cut(true, static_cast<Integer>(wanted));
  }
  const int token = front.draw(params.min_p, params.uniform);
  return token >= 0 ? token : shared.at;
}

__device__ int draw(const SamplerArrays& arrays, const RowParams& params, std::int32_t index,
                    const float* logits, PickShared& shared) {
  const ChunkSum* sums = arrays.sums + static_cast<std::int64_t>(index) * arrays.chunks();
  combine(sums, arrays.chunks(), params.inverse_temperature, shared);
  if (!(shared.largest > never())) return 0;
  if ((params.flags & kRowGreedy) != 0) return shared.at;
  if ((params.flags & kRowFront) == 0) return draw_from_all(arrays, params, sums, logits, shared);
  const float* maxima = arrays.maxima + static_cast<std::int64_t>(index) * arrays.blocks();
  return draw_from_front(arrays, params, maxima, logits, shared);
}

// The row as it came.
__device__ void put_back(const SamplerArrays& arrays, const RowParams& params, std::int32_t index,
                         float* logits) {
  const auto each = [&](const WordList& list, int words) {
    for (int i = static_cast<int>(threadIdx.x); i < list.count; i += kPickThreads) {
      const int word = list.first + i * words;
      const auto token = static_cast<std::int32_t>(arrays.plan[word]);
      if (token >= 0 && token < arrays.vocabulary) logits[token] = arrays.saved[word];
    }
  };
  __syncthreads();
  each(params.bias, 2);
  each(params.seen, 1);
  each(params.counts, 2);
  each(params.banned, 1);
  if (threadIdx.x == 0) {
    const PendingLogit pending = arrays.pending[index];
    if (pending.token >= 0) logits[pending.token] = pending.logit;
  }
  __syncthreads();
}

// The tokens of the highest log-probability. What is not finite comes last, in the order of ids.
__device__ int write_tops(const SamplerArrays& arrays, const RowParams& params, std::int32_t index,
                          const float* logits, double normaliser, PickShared& shared) {
  const int wanted = min(params.tops, arrays.vocabulary);
  TokenLogprob* tops = arrays.tops + params.first_top;
  int written = 0;
  if (shared.largest > never()) {
    const float* maxima = arrays.raw_maxima + static_cast<std::int64_t>(index) * arrays.blocks();
    Front front(shared.front, logits, arrays.vocabulary, shared.largest, 1.0F);
    front.keep_from(maxima, arrays.blocks(), front.bound_of(maxima, arrays.blocks(), wanted));
    front.find_cut(false, static_cast<Integer>(wanted));
    written = min(front.sort_front(), wanted);
    for (int i = static_cast<int>(threadIdx.x); i < written; i += kPickThreads) {
      const std::uint64_t token = front.sorted(i);
      const auto logit = static_cast<double>(value_of_key(key_of_ranked(token)));
      tops[i] = {index_of_ranked(token), static_cast<float>(logit - normaliser)};
    }
  }
  for (int begin = 0; threadIdx.x < 32 && written < wanted && begin < arrays.vocabulary;
       begin += 32) {
    const int id = begin + static_cast<int>(threadIdx.x);
    const bool fits = id < arrays.vocabulary && !(finite_or_never(logits[id]) > never());
    const unsigned lanes = __ballot_sync(~0U, fits);
    const int place = written + __popc(lanes & ((1U << threadIdx.x) - 1U));
    if (fits && place < wanted) tops[place] = {id, never()};
    written += __popc(lanes);
  }
  return wanted;
}

// A block for each row.
__global__ void __launch_bounds__(kPickThreads)
    pick_kernel(SamplerArrays arrays, Rows<float> all_logits) {
  __shared__ PickShared shared;
  begin_reading();
  const auto index = static_cast<std::int32_t>(blockIdx.x);
  const RowParams params = reinterpret_cast<const RowParams*>(arrays.plan)[index];
  if ((params.flags & kRowActive) == 0) return;
  float* logits = all_logits.row(params.row);
  SampledRow result;
  result.token = params.forced;
  if ((params.flags & kRowForced) == 0) {
    result.token = draw(arrays, params, index, logits, shared);
    if ((params.flags & kRowAdjusts) != 0) put_back(arrays, params, index, logits);
  }
  if ((params.flags & kRowScored) != 0) {
    const ChunkSum* sums = arrays.raw_sums + static_cast<std::int64_t>(index) * arrays.chunks();
    combine(sums, arrays.chunks(), 1.0F, shared);
    const double normaliser = static_cast<double>(shared.largest) + log(shared.total);
    const float logit = finite_or_never(logits[result.token]);
    result.logprob =
        logit > never() ? static_cast<float>(static_cast<double>(logit) - normaliser) : never();
    if (params.tops > 0) {
      result.tops = write_tops(arrays, params, index, logits, normaliser, shared);
    }
  }
  if (threadIdx.x != 0) return;
  arrays.tokens[params.place] = result.token;
  arrays.results[index] = result;
}

}  // namespace

void pick_tokens(const Launch& launch, const SamplerArrays& arrays, Activation logits,
                 std::int32_t rows) {
  launch_kernel(launch, pick_kernel, dim3(static_cast<unsigned>(rows)), dim3(kPickThreads), 0,
                arrays, Rows<float>(logits));
}

}  // namespace hangar::cuda
