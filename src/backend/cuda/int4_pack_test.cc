// 4-bit strips: what the forms stand for (on the host), and the kernels that make and read them.
#include "backend/cuda/int4_pack.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <bit>
#include <iterator>
#include <memory>
#include <numeric>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include "backend/cpu/ops_test_support.h"
#include "backend/cuda/int4_test_support.h"
#include "backend/cuda/testing.h"

namespace hangar::cuda {
namespace {

constexpr DType kPackedTypes[] = {DType::kQ4_0, DType::kQ4_1, DType::kQ4_K, DType::kInt4G32};
constexpr Int4Form kForms[] = {Int4Form::kZero128, Int4Form::kZero32, Int4Form::kMin32,
                               Int4Form::kSuper32};

class Int4Test : public cpu::OpsTest {
 protected:
  Int4Test() : OpsTest(1) {}

  // Any F16 but infinities and NaN; the ends of its range often.
  std::uint16_t any_half() {
    constexpr std::uint16_t kEnds[] = {0x0000, 0x8000, 0x0001, 0x8001, 0x03FF,
                                       0x0400, 0x8400, 0x7BFF, 0xFBFF};
    if (random_int(0, 2) == 0) return kEnds[random_int(0, std::ssize(kEnds) - 1)];
    const auto bits = static_cast<std::uint16_t>(random_());
    return (bits & 0x7C00U) == 0x7C00U ? static_cast<std::uint16_t>(bits & 0xBFFFU) : bits;
  }
  template <typename T>
  static void put(std::vector<std::byte>& bytes, std::size_t at, T value) {
    std::memcpy(bytes.data() + at, &value, sizeof(value));
  }
  // With every scale and minimum any F16, and zero points at the ends of 4 bits and beyond.
  // group: columns that share them, of kInt4G32.
  TensorView any_view(DType dtype, std::int64_t rows, std::int64_t columns,
                      std::int64_t group = 32) {
    std::vector<std::byte> bytes = random_weight(dtype, rows, columns);
    const std::size_t block = dtype_info(dtype).block_bytes;
    const std::size_t stride = row_bytes(dtype, columns);
    for (std::size_t at = 0; at < bytes.size(); at += block) {
      if (dtype != DType::kInt4G32) {
        put(bytes, at, any_half());
        if (dtype != DType::kQ4_0) put(bytes, at + 2, any_half());
        continue;
      }
      const auto column = static_cast<std::int64_t>(at % stride / block) * 32;
      if (column % group != 0) {
        std::memcpy(bytes.data() + at, bytes.data() + at - block, 8);
        continue;
      }
      constexpr std::int32_t kZeros[] = {0, 1, 7, 8, 15, 16, -128, 255, 2048};
      put(bytes, at, half_to_float(any_half()));
      put(bytes, at + 4, kZeros[random_int(0, std::ssize(kZeros) - 1)]);
    }
    TensorView made = view(dtype, {rows, columns}, std::move(bytes));
    if (dtype == DType::kInt4G32 && group != 32) made.group_columns = group;
    return made;
  }
  std::int64_t some_columns(DType dtype) {
    return dtype == DType::kQ4_K ? 256 * random_int(1, 5) : 32 * random_int(1, 40);
  }
  // Views of every type and form, of many shapes.
  std::vector<TensorView> many_views() {
    std::vector<TensorView> views;
    for (const DType dtype : kPackedTypes) {
      const std::int64_t least = dtype == DType::kQ4_K ? 256 : 32;
      views.push_back(any_view(dtype, 16, least));
      if (dtype != DType::kQ4_K) {
        views.push_back(any_view(dtype, 48, 576));
        views.push_back(any_view(dtype, 32, 1120));
      }
      for (int i = 0; i < 6; ++i) {
        views.push_back(any_view(dtype, 16 * random_int(1, 9), some_columns(dtype)));
      }
    }
    for (const std::int64_t columns : {32, 128, 576, 1120, 4096}) {
      for (const std::int64_t group :
           {std::int64_t{64}, std::int64_t{128}, std::int64_t{256}, columns}) {
        views.push_back(any_view(DType::kInt4G32, 16 * random_int(1, 4), columns, group));
      }
    }
    return views;
  }
  static std::string name_of(const TensorView& w) {
    return fmt::format("{} x {} of {}, groups of {}", w.rows(), w.columns(), dtype_name(w.dtype),
                       w.group_columns);
  }
};

TEST(Int4Layout, EveryNumberOfABlockHasAPlaceOfItsOwn) {
  std::set<int> halves;
  for (int row = 0; row < kInt4Strip; ++row) {
    for (int column = 0; column < kInt4Columns; ++column) {
      const int place = int4_place(row, column);
      EXPECT_EQ(place, int4_place(row % 8, column));
      ASSERT_TRUE(halves.insert(2 * place + row / 8).second) << row << ", " << column;
    }
  }
  EXPECT_EQ(*halves.begin(), 0);
  EXPECT_EQ(*halves.rbegin(), 2 * kInt4NumberBytes - 1);
}

TEST(Int4Layout, BlocksAreWholeWordsOfSixteenBytes) {
  for (const Int4Form form : kForms) {
    EXPECT_EQ(int4_block_bytes(form) % 16, 0);
    EXPECT_EQ(int4_bytes(form, 16, 32), int4_block_bytes(form));
    EXPECT_EQ(int4_bytes(form, 48, 576), 3 * 5 * int4_block_bytes(form));
  }
  EXPECT_EQ(int4_bytes(Int4Form::kZero128, 4096, 4096), 4096 * 4096 / 2 + 4096 * 32 * 4);
}

TEST_F(Int4Test, FormsStandForWhatTheFileStandsFor) {
  std::set<std::pair<DType, Int4Form>> seen;
  for (const TensorView& w : many_views()) {
    SCOPED_TRACE(name_of(w));
    seen.insert({w.dtype, packed_form(w).value()});
    expect_same_bits(packed_on_host(w).values(), dequantized(w));
    if (HasFailure()) return;
  }
  EXPECT_EQ(seen.size(), 5U);
}

TEST_F(Int4Test, TheFormFollowsTypeAndGroups) {
  const auto form = [](DType dtype, std::int64_t columns, std::int64_t group = 0) {
    TensorView w{"w", dtype, {16, columns}};
    w.group_columns = group;
    return packed_form(w);
  };
  EXPECT_EQ(form(DType::kQ4_0, 256), Int4Form::kZero32);
  EXPECT_EQ(form(DType::kQ4_1, 256), Int4Form::kMin32);
  EXPECT_EQ(form(DType::kQ4_K, 256), Int4Form::kSuper32);
  for (const std::int64_t group : {0, 32, 64, 96, 160}) {
    EXPECT_EQ(form(DType::kInt4G32, 256, group), Int4Form::kZero32) << group;
  }
  for (const std::int64_t group : {128, 256, 384}) {
    EXPECT_EQ(form(DType::kInt4G32, 768, group), Int4Form::kZero128) << group;
  }
  EXPECT_EQ(form(DType::kInt4G32, 576, 576), Int4Form::kZero128);  // one group a row
  EXPECT_EQ(form(DType::kInt4G32, 64, 64), Int4Form::kZero128);
  for (const DType dtype : {DType::kBF16, DType::kQ8_0, DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL,
                            DType::kMXFP4, DType::kInt8G32, DType::kF8E4M3}) {
    EXPECT_EQ(form(dtype, 256), std::nullopt) << dtype_name(dtype);
    EXPECT_EQ(int4_form_for({"w", dtype, {16, 256}}), Int4Form::kZero128);
  }
  TensorView reordered{"w", DType::kInt4G32, {16, 64}};
  reordered.input_order = std::make_shared<std::vector<std::int32_t>>(64);
  EXPECT_EQ(packed_form(reordered), std::nullopt);
}

// |x - value| against half a step, for what quantize_int4() promises.
void expect_close(Int4Form form, const std::vector<float>& values, HostStrips& strips,
                  std::int64_t rows, std::int64_t columns) {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      const float x = values[static_cast<std::size_t>(r * columns + c)];
      const float scale = strips.scales(r, c).scale;
      // What rounding the parameters themselves to F16, or to 63rds, may add.
      float least = 0.0F;
      float most = 0.0F;
      const std::int64_t first = c / kInt4Columns * kInt4Columns;
      for (std::int64_t i = first; i < std::min(columns, first + kInt4Columns); ++i) {
        least = std::min(least, values[static_cast<std::size_t>(r * columns + i)]);
        most = std::max(most, values[static_cast<std::size_t>(r * columns + i)]);
      }
      const float reach = most - least;
      const float extra =
          form == Int4Form::kSuper32 ? reach / 63.0F + 3e-5F : reach * 0x1p-10F + 1e-6F;
      ASSERT_LE(std::abs(x - strips.value(r, c)), 0.5F * scale + extra) << r << ", " << c;
    }
  }
}

// Groups as weights have them, and odd ones: zeros, of one sign, one number only, tiny, large.
std::vector<float> odd_values(std::mt19937& random, std::int64_t rows, std::int64_t columns,
                              DType rounded_to) {
  std::normal_distribution<float> normal(0.0F, 0.02F);
  std::vector<float> values;
  for (std::int64_t at = 0; at < rows * columns; at += 32) {
    const auto kind = random() % 12;
    for (int i = 0; i < 32; ++i) {
      float x = normal(random);
      if (kind == 0) x = 0.0F;
      if (kind == 1) x = std::abs(x);
      if (kind == 2) x = -std::abs(x);
      if (kind == 3) x = i == 5 ? -3.0F : 0.0F;
      if (kind == 4) x = 0.75F;
      if (kind == 5) x *= 1e-6F;
      if (kind == 6) x *= 1e6F;
      values.push_back(rounded_to == DType::kBF16  ? bfloat16_to_float(float_to_bfloat16(x))
                       : rounded_to == DType::kF16 ? half_to_float(float_to_half(x))
                                                   : x);
    }
  }
  return values;
}

TEST_F(Int4Test, RoundToNearestIsWithinHalfAStep) {
  for (const Int4Form form : kForms) {
    SCOPED_TRACE(static_cast<int>(form));
    const std::vector<float> values = odd_values(random_, 32, 1120, DType::kF32);
    HostStrips strips = quantized_on_host(form, values, 32, 1120);
    expect_close(form, values, strips, 32, 1120);
    if (HasFailure()) return;
  }
}

class Int4CardTest : public Int4Test {
 protected:
  static constexpr std::size_t kRoomBytes = std::size_t{64} << 20U;

  void SetUp() override {
    if (!card_present()) GTEST_SKIP() << "no CUDA card here";
    HANGAR_CUDA(cudaMalloc(&stored_, kRoomBytes));
    HANGAR_CUDA(cudaMalloc(&strips_, kRoomBytes));
    HANGAR_CUDA(cudaMalloc(&out_, kRoomBytes));
    HANGAR_CUDA(cudaMemset(strips_, 0xCD, kRoomBytes));  // what is not written shows
    HANGAR_CUDA(cudaMemset(out_, 0xFF, kRoomBytes));
  }
  void TearDown() override {
    for (void* memory : {stored_, strips_, out_}) (void)cudaFree(memory);
  }
  void to_card(void* to, const void* from, std::size_t bytes) {
    ASSERT_LE(bytes, kRoomBytes);
    HANGAR_CUDA(cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice));
    HANGAR_CUDA(cudaDeviceSynchronize());
  }
  template <typename T>
  std::vector<T> from_card(const void* from, std::size_t count) {
    std::vector<T> host(count);
    HANGAR_CUDA(cudaDeviceSynchronize());
    HANGAR_CUDA(cudaMemcpy(host.data(), from, count * sizeof(T), cudaMemcpyDeviceToHost));
    return host;
  }
  void expect_strips(const HostStrips& want) {
    const auto got = from_card<std::uint8_t>(strips_, want.bytes().size() + 16);
    for (std::size_t i = 0; i < want.bytes().size(); ++i) {
      ASSERT_EQ(int{got[i]}, int{want.bytes()[i]}) << "byte " << i;
    }
    for (std::size_t i = want.bytes().size(); i < got.size(); ++i) {
      ASSERT_EQ(int{got[i]}, 0xCD) << "written behind the end";
    }
    HANGAR_CUDA(cudaMemset(strips_, 0xCD, kRoomBytes));
  }
  std::vector<float> unpacked(Int4Form form, std::int64_t rows, std::int64_t columns) {
    unpack_int4(launch_, {out_, rows, columns, DType::kF32}, form, strips_);
    return from_card<float>(out_, static_cast<std::size_t>(rows * columns));
  }

  Launch launch_;
  void* stored_ = nullptr;
  void* strips_ = nullptr;
  void* out_ = nullptr;
};

TEST_F(Int4CardTest, PackedRowsAreTheFilesNumbers) {
  for (const TensorView& w : many_views()) {
    SCOPED_TRACE(name_of(w));
    const Int4Form form = packed_form(w).value();
    to_card(stored_, w.data.data(), w.data.size());
    pack_int4(launch_, form, strips_, stored_, w.dtype, w.rows(), w.columns());
    expect_same_bits(unpacked(form, w.rows(), w.columns()), dequantized(w));
    expect_strips(packed_on_host(w));
    if (HasFailure()) return;
  }
}

// An Int4G32 file without groups of 128 in the form that has them would lose some: not asked for.
TEST_F(Int4CardTest, RefusesWhatItDoesNotPack) {
  const auto pack = [&](DType type, Int4Form form, std::int64_t rows, std::int64_t columns) {
    pack_int4(launch_, form, strips_, stored_, type, rows, columns);
  };
  EXPECT_THROW(pack(DType::kQ4_0, Int4Form::kMin32, 16, 32), std::invalid_argument);
  EXPECT_THROW(pack(DType::kQ8_0, Int4Form::kZero128, 16, 32), std::invalid_argument);
  EXPECT_THROW(pack(DType::kQ4_1, Int4Form::kMin32, 24, 32), std::invalid_argument);
  EXPECT_THROW(quantize_int4(launch_, Int4Form::kZero128, strips_, {out_, 16, 48, DType::kF32}),
               std::invalid_argument);
  EXPECT_THROW(unpack_int4(launch_, {out_, 8, 32, DType::kF32}, Int4Form::kZero128, strips_),
               std::invalid_argument);
  EXPECT_THROW(unpack_int4(launch_, {static_cast<std::byte*>(out_) + 2, 16, 32, DType::kF16},
                           Int4Form::kZero128, strips_),
               std::invalid_argument);
}

TEST_F(Int4CardTest, QuantizedRowsAreRoundedToNearest) {
  for (const DType type : {DType::kF32, DType::kBF16, DType::kF16}) {
    for (const Int4Form form : kForms) {
      for (const auto& [rows, columns] :
           {std::pair<std::int64_t, std::int64_t>{16, 32}, {48, 576}, {32, 1120}, {160, 2048}}) {
        SCOPED_TRACE(fmt::format("{} x {} of {}, form {}", rows, columns, dtype_name(type),
                                 static_cast<int>(form)));
        std::vector<float> values = odd_values(random_, rows, columns, type);
        if (type == DType::kF16) {  // what its range does not hold
          for (float& x : values) x = std::isfinite(x) ? x : 0.0F;
        }
        std::vector<std::uint16_t> halves;
        for (const float x : values) {
          halves.push_back(type == DType::kBF16 ? float_to_bfloat16(x) : float_to_half(x));
        }
        if (type == DType::kF32) {
          to_card(stored_, values.data(), values.size() * sizeof(float));
        } else {
          to_card(stored_, halves.data(), halves.size() * sizeof(std::uint16_t));
        }
        quantize_int4(launch_, form, strips_, {stored_, rows, columns, type});
        HostStrips want = quantized_on_host(form, values, rows, columns);
        const std::vector<float> got = unpacked(form, rows, columns);
        expect_same_bits(got, want.values());
        expect_strips(want);
        if (HasFailure()) return;
      }
    }
  }
}

TEST_F(Int4CardTest, UnpackedNumbersAreRoundedOnceIntoRowsOfAnyStride) {
  for (const Int4Form form : kForms) {
    constexpr std::int64_t kRows = 48;
    constexpr std::int64_t kColumns = 672;
    constexpr std::int64_t kStride = 800;
    const std::vector<float> values = odd_values(random_, kRows, kColumns, DType::kF32);
    HostStrips strips = quantized_on_host(form, values, kRows, kColumns);
    to_card(strips_, strips.bytes().data(), strips.bytes().size());
    const std::vector<float> exact = strips.values();
    for (const DType type : {DType::kBF16, DType::kF16}) {
      SCOPED_TRACE(fmt::format("form {} to {}", static_cast<int>(form), dtype_name(type)));
      HANGAR_CUDA(cudaMemset(out_, 0xFF, kRoomBytes));
      unpack_int4(launch_, {out_, kRows, kColumns, type, kStride}, form, strips_);
      const auto got = from_card<std::uint16_t>(out_, kRows * kStride);
      for (std::int64_t r = 0; r < kRows; ++r) {
        for (std::int64_t c = 0; c < kStride; ++c) {
          const auto at = static_cast<std::size_t>(r * kColumns + c);
          const std::uint16_t want = c >= kColumns          ? std::uint16_t{0xFFFF}
                                     : type == DType::kBF16 ? float_to_bfloat16(exact[at])
                                                            : float_to_half(exact[at]);
          ASSERT_EQ(got[static_cast<std::size_t>(r * kStride + c)], want) << r << ", " << c;
        }
      }
    }
  }
}

}  // namespace
}  // namespace hangar::cuda
