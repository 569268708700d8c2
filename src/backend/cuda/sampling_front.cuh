// Front: the likeliest tokens of one row, and a draw among them, by one block.
//
// Promise: a row is looked at in blocks of kSampleBlock tokens, of which only those are read whose
//   maximum reaches a bound ("live"). find_cut() says how far down the order of likelihood the
//   front goes, by number or by weight, without sorting more than kMostSorted tokens: it counts
//   tokens in bins of their logits' bits and narrows down to the bin where the front ends. Weights
//   are added as integers (units of kWeightUnit), so that atomic sums do not depend on their order.
//   draw() sums in double, in the order of ids.
// Threads: a block of kPickThreads; every function is called by all of them, and ends with a
//   barrier where shared memory was written.
#pragma once

#include <cstdint>

#include "backend/cuda/block_scan.cuh"
#include "backend/cuda/ordered_key.cuh"
#include "backend/cuda/sampling_arrays.h"
#include "backend/cuda/sampling_chunk.cuh"
#include "backend/cuda/warp.cuh"

namespace hangar::cuda {

inline constexpr int kPickThreads = 1024;
inline constexpr int kPickWarps = kPickThreads / 32;
inline constexpr int kBins = kPickThreads;  // a thread for each
inline constexpr int kBinBits = 10;
inline constexpr int kMostSorted = 2 * kPickThreads;
inline constexpr int kMostBlocks = kMostVocabulary / kSampleBlock;
inline constexpr double kWeightUnit = 0x1p-44;

using Integer = unsigned long long;

struct FrontShared {
  Integer weights[kBins];
  std::uint32_t counts[kBins];
  std::uint64_t sorted[kMostSorted];  // ranked(): likeliest first
  std::uint16_t live[kMostBlocks];    // blocks, in order
  double sums[kPickWarps];
  Integer integers[kPickWarps];
  int count;
  int bin;
  int found;
  Integer before;
};

class Front {
 public:
  __device__ Front(FrontShared& shared, const float* logits, int vocabulary, float largest,
                   float inverse_temperature)
      : shared_(shared),
        logits_(logits),
        vocabulary_(vocabulary),
        largest_(largest),
        inverse_temperature_(inverse_temperature) {}

  __device__ float weight_of(float logit) const {
    return expf((logit - largest_) * inverse_temperature_);
  }
  __device__ Integer units_of(float logit) const {
    return __float2ull_rn(weight_of(logit) * static_cast<float>(1.0 / kWeightUnit));
  }
  __device__ bool passes(std::uint32_t key, int id) const { return ranked(key, id) >= cut_; }

  // The key of a logit that `count` blocks' maxima reach, near the largest such; 0 where there are
  // not so many: there are then not more tokens to be had than all.
  __device__ std::uint32_t bound_of(const float* maxima, int blocks, int count) {
    if (count > blocks) return 0;
    const auto each_maximum = [&](auto f) {
      for (int i = static_cast<int>(threadIdx.x); i < blocks; i += kPickThreads) {
        f(maxima[i], i, maxima[i] > never());
      }
    };
    Interval interval{0, key_of(largest_)};
    Integer before = 0;
    for (int round = 0; round < 2; ++round) {
      if (narrow(each_maximum, false, static_cast<Integer>(count), interval, before) < 0) return 0;
    }
    return interval.low;
  }

  // From here on only tokens of blocks whose maximum reaches the key are looked at, and of these
  // those that do themselves.
  __device__ void keep_from(const float* maxima, int blocks, std::uint32_t bound) {
    bound_ = bound;
    const int each = (blocks + kPickThreads - 1) / kPickThreads;
    const int first = static_cast<int>(threadIdx.x) * each;
    const auto lives = [&](int i) {
      return i < blocks && maxima[i] > never() && key_of(maxima[i]) >= bound;
    };
    int own = 0;
    for (int i = first; i < first + each; ++i) own += lives(i) ? 1 : 0;
    const Scan<Integer> scan = scan_block<kPickWarps>(static_cast<Integer>(own), shared_.integers);
    int at = static_cast<int>(scan.before);
    for (int i = first; i < first + each; ++i) {
      if (lives(i)) shared_.live[at++] = static_cast<std::uint16_t>(i);
    }
    live_ = static_cast<int>(scan.total);
    __syncthreads();
  }

  // Cuts the front to its likeliest `wanted` tokens, or (by_weight) to the fewest of its likeliest
  // whose weights add up to `wanted` units; at least one, and all where they do not suffice.
  __device__ void find_cut(bool by_weight, Integer wanted) {
    wanted = wanted > 0 ? wanted : 1;
    if (sorted_ >= 0) {
      cut_sorted(by_weight, wanted);
      return;
    }
    const auto each_token = [&](auto f) { each_of_front(f); };
    Interval interval{max(bound_, key_of_ranked(cut_)), key_of(largest_)};
    Integer before = 0;
    // Where very many may qualify nobody asks first whether it is few: that takes a pass too.
    constexpr int kManyBlocks = 16 * kMostSorted / kSampleBlock;
    int count = live_ > kManyBlocks ? kMostSorted + 1 : collect(interval);
    const bool all = count <= kMostSorted;
    while (count > kMostSorted && interval.low < interval.high) {
      count = narrow(each_token, by_weight, wanted, interval, before);
      if (count < 0) return;
    }
    if (count > kMostSorted) {
      cut_ties(by_weight, wanted - before, interval.low);
      return;
    }
    if (!all) count = collect(interval);
    sort(count);
    sorted_ = count;
    cut_sorted(by_weight, wanted - before);
    if (!all) sorted_ = -1;
  }

  // The front in order, where it is at most kMostSorted tokens. Gives their number.
  __device__ int sort_front() {
    if (sorted_ >= 0) return sorted_;
    sorted_ = collect({max(bound_, key_of_ranked(cut_)), key_of(largest_)});
    sort(sorted_);
    return sorted_;
  }
  __device__ std::uint64_t sorted(int i) const { return shared_.sorted[i]; }

  // What the front weighs, in units.
  __device__ Integer weight() {
    Integer own = 0;
    if (sorted_ >= 0) {
      for (int i = static_cast<int>(threadIdx.x); i < sorted_; i += kPickThreads) {
        own += units_of(value_of_key(key_of_ranked(shared_.sorted[i])));
      }
    } else {
      each_of_front([&](float logit, int, bool counts) {
        if (counts) own += units_of(logit);
      });
    }
    return scan_block<kPickWarps>(own, shared_.integers).total;
  }

  // Draws among the tokens of the front of at least `least` weight; -1 where none has any.
  __device__ int draw(float least, double uniform) {
    const auto amount = [&](float logit, int id) {
      if (!passes(key_of(logit), id)) return 0.0;
      const float weight = weight_of(logit);
      return weight >= least ? static_cast<double>(weight) : 0.0;
    };
    return select(amount, true, uniform);
  }

 private:
  struct Interval {  // of keys, both ends included
    std::uint32_t low;
    std::uint32_t high;
  };

  // f(logit, id, whether it is one) for tokens of live blocks [begin, end), every step-th, by one
  // warp; all its lanes call f together.
  template <typename F>
  __device__ void walk(int begin, int end, int step, F f) const {
    constexpr int kAhead = 4;
    const int lane = static_cast<int>(threadIdx.x) % 32;
    for (int i = begin; i < end; i += step * kAhead) {
      float logits[kAhead][2];
      int ids[kAhead];
#pragma unroll
      for (int a = 0; a < kAhead; ++a) {
        const int at = i + a * step;
        ids[a] = at < end ? shared_.live[at] * kSampleBlock + lane : vocabulary_;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const int id = ids[a] + 32 * half;
          logits[a][half] = id < vocabulary_ ? finite_or_never(logits_[id]) : never();
        }
      }
#pragma unroll
      for (int a = 0; a < kAhead; ++a) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          f(logits[a][half], ids[a] + 32 * half, logits[a][half] > never());
        }
      }
    }
  }
  template <typename F>
  __device__ void each_of_front(F f) const {
    const std::uint32_t bound = bound_;
    walk(static_cast<int>(threadIdx.x) / 32, live_, kPickWarps,
         [&](float logit, int id, bool is_one) {
           const std::uint32_t key = key_of(logit);
           f(logit, id, is_one && key >= bound && passes(key, id));
         });
  }

  // Puts the front's tokens of the interval into `sorted`, in no order. Gives their number, which
  // may be more than there is room for.
  __device__ int collect(Interval interval) {
    if (threadIdx.x == 0) shared_.count = 0;
    __syncthreads();
    each_of_front([&](float logit, int id, bool counts) {
      const std::uint32_t key = key_of(logit);
      const bool mine = counts && key >= interval.low && key <= interval.high;
      const unsigned lanes = __ballot_sync(~0U, mine);
      if (lanes == 0) return;
      const unsigned lane = threadIdx.x % 32;
      int place = 0;
      if (lane == 0) place = atomicAdd(&shared_.count, __popc(lanes));
      place = __shfl_sync(~0U, place, 0) + __popc(lanes & ((1U << lane) - 1U));
      if (mine && place < kMostSorted) shared_.sorted[place] = ranked(key, id);
    });
    __syncthreads();
    return shared_.count;
  }

  // Narrows the interval to the bin in which what lies above it (`before`) and in it comes to
  // `wanted`. Gives the number in that bin; -1 where there is not so much.
  template <typename Each>
  __device__ int narrow(const Each& each, bool by_weight, Integer wanted, Interval& interval,
                        Integer& before) {
    const std::uint32_t range = interval.high - interval.low;
    const int shift = max(0, 32 - kBinBits - __clz(static_cast<int>(range)));
    const int bin = static_cast<int>(threadIdx.x);
    shared_.counts[bin] = 0;
    shared_.weights[bin] = 0;
    if (bin == 0) shared_.bin = -1;
    __syncthreads();
    each([&](float logit, int, bool counts) {
      const std::uint32_t key = key_of(logit);
      const bool mine = counts && key >= interval.low && key <= interval.high;
      const std::uint32_t into = (interval.high - key) >> shift;
      if (by_weight) {
        add_weights(mine, into, logit);
      } else if (mine) {
        atomicAdd(&shared_.counts[into], 1U);
      }
    });
    __syncthreads();
    const Integer amount = by_weight ? shared_.weights[bin] : shared_.counts[bin];
    const Scan<Integer> scan = scan_block<kPickWarps>(amount, shared_.integers);
    const Integer above = before + scan.before;
    if (above < wanted && wanted <= above + amount) {
      shared_.bin = bin;
      shared_.before = above;
    }
    __syncthreads();
    const int chosen = shared_.bin;
    if (chosen < 0) return -1;
    before = shared_.before;
    interval.high -= static_cast<std::uint32_t>(chosen) << shift;
    const std::uint32_t width = (1U << shift) - 1U;
    interval.low = interval.high - interval.low > width ? interval.high - width : interval.low;
    const int count = static_cast<int>(shared_.counts[chosen]);
    __syncthreads();
    return count;
  }

  // Of a warp's tokens, all lanes together. Those of the first one's bin are added up beforehand:
  // where the distribution is flat all would wait for one address.
  __device__ void add_weights(bool mine, std::uint32_t into, float logit) {
    const unsigned lanes = __ballot_sync(~0U, mine);
    if (lanes == 0) return;
    const int leader = __ffs(static_cast<int>(lanes)) - 1;
    const std::uint32_t first = __shfl_sync(~0U, into, leader);
    const bool alike = mine && into == first;
    const Integer own = mine ? units_of(logit) : 0;
    const Integer sum = warp_sum(alike ? own : Integer{0});
    const auto together = static_cast<std::uint32_t>(__popc(__ballot_sync(~0U, alike)));
    if (static_cast<int>(threadIdx.x) % 32 == leader) {
      atomicAdd(&shared_.counts[first], together);
      atomicAdd(&shared_.weights[first], sum);
    } else if (mine && !alike) {
      atomicAdd(&shared_.counts[into], 1U);
      atomicAdd(&shared_.weights[into], own);
    }
  }

  // `count` tokens of `sorted`, likeliest first: a bitonic network.
  __device__ void sort(int count) {
    int size = 2;
    while (size < count) size *= 2;
    for (int i = count + static_cast<int>(threadIdx.x); i < size; i += kPickThreads) {
      shared_.sorted[i] = 0;
    }
    __syncthreads();
    const int pair = static_cast<int>(threadIdx.x);
    const bool one_warp = size <= 64;
    for (int run = 2; run <= size; run *= 2) {
      for (int apart = run / 2; apart > 0; apart /= 2) {
        if (pair < size / 2) {
          const int low = 2 * pair - (pair & (apart - 1));
          const std::uint64_t a = shared_.sorted[low];
          const std::uint64_t b = shared_.sorted[low + apart];
          if ((a < b) == ((low & run) == 0)) {
            shared_.sorted[low] = b;
            shared_.sorted[low + apart] = a;
          }
        }
        if (one_warp) {
          __syncwarp();
        } else {
          __syncthreads();
        }
      }
    }
    __syncthreads();
  }

  // The cut among what is sorted, the first of which comes behind nothing.
  __device__ void cut_sorted(bool by_weight, Integer wanted) {
    const int first = 2 * static_cast<int>(threadIdx.x);
    const auto amount = [&](int i) -> Integer {
      if (i >= sorted_) return 0;
      return by_weight ? units_of(value_of_key(key_of_ranked(shared_.sorted[i]))) : 1;
    };
    const Integer a = amount(first);
    const Scan<Integer> scan = scan_block<kPickWarps>(a + amount(first + 1), shared_.integers);
    const int kept = __syncthreads_count(first < sorted_ && scan.before < wanted ? 1 : 0) +
                     __syncthreads_count(first + 1 < sorted_ && scan.before + a < wanted ? 1 : 0);
    cut_ = shared_.sorted[kept - 1];
    sorted_ = kept;
    __syncthreads();
  }

  // The cut where more tokens are equal than can be sorted: as many of them as make up what is
  // `missing` belong to it.
  __device__ void cut_ties(bool by_weight, Integer missing, std::uint32_t key) {
    if (by_weight) {
      const Integer each = max(units_of(value_of_key(key)), Integer{1});
      missing = (missing + each - 1) / each;
    }
    const auto amount = [&](float logit, int id) {
      const std::uint32_t own = key_of(logit);
      return own == key && passes(own, id) ? 1.0 : 0.0;
    };
    cut_ = ranked(key, select(amount, false, static_cast<double>(missing) - 0.5));
  }

  // The token with which amount(logit, id), summed in the order of ids, passes `target` (relative:
  // its share of the total); the last of any amount where rounding keeps it from it; -1: none.
  template <typename Amount>
  __device__ int select(const Amount& amount, bool relative, double target) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int warp = static_cast<int>(threadIdx.x) / 32;
    int begin = 0;
    int end = live_;
    do {
      const int length = end - begin;
      const int first = begin + length * warp / kPickWarps;
      const int last = begin + length * (warp + 1) / kPickWarps;
      double sum = 0.0;
      walk(first, last, 1, [&](float logit, int id, bool is_one) {
        if (is_one) sum += amount(logit, id);
      });
      sum = warp_sum(sum);
      if (lane == 0) shared_.sums[warp] = sum;
      __syncthreads();
      if (relative) {
        double total = 0.0;
        for (int w = 0; w < kPickWarps; ++w) total += shared_.sums[w];
        target *= total;
        relative = false;
      }
      int part = -1;
      double before = 0.0;
      double passed = 0.0;
      for (int w = 0; w < kPickWarps && !(part >= 0 && passed > target); ++w) {
        if (!(shared_.sums[w] > 0.0)) continue;
        part = w;
        before = passed;
        passed += shared_.sums[w];
      }
      __syncthreads();
      if (part < 0) return -1;
      target -= before;
      end = begin + length * (part + 1) / kPickWarps;
      begin = begin + length * part / kPickWarps;
    } while (end - begin > 1);

    if (warp == 0) {
      double before = 0.0;
      int chosen = -1;
      int last = -1;
      walk(begin, begin + 1, 1, [&](float logit, int id, bool is_one) {
        const double own = is_one ? amount(logit, id) : 0.0;
        double sum = own;
#pragma unroll
        for (int offset = 1; offset < 32; offset *= 2) {
          const double other = __shfl_up_sync(~0U, sum, offset);
          if (lane >= offset) sum += other;
        }
        const unsigned any = __ballot_sync(~0U, own > 0.0);
        const unsigned passing = __ballot_sync(~0U, own > 0.0 && before + sum > target);
        if (any != 0) last = id - lane + 31 - __clz(static_cast<int>(any));
        if (chosen < 0 && passing != 0) chosen = id - lane + __ffs(static_cast<int>(passing)) - 1;
        before += __shfl_sync(~0U, sum, 31);
      });
      if (lane == 0) shared_.found = chosen >= 0 ? chosen : last;
    }
    __syncthreads();
    const int found = shared_.found;
    __syncthreads();
    return found;
  }

  FrontShared& shared_;
  const float* logits_;
  int vocabulary_;
  float largest_;
  float inverse_temperature_;
  std::uint32_t bound_ = 0;
  std::uint64_t cut_ = 0;  // ranked(): what is at least this belongs to the front
  int live_ = 0;
  int sorted_ = -1;  // >= 0: the whole front lies in `sorted`, in order
};

}  // namespace hangar::cuda
