#include "backend/cuda/element_io.cuh"
#include "backend/cuda/elementwise.h"

namespace hangar::cuda {
namespace {

// Which row of the input an output's row is.
struct SameRow {
  __device__ std::int64_t operator()(std::int64_t r) const { return r; }
};
struct RowsOfList {
  const std::int32_t* rows;
  __device__ std::int64_t operator()(std::int64_t r) const { return rows[r]; }
};
struct RowsOfIds {
  const std::int32_t* ids;
  const std::int32_t* drawn;
  __device__ std::int64_t operator()(std::int64_t r) const {
    const std::int32_t id = ids[r];
    return id >= 0 ? id : drawn[-1 - id];
  }
};

template <int kWidth, typename Out, typename X, typename Place>
__global__ void copy_kernel(Rows<Out> out, Rows<X> x, int columns, Place place) {
  const std::int64_t column = column_of_thread(kWidth);
  begin_reading();
  if (column >= columns) return;
  float values[kWidth];
  load<kWidth>(x.row(place(blockIdx.x)) + column, values);
  store<kWidth>(out.row(blockIdx.x) + column, values);
}

template <typename Place>
void copy_rows(const Launch& launch, const Activation& out, const Activation& x, Place place) {
  if (out.rows == 0 || out.columns == 0) return;
  with_types(out.dtype, x.dtype, [&](auto out_type, auto x_type) {
    with_width(wide(out, out.columns) && wide(x, out.columns), [&](auto width) {
      using Out = typename decltype(out_type)::Type;
      using X = typename decltype(x_type)::Type;
      constexpr int kWidth = decltype(width)::value;
      const RowGrid threads(out.rows, out.columns, kWidth);
      launch_kernel(launch, copy_kernel<kWidth, Out, X, Place>, threads.grid, threads.block, 0,
                    Rows<Out>(out), Rows<X>(x), static_cast<int>(out.columns), place);
    });
  });
}

constexpr int kScatterThreads = 256;

// A block for some columns of one row of x. It goes through the list a window at a time: first the
// threads note who names this row, in order, then all add these up.
template <int kWidth, typename X, typename Y>
__global__ void __launch_bounds__(kScatterThreads)
    scatter_kernel(Rows<X> x, Rows<Y> y, int columns, const std::int32_t* rows,
                   const float* weights, int count) {
  __shared__ std::int32_t named[kScatterThreads];
  __shared__ int named_by_warp[kScatterThreads / 32];
  const std::int64_t column = column_of_thread(kWidth);
  const auto row = static_cast<std::int32_t>(blockIdx.x);
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int warps = static_cast<int>(blockDim.x) / 32;
  begin_reading();
  float sum[kWidth];
  bool changed = false;
  for (int begin = 0; begin < count; begin += static_cast<int>(blockDim.x)) {
    const int i = begin + static_cast<int>(threadIdx.x);
    const bool mine = i < count && rows[i] == row;
    const unsigned lanes = __ballot_sync(~0U, mine);
    if (threadIdx.x % 32 == 0) named_by_warp[warp] = __popc(lanes);
    __syncthreads();
    int place = __popc(lanes & ((1U << (threadIdx.x % 32)) - 1U));
    int found = 0;
    for (int w = 0; w < warps; ++w) {
      if (w < warp) place += named_by_warp[w];
      found += named_by_warp[w];
    }
    if (mine) named[place] = i;
    __syncthreads();
    if (column < columns) {
      if (found > 0 && !changed) {
        changed = true;
        load<kWidth>(x.row(row) + column, sum);
      }
      for (int n = 0; n < found; ++n) {
        float values[kWidth];
        load<kWidth>(y.row(named[n]) + column, values);
        const float weight = weights[named[n]];
#pragma unroll
        for (int e = 0; e < kWidth; ++e) sum[e] += weight * values[e];
      }
    }
  }
  if (changed) store<kWidth>(x.row(row) + column, sum);
}

}  // namespace

void embed(const Launch& launch, Activation out, Activation table, const std::int32_t* ids,
           const std::int32_t* drawn) {
  copy_rows(launch, out, table, RowsOfIds{ids, drawn});
}

void copy(const Launch& launch, Activation out, Activation x) {
  copy_rows(launch, out, x, SameRow{});
}

void gather_rows(const Launch& launch, Activation out, Activation x, const std::int32_t* rows) {
  copy_rows(launch, out, x, RowsOfList{rows});
}

void scatter_add_rows(const Launch& launch, Activation x, Activation y, const std::int32_t* rows,
                      const float* weights) {
  if (x.rows == 0 || x.columns == 0 || y.rows == 0) return;
  with_full_or_same(x.dtype, y.dtype, [&](auto x_type, auto y_type) {
    with_width(wide(x, x.columns) && wide(y, x.columns), [&](auto width) {
      using X = typename decltype(x_type)::Type;
      using Y = typename decltype(y_type)::Type;
      constexpr int kWidth = decltype(width)::value;
      const RowGrid threads(x.rows, x.columns, kWidth);
      launch_kernel(launch, scatter_kernel<kWidth, X, Y>, threads.grid, threads.block, 0,
                    Rows<X>(x), Rows<Y>(y), static_cast<int>(x.columns), rows, weights,
                    static_cast<int>(y.rows));
    });
  });
}

}  // namespace hangar::cuda
