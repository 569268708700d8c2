#include "backend/cpu/prepared_panels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <list>
#include <map>
#include <numeric>
#include <random>
#include <string>

#include "backend/registry.h"

namespace hangar::cpu {
namespace {

// Prepared weights in memory.
class Shelf final : public PreparedSink, public PreparedWeights {
 public:
  struct Item {
    std::string form;
    HostMemory memory;
  };

  Status add(const PreparedId& id, std::string_view form,
             std::span<const std::byte> data) override {
    HANGAR_TRY(HostMemory memory, HostMemory::allocate(data.size(), "a section"));
    std::memcpy(memory.data(), data.data(), data.size());
    items_.emplace(key(id), Item{std::string(form), std::move(memory)});
    return {};
  }
  std::optional<PreparedSection> find(const PreparedId& id) const override {
    const auto it = items_.find(key(id));
    if (it == items_.end()) return std::nullopt;
    const HostMemory& memory = it->second.memory;
    return PreparedSection{it->second.form, {memory.data(), memory.size_bytes()}, nullptr};
  }
  std::map<std::string, Item>& items() { return items_; }

 private:
  static std::string key(const PreparedId& id) {
    return fmt::format("{} {} {} {}", id.name, id.first_row, id.rows, id.columns);
  }
  std::map<std::string, Item> items_;
};

class PreparedPanelsTest : public ::testing::Test {
 protected:
  TensorView view(DType dtype, std::int64_t rows = 37, std::int64_t columns = 512) {
    TensorView w;
    w.name = "blk.0.x";
    w.dtype = dtype;
    w.shape = {rows, columns};
    auto& bytes = bytes_.emplace_back(row_bytes(dtype, columns) * static_cast<std::size_t>(rows));
    // Small and finite in every type.
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random_() % 60);
    w.data = bytes;
    return w;
  }
  static std::vector<float> rows_of(const CpuWeight& weight) {
    std::vector<float> all(static_cast<std::size_t>(weight.rows * weight.columns));
    for (std::int64_t r = 0; r < weight.rows; ++r) {
      weight.read_row(r, all.data() + r * weight.columns);
    }
    return all;
  }
  static std::span<const std::byte> memory_of(const CpuWeight& weight) {
    const HostMemory& memory = weight.dense ? weight.dense->memory : weight.panels->memory;
    return {memory.data(), memory.size_bytes()};
  }

  std::mt19937 random_{7};
  std::list<std::vector<std::byte>> bytes_;
  ThreadPool pool_{2};
  Shelf shelf_;
};

TEST_F(PreparedPanelsTest, EveryTypeComesBackAsItWas) {
  int types = 0;
  for (int number = 0; number <= static_cast<int>(DType::kF8E4M3); ++number) {
    const auto dtype = static_cast<DType>(number);
    if (!can_pack_int_panels(dtype) && !can_pack_dense_panels(dtype)) continue;
    ++types;
    SCOPED_TRACE(dtype_name(dtype));
    const TensorView w = view(dtype);
    const auto packed = load_cpu_weight(w, pool_).value();
    Shelf shelf;
    ASSERT_TRUE(save_panels(prepared_id(w), *packed, shelf));
    TensorView listed = w;
    listed.data = {};  // as formats list what they make only when read
    const auto restored = restore_panels(listed, shelf);
    ASSERT_NE(restored, nullptr);
    EXPECT_EQ(restored->rows, packed->rows);
    EXPECT_EQ(restored->columns, packed->columns);
    EXPECT_EQ(restored->form, packed->form);
    EXPECT_EQ(restored->memory_bytes, packed->memory_bytes);
    ASSERT_EQ(memory_of(*restored).size(), memory_of(*packed).size());
    EXPECT_EQ(std::memcmp(memory_of(*restored).data(), memory_of(*packed).data(),
                          memory_of(*packed).size()),
              0);
    if (packed->panels) {
      EXPECT_EQ(restored->panels->offsets_at, packed->panels->offsets_at);
      EXPECT_EQ(restored->panels->values_at, packed->panels->values_at);
      EXPECT_EQ(restored->panels->panel_bytes, packed->panels->panel_bytes);
    } else {
      EXPECT_EQ(restored->dense->panel_bytes, packed->dense->panel_bytes);
      EXPECT_EQ(restored->dense->dtype, packed->dense->dtype);
    }
    packed->view.data = {};
    EXPECT_EQ(rows_of(*restored), rows_of(*packed));
  }
  EXPECT_GE(types, 16);
}

TEST_F(PreparedPanelsTest, AnOrderOfColumnsComesBackToo) {
  TensorView w = view(DType::kInt4G32);
  InputOrder order(static_cast<std::size_t>(w.columns()));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::shuffle(order, random_);
  w.input_order = std::make_shared<const InputOrder>(order);
  const auto packed = load_cpu_weight(w, pool_).value();
  ASSERT_TRUE(save_panels(prepared_id(w), *packed, shelf_));
  TensorView listed = w;
  listed.data = {};
  listed.input_order = nullptr;
  const auto restored = restore_panels(listed, shelf_);
  ASSERT_NE(restored, nullptr);
  ASSERT_NE(restored->input_order, nullptr);
  EXPECT_EQ(*restored->input_order, order);
  // One that is no permutation is not used.
  for (auto& [key, item] : shelf_.items()) {
    if (item.form == "order") std::memset(item.memory.data(), 0, item.memory.size_bytes());
  }
  EXPECT_EQ(restore_panels(listed, shelf_), nullptr);
}

TEST_F(PreparedPanelsTest, PartsOfATensorAreKeptApart) {
  const TensorView w = view(DType::kQ4_1, 64);
  for (const std::int64_t first : {0, 32}) {
    const TensorView part = slice_rows(w, first, 32);
    ASSERT_TRUE(save_panels(prepared_id(part), *load_cpu_weight(part, pool_).value(), shelf_));
  }
  const auto whole = rows_of(*load_cpu_weight(w, pool_).value());
  TensorView listed = w;
  listed.data = {};
  for (const std::int64_t first : {0, 32}) {
    const auto restored = restore_panels(slice_rows(listed, first, 32), shelf_);
    ASSERT_NE(restored, nullptr);
    const auto rows = rows_of(*restored);
    EXPECT_TRUE(std::equal(rows.begin(), rows.end(), whole.begin() + first * w.columns()));
  }
  EXPECT_EQ(restore_panels(listed, shelf_), nullptr);
}

TEST_F(PreparedPanelsTest, AFormThatDoesNotFitIsNotUsed) {
  const TensorView w = view(DType::kQ4_1);
  ASSERT_TRUE(save_panels(prepared_id(w), *load_cpu_weight(w, pool_).value(), shelf_));
  Shelf::Item& item = shelf_.items().begin()->second;
  const std::string right = item.form;
  ASSERT_NE(restore_panels(w, shelf_), nullptr);
  for (const char* form : {"", "int", "int 4", "int 5 32 0 1 1", "int 4 64 0 1 1", "int 4 0 0 1 1",
                           "int 4 32 0 1 7", "int 4 32 0 1 0", "int 8 32 0 1 1", "int 4 32 0 2 1",
                           "dense", "dense Q4_1", "dense F32", "dense BF16", "other 4"}) {
    item.form = form;
    EXPECT_EQ(restore_panels(w, shelf_), nullptr) << form;
  }
  item.form = right;
  item.memory = HostMemory::allocate(item.memory.size_bytes() - 64, "x").value();
  EXPECT_EQ(restore_panels(w, shelf_), nullptr);
}

TEST_F(PreparedPanelsTest, TheBackendPreparesAndUses) {
  const TensorView w = view(DType::kQ8_0);
  TensorView norm = view(DType::kF32, 1);
  norm.name = "norm";
  auto shelf = std::make_shared<Shelf>();
  auto maker =
      make_backend("cpu", BackendOptions{.threads = 1, .prepare_into = shelf.get()}).value();
  ASSERT_TRUE(maker->load_weight(w, InputPrecision::kFast));
  ASSERT_TRUE(maker->load_weight(norm, InputPrecision::kFast));
  EXPECT_EQ(shelf->items().size(), 1U);
  EXPECT_EQ(maker->take_prepared(w, InputPrecision::kFast), nullptr);

  auto user = make_backend("cpu", BackendOptions{.threads = 1, .prepared = shelf}).value();
  const WeightPtr weight = user->take_prepared(w, InputPrecision::kFine);
  ASSERT_NE(weight, nullptr);
  EXPECT_TRUE(static_cast<const CpuWeight&>(*weight).fine_inputs);
  EXPECT_EQ(user->take_prepared(norm, InputPrecision::kFast), nullptr);
}

TEST(PanelLayout, IsOneTextForOneProgram) {
  EXPECT_EQ(panel_layout(), panel_layout());
  EXPECT_EQ(prepared_layout("cpu"), panel_layout());
  EXPECT_EQ(prepared_layout("ref"), "");
}

}  // namespace
}  // namespace hangar::cpu
