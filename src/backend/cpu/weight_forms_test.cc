// What a weight's form adds to the plain product: zero points, scales, an order of inputs, memory.
#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>

#include "backend/cpu/cpu_weight.h"
#include "backend/cpu/ops_test_support.h"
#include "quant/group32.h"
#include "quant/view_rows.h"

namespace hangar::cpu {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kColumns = 96;
constexpr std::int64_t kOutputs = 37;

struct GroupForm {
  DType dtype;
  bool half_scales;
  bool symmetric;
  double bits;  // a weight's in memory
};

class CpuWeightFormsTest : public CpuOpsTest {
 protected:
  TensorView grouped_view(const GroupForm& form) {
    TensorView w = random_view(form.dtype, kOutputs, kColumns);
    std::vector<std::byte>& bytes = bytes_.back();
    for (std::size_t at = 0; at < bytes.size(); at += dtype_info(form.dtype).block_bytes) {
      auto* block = reinterpret_cast<std::uint8_t*>(bytes.data() + at);
      Group32 group = load_group32(block);
      if (form.half_scales) group.scale = half_to_float(float_to_half(group.scale));
      if (form.symmetric) group.zero = form.dtype == DType::kInt4G32 ? 8 : 128;
      store_group32(block, group);
    }
    return w;
  }

  TensorView fp8_view(std::int64_t block_rows, std::int64_t block_columns) {
    TensorView w = random_view(DType::kF8E4M3, kOutputs, kColumns);
    const std::int64_t scales = ((kOutputs + block_rows - 1) / block_rows) *
                                ((kColumns + block_columns - 1) / block_columns);
    w.scales =
        std::make_shared<ScaleGrid>(ScaleGrid{random_floats(scales), block_rows, block_columns});
    return w;
  }

  std::shared_ptr<const InputOrder> random_order(std::int64_t columns = kColumns) {
    InputOrder order(static_cast<std::size_t>(columns));
    std::iota(order.begin(), order.end(), 0);
    std::ranges::shuffle(order, random_);
    return std::make_shared<const InputOrder>(std::move(order));
  }

  // Integers that 8 bits hold exactly in any order, as every group's largest is 127.
  std::vector<float> exact_activations(std::int64_t rows) {
    std::vector<float> x(static_cast<std::size_t>(rows * kColumns));
    for (float& value : x) value = random_int(0, 1) == 0 ? 127.0F : -127.0F;
    return x;
  }

  static std::vector<std::vector<float>> products(Backend& backend,
                                                  std::span<const TensorView> views,
                                                  std::int64_t rows, const std::vector<float>& x) {
    std::vector<WeightPtr> owned;
    std::vector<const Weight*> weights;
    std::vector<Activation> ys;
    for (const TensorView& w : views) {
      owned.push_back(backend.load_weight(w, InputPrecision::kFast).value());
      weights.push_back(owned.back().get());
      ys.push_back(make_empty(backend, rows, owned.back()->rows));
    }
    backend.matmul(ys, make(backend, rows, views[0].columns(), x), weights);
    std::vector<std::vector<float>> out;
    for (const Activation& y : ys) out.push_back(values_of(backend, y));
    return out;
  }

  // `relative`: of the sum of the products' magnitudes.
  void expect_product(const TensorView& w, double relative) {
    const std::int64_t rows = 5;
    const std::vector<float> x = exact_activations(rows);
    const std::vector<float> got = products(*cpu_, std::span(&w, 1), rows, x)[0];
    const std::vector<float> want = products(*ref_, std::span(&w, 1), rows, x)[0];
    std::vector<float> weight(static_cast<std::size_t>(w.columns()));
    for (std::int64_t o = 0; o < w.rows(); ++o) {
      dequantize_view_row(w, o, weight.data());
      double sum = 0.0;
      for (const float value : weight) sum += std::abs(double{value}) * 127;
      for (std::int64_t r = 0; r < rows; ++r) {
        const auto i = static_cast<std::size_t>(r * w.rows() + o);
        ASSERT_NEAR(got[i], want[i], relative * sum) << "row " << r << " output " << o;
      }
    }
  }

  static std::vector<float> embedded(Backend& backend, const Weight& table,
                                     const std::vector<std::int32_t>& ids) {
    const Activation out = make_empty(backend, std::ssize(ids), table.columns);
    backend.embed(out, table, ids);
    return values_of(backend, out);
  }

  // The view as a file's and as made for this weight alone.
  void expect_embeds(const TensorView& w, float relative_made) {
    const std::vector<std::int32_t> ids = {36, 0, 17, 16, 15, 0};
    const std::vector<float> want =
        embedded(*ref_, *ref_->load_weight(w, InputPrecision::kFast).value(), ids);
    const WeightPtr mapped = cpu_->load_weight(w, InputPrecision::kFast).value();
    EXPECT_EQ(embedded(*cpu_, *mapped, ids), want);  // a minimum makes 0 of -0
    auto bytes = std::make_shared<std::vector<std::byte>>(w.data.begin(), w.data.end());
    TensorView made = w;
    made.data = *bytes;
    made.owner = bytes;
    const std::weak_ptr<const void> alive = bytes;
    bytes.reset();
    const WeightPtr kept = cpu_->load_weight(made, InputPrecision::kFast).value();
    made = {};
    EXPECT_TRUE(alive.expired());
    EXPECT_GE(kept->memory_bytes, static_cast<std::size_t>(w.elements()) / 2);
    expect_near(embedded(*cpu_, *kept, ids), want, 0.0F, relative_made);
  }
};

constexpr GroupForm kGroupForms[] = {
    {DType::kInt4G32, true, true, 4.5}, {DType::kInt4G32, true, false, 5},
    {DType::kInt4G32, false, true, 5},  {DType::kInt4G32, false, false, 6},
    {DType::kInt8G32, true, true, 8.5}, {DType::kInt8G32, true, false, 10},
    {DType::kInt8G32, false, true, 9},  {DType::kInt8G32, false, false, 10},
};

TEST_P(CpuWeightFormsTest, ZeroPointsAndScalesAreKeptInTheBitsTheyNeed) {
  for (const GroupForm& form : kGroupForms) {
    SCOPED_TRACE(fmt::format("{}, half {}, symmetric {}", dtype_name(form.dtype), form.half_scales,
                             form.symmetric));
    const TensorView w = grouped_view(form);
    expect_product(w, 1e-6);
    const TensorView whole = slice_rows(w, 0, 32);
    const WeightPtr weight = cpu_->load_weight(whole, InputPrecision::kFast).value();
    // A panel's sections are padded to 64 bytes each.
    const double bits = static_cast<double>(weight->memory_bytes) * 8 / (32.0 * kColumns);
    EXPECT_GE(bits, form.bits);
    EXPECT_LE(bits, form.bits + 0.7);
    EXPECT_EQ(weight->form,
              form.dtype == DType::kInt4G32 ? "int4 groups of 32" : "int8 groups of 32");
  }
}

TEST_P(CpuWeightFormsTest, RowsOfPanelsAreTheFilesNumbers) {
  ThreadPool pool(1);
  for (const GroupForm& form : kGroupForms) {
    SCOPED_TRACE(dtype_name(form.dtype));
    const TensorView w = grouped_view(form);
    const IntPanels panels = pack_int_panels(w, pool).value();
    std::vector<float> got(kColumns);
    std::vector<float> want(kColumns);
    for (std::int64_t r = 0; r < kOutputs; ++r) {
      dequantize_panel_row(panels, r, got.data());
      dequantize_view_row(w, r, want.data());
      if (panels.offset == PanelOffset::kMinimum && !form.half_scales) {
        expect_near(got, want, 1e-6F, 1e-6F);  // minimums rounded
      } else {
        for (std::size_t c = 0; c < got.size(); ++c) ASSERT_EQ(got[c], want[c]);
      }
    }
  }
}

TEST_P(CpuWeightFormsTest, Fp8TakesItsScalesAndIsRoundedToBf16) {
  for (const auto& [block_rows, block_columns] :
       {std::pair<std::int64_t, std::int64_t>{kOutputs, kColumns}, {1, kColumns}, {16, 40}}) {
    SCOPED_TRACE(fmt::format("blocks of {} x {}", block_rows, block_columns));
    expect_product(fp8_view(block_rows, block_columns), 0x1p-9);
  }
  EXPECT_THAT(cpu_->load_weight(fp8_view(1, kColumns), InputPrecision::kFast).value()->form,
              HasSubstr("BF16"));
}

TEST_P(CpuWeightFormsTest, StoredColumnsMeetTheirInputs) {
  for (const DType dtype : {DType::kInt4G32, DType::kInt8G32, DType::kQ4_1, DType::kF16}) {
    SCOPED_TRACE(dtype_name(dtype));
    TensorView w = random_view(dtype, kOutputs, kColumns);
    w.input_order = random_order();
    expect_product(w, 1e-6);
    const std::vector<float> x = exact_activations(2);
    const std::vector<float> in_order = products(*cpu_, std::span(&w, 1), 2, x)[0];
    w.input_order = random_order();
    EXPECT_NE(products(*cpu_, std::span(&w, 1), 2, x)[0], in_order);
  }
}

TEST_P(CpuWeightFormsTest, WeightsOfOneXMayEachHaveAnOrder) {
  const auto order = random_order();
  const auto equal_order = std::make_shared<const InputOrder>(*order);
  std::vector<TensorView> views(6, random_view(DType::kInt4G32, kOutputs, kColumns));
  views[1] = random_view(DType::kF16, 5, kColumns);
  views[0].input_order = order;
  views[1].input_order = equal_order;
  views[2].input_order = random_order();
  views[4] = random_view(DType::kQ8_0, 16, kColumns);
  views[5].input_order = order;
  const std::vector<float> x = exact_activations(3);
  const auto together = products(*cpu_, views, 3, x);
  for (std::size_t i = 0; i < views.size(); ++i) {
    SCOPED_TRACE(i);
    expect_same_bits(together[i], products(*cpu_, std::span(&views[i], 1), 3, x)[0]);
    expect_near(together[i], products(*ref_, std::span(&views[i], 1), 3, x)[0], 2e-3F, 1e-4F);
  }
}

TEST_P(CpuWeightFormsTest, OrdinaryActivationsFollowTheOrderToo) {
  // Groups of 8-bit activations are those of the stored columns: close, not equal.
  TensorView w = random_view(DType::kInt4G32, kOutputs, kColumns);
  w.input_order = random_order();
  const std::vector<float> x = random_floats(2 * kColumns);
  const std::vector<float> want = products(*ref_, std::span(&w, 1), 2, x)[0];
  const std::vector<float> got = products(*cpu_, std::span(&w, 1), 2, x)[0];
  float largest = 0.0F;
  for (const float value : want) largest = std::max(largest, std::abs(value));
  expect_near(got, want, largest * 0.02F, 0.0F);
}

TEST_P(CpuWeightFormsTest, EmbeddingTablesMayHaveAnyForm) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ4_0, DType::kQ4_1,
                            DType::kQ8_0, DType::kIQ4_NL, DType::kMXFP4}) {
    SCOPED_TRACE(dtype_name(dtype));
    expect_embeds(random_view(dtype, kOutputs, kColumns), 1e-6F);
  }
  for (const DType dtype : {DType::kQ2_K, DType::kQ3_K, DType::kQ6_K, DType::kIQ4_XS}) {
    SCOPED_TRACE(dtype_name(dtype));
    expect_embeds(random_view(dtype, kOutputs, 256), 2e-5F);
  }
  for (const GroupForm& form : kGroupForms) {
    SCOPED_TRACE(dtype_name(form.dtype));
    TensorView w = grouped_view(form);
    expect_embeds(w, 2e-4F);
    w.input_order = random_order();
    expect_embeds(w, 2e-4F);
  }
  expect_embeds(fp8_view(1, kColumns), 0x1p-8F);
  expect_embeds(fp8_view(16, 40), 0x1p-8F);
}

TEST_P(CpuWeightFormsTest, ASingleRowIsAVectorInAnyForm) {
  for (const DType dtype : {DType::kInt4G32, DType::kF8E4M3, DType::kBF16}) {
    SCOPED_TRACE(dtype_name(dtype));
    TensorView w = random_view(dtype, 1, kColumns);
    w.input_order = random_order();
    expect_product(w, 1e-6);
    std::vector<float> want(kColumns);
    dequantize_view_row(w, 0, want.data());
    const WeightPtr vector = cpu_->load_weight(w, InputPrecision::kFast).value();
    expect_same_bits(embedded(*cpu_, *vector, {0}), want);
  }
}

TEST_P(CpuWeightFormsTest, RefusesScalesAndOrdersThatDoNotFit) {
  const auto code = [&](const TensorView& w) {
    const auto cpu = cpu_->load_weight(w, InputPrecision::kFast);
    const auto ref = ref_->load_weight(w, InputPrecision::kFast);
    EXPECT_FALSE(cpu.has_value() || ref.has_value());
    if (cpu || ref) return ErrorCode::kInternal;
    EXPECT_EQ(cpu.error().message, ref.error().message);
    EXPECT_THAT(cpu.error().message, HasSubstr("tensor w"));
    return cpu.error().code;
  };
  TensorView w = fp8_view(16, 40);
  w.scales = std::make_shared<ScaleGrid>(ScaleGrid{random_floats(8), 16, 40});  // 3 x 3 wanted
  EXPECT_EQ(code(w), ErrorCode::kCorrupt);
  w.scales = std::make_shared<ScaleGrid>(ScaleGrid{{1.0F}, 0, 40});
  EXPECT_EQ(code(w), ErrorCode::kCorrupt);
  w = random_view(DType::kF16, 2, 3);
  w.scales = std::make_shared<ScaleGrid>(ScaleGrid{{1.0F}, 2, 3});
  EXPECT_EQ(code(w), ErrorCode::kCorrupt);
  w.scales = nullptr;
  for (const InputOrder& order :
       {InputOrder{0, 1}, InputOrder{0, 1, 3}, InputOrder{0, 1, 1}, InputOrder{0, -1, 2}}) {
    w.input_order = std::make_shared<const InputOrder>(order);
    EXPECT_EQ(code(w), ErrorCode::kCorrupt);
  }
}

HANGAR_INSTANTIATE_CPU_OPS(CpuWeightFormsTest);

}  // namespace
}  // namespace hangar::cpu
