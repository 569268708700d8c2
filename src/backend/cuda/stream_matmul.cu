// The ring: few rows times weights that stream through shared memory. stream_matmul.h says how.
#include "backend/cuda/stream_matmul.h"

#include <algorithm>

#include "backend/cuda/stream_matmul_inputs.cuh"
#include "backend/cuda/stream_matmul_ring.cuh"

namespace hangar::cuda {
namespace stream {
namespace {

constexpr int kThreads = kConsumers + 32;  // the last warp fills the ring
constexpr int kMostSlots = 6;

// Blocks of two kernels on one multiprocessor: half of its 228 KiB, less what each block costs.
constexpr int kHalfSharedBytes = 113 * 1024;
constexpr int kMostSharedBytes = 227 * 1024;

// How a block's shared memory is laid out and in which order it works: groups of tiles; of each
// group all columns, in chunks of what the input rows' place holds; of each chunk every tile.
struct Plan {
  int slots = 0;
  int chunk = 0;        // columns of the input held at once: all, or a multiple of the slots'
  int row_bytes = 0;    // of the input
  int group_tiles = 0;  // of W
  // Where things begin; the ring is at 0.
  int input = 0;
  int partials = 0;  // two of [warps][rows][16]: what each warp summed
  int sums = 0;      // [group_tiles][rows][16], where there is more than one chunk
  int parts = 0;     // for norms: a float a warp
  int factors = 0;   // a float a row
  int barriers = 0;  // full[slots], empty[slots]
  int bytes = 0;
};

constexpr int kMostGroupTiles = 16;

int round_up(int value, int to) {
  return (value + to - 1) / to * to;
}

Plan lay_out(int rows, int columns, int tiles, int slots, int chunk, int slot_bytes) {
  Plan plan;
  const bool whole = chunk >= columns;
  plan.slots = slots;
  plan.chunk = chunk;
  plan.row_bytes = rows == 1 ? 2 * chunk : round_up(2 * chunk, 128) + 64;
  plan.group_tiles = whole ? tiles : std::min(tiles, kMostGroupTiles);
  int at = slots * slot_bytes;
  const auto take = [&](int bytes) {
    const int begin = at;
    at = round_up(at + bytes, 16);
    return begin;
  };
  plan.input = take(rows * plan.row_bytes);
  const int tile_bytes = rows * kTileRows * static_cast<int>(sizeof(float));
  plan.partials = take(2 * kConsumerWarps * tile_bytes);
  plan.sums = take(whole ? 0 : plan.group_tiles * tile_bytes);
  plan.parts = take(kConsumerWarps * static_cast<int>(sizeof(float)));
  plan.factors = take(static_cast<int>(kMostStreamRows * sizeof(float)));
  plan.barriers = take(2 * slots * 8);
  plan.bytes = at;
  return plan;
}

// The fewest chunks, of about the same size, that fit.
Plan lay_out_in(int rows, int columns, int tiles, int slots, int limit, int slot_bytes,
                int slot_columns) {
  for (int chunks = 1;; ++chunks) {
    const int even = round_up((columns + chunks - 1) / chunks, slot_columns);
    const int chunk = std::min(even, round_up(columns, 8));
    const Plan plan = lay_out(rows, columns, tiles, slots, chunk, slot_bytes);
    if (plan.bytes <= limit || even <= slot_columns) return plan;
  }
}

// Two kernels on a multiprocessor if that leaves the input enough room; else all of it for one.
template <typename Reader>
Plan make_plan(const StreamProduct& product, int blocks) {
  constexpr int kLeastChunk = 2048;  // columns: each costs a barrier and a sum
  const int rows = static_cast<int>(product.rows);
  const int columns = static_cast<int>(product.columns);
  const int share = static_cast<int>((product.outputs + blocks - 1) / blocks);
  const int tiles = (share + kTileRows - 1) / kTileRows;
  const auto in = [&](int slots, int limit) {
    return lay_out_in(rows, columns, tiles, slots, limit, Reader::kSlotBytes, Reader::kColumns);
  };
  for (const int slots : {5, 4}) {
    const Plan plan = in(slots, kHalfSharedBytes);
    const bool fits = plan.bytes <= kHalfSharedBytes;
    if (fits && (plan.chunk >= columns || (slots == 4 && plan.chunk >= kLeastChunk))) return plan;
  }
  return in(kMostSlots, kMostSharedBytes);
}

template <typename Reader>
__device__ void produce(const StreamProduct& product, const Plan& plan, const Share& share,
                        std::uint32_t ring, const Barriers& barriers) {
  const std::uint64_t policy = read_once_policy();
  const int columns = static_cast<int>(product.columns);
  Turn turn;
  for (int group = 0; group < share.tiles; group += plan.group_tiles) {
    const int group_end = min(group + plan.group_tiles, share.tiles);
    for (int begin = 0; begin < columns; begin += plan.chunk) {
      const int end = min(begin + plan.chunk, columns);
      for (int tile = group; tile < group_end; ++tile) {
        const int rows = min(kTileRows, share.rows - tile * kTileRows);
        for (int column = begin; column < end; column += Reader::kColumns) {
          wait(barriers.empty(turn.slot), turn.parity ^ 1U);
          Reader::fetch(product, share.first + tile * kTileRows, rows, column,
                        min(Reader::kColumns, end - column),
                        ring + static_cast<std::uint32_t>(turn.slot * Reader::kSlotBytes),
                        barriers.full(turn.slot), policy);
          turn.next(plan.slots);
        }
      }
    }
  }
}

// Adds up what the warps have of one tile and puts it where it belongs. `first`, `last`: of the
// chunks of columns.
template <typename T>
class TileSums {
 public:
  __device__ TileSums(const StreamProduct& product, float* partials, float* sums)
      : product_(product),
        partials_(partials),
        sums_(sums),
        rows_(static_cast<int>(product.rows)),
        thread_(static_cast<int>(threadIdx.x)),
        adds_(thread_ < rows_ * kTileRows),
        row_(thread_ / kTileRows),
        output_(thread_ % kTileRows) {}

  // Before the tile's products: what they are added to is on its way meanwhile.
  __device__ void begin(std::int64_t first_output, int outputs, bool last) {
    puts_ = adds_ && last && output_ < outputs;
    at_ = first_output + output_;
    old_ = puts_ ? old_value(product_, row_, at_) : 0.0F;
  }

  __device__ void end(const float (&sums)[4], int tile_of_group, bool first, bool last) {
    const int warp = thread_ / 32;
    const int lane = thread_ % 32;
    float* partial = partials_ + second_ * kConsumerWarps * rows_ * kTileRows;
    second_ ^= 1;  // the next tile's go elsewhere: one barrier for each tile is enough
    float* at = partial + (warp * rows_ + 2 * (lane % 4)) * kTileRows + lane / 4;
    if (2 * (lane % 4) < rows_) {
      at[0] = sums[0];
      at[8] = sums[2];
    }
    if (2 * (lane % 4) + 1 < rows_) {
      at[kTileRows] = sums[1];
      at[kTileRows + 8] = sums[3];
    }
    consumer_barrier();
    if (!adds_) return;
    float sum = 0.0F;
#pragma unroll
    for (int i = 0; i < kConsumerWarps; ++i) sum += partial[i * rows_ * kTileRows + thread_];
    float* kept = sums_ + tile_of_group * rows_ * kTileRows + thread_;
    if (!first) sum += *kept;
    if (!last) {
      *kept = sum;
    } else if (puts_) {
      put<T>(product_, row_, at_, sum, old_);
    }
  }

 private:
  const StreamProduct& product_;
  float* partials_;
  float* sums_;
  int rows_;
  int thread_;
  bool adds_;  // this thread has a sum of each tile: input row row_, the tile's output output_
  int row_;
  int output_;
  int second_ = 0;
  bool puts_ = false;
  std::int64_t at_ = 0;
  float old_ = 0.0F;
};

template <typename T>
__device__ void fill(const StreamProduct& product, const InputRows& to, int begin, int end,
                     const float* factors) {
  switch (product.input) {
    case StreamInput::kPlain:
      fill_rows<PlainInput<T>>(product, to, begin, end, factors);
      break;
    case StreamInput::kNorm:
      fill_rows<NormInput<T>>(product, to, begin, end, factors);
      break;
    case StreamInput::kGate:
      fill_rows<GateInput<T>>(product, to, begin, end, factors);
      break;
  }
}

template <typename Reader>
__device__ void consume(const StreamProduct& product, const Plan& plan, const Share& share,
                        std::byte* shared, const Barriers& barriers) {
  using T = typename Reader::Element;
  constexpr int kSteps = Reader::kColumns / (32 * kConsumerWarps);
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int columns = static_cast<int>(product.columns);
  const bool has_row = lane / 4 < static_cast<int>(product.rows);
  const InputRows input{shared + plan.input, plan.row_bytes};
  float* parts = reinterpret_cast<float*>(shared + plan.parts);
  float* factors = reinterpret_cast<float*>(shared + plan.factors);
  const bool one_normed_row = product.input == StreamInput::kNorm && product.rows == 1 &&
                              columns <= kKeptColumns && plan.chunk >= columns;
  if (product.input == StreamInput::kNorm && !one_normed_row) {
    norm_factors(product, parts, factors);
  }
  TileSums<T> tile_sums(product, reinterpret_cast<float*>(shared + plan.partials),
                        reinterpret_cast<float*>(shared + plan.sums));
  Turn turn;
  for (int group = 0; group < share.tiles; group += plan.group_tiles) {
    const int group_end = min(group + plan.group_tiles, share.tiles);
    for (int begin = 0; begin < columns; begin += plan.chunk) {
      const int end = min(begin + plan.chunk, columns);
      const bool last = end == columns;
      // The last tile's barrier is behind us: nobody reads the input that was there.
      if (one_normed_row) {
        if (group == 0) fill_normed_row<T>(product, input, parts);
      } else if (group == 0 || plan.chunk < columns) {
        fill<T>(product, input, begin, end, factors);
      }
      consumer_barrier();
      for (int tile = group; tile < group_end; ++tile) {
        tile_sums.begin(share.first + tile * kTileRows, share.rows - tile * kTileRows, last);
        float sums[2][4] = {};
        for (int column = begin; column < end; column += Reader::kColumns) {
          const std::byte* slot = shared + turn.slot * Reader::kSlotBytes;
          const int left = end - column;
          uint4 low[kSteps];
          uint4 high[kSteps];
          uint4 x[kSteps];
          wait(barriers.full(turn.slot), turn.parity);
#pragma unroll
          for (int i = 0; i < kSteps; ++i) {
            const int at = (warp * kSteps + i) * 32;
            const int mine = at + 8 * (lane % 4);
            low[i] = high[i] = x[i] = uint4{0U, 0U, 0U, 0U};
            if (mine < left) {
              Reader::low_high(slot, at, low[i], high[i]);
              if (has_row) {
                x[i] = *reinterpret_cast<const uint4*>(input.at(lane / 4, column - begin + mine));
              }
            }
          }
          __syncwarp();
          if (lane == 0) arrive(barriers.empty(turn.slot));
          turn.next(plan.slots);
#pragma unroll
          for (int i = 0; i < kSteps; ++i) multiply_16x8<T>(sums[i % 2], low[i], high[i], x[i]);
        }
#pragma unroll
        for (int i = 0; i < 4; ++i) sums[0][i] += sums[1][i];
        tile_sums.end(sums[0], tile - group, begin == 0, last);
      }
    }
  }
}

template <typename Reader>
__global__ void __launch_bounds__(kThreads, 2)
    ring_kernel(const __grid_constant__ StreamProduct product, const __grid_constant__ Plan plan) {
#if __CUDA_ARCH__ >= 900
  extern __shared__ __align__(128) std::byte shared[];
  const Barriers barriers{shared_address(shared + plan.barriers), plan.slots};
  if (threadIdx.x == 0) {
    for (int slot = 0; slot < plan.slots; ++slot) {
      init_barrier(barriers.full(slot), 1);
      init_barrier(barriers.empty(slot), kConsumerWarps);
    }
    publish_barriers();
  }
  __syncthreads();
  // At once: the next kernel's blocks come beside these and fill their rings.
  cudaTriggerProgrammaticLaunchCompletion();
  const Share share = share_of_block(product.outputs);
  if (threadIdx.x >= kConsumers) {
    produce<Reader>(product, plan, share, shared_address(shared), barriers);
  } else {
    if (product.input == StreamInput::kNorm) {
      // Constant as W is: on its way while the kernel before this one ends.
      for (int at = 32 * static_cast<int>(threadIdx.x); at < product.columns;
           at += 32 * kConsumers) {
        asm volatile(
            "prefetch.global.L2 [%0];" ::"l"(__cvta_generic_to_global(product.norm_weight + at)));
      }
    }
    cudaGridDependencySynchronize();
    consume<Reader>(product, plan, share, shared, barriers);
  }
#endif
}

template <typename Reader>
void launch_ring(const Launch& launch, const StreamProduct& product) {
  const auto blocks = static_cast<int>(std::min<std::int64_t>(launch.processors, product.outputs));
  const Plan plan = make_plan<Reader>(product, blocks);
  const auto kernel = ring_kernel<Reader>;
  HANGAR_CUDA(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kMostSharedBytes));
  // Room for a second block beside each, whoever it belongs to.
  HANGAR_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout,
                                   cudaSharedmemCarveoutMaxShared));
  launch_kernel(launch, kernel, dim3(static_cast<unsigned>(blocks)), dim3(kThreads),
                static_cast<std::size_t>(plan.bytes), product, plan);
}

bool aligned(const void* p, std::int64_t stride, std::int64_t element_bytes) {
  return reinterpret_cast<std::uintptr_t>(p) % 16 == 0 && stride * element_bytes % 16 == 0;
}

bool rows_are_aligned(const StreamProduct& product) {
  if (product.rows < 1 || product.rows > kMostStreamRows || product.outputs < 1) return false;
  if (product.weight_type != product.type || product.columns < 1) return false;
  if (product.columns > 1 << 24 || !aligned(product.weight, product.columns, 2)) return false;
  switch (product.input) {
    case StreamInput::kPlain:
      return aligned(product.x, product.x_stride, 2);
    case StreamInput::kNorm:
      return aligned(product.x, product.x_stride, 4) && aligned(product.norm_weight, 0, 4);
    case StreamInput::kGate:
      return product.gate != GateFunction::kGelu && aligned(product.x, product.x_stride, 2) &&
             aligned(product.up, product.up_stride, 2);
  }
  return false;
}

}  // namespace
}  // namespace stream

bool can_stream_ring(const Launch& launch, const StreamProduct& product) {
  return launch.hopper && stream::rows_are_aligned(product);
}

bool can_stream_direct(const StreamProduct& product) {
  return product.input == StreamInput::kPlain && stream::rows_are_aligned(product);
}

void stream_ring(const Launch& launch, const StreamProduct& product) {
  if (product.type == DType::kBF16) {
    stream::launch_ring<stream::DenseReader<__nv_bfloat16>>(launch, product);
  } else {
    stream::launch_ring<stream::DenseReader<__half>>(launch, product);
  }
}

}  // namespace hangar::cuda
