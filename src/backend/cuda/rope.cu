#include <algorithm>
#include <bit>
#include <stdexcept>

#include "backend/cuda/rope_elements.cuh"
#include "backend/cuda/rope_vectors.cuh"

namespace hangar::cuda {
namespace rotation {
namespace {

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
}  // namespace rotation

void rope(const Launch& launch, Activation x, std::int32_t head_dim, const std::int32_t* positions,
          const RopeAngles& angles) {
  rotation::Arguments a{};
  a.q = x.data;
  a.q_stride = x.row_stride();
  a.q_heads = static_cast<std::int32_t>(x.columns / head_dim);
  a.head_dim = head_dim;
  a.positions = positions;
  a.angles = angles;
  rotation::run(launch, {x}, a);
}

void rope_write_kv(const Launch& launch, Activation q, Activation k, Activation v,
                   const RopeAngles& angles, const KvLayer& layer, const DeviceBatch& batch) {
  rotation::Arguments a{};
  a.q = q.data;
  a.q_stride = q.row_stride();
  a.q_heads = static_cast<std::int32_t>(q.columns / layer.head_dim);
  a.angles = angles;
  rotation::add_batch(a, k, v, layer, batch);
  rotation::run(launch, {q, k, v}, a);
}

void write_kv(const Launch& launch, Activation k, Activation v, const KvLayer& layer,
              const DeviceBatch& batch) {
  rotation::Arguments a{};
  rotation::add_batch(a, k, v, layer, batch);
  rotation::run(launch, {k, v}, a);
}

}  // namespace hangar::cuda
