#include <algorithm>
#include <bit>
#include <stdexcept>

#include "backend/cuda/e4m3.cuh"
#include "backend/cuda/element_io.cuh"
#include "backend/cuda/rope.h"

namespace hangar::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kWarps = kThreads / 32;
constexpr int kMostThreads = 384;  // where there are many rows: all heads of a row at once
constexpr int kPairs = 8;          // a thread's, where vectors are used: two chunks of 8 elements
constexpr int kMostPairs = 128;    // of a head, where vectors are used
constexpr int kManyRows = 4;       // of a block, where there are many

// q_heads of q are turned; kv_heads of k are turned and stored, of v stored.
struct Arguments {
  void* q;
  void* k;
  void* v;  // not written
  std::int64_t q_stride;
  std::int64_t k_stride;
  std::int64_t v_stride;
  std::int32_t q_heads;
  std::int32_t kv_heads;
  std::int32_t head_dim;
  std::int32_t head_threads;  // of rope_vectors, side by side
  bool few;                   // rows: one to a block
  std::int64_t rows;
  const std::int32_t* positions;
  RopeAngles angles;
  KvLayer layer;
  const std::int32_t* row_sequence;
  const RaggedBatch::Sequence* sequences;
  const std::int32_t* block_tables;
};

// Where one row's head is, and where it goes: to the cache as well, unless cached is nullptr.
template <typename T>
struct Head {
  const T* from = nullptr;
  T* back = nullptr;            // nullptr: is not written back
  std::byte* cached = nullptr;  // the head's block
};

// Whole turns are taken off in double: sinf's own way of large angles is slow and needs a stack.
__device__ inline void sine_and_cosine(const RopeAngles& angles, std::int32_t position,
                                       std::int32_t pair, float& sine, float& cosine) {
  const float angle = static_cast<float>(position) * __ldg(angles.inverse_frequency + pair);
  constexpr double kTurnsPerRadian = 0.15915494309189533577;
  const double turns = static_cast<double>(angle) * kTurnsPerRadian;
  sincospif(static_cast<float>(2.0 * (turns - rint(turns))), &sine, &cosine);
  sine *= angles.magnitude;
  cosine *= angles.magnitude;
}

__device__ inline void turn(float& a, float& b, float sine, float cosine) {
  const float first = a * cosine - b * sine;
  b = a * sine + b * cosine;
  a = first;
}

// Magnitudes compare as their bits do, and what is not finite comes last.
__device__ inline std::uint32_t magnitude(float x) {
  return __float_as_uint(x) & 0x7FFFFFFFU;
}

// Of a head's row in FP8, as KvType says.
struct RowScale {
  float scale = 1.0F;
  float inverse = 1.0F;

  RowScale() = default;
  __device__ explicit RowScale(std::uint32_t largest) {
    constexpr std::uint32_t kInfinity = 0x7F800000U;
    constexpr std::uint32_t kNan = 0x7FC00000U;
    scale = fmaxf(__uint_as_float(largest) / kFloat8E4m3Largest, kFp8LeastScale);
    if (largest >= kInfinity) scale = __uint_as_float(kNan);
    inverse = 1.0F / scale;
  }
};

template <int kWidth>
__device__ inline void store_cached(const KvLayer& layer, const RowScale& row, std::byte* block,
                                    std::int32_t slot, std::int32_t d,
                                    const float (&values)[kWidth]) {
  if (layer.type == KvType::kFp8) {
    std::byte* to = block + fp8_element(layer.head_dim, slot, d);
    if constexpr (kWidth == 1) {
      *to = static_cast<std::byte>(floats_to_e4m3(values[0] * row.inverse, 0.0F) & 0xFFU);
    } else {
      static_assert(kWidth == 8);
      std::uint32_t pairs[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        pairs[i] = floats_to_e4m3(values[2 * i] * row.inverse, values[2 * i + 1] * row.inverse);
      }
      *reinterpret_cast<uint2*>(to) =
          make_uint2(pairs[0] | (pairs[1] << 16U), pairs[2] | (pairs[3] << 16U));
    }
    return;
  }
  auto* to = reinterpret_cast<std::uint16_t*>(block) + kv_element(layer.head_dim, slot, d);
  if (layer.type == KvType::kF16) {
    store<kWidth>(reinterpret_cast<__half*>(to), values);
  } else {
    store<kWidth>(reinterpret_cast<__nv_bfloat16*>(to), values);
  }
}
__device__ inline void store_scale(const KvLayer& layer, const RowScale& row, std::byte* block,
                                   std::int32_t slot) {
  *reinterpret_cast<float*>(block + fp8_scale(layer.head_dim, slot)) = row.scale;
}

// Where a row's keys and values go in the cache.
struct Place {
  std::int64_t block;
  std::int32_t slot;
};

__device__ inline Place place_of(const Arguments& a, std::int64_t row, std::int32_t position) {
  const std::int32_t tokens = a.layer.block_tokens;
  const std::int32_t first = a.sequences[a.row_sequence[row]].first_block;
  return {a.block_tables[first + position / tokens], position % tokens};
}

// Heads are numbered: q's, k's, v's.
template <typename T>
__device__ inline T* source_of(const Arguments& a, std::int64_t row, std::int32_t head) {
  const std::int32_t key = head - a.q_heads;
  if (key < 0) return static_cast<T*>(a.q) + row * a.q_stride + head * a.head_dim;
  const std::int32_t value = key - a.kv_heads;
  if (value < 0) return static_cast<T*>(a.k) + row * a.k_stride + key * a.head_dim;
  return static_cast<T*>(a.v) + row * a.v_stride + value * a.head_dim;
}

template <typename T>
__device__ inline Head<T> head_of(const Arguments& a, std::int64_t row, std::int32_t head,
                                  const Place& place) {
  T* from = source_of<T>(a, row, head);
  const std::int32_t kv_head = head - a.q_heads;
  if (kv_head < 0) return {from, from, nullptr};
  const bool is_key = kv_head < a.kv_heads;
  const std::int32_t index = is_key ? kv_head : kv_head - a.kv_heads;
  const std::int64_t at = (place.block * a.layer.block_stride() + index * a.layer.head_stride()) *
                          a.layer.element_bytes();
  if (is_key) return {from, from, static_cast<std::byte*>(a.layer.keys) + at};
  return {from, nullptr, static_cast<std::byte*>(a.layer.values) + at};
}

// One thread for each 16 elements of a head; it goes through heads that are as far apart as a block
// has heads at once, of one row or several. Angles and places are worked out once in a block. Block
// y of the grid has part of a row's heads. In FP8 a head's threads are a power of 2, so that they
// are of one warp.
template <typename T>
__global__ void __launch_bounds__(kMostThreads, 3)
    rope_vectors(const __grid_constant__ Arguments a) {
  __shared__ __align__(16) float sines[kManyRows][kMostPairs];
  __shared__ __align__(16) float cosines[kManyRows][kMostPairs];
  __shared__ Place places[kManyRows];
  const int rows_of_block = a.few ? 1 : kManyRows;
  const std::int64_t first_row = static_cast<std::int64_t>(blockIdx.x) * rows_of_block;
  const int rows = static_cast<int>(min(std::int64_t{rows_of_block}, a.rows - first_row));
  const std::int32_t piece = threadIdx.x % a.head_threads;
  const bool idle = 2 * kPairs * piece >= a.head_dim;
  const std::int32_t heads_at_once = blockDim.x / a.head_threads;
  const std::int32_t heads = a.q_heads + 2 * a.kv_heads;
  const std::int32_t block_head = blockIdx.y * heads_at_once;
  const std::int32_t first_head = block_head + threadIdx.x / a.head_threads;
  const std::int32_t turned_heads = a.q_heads + a.kv_heads;
  const bool turned = kPairs * piece < a.angles.pairs;
  const bool fp8 = a.kv_heads > 0 && a.layer.type == KvType::kFp8;

  std::int32_t at[2] = {2 * kPairs * piece, 2 * kPairs * piece + kPairs};
  if (turned && !a.angles.interleaved) {
    at[0] = kPairs * piece;
    at[1] = at[0] + a.angles.pairs;
  }
  const auto find_places_and_angles = [&] {
    const auto thread = static_cast<std::int32_t>(threadIdx.x);
    const auto position_of = [&](int r) {
      return a.positions != nullptr ? a.positions[first_row + r] : 0;
    };
    if (thread < rows && a.kv_heads > 0) {
      places[thread] = place_of(a, first_row + thread, position_of(thread));
    }
    if (block_head >= turned_heads) return;
    for (std::int32_t i = thread; i < rows * a.angles.pairs;
         i += static_cast<std::int32_t>(blockDim.x)) {
      const std::int32_t r = i / a.angles.pairs;
      const std::int32_t pair = i % a.angles.pairs;
      sine_and_cosine(a.angles, position_of(r), pair, sines[r][pair], cosines[r][pair]);
    }
  };
  // Few rows: while the kernel before still runs. Many: while what is to be turned comes.
  if (a.few) find_places_and_angles();
  begin_reading();

  RawElements<T, kPairs> raw[2];
  const auto bring = [&](int r, std::int32_t head) {
    if (r >= rows || head >= heads || idle) return;
    const T* from = source_of<T>(a, first_row + r, head);
    raw[0].load(from + at[0]);
    raw[1].load(from + at[1]);
  };
  bring(0, first_head);
  if (!a.few) find_places_and_angles();
  __syncthreads();
  const std::int32_t step = heads_at_once * gridDim.y;
  int r = 0;
  std::int32_t done = 0;
  while (r < rows) {  // all of the block together
    const std::int32_t head = first_head + done;
    const std::int64_t row = first_row + r;
    const int now = r;
    const Place place = places[r];
    done += step;
    if (block_head + done >= heads) {
      done = 0;
      ++r;
    }
    Head<T> h;
    if (head < heads && !idle) h = head_of<T>(a, row, head, place);
    const bool turns = h.from != nullptr && turned && head < turned_heads;
    float low[kPairs] = {};
    float high[kPairs] = {};
    if (turns || h.cached != nullptr) {
#pragma unroll
      for (int i = 0; i < kPairs; ++i) {
        low[i] = raw[0][i];
        high[i] = raw[1][i];
      }
    }
    bring(r, first_head + done);
    if (turns) {
      float sine[kPairs];
      float cosine[kPairs];
      load<kPairs>(sines[now] + kPairs * piece, sine);
      load<kPairs>(cosines[now] + kPairs * piece, cosine);
      if (a.angles.interleaved) {
#pragma unroll
        for (int i = 0; i < kPairs / 2; ++i) {
          turn(low[2 * i], low[2 * i + 1], sine[i], cosine[i]);
          turn(high[2 * i], high[2 * i + 1], sine[kPairs / 2 + i], cosine[kPairs / 2 + i]);
        }
      } else {
#pragma unroll
        for (int i = 0; i < kPairs; ++i) turn(low[i], high[i], sine[i], cosine[i]);
      }
      store<kPairs>(h.back + at[0], low);
      store<kPairs>(h.back + at[1], high);
    }
    RowScale scale;
    if (fp8) {
      std::uint32_t largest = 0;
#pragma unroll
      for (int i = 0; i < kPairs; ++i) {
        largest = max(largest, max(magnitude(low[i]), magnitude(high[i])));
      }
      for (int apart = a.head_threads / 2; apart > 0; apart /= 2) {
        largest = max(largest, __shfl_xor_sync(0xFFFFFFFFU, largest, apart));
      }
      scale = RowScale(largest);
      if (h.cached != nullptr && piece == 0) store_scale(a.layer, scale, h.cached, place.slot);
    }
    if (h.cached != nullptr) {
      store_cached<kPairs>(a.layer, scale, h.cached, place.slot, at[0], low);
      store_cached<kPairs>(a.layer, scale, h.cached, place.slot, at[1], high);
    }
  }
}

// A pair of a head, or two elements beside the pairs; the second may not be there.
struct Piece {
  std::int32_t at[2];
  float values[2] = {0.0F, 0.0F};
  bool turns;
  bool second;
};

template <typename T>
__device__ inline Piece piece_of(const Arguments& a, const Head<T>& h, bool turned,
                                 std::int32_t position, std::int32_t i) {
  const std::int32_t pairs = a.angles.pairs;
  Piece piece;
  piece.turns = turned && i < pairs;
  if (i >= pairs) {
    piece.at[0] = 2 * i;
    piece.at[1] = 2 * i + 1;
  } else {
    piece.at[0] = a.angles.interleaved ? 2 * i : i;
    piece.at[1] = a.angles.interleaved ? 2 * i + 1 : i + pairs;
  }
  piece.second = piece.at[1] < a.head_dim;
  piece.values[0] = to_float(h.from[piece.at[0]]);
  if (piece.second) piece.values[1] = to_float(h.from[piece.at[1]]);
  if (piece.turns) {
    float sine = 0.0F;
    float cosine = 0.0F;
    sine_and_cosine(a.angles, position, i, sine, cosine);
    turn(piece.values[0], piece.values[1], sine, cosine);
  }
  return piece;
}

// Any size: a warp for each head, a lane for two elements at a time.
template <typename T>
__global__ void __launch_bounds__(kThreads) rope_elements(const __grid_constant__ Arguments a) {
  const std::int64_t row = blockIdx.x;
  const std::int32_t pieces = (a.head_dim + 1) / 2;
  const std::int32_t heads = a.q_heads + 2 * a.kv_heads;
  const int lane = threadIdx.x % 32;
  std::int32_t position = 0;
  if (a.positions != nullptr) position = a.positions[row];
  Place place{};
  if (a.kv_heads > 0) place = place_of(a, row, position);
  begin_reading();
  for (std::int32_t head = blockIdx.y * kWarps + threadIdx.x / 32; head < heads;
       head += kWarps * gridDim.y) {
    const Head<T> h = head_of<T>(a, row, head, place);
    const bool turned = head < a.q_heads + a.kv_heads;
    RowScale scale;
    if (h.cached != nullptr && a.layer.type == KvType::kFp8) {
      std::uint32_t largest = 0;
      for (std::int32_t i = lane; i < pieces; i += 32) {
        const Piece piece = piece_of(a, h, turned, position, i);
        largest = max(largest, max(magnitude(piece.values[0]), magnitude(piece.values[1])));
      }
      scale = RowScale(__reduce_max_sync(0xFFFFFFFFU, largest));
      if (lane == 0) store_scale(a.layer, scale, h.cached, place.slot);
    }
    for (std::int32_t i = lane; i < pieces; i += 32) {
      const Piece piece = piece_of(a, h, turned, position, i);
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        if (j == 1 && !piece.second) continue;
        const float value[1] = {piece.values[j]};
        if (piece.turns) store<1>(h.back + piece.at[j], value);
        if (h.cached != nullptr) {
          store_cached<1>(a.layer, scale, h.cached, place.slot, piece.at[j], value);
        }
      }
    }
  }
}

template <typename T>
void launch_rope(const Launch& launch, std::int64_t rows, bool vectors, Arguments a) {
  const std::int64_t heads = a.q_heads + 2 * std::int64_t{a.kv_heads};
  // Few rows: their heads are shared out, so that every thread has one. Up to so many, blocks of
  // several rows leave processors idle for longer than they save.
  constexpr std::int64_t kFewOfProcessor = 8;
  a.rows = rows;
  a.few = rows <= kFewOfProcessor * launch.processors;
  std::int64_t heads_at_once = kWarps;
  if (vectors) {
    const std::int64_t of_warp = 32 % a.head_threads == 0 ? 32 / a.head_threads : 1;
    heads_at_once =
        std::clamp<std::int64_t>((a.few ? kThreads : kMostThreads) / a.head_threads, 1,
                                 (heads + of_warp - 1) / of_warp * of_warp);  // FP8: whole warps
  }
  const auto threads =
      static_cast<unsigned>(vectors ? heads_at_once * a.head_threads : kWarps * 32);
  const std::int64_t parts = a.few ? (heads + heads_at_once - 1) / heads_at_once : 1;
  const std::int64_t rows_of_block = vectors && !a.few ? kManyRows : 1;
  const dim3 grid(static_cast<unsigned>((rows + rows_of_block - 1) / rows_of_block),
                  static_cast<unsigned>(std::clamp<std::int64_t>(parts, 1, 1024)));
  launch_kernel(launch, vectors ? rope_vectors<T> : rope_elements<T>, grid, dim3(threads), 0, a);
}

void run(const Launch& launch, std::initializer_list<Activation> operands, Arguments a) {
  const std::int64_t rows = operands.begin()->rows;
  const DType type = operands.begin()->dtype;
  if (rows == 0) return;
  const bool fp8 = a.kv_heads > 0 && a.layer.type == KvType::kFp8;
  const auto pieces = static_cast<std::uint32_t>(a.head_dim / (2 * kPairs));
  a.head_threads = static_cast<std::int32_t>(fp8 ? std::bit_ceil(pieces) : pieces);
  bool vectors = a.head_dim % (2 * kPairs) == 0 && a.angles.pairs % kPairs == 0 &&
                 a.head_threads <= (fp8 ? 32 : kThreads) && a.angles.pairs <= kMostPairs &&
                 reinterpret_cast<std::uintptr_t>(a.layer.keys) % 16 == 0 &&
                 reinterpret_cast<std::uintptr_t>(a.layer.values) % 16 == 0;
  for (const Activation& x : operands) {
    vectors = vectors && wide(x, x.columns);
    if (x.dtype != type) throw std::invalid_argument("rope: operands of several types");
  }
  with_type(type, [&](auto element) {
    using T = typename decltype(element)::Type;
    if constexpr (std::is_same_v<T, float>) {
      throw std::invalid_argument("rope: no kernel for float32 activations");
    } else {
      launch_rope<T>(launch, rows, vectors, a);
    }
  });
}

void add_batch(Arguments& a, Activation k, Activation v, const KvLayer& layer,
               const DeviceBatch& batch) {
  a.k = k.data;
  a.v = v.data;
  a.k_stride = k.row_stride();
  a.v_stride = v.row_stride();
  a.kv_heads = layer.kv_heads;
  a.head_dim = layer.head_dim;
  a.positions = batch.positions;
  a.layer = layer;
  a.row_sequence = batch.row_sequence;
  a.sequences = batch.sequences;
  a.block_tables = batch.block_tables;
}

}  // namespace

void rope(const Launch& launch, Activation x, std::int32_t head_dim, const std::int32_t* positions,
          const RopeAngles& angles) {
  Arguments a{};
  a.q = x.data;
  a.q_stride = x.row_stride();
  a.q_heads = static_cast<std::int32_t>(x.columns / head_dim);
  a.head_dim = head_dim;
  a.positions = positions;
  a.angles = angles;
  run(launch, {x}, a);
}

void rope_write_kv(const Launch& launch, Activation q, Activation k, Activation v,
                   const RopeAngles& angles, const KvLayer& layer, const DeviceBatch& batch) {
  Arguments a{};
  a.q = q.data;
  a.q_stride = q.row_stride();
  a.q_heads = static_cast<std::int32_t>(q.columns / layer.head_dim);
  a.angles = angles;
  add_batch(a, k, v, layer, batch);
  run(launch, {q, k, v}, a);
}

void write_kv(const Launch& launch, Activation k, Activation v, const KvLayer& layer,
              const DeviceBatch& batch) {
  Arguments a{};
  add_batch(a, k, v, layer, batch);
  run(launch, {k, v}, a);
}

}  // namespace hangar::cuda
