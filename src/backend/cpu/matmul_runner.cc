#include "backend/cpu/matmul_runner.h"

#include <algorithm>
#include <cstdlib>

#include "backend/checks.h"
#include "backend/cpu/amx_dense_matmul.h"
#include "backend/cpu/amx_int_matmul.h"
#include "backend/cpu/bf16_dot_matmul.h"
#include "backend/cpu/dense_matmul.h"
#include "backend/cpu/instruction_set.h"
#include "backend/cpu/int_matmul.h"

namespace hangar::cpu {
namespace {

// Rows of x that pass by the weights together: their quantized form fits a second-level cache.
constexpr std::int64_t kRowBlock = 256;
// Multiply-adds that are worth handing to another thread: about a microsecond of them. Larger
// pieces would be too few to be even: a decode step has products of 36 panels.
constexpr std::int64_t kWorthwhile = 1 << 16;
// About a nanosecond for each element of x: a few rows are quicker done than shared.
constexpr std::int64_t kRowElements = 1 << 14;

// Rows of a block from which on AMX multiplies integers; the bits are the same. What a step of the
// default model gains over VNNI (Sapphire Rapids): 512 rows 15% on one thread, 7% on 4, and lose 3%
// on 16, where blocks were smaller; 16 rows lose 12 to 25%.
constexpr std::int64_t kAmxRows = 128;

const CpuWeight& as_cpu(const Weight* weight) {
  return static_cast<const CpuWeight&>(*weight);
}

bool is_bf16(const CpuWeight& weight) {
  return weight.dense && weight.dense->dtype == DType::kBF16;
}

bool same_order(const InputOrder* a, const InputOrder* b) {
  return a == b || (a != nullptr && b != nullptr && *a == *b);
}

}  // namespace

Status MatmulRunner::reserve(std::int64_t rows, std::int64_t columns) {
  HANGAR_CHECK_OK(coarse_.reserve(rows, columns));
  HANGAR_CHECK_OK(fine_.reserve(rows, columns));
  HANGAR_CHECK_OK(coarse_tiles_.reserve(rows, columns));
  HANGAR_CHECK_OK(fine_tiles_.reserve(rows, columns));
  HANGAR_CHECK_OK(rounded_.reserve(rows, columns));
  HANGAR_TRY(const std::size_t bytes, activation_bytes(rows, columns));
  if (bytes <= reordered_.size_bytes()) return {};
  HANGAR_TRY(reordered_, HostMemory::allocate(bytes, "reordered activations"));
  return {};
}

void MatmulRunner::run_panels(const CpuWeight& weight, std::int64_t first_panel,
                              std::int64_t end_panel, Activation y, const Inputs& inputs,
                              std::int64_t first_row, std::int64_t end_row, bool add,
                              TileScope& tiles) {
  const Extension extension = extension_in_use();
  if (weight.panels) {
    const IntPanels& w = *weight.panels;
    const bool amx = inputs.coarse_tiles.rows > 0 && end_row - first_row >= kAmxRows;
    if (amx) tiles.use(amx_int_layout(w));
    const auto run = [&](std::int64_t p, const QuantizedRows& x, const AmxRows& x_tiles,
                         bool accumulate) {
      const std::int64_t end = std::min(p + 2, end_panel);
      const IntProduct product{w, p, end, x, first_row, end_row, y.f32(), y.columns, accumulate};
      amx ? amx_int_matmul(product, x_tiles) : int_matmul(product);
    };
    // Two panels at a time: the second plane finds them in the first-level cache.
    for (std::int64_t p = first_panel; p < end_panel; p += 2) {
      run(p, inputs.coarse, inputs.coarse_tiles, add);
      if (weight.fine_inputs) run(p, inputs.fine, inputs.fine_tiles, true);
    }
    return;
  }
  if (!weight.dense) {
    vector_matmul(weight.vector(), weight.columns, inputs.floats.f32(), first_row, end_row, y.f32(),
                  y.columns);
    return;
  }
  const DensePanels& w = *weight.dense;
  if (is_bf16(weight) && extension == Extension::kAmx) {
    tiles.use(TileLayout::kBf16);
    amx_dense_matmul(w, first_panel, end_panel, inputs.rounded, weight.fine_inputs, first_row,
                     end_row, y.f32(), y.columns);
  } else if (is_bf16(weight) && extension == Extension::kAvxBf16 && !weight.fine_inputs) {
    bf16_dot_matmul(w, first_panel, end_panel, inputs.rounded, first_row, end_row, y.f32(),
                    y.columns);
  } else {
    dense_matmul(w, first_panel, end_panel, inputs.floats.f32(), first_row, end_row, y.f32(),
                 y.columns);
  }
}

MatmulRunner::Wanted MatmulRunner::wanted_by(std::span<const Weight* const> weights) {
  Wanted wanted;
  const Extension extension = extension_in_use();
  for (const Weight* weight : weights) {
    const CpuWeight& w = as_cpu(weight);
    wanted.integers = wanted.integers || w.panels;
    wanted.fine_integers = wanted.fine_integers || (w.panels && w.fine_inputs);
    if (!is_bf16(w)) continue;
    // Two planes by AVX512-BF16 are no faster than floats, which are exact.
    const bool amx = extension == Extension::kAmx;
    wanted.bf16 = wanted.bf16 || amx || (extension == Extension::kAvxBf16 && !w.fine_inputs);
    wanted.fine_bf16 = wanted.fine_bf16 || (amx && w.fine_inputs);
  }
  return wanted;
}

MatmulRunner::Inputs MatmulRunner::prepare(const MatmulCall& call, Wanted wanted,
                                           ThreadPool& pool) {
  const Activation x = call.x;
  Inputs inputs;
  inputs.floats = x;
  if (wanted.integers) inputs.coarse = coarse_.view(x.rows, x.columns);
  if (wanted.fine_integers) inputs.fine = fine_.view(x.rows, x.columns);
  if (wanted.integers && extension_in_use() == Extension::kAmx && x.rows >= kAmxRows) {
    inputs.coarse_tiles = coarse_tiles_.view(x.rows, x.columns);
    inputs.fine_tiles = fine_tiles_.view(x.rows, x.columns);
  }
  if (wanted.bf16) inputs.rounded = rounded_.view(x.rows, x.columns);
  if (!wanted.integers && !wanted.bf16 && call.make_row == nullptr) return inputs;
  const auto body = [&](std::int64_t begin, std::int64_t end, int /*worker*/) {
    for (std::int64_t r = begin; r < end; ++r) {
      if (call.make_row != nullptr) (*call.make_row)(r);
      const float* row = x.row(r).data();
      const bool in_tile = r < inputs.coarse_tiles.rows;
      if (wanted.integers) quantize_row(inputs.coarse, r, row, nullptr);
      if (wanted.integers && in_tile) pack_amx_row(inputs.coarse_tiles, inputs.coarse, r);
      if (wanted.fine_integers) quantize_row(inputs.fine, r, row, &inputs.coarse);
      if (wanted.fine_integers && in_tile) pack_amx_row(inputs.fine_tiles, inputs.fine, r);
      if (wanted.bf16) round_bf16_row(inputs.rounded, r, row, wanted.fine_bf16);
    }
  };
  pool.parallel_for(x.rows, kRowElements / x.columns + 1, body);
  return inputs;
}

Activation MatmulRunner::reorder(const MatmulCall& call, const InputOrder& order,
                                 ThreadPool& pool) {
  const Activation x = call.x;
  const Activation to{reordered_.data(), x.rows, x.columns, x.dtype};
  const auto body = [&](std::int64_t begin, std::int64_t end, int /*worker*/) {
    for (std::int64_t r = begin; r < end; ++r) {
      if (call.make_row != nullptr) (*call.make_row)(r);
      const float* from = x.row(r).data();
      float* row = to.row(r).data();
      for (const std::int32_t input : order) *row++ = from[input];
    }
  };
  pool.parallel_for(x.rows, kRowElements / x.columns + 1, body);
  return to;
}

void MatmulRunner::run(const MatmulCall& call, ThreadPool& pool) {
  if (call.x.rows == 0) return;
  // Only for an x that allocate() did not make.
  if (!reserve(call.x.rows, call.x.columns)) std::abort();
  MatmulCall left = call;
  while (!left.weights.empty()) {
    const InputOrder* order = as_cpu(left.weights[0]).input_order.get();
    std::size_t same = 1;
    while (same < left.weights.size() &&
           same_order(order, as_cpu(left.weights[same]).input_order.get())) {
      ++same;
    }
    MatmulCall part = left;
    part.ys = left.ys.first(same);
    part.weights = left.weights.first(same);
    left.ys = left.ys.subspan(same);
    left.weights = left.weights.subspan(same);
    // The first part makes the rows for all.
    left.make_row = nullptr;
    if (order != nullptr) {
      part.x = reorder(part, *order, pool);
      part.make_row = nullptr;
    }
    run_in_order(part, pool);
  }
}

void MatmulRunner::run_in_order(const MatmulCall& call, ThreadPool& pool) {
  const Activation x = call.x;
  const std::span<const Weight* const> weights = call.weights;
  std::int64_t panels = 0;
  for (const Weight* weight : weights) panels += as_cpu(weight).output_panels();
  const Inputs inputs = prepare(call, wanted_by(weights), pool);

  // Enough row blocks for every thread to have a few pieces, each of whole tiles of 16 rows.
  const std::int64_t wanted = (4 * pool.threads() + panels - 1) / panels;
  const std::int64_t share = (x.rows + wanted - 1) / wanted;
  const std::int64_t row_block = std::clamp<std::int64_t>(
      (share + kTileRows - 1) / kTileRows * kTileRows, kTileRows, kRowBlock);
  const std::int64_t row_blocks = (x.rows + row_block - 1) / row_block;

  const auto body = [&](std::int64_t begin, std::int64_t end, int /*worker*/) {
    TileScope tiles;
    for (std::int64_t item = begin; item < end;) {
      const std::int64_t first_row = item / panels * row_block;
      std::int64_t panel = item % panels;
      std::size_t i = 0;
      while (panel >= as_cpu(weights[i]).output_panels()) {
        panel -= as_cpu(weights[i]).output_panels();
        ++i;
      }
      // As many of this weight's panels as are left, at once.
      const std::int64_t end_panel =
          std::min(panel + end - item, as_cpu(weights[i]).output_panels());
      run_panels(as_cpu(weights[i]), panel, end_panel, call.ys[i], inputs, first_row,
                 std::min(x.rows, first_row + row_block), call.add, tiles);
      item += end_panel - panel;
    }
  };
  const std::int64_t item_work = std::min(row_block, x.rows) * kPanelRows * x.columns;
  // Pieces of even numbers of panels: int_matmul takes two at once.
  pool.parallel_for(row_blocks * panels, (kWorthwhile / item_work + 2) / 2 * 2, body);
}

}  // namespace hangar::cpu
