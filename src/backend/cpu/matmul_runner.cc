#include "backend/cpu/matmul_runner.h"

#include <algorithm>
#include <cstdlib>

#include "backend/checks.h"
#include "backend/cpu/int_matmul.h"

namespace hangar::cpu {
namespace {

// Rows of x that pass by the weights together: their quantized form fits a second-level cache.
constexpr std::int64_t kRowBlock = 256;
// Multiply-adds that are worth handing to another thread.
constexpr std::int64_t kWorthwhile = 1 << 18;
// About a nanosecond for each element of x: a few rows are quicker done than shared.
constexpr std::int64_t kRowElements = 1 << 14;

const CpuWeight& as_cpu(const Weight* weight) {
  return static_cast<const CpuWeight&>(*weight);
}

bool same_order(const InputOrder* a, const InputOrder* b) {
  return a == b || (a != nullptr && b != nullptr && *a == *b);
}

}  // namespace

Status MatmulRunner::reserve(std::int64_t rows, std::int64_t columns) {
  HANGAR_CHECK_OK(coarse_.reserve(rows, columns));
  HANGAR_CHECK_OK(fine_.reserve(rows, columns));
  HANGAR_TRY(const std::size_t bytes, activation_bytes(rows, columns));
  if (bytes <= reordered_.size_bytes()) return {};
  HANGAR_TRY(reordered_, HostMemory::allocate(bytes, "reordered activations"));
  return {};
}

void MatmulRunner::run_panel(const CpuWeight& weight, std::int64_t panel, Activation y,
                             Activation x, const Planes& planes, std::int64_t first_row,
                             std::int64_t end_row) {
  if (weight.panels) {
    // The second plane finds the panel in the first-level cache.
    int_matmul_panel(*weight.panels, panel, planes.coarse, first_row, end_row, y.f32(), y.columns,
                     false);
    if (!weight.fine_inputs) return;
    int_matmul_panel(*weight.panels, panel, planes.fine, first_row, end_row, y.f32(), y.columns,
                     true);
    return;
  }
  const std::int64_t output = panel * kPanelRows;
  dense_matmul(weight.dense, output, std::min(weight.rows, output + kPanelRows), x.f32(), first_row,
               end_row, y.f32(), y.columns);
}

MatmulRunner::Planes MatmulRunner::quantize(Activation x, bool fine, ThreadPool& pool) {
  Planes planes;
  planes.coarse = coarse_.view(x.rows, x.columns);
  if (fine) planes.fine = fine_.view(x.rows, x.columns);
  const auto body = [&](std::int64_t begin, std::int64_t end, int /*worker*/) {
    for (std::int64_t r = begin; r < end; ++r) {
      quantize_row(planes.coarse, r, x.row(r).data(), nullptr);
      if (fine) quantize_row(planes.fine, r, x.row(r).data(), &planes.coarse);
    }
  };
  pool.parallel_for(x.rows, kRowElements / x.columns + 1, body);
  return planes;
}

Activation MatmulRunner::reorder(Activation x, const InputOrder& order, ThreadPool& pool) {
  const Activation to{reordered_.data(), x.rows, x.columns, x.dtype};
  const auto body = [&](std::int64_t begin, std::int64_t end, int /*worker*/) {
    for (std::int64_t r = begin; r < end; ++r) {
      const float* from = x.row(r).data();
      float* row = to.row(r).data();
      for (const std::int32_t input : order) *row++ = from[input];
    }
  };
  pool.parallel_for(x.rows, kRowElements / x.columns + 1, body);
  return to;
}

void MatmulRunner::run(std::span<const Activation> ys, Activation x,
                       std::span<const Weight* const> weights, ThreadPool& pool) {
  if (x.rows == 0) return;
  // Only for an x that allocate() did not make.
  if (!reserve(x.rows, x.columns)) std::abort();
  while (!weights.empty()) {
    const InputOrder* order = as_cpu(weights[0]).input_order.get();
    std::size_t same = 1;
    while (same < weights.size() && same_order(order, as_cpu(weights[same]).input_order.get())) {
      ++same;
    }
    const Activation ordered = order == nullptr ? x : reorder(x, *order, pool);
    run_in_order(ys.first(same), ordered, weights.first(same), pool);
    ys = ys.subspan(same);
    weights = weights.subspan(same);
  }
}

void MatmulRunner::run_in_order(std::span<const Activation> ys, Activation x,
                                std::span<const Weight* const> weights, ThreadPool& pool) {
  std::int64_t panels = 0;
  bool integers = false;
  bool fine = false;
  for (const Weight* weight : weights) {
    panels += as_cpu(weight).output_panels();
    integers = integers || as_cpu(weight).panels.has_value();
    fine = fine || (as_cpu(weight).panels && as_cpu(weight).fine_inputs);
  }
  const Planes planes = integers ? quantize(x, fine, pool) : Planes{};

  // Enough row blocks for every thread to have a few pieces, each of whole tiles of 8 rows.
  const std::int64_t wanted = (4 * pool.threads() + panels - 1) / panels;
  const std::int64_t share = (x.rows + wanted - 1) / wanted;
  const std::int64_t row_block = std::clamp<std::int64_t>((share + 7) / 8 * 8, 8, kRowBlock);
  const std::int64_t row_blocks = (x.rows + row_block - 1) / row_block;

  const auto body = [&](std::int64_t begin, std::int64_t end, int /*worker*/) {
    for (std::int64_t item = begin; item < end; ++item) {
      const std::int64_t first_row = item / panels * row_block;
      std::int64_t panel = item % panels;
      std::size_t i = 0;
      while (panel >= as_cpu(weights[i]).output_panels()) {
        panel -= as_cpu(weights[i]).output_panels();
        ++i;
      }
      run_panel(as_cpu(weights[i]), panel, ys[i], x, planes, first_row,
                std::min(x.rows, first_row + row_block));
    }
  };
  const std::int64_t item_work = std::min(row_block, x.rows) * kPanelRows * x.columns;
  pool.parallel_for(row_blocks * panels, kWorthwhile / item_work + 1, body);
}

}  // namespace hangar::cpu
