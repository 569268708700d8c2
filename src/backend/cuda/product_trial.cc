#include "backend/cuda/product_trial.h"

#include <algorithm>

#include "backend/cuda/fp8_direct.h"
#include "backend/cuda/int4_inputs.h"
#include "backend/cuda/quantize.h"
#include "backend/cuda/weights_fill.h"

namespace hangar::cuda {
namespace {

constexpr std::size_t round_up(std::size_t value, std::size_t to) {
  return (value + to - 1) / to * to;
}

std::size_t x_bytes(const Launch& launch, const Product& product) {
  if (product.int4) return int4_input_bytes(product.rows, product.columns);
  const DType type = is_fp8_direct(launch, product) ? product.type : product.x_type();
  return round_up(row_bytes(type, product.x_stride) * static_cast<std::size_t>(product.rows), 256);
}
// Of x, FP8; behind it.
std::size_t x_scale_bytes(const Launch& launch, const Product& product) {
  if (product.x_type() != DType::kF8E4M3 || is_fp8_direct(launch, product)) return 0;
  return round_up(sizeof(float) * static_cast<std::size_t>(product.rows), 256);
}

}  // namespace

std::size_t y_bytes(const Product& product) {
  return round_up(
      row_bytes(product.y_type(), product.y_stride) * static_cast<std::size_t>(product.rows), 256);
}

bool place(const Launch& launch, Product& product, std::int64_t rows, DeviceScratch scratch) {
  product.rows = rows;
  const std::size_t end = scratch.bytes / 256 * 256;
  const std::size_t scale_bytes = x_scale_bytes(launch, product);
  if (x_bytes(launch, product) + scale_bytes + y_bytes(product) > end) return false;
  product.x = scratch.data;
  if (product.int4) {
    const Int4Rows x = int4_rows_in(scratch.data, rows, product.columns);
    product.x_stride = x.stride;
    product.x_scales = x.scales;
    product.x_sums = x.sums;
  }
  if (scale_bytes > 0) {
    auto* scales =
        reinterpret_cast<float*>(static_cast<std::byte*>(scratch.data) + x_bytes(launch, product));
    fill_constant(scales, DType::kF32, rows, 1.0F, launch.stream);
    product.x_scales = scales;
  }
  product.y = static_cast<std::byte*>(scratch.data) + (end - y_bytes(product));
  return true;
}

void fill_inputs(const Launch& launch, const Product& product, std::int64_t rows,
                 DeviceScratch scratch) {
  if (product.int4) return;  // for each number of rows: fill_int4_inputs()
  const std::int64_t columns = product.columns;
  const bool eight_bits = product.x_type() == DType::kF8E4M3;
  // FP8 is made from numbers of 16 bits that lie behind it.
  const auto row = static_cast<std::int64_t>(row_bytes(product.type, columns)) +
                   (eight_bits ? columns + std::int64_t{sizeof(float)} : 0);
  rows = std::min(rows, (static_cast<std::int64_t>(scratch.bytes) - 512) / row);
  if (rows < 1) return;
  auto* numbers = static_cast<std::byte*>(scratch.data);
  if (eight_bits) numbers += round_up(static_cast<std::size_t>(rows * columns), 256);
  fill_random(numbers, product.type, rows * columns, 1, 1.0F, RandomNumbers::kNormal,
              launch.stream);
  if (!eight_bits) return;
  auto* scales = reinterpret_cast<float*>(
      numbers + round_up(row_bytes(product.type, columns) * static_cast<std::size_t>(rows), 256));
  quantize_rows(launch, {scratch.data, columns, scales},
                {numbers, rows, columns, product.type, columns});
}

void fill_direct_inputs(const Launch& launch, const Product& product, DeviceScratch scratch) {
  fill_random(scratch.data, product.type, product.rows * product.x_stride, 1, 1.0F,
              RandomNumbers::kNormal, launch.stream);
}

// From numbers that lie where y will be and before it, if not as they are.
void fill_int4_inputs(const Launch& launch, const Product& product, DeviceScratch scratch) {
  if (takes_int4_direct(launch, product.rows, product.columns)) {
    return fill_direct_inputs(launch, product, scratch);
  }
  const std::size_t bytes =
      row_bytes(product.type, product.columns) * static_cast<std::size_t>(product.rows);
  if (x_bytes(launch, product) + bytes + 256 > scratch.bytes) return;
  auto* numbers = static_cast<std::byte*>(scratch.data) + (scratch.bytes - bytes) / 256 * 256;
  const Activation x{numbers, product.rows, product.columns, product.type};
  fill_random(numbers, product.type, product.rows * product.columns, 1, 1.0F,
              RandomNumbers::kNormal, launch.stream);
  quantize_inputs(launch, scratch.data, x, int4_groups(*product.int4), {});
}

Product product_of(const ProductKey& key) {
  Product product;
  product.type = key.type;
  product.weight_type = key.weight_type;
  product.outputs = key.outputs;
  product.columns = key.columns;
  product.x_stride = key.columns;
  product.y_stride = static_cast<std::int64_t>(round_up(static_cast<std::size_t>(key.outputs), 8));
  product.output = key.add                     ? ProductOutput::kAdd
                   : key.y_type == DType::kF32 ? ProductOutput::kFull
                                               : ProductOutput::kWork;
  product.leaves_room = key.leaves_room;
  if (key.int4 > 0) product.int4 = static_cast<Int4Form>(key.int4 - 1);
  if (key.gated) product.gate = GateFunction::kSilu;  // which one does not matter to the time
  return product;
}

}  // namespace hangar::cuda
