#include "backend/cuda/element_io.cuh"
#include "backend/cuda/sampling_chunk.cuh"
#include "backend/cuda/sampling_kernels.h"

namespace hangar::cuda {
namespace {

struct ScanShared {
  float logits[kSampleChunk];
  std::uint64_t best_of_warps[kScanThreads / 32];
  double sum_of_warps[kScanThreads / 32];
  int pending_is_seen;
  int pending_is_counted;
};

// One row's adjustments, for the tokens of one chunk.
struct Adjuster {
  const SamplerArrays& arrays;
  const RowParams& params;
  ScanShared& shared;
  std::int32_t base;
  std::int32_t count;
  std::int32_t pending;  // a token, or -1

  // f(word of the plan, token's place in the chunk) for each of a list that lies in this chunk.
  template <typename F>
  __device__ void each(const WordList& list, int words, F f) const {
    for (int i = static_cast<int>(threadIdx.x); i < list.count; i += kScanThreads) {
      const int word = list.first + i * words;
      const std::int32_t at = static_cast<std::int32_t>(arrays.plan[word]) - base;
      if (at >= 0 && at < count) f(word, at);
    }
  }
  template <typename F>
  __device__ void each_of_all(F f) const {
    each(params.bias, 2, f);
    each(params.seen, 1, f);
    each(params.counts, 2, f);
    each(params.banned, 1, f);
  }

  __device__ bool pending_here() const { return pending >= base && pending < base + count; }

  __device__ void punish_repetition(int at) const {
    const float x = shared.logits[at];
    shared.logits[at] = x > 0.0F ? x / params.repetition : x * params.repetition;
  }
  __device__ void punish_count(int at, std::int32_t times) const {
    // A token that stands in the list twice is punished twice.
    atomicAdd(&shared.logits[at],
              -(params.presence + params.frequency * static_cast<float>(times)));
  }

  // shared.logits is the chunk. Afterwards it is adjusted, as is the row itself.
  __device__ void run(float* row, std::int32_t index) const {
    if (threadIdx.x == 0) {
      shared.pending_is_seen = 0;
      shared.pending_is_counted = 0;
      if (pending_here()) {
        arrays.pending[index] = {pending, shared.logits[pending - base]};
      } else if (base == 0 && (pending < 0 || pending >= arrays.vocabulary)) {
        arrays.pending[index] = {-1, 0.0F};
      }
    }
    each_of_all([&](int word, int at) { arrays.saved[word] = shared.logits[at]; });
    __syncthreads();
    each(params.bias, 2, [&](int word, int at) {
      atomicAdd(&shared.logits[at], __uint_as_float(arrays.plan[word + 1]));
    });
    __syncthreads();
    if (params.repetition != 1.0F) {
      each(params.seen, 1, [&](int, int at) {
        punish_repetition(at);
        if (base + at == pending) shared.pending_is_seen = 1;
      });
      __syncthreads();
      if (threadIdx.x == 0 && pending_here() && shared.pending_is_seen == 0) {
        punish_repetition(pending - base);
      }
      __syncthreads();
    }
    if (params.presence != 0.0F || params.frequency != 0.0F) {
      each(params.counts, 2, [&](int word, int at) {
        const bool once_more = base + at == pending;
        if (once_more) shared.pending_is_counted = 1;
        punish_count(at, static_cast<std::int32_t>(arrays.plan[word + 1]) + (once_more ? 1 : 0));
      });
      __syncthreads();
      if (threadIdx.x == 0 && pending_here() && shared.pending_is_counted == 0) {
        punish_count(pending - base, 1);
      }
      __syncthreads();
    }
    each(params.banned, 1, [&](int, int at) { shared.logits[at] = never(); });
    __syncthreads();
    each_of_all([&](int, int at) { row[base + at] = shared.logits[at]; });
    if (threadIdx.x == 0 && pending_here()) row[pending] = shared.logits[pending - base];
  }
};

__device__ void write_maxima(const ChunkTokens& tokens, float* maxima, std::int32_t base,
                             std::int32_t blocks) {
  constexpr int kLanes = kSampleBlock / 4;  // that hold one block
#pragma unroll
  for (int j = 0; j < kScanGroups; ++j) {
    float largest = fmaxf(fmaxf(tokens.logits[j][0], tokens.logits[j][1]),
                          fmaxf(tokens.logits[j][2], tokens.logits[j][3]));
#pragma unroll
    for (int offset = kLanes / 2; offset > 0; offset /= 2) {
      largest = fmaxf(largest, __shfl_xor_sync(~0U, largest, offset));
    }
    const int block = (base + ChunkTokens::place(j)) / kSampleBlock;
    if (threadIdx.x % kLanes == 0 && block < blocks) maxima[block] = largest;
  }
}

// Of the whole block's tokens; written by one thread. Without a factor: no sum.
__device__ void write_sum(const ChunkTokens& tokens, std::int32_t base, bool sums, float factor,
                          ScanShared& shared, ChunkSum* to) {
  const std::uint64_t best = block_maximum(tokens.best(base), shared.best_of_warps);
  const float largest = value_of_key(key_of_ranked(best));
  double sum = 0.0;
  if (sums && largest > never()) {
    float own = 0.0F;
#pragma unroll
    for (int j = 0; j < kScanGroups; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) own += expf((tokens.logits[j][e] - largest) * factor);
    }
    sum = static_cast<double>(own);
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_xor_sync(~0U, sum, offset);
    if (threadIdx.x % 32 == 0) shared.sum_of_warps[threadIdx.x / 32] = sum;
  }
  __syncthreads();
  if (threadIdx.x != 0) return;
  if (sums && largest > never()) {
    sum = 0.0;
    for (int w = 0; w < kScanThreads / 32; ++w) sum += shared.sum_of_warps[w];
  }
  *to = {sum, largest, index_of_ranked(best)};
}

// A block for each chunk of each row.
__global__ void __launch_bounds__(kScanThreads)
    scan_kernel(SamplerArrays arrays, Rows<float> logits) {
  __shared__ ScanShared shared;
  begin_reading();
  const auto chunk = static_cast<std::int32_t>(blockIdx.x);
  const auto index = static_cast<std::int32_t>(blockIdx.y);
  const RowParams& params = reinterpret_cast<const RowParams*>(arrays.plan)[index];
  const std::uint32_t flags = params.flags;
  const bool draws = (flags & kRowForced) == 0;
  const bool scores = (flags & kRowScored) != 0;
  if ((flags & kRowActive) == 0 || (!draws && !scores)) return;

  const std::int32_t base = chunk * kSampleChunk;
  const std::int32_t count = min(kSampleChunk, arrays.vocabulary - base);
  const std::int64_t sum_at = static_cast<std::int64_t>(index) * arrays.chunks() + chunk;
  const std::int64_t maxima_at = static_cast<std::int64_t>(index) * arrays.blocks();
  float* row = logits.row(params.row);
  ChunkTokens tokens;
  tokens.read(row + base, count);
  if ((flags & kRowAdjusts) != 0) {
#pragma unroll
    for (int j = 0; j < kScanGroups; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) shared.logits[ChunkTokens::place(j) + e] = tokens.logits[j][e];
    }
    __syncthreads();
  }
  if (scores) {
    tokens.keep_finite();
    write_sum(tokens, base, true, 1.0F, shared, arrays.raw_sums + sum_at);
    if (params.tops > 0) {
      write_maxima(tokens, arrays.raw_maxima + maxima_at, base, arrays.blocks());
    }
  }
  if (!draws) return;
  if ((flags & kRowAdjusts) != 0) {
    const std::int32_t* drawn = (flags & kRowPendingKept) != 0 ? arrays.kept_tokens : arrays.tokens;
    const std::int32_t pending = params.pending >= 0 ? drawn[params.pending] : -1;
    Adjuster{arrays, params, shared, base, count, pending}.run(row, index);
    __syncthreads();
#pragma unroll
    for (int j = 0; j < kScanGroups; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) tokens.logits[j][e] = shared.logits[ChunkTokens::place(j) + e];
    }
  }
  tokens.keep_finite();
  __syncthreads();
  write_sum(tokens, base, (flags & kRowGreedy) == 0, params.inverse_temperature, shared,
            arrays.sums + sum_at);
  if ((flags & kRowFront) != 0) {
    write_maxima(tokens, arrays.maxima + maxima_at, base, arrays.blocks());
  }
}

}  // namespace

void scan_rows(const Launch& launch, const SamplerArrays& arrays, Activation logits,
               std::int32_t rows) {
  const dim3 grid(static_cast<unsigned>(arrays.chunks()), static_cast<unsigned>(rows));
  launch_kernel(launch, scan_kernel, grid, dim3(kScanThreads), 0, arrays, Rows<float>(logits));
}

}  // namespace hangar::cuda
