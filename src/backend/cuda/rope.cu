#include <algorithm>
#include <stdexcept>

#include "backend/cuda/element_io.cuh"
#include "backend/cuda/rope.h"

namespace hangar::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kPairs = 8;  // a thread's, where vectors are used: two chunks of 8 elements

// q_heads of q are turned; kv_heads of k are turned and stored, of v stored.
struct Arguments {
  void* q;
  void* k;
  const void* v;
  std::int64_t q_stride;
  std::int64_t k_stride;
  std::int64_t v_stride;
  std::int32_t q_heads;
  std::int32_t kv_heads;
  std::int32_t head_dim;
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
  const T* from;
  T* back;                // nullptr: is not written back
  std::uint16_t* cached;  // the head's block
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

template <int kWidth>
__device__ inline void store_cached(const KvLayer& layer, std::uint16_t* block, std::int32_t slot,
                                    std::int32_t d, const float (&values)[kWidth]) {
  std::uint16_t* to = block + kv_element(layer.head_dim, slot, d);
  if (layer.type == KvType::kF16) {
    store<kWidth>(reinterpret_cast<__half*>(to), values);
  } else {
    store<kWidth>(reinterpret_cast<__nv_bfloat16*>(to), values);
  }
}

// Where a row's keys and values go in the cache.
struct Place {
  std::int64_t block = 0;
  std::int32_t slot = 0;
};

__device__ inline Place place_of(const Arguments& a, std::int64_t row, std::int32_t position) {
  const std::int32_t tokens = a.layer.block_tokens;
  const std::int32_t first = a.sequences[a.row_sequence[row]].first_block;
  return {a.block_tables[first + position / tokens], position % tokens};
}

// Heads are numbered: q's, k's, v's.
template <typename T>
__device__ inline Head<T> head_of(const Arguments& a, std::int64_t row, std::int32_t head,
                                  const Place& place) {
  if (head < a.q_heads) {
    T* q = static_cast<T*>(a.q) + row * a.q_stride + head * a.head_dim;
    return {q, q, nullptr};
  }
  const std::int32_t kv_head = head - a.q_heads;
  const bool is_key = kv_head < a.kv_heads;
  const std::int32_t index = is_key ? kv_head : kv_head - a.kv_heads;
  const std::int64_t at = place.block * a.layer.block_stride() + index * a.layer.head_stride();
  if (is_key) {
    T* k = static_cast<T*>(a.k) + row * a.k_stride + index * a.head_dim;
    return {k, k, static_cast<std::uint16_t*>(a.layer.keys) + at};
  }
  return {static_cast<const T*>(a.v) + row * a.v_stride + index * a.head_dim, nullptr,
          static_cast<std::uint16_t*>(a.layer.values) + at};
}

// One thread for each 16 elements of a head; it goes through heads that are `blockDim / pieces`
// apart, and turns all of them by the same angles. Block y of the grid has part of a row's heads.
template <typename T>
__global__ void __launch_bounds__(kThreads) rope_vectors(const __grid_constant__ Arguments a) {
  const std::int64_t row = blockIdx.x;
  const std::int32_t pieces = a.head_dim / (2 * kPairs);
  const std::int32_t piece = threadIdx.x % pieces;
  const std::int32_t heads_at_once = blockDim.x / pieces;
  const std::int32_t heads = a.q_heads + 2 * a.kv_heads;
  const std::int32_t first_head = blockIdx.y * heads_at_once + threadIdx.x / pieces;
  const std::int32_t turned_heads = a.q_heads + a.kv_heads;
  const bool turned = kPairs * piece < a.angles.pairs;

  std::int32_t at[2] = {2 * kPairs * piece, 2 * kPairs * piece + kPairs};
  if (turned && !a.angles.interleaved) {
    at[0] = kPairs * piece;
    at[1] = at[0] + a.angles.pairs;
  }
  std::int32_t position = 0;
  if (a.positions != nullptr) position = a.positions[row];
  Place place;
  if (a.kv_heads > 0) place = place_of(a, row, position);
  float sine[kPairs];
  float cosine[kPairs];
  if (turned && first_head < turned_heads) {
#pragma unroll
    for (int i = 0; i < kPairs; ++i) {
      sine_and_cosine(a.angles, position, kPairs * piece + i, sine[i], cosine[i]);
    }
  }
  begin_reading();

  for (std::int32_t head = first_head; head < heads; head += heads_at_once * gridDim.y) {
    const Head<T> h = head_of<T>(a, row, head, place);
    const bool turns = turned && head < turned_heads;
    if (!turns && h.cached == nullptr) continue;
    float low[kPairs];
    float high[kPairs];
    load<kPairs>(h.from + at[0], low);
    load<kPairs>(h.from + at[1], high);
    if (turns) {
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
    if (h.cached != nullptr) {
      store_cached<kPairs>(a.layer, h.cached, place.slot, at[0], low);
      store_cached<kPairs>(a.layer, h.cached, place.slot, at[1], high);
    }
  }
}

// Any size: one thread for each pair of a head, and each element that is in none.
template <typename T>
__global__ void __launch_bounds__(kThreads) rope_elements(const __grid_constant__ Arguments a) {
  const std::int64_t row = blockIdx.x;
  const std::int32_t pairs = a.angles.pairs;
  const std::int32_t pieces = a.head_dim - pairs;
  const std::int32_t heads = a.q_heads + 2 * a.kv_heads;
  std::int32_t position = 0;
  if (a.positions != nullptr) position = a.positions[row];
  Place place;
  if (a.kv_heads > 0) place = place_of(a, row, position);
  begin_reading();
  for (std::int32_t i = blockIdx.y * kThreads + threadIdx.x; i < heads * pieces;
       i += kThreads * gridDim.y) {
    const std::int32_t head = i / pieces;
    const std::int32_t piece = i % pieces;
    const Head<T> h = head_of<T>(a, row, head, place);
    if (piece >= pairs) {  // beside the pairs
      if (h.cached == nullptr) continue;
      const float value[1] = {to_float(h.from[piece + pairs])};
      store_cached<1>(a.layer, h.cached, place.slot, piece + pairs, value);
      continue;
    }
    const std::int32_t at0 = a.angles.interleaved ? 2 * piece : piece;
    const std::int32_t at1 = a.angles.interleaved ? 2 * piece + 1 : piece + pairs;
    float low[1] = {to_float(h.from[at0])};
    float high[1] = {to_float(h.from[at1])};
    if (head < a.q_heads + a.kv_heads) {
      float sine = 0.0F;
      float cosine = 0.0F;
      sine_and_cosine(a.angles, position, piece, sine, cosine);
      turn(low[0], high[0], sine, cosine);
      store<1>(h.back + at0, low);
      store<1>(h.back + at1, high);
    }
    if (h.cached != nullptr) {
      store_cached<1>(a.layer, h.cached, place.slot, at0, low);
      store_cached<1>(a.layer, h.cached, place.slot, at1, high);
    }
  }
}

template <typename T>
void launch_rope(const Launch& launch, std::int64_t rows, bool vectors, const Arguments& a) {
  const std::int64_t heads = a.q_heads + 2 * std::int64_t{a.kv_heads};
  // Few rows: their heads are shared out, so that every thread has one.
  const bool share_out = rows < 2 * std::int64_t{launch.processors};
  const auto parts = [&](std::int64_t wanted) {
    return static_cast<unsigned>(share_out ? std::clamp<std::int64_t>(wanted, 1, 1024) : 1);
  };
  const auto x = static_cast<unsigned>(rows);
  if (vectors) {
    const int pieces = a.head_dim / (2 * kPairs);
    const int heads_at_once = kThreads / pieces;
    launch_kernel(launch, rope_vectors<T>,
                  dim3(x, parts((heads + heads_at_once - 1) / heads_at_once)),
                  dim3(static_cast<unsigned>(pieces * heads_at_once)), 0, a);
  } else {
    const std::int64_t pieces = heads * (a.head_dim - a.angles.pairs);
    launch_kernel(launch, rope_elements<T>, dim3(x, parts((pieces + kThreads - 1) / kThreads)),
                  dim3(kThreads), 0, a);
  }
}

void run(const Launch& launch, std::initializer_list<Activation> operands, const Arguments& a) {
  const std::int64_t rows = operands.begin()->rows;
  const DType type = operands.begin()->dtype;
  if (rows == 0) return;
  bool vectors = a.head_dim % (2 * kPairs) == 0 && a.angles.pairs % kPairs == 0 &&
                 a.head_dim / (2 * kPairs) <= kThreads &&
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
