#include "backend/cuda/mixture.h"

#include <algorithm>

#include "backend/cuda/experts.h"
#include "backend/cuda/mixture_product.cuh"

namespace hangar::cuda {
namespace mixture {
namespace {

constexpr std::size_t kAlign = 256;
// Of an expert, that are multiplied together: more where there are more.
int tiles_for(std::int64_t choices, std::int64_t experts) {
  return choices > 8 * kFewTiles * experts ? kMoreTiles : kFewTiles;
}

constexpr std::size_t aligned(std::size_t bytes) {
  return (bytes + kAlign - 1) / kAlign * kAlign;
}

// What lies in the room.
struct Room {
  std::int32_t* ids = nullptr;
  float* shares = nullptr;
  SortedChoices sorted;
  void* inner = nullptr;    // [choices, inner] of the work type
  void* product = nullptr;  // [choices, hidden]
  std::size_t bytes = 0;

  Room(void* memory, std::int64_t rows, const Mixture& mixture) {
    const auto choices = static_cast<std::size_t>(rows * mixture.used);
    const auto take = [&](std::size_t wanted) {
      void* const at = static_cast<std::byte*>(memory) + bytes;
      bytes += aligned(wanted);
      return at;
    };
    ids = static_cast<std::int32_t*>(take(choices * sizeof(std::int32_t)));
    shares = static_cast<float*>(take(choices * sizeof(float)));
    sorted.order = static_cast<std::int32_t*>(take(choices * sizeof(std::int32_t)));
    sorted.by_expert = static_cast<std::int32_t*>(take(choices * sizeof(std::int32_t)));
    sorted.tiles = static_cast<MixtureTile*>(take(choices * sizeof(MixtureTile)));
    sorted.tile_count = static_cast<std::int32_t*>(take(sizeof(std::int32_t)));
    inner = take(choices * static_cast<std::size_t>(mixture.inner) * 2);
    product = take(choices * static_cast<std::size_t>(mixture.hidden) * 2);
  }
};

void multiply(const Launch& launch, const ProductArguments& a, DType type, const Mixture& mixture,
              bool gated, int tiles, unsigned most) {
  if (mixture.int4) {
    return multiply_int4(launch, a, type, *mixture.int4, gated, tiles, most);
  }
  const bool codes = mixture.weight_type == DType::kF8E4M3;
  if (type == DType::kBF16) {
    using T = __nv_bfloat16;
    return codes ? launch_product<T, Fp8Strip<T>>(launch, a, gated, tiles, most)
                 : launch_product<T, DenseStrip<T>>(launch, a, gated, tiles, most);
  }
  codes ? launch_product<__half, Fp8Strip<__half>>(launch, a, gated, tiles, most)
        : launch_product<__half, DenseStrip<__half>>(launch, a, gated, tiles, most);
}

// x[row] += the row's products times their shares, in the order of their experts.
template <typename X, typename T>
__global__ void add_kernel(Rows<X> x, const T* products, const std::int32_t* by_expert,
                           const float* shares, int used, int columns) {
  begin_reading();
  const auto row = static_cast<std::int64_t>(blockIdx.x);
  const int column = static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x);
  if (column >= columns) return;
  X& at = x.row(row)[column];
  float sum = to_float(at);
  for (int i = 0; i < used; ++i) {
    const std::int64_t choice = by_expert[row * used + i];
    sum = to_float(
        from_float<X>(sum + shares[choice] * to_float(products[choice * columns + column])));
  }
  at = from_float<X>(sum);
}

void mix(const Launch& launch, Activation x, Activation normed, const Mixture& mixture,
         GateFunction function, const Room& room) {
  const std::int64_t choices = x.rows * mixture.used;
  const int tiles = tiles_for(choices, mixture.experts);
  const auto most = static_cast<unsigned>(most_tiles(choices, mixture.experts, 8 * tiles));
  ProductArguments a;
  a.w = mixture.gate;
  a.v = mixture.up;
  a.choices = room.sorted;
  a.x = normed.data;
  a.x_stride = normed.row_stride();
  a.choices_of_row = mixture.used;
  a.y = room.inner;
  a.outputs = static_cast<std::int32_t>(mixture.inner);
  a.columns = static_cast<std::int32_t>(mixture.hidden);
  a.gate = function;
  multiply(launch, a, normed.dtype, mixture, true, tiles, most);
  a.w = mixture.down;
  a.v = {};
  a.x = room.inner;
  a.x_stride = mixture.inner;
  a.choices_of_row = 1;
  a.y = room.product;
  a.outputs = static_cast<std::int32_t>(mixture.hidden);
  a.columns = static_cast<std::int32_t>(mixture.inner);
  multiply(launch, a, normed.dtype, mixture, false, tiles, most);
  with_full_or_same(x.dtype, normed.dtype, [&](auto x_type, auto type) {
    using X = typename decltype(x_type)::Type;
    using T = typename decltype(type)::Type;
    constexpr unsigned kThreads = 256;
    const auto columns = static_cast<unsigned>(x.columns);
    launch_kernel(launch, add_kernel<X, T>,
                  dim3(static_cast<unsigned>(x.rows), (columns + kThreads - 1) / kThreads),
                  dim3(kThreads), 0, Rows<X>(x), static_cast<const T*>(room.product),
                  room.sorted.by_expert, room.shares, mixture.used, static_cast<int>(x.columns));
  });
}

}  // namespace
}  // namespace mixture

bool mixes(DType work_type, const Mixture& mixture) {
  const bool codes = mixture.weight_type == DType::kF8E4M3;
  if (!mixture.int4 && !codes && mixture.weight_type != work_type) return false;
  const std::int64_t chunk = mixture.int4 ? kInt4Columns : codes ? 64 : 32;
  return mixture.experts >= 1 && mixture.experts <= kMostExperts && mixture.used >= 1 &&
         mixture.inner % chunk == 0 && mixture.hidden % chunk == 0;
}

std::size_t mixture_room_bytes(std::int64_t rows, const Mixture& mixture) {
  return mixture::Room(nullptr, rows, mixture).bytes;
}

void mix_experts(const Launch& launch, Activation x, Activation normed, Activation scores,
                 const Mixture& mixture, bool normalize, GateFunction function, void* memory) {
  if (x.rows == 0) return;
  const mixture::Room room(memory, x.rows, mixture);
  top_experts(launch, scores, mixture.used, normalize, room.ids, room.shares);
  const std::int64_t choices = x.rows * mixture.used;
  sort_choices(launch, room.sorted, room.ids, static_cast<std::int32_t>(x.rows), mixture.used,
               mixture.experts, 8 * mixture::tiles_for(choices, mixture.experts));
  mixture::mix(launch, x, normed, mixture, function, room);
}

}  // namespace hangar::cuda
