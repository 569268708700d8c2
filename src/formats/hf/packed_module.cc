#include "formats/hf/packed_module.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

namespace hangar::hf {
namespace {

// Rows that are filled together: their codes share words and cache lines of most formats.
constexpr std::int64_t kRowTile = 32;

bool has_whole_groups(const PackedModule& module) {
  if (module.columns % 32 != 0) return false;
  for (std::size_t c = 0; c < module.group_of.size(); c += 32) {
    const auto first = module.group_of.begin() + static_cast<std::ptrdiff_t>(c);
    if (!std::all_of(first, first + 32, [&](std::int32_t g) { return g == *first; })) return false;
  }
  return true;
}

// How many columns share a group, where that is one number all along.
std::int64_t even_group_columns(const std::vector<std::int32_t>& group_of) {
  const auto changes = std::ranges::adjacent_find(group_of, std::ranges::not_equal_to{});
  if (changes == group_of.end()) return std::ssize(group_of);
  const std::int64_t size = changes - group_of.begin() + 1;
  for (std::int64_t c = 0; c < std::ssize(group_of); ++c) {
    const auto first = static_cast<std::size_t>(c / size * size);
    if (group_of[static_cast<std::size_t>(c)] != group_of[first]) return 0;
  }
  return size;
}

// For column block b of 32 and rows [begin, end).
void fill_blocks(const PackedModule& module, std::int64_t b, std::int64_t begin, std::int64_t end,
                 DType dtype, std::uint8_t* out) {
  std::int64_t inputs[32];
  for (std::int64_t i = 0; i < 32; ++i) inputs[i] = module.input(b * 32 + i);
  const std::int64_t g = module.group_of[static_cast<std::size_t>(b * 32)];
  const std::size_t block_bytes = dtype_info(dtype).block_bytes;
  const std::size_t bytes_a_row = row_bytes(dtype, module.columns);
  for (std::int64_t r = begin; r < end; ++r) {
    std::uint8_t* block =
        out + static_cast<std::size_t>(r) * bytes_a_row + static_cast<std::size_t>(b) * block_bytes;
    std::uint8_t q[32];
    module.codes(r, inputs, q);
    store_group32(block, module.group(r, g));
    if (dtype == DType::kInt4G32) {
      store_int4_codes(block, q);
    } else {
      store_int8_codes(block, q);
    }
  }
}

void fill_floats(const PackedModule& module, std::int64_t row, float* out) {
  for (std::int64_t c = 0; c < module.columns; ++c) {
    const Group32 group = module.group(row, module.group_of[static_cast<std::size_t>(c)]);
    const std::int64_t input = module.input(c);
    std::uint8_t q = 0;
    module.codes(row, std::span(&input, 1), &q);
    out[input] = group.scale * (static_cast<float>(q) - static_cast<float>(group.zero));
  }
}

}  // namespace

void PackedModule::group_in_order(std::int64_t size) {
  group_of.resize(static_cast<std::size_t>(columns));
  for (std::int64_t c = 0; c < columns; ++c) {
    group_of[static_cast<std::size_t>(c)] = static_cast<std::int32_t>(c / size);
  }
}

void PackedModule::group_by_index(const std::vector<std::int32_t>& group_of_input) {
  group_of = group_of_input;
  if (std::ranges::is_sorted(group_of)) return;
  std::vector<std::int32_t> order(group_of.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, {}, [&](std::int32_t input) {
    return std::pair(group_of_input[static_cast<std::size_t>(input)], input);
  });
  for (std::size_t j = 0; j < order.size(); ++j) {
    group_of[j] = group_of_input[static_cast<std::size_t>(order[j])];
  }
  input_order = std::make_shared<const std::vector<std::int32_t>>(std::move(order));
}

TensorView canonical_view(const PackedModule& module) {
  TensorView view;
  view.name = module.name;
  view.shape = {module.rows, module.columns};
  if (has_whole_groups(module)) {
    view.dtype = module.bits == 4 ? DType::kInt4G32 : DType::kInt8G32;
    view.input_order = module.input_order;
    view.group_columns = even_group_columns(module.group_of);
  } else {
    view.dtype = DType::kF32;
  }
  return view;
}

TensorView read_canonical(const PackedModule& module) {
  TensorView view = canonical_view(module);
  const std::size_t bytes_a_row = row_bytes(view.dtype, module.columns);
  auto bytes =
      std::make_shared<std::vector<std::byte>>(bytes_a_row * static_cast<std::size_t>(module.rows));
  for (std::int64_t begin = 0; begin < module.rows; begin += kRowTile) {
    const std::int64_t end = std::min(module.rows, begin + kRowTile);
    if (view.dtype == DType::kF32) {
      auto* floats = reinterpret_cast<float*>(bytes->data());
      for (std::int64_t r = begin; r < end; ++r) {
        fill_floats(module, r, floats + r * module.columns);
      }
      continue;
    }
    for (std::int64_t b = 0; b < module.columns / 32; ++b) {
      fill_blocks(module, b, begin, end, view.dtype,
                  reinterpret_cast<std::uint8_t*>(bytes->data()));
    }
  }
  view.data = *bytes;
  view.owner = std::move(bytes);
  return view;
}

}  // namespace hangar::hf
