// 4-bit products of one or two rows in 16 bits against sums in double: by every way of cutting,
// plain, gated, normed; and that rows do not know of one another.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/cuda/direct_test_support.h"
#include "backend/cuda/int4_inputs.h"
#include "backend/cuda/int4_matmul.h"
#include "backend/cuda/int4_product_test_support.h"

namespace hangar::cuda {
namespace {

using Shape = DirectShape;

// As three int8 numbers each have them: whole numbers of 2^-22 of the power of two above the
// largest of `group` columns, which is 2^-86 at least.
Numbers taken(const Numbers& x, std::int64_t columns, std::int64_t group) {
  Numbers all = x;
  for (std::int64_t first = 0; first < std::ssize(x); first += columns) {
    for (std::int64_t c = 0; c < columns; c += group) {
      const auto begin = all.begin() + first + c;
      const auto end = all.begin() + first + std::min(c + group, columns);
      float largest = 0x1p-87F;
      std::for_each(begin, end, [&](float v) { largest = std::max(largest, std::abs(v)); });
      const int power = 21 - std::ilogb(largest);
      std::for_each(begin, end, [&](float& v) {
        v = std::ldexp(std::nearbyint(std::ldexp(v, power)), -power);
      });
    }
  }
  return all;
}

class Int4DirectTest : public Int4ProductTest {
 protected:
  // x as it is multiplied.
  static Numbers multiplied(const Numbers& x, const Numbers& norm) {
    return norm.empty() ? x : normed_rows(x, norm);
  }

  // x: of the work type, or, with a norm, of float32.
  Product product_of(const Shape& shape, Int4Form form, const void* weight, bool gate,
                     const Numbers& x, const Numbers& norm, ProductOutput output) {
    Product product = product_on_the_way(weight, type(), x, shape.rows, shape.outputs, norm,
                                         kDirectEps, gate, output);
    product.int4 = form;
    return product;
  }
  Numbers run(Product product, const Int4Way& way, const Numbers& old) {
    const Activation y =
        put(old, product.rows, product.outputs, product.y_type(), product.outputs + 8);
    product.y = y.data;
    product.y_stride = y.row_stride();
    int4_matmul(launch_, product, way);
    return get(y);
  }

  void expect_all_ways(const Product& product, const std::vector<DirectSum>& sums) {
    const DType to = product.y_type();
    const std::int64_t count = product.rows * product.outputs;
    const Numbers old =
        product.output == ProductOutput::kAdd ? random(count, to, 10.0F) : Numbers();
    const std::vector<Int4Way> ways = int4_ways(launch_, product);
    ASSERT_FALSE(ways.empty());
    for (const Int4Way& way : ways) {
      SCOPED_TRACE(fmt::format("strips {}, parts {}, {} a slot, {} KiB", way.strips, way.parts,
                               way.per_slot, way.memory_kib));
      expect_sums(run(product, way, old), sums, old, to, epsilon());
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
};

constexpr Shape kShapes[] = {{1, 16, 32},    {2, 16, 32},    {1, 48, 160},
                             {2, 48, 160},   {2, 16, 288},   {1, 208, 1024},
                             {2, 208, 1024}, {1, 32, 14336}, {2, 32, 14336}};

TEST_P(Int4DirectTest, EqualsSumsInDoubleByEveryWay) {
  int turn = 0;
  for (const Int4Form form : kInt4Forms) {
    for (const Shape& shape : kShapes) {
      for (const bool gate : {false, true}) {
        for (const bool with_norm : {false, true}) {
          const auto output = static_cast<ProductOutput>(turn++ % 3);
          if (left_out(turn, 7) || (kFewLaunches && shape.columns > 1024)) continue;
          start_over();
          SCOPED_TRACE(fmt::format("form {}, {} rows, {} x {}{}{}, output {}",
                                   static_cast<int>(form), shape.rows, shape.outputs, shape.columns,
                                   gate ? ", gated" : "", with_norm ? ", normed" : "",
                                   static_cast<int>(output)));
          HostStrips strips =
              random_strips(form, gate ? 2 * shape.outputs : shape.outputs, shape.columns);
          const Numbers x = random(shape.rows * shape.columns, with_norm ? DType::kF32 : type(),
                                   with_norm ? 20.0F : 1.0F);
          const Numbers norm = with_norm ? random(shape.columns, DType::kF32) : Numbers();
          const std::vector<DirectSum> sums =
              sums_of(multiplied(x, norm), strips.values(), shape, 0.0);
          const Product product =
              product_of(shape, form, put_strips(strips), gate, x, norm, output);
          ASSERT_TRUE(takes_int4_direct(launch_, product.rows, product.columns));
          expect_all_ways(product, sums);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

// Large beside small numbers, as far as F16 goes, and in BF16 as far as sums go; scales too.
TEST_P(Int4DirectTest, NumbersAtTheEndsOfTheirRanges) {
  const Shape shape{2, 32, 416};
  const bool halves = type() == DType::kF16;
  const int lowest = halves ? -24 : -40;
  const int highest = halves ? 15 : 80;
  const auto scale_of = [](std::int64_t r) {
    return r % 3 == 0 ? 65504.0F : r % 3 == 1 ? 0x1p-24F : 1.0F;
  };
  for (const Int4Form form : kInt4Forms) {
    start_over();
    HostStrips strips(form, shape.outputs, shape.columns);
    for (std::int64_t r = 0; r < shape.outputs; ++r) {
      for (std::int64_t c = 0; c < shape.columns; ++c) {
        const float scale = scale_of(r);
        if (form == Int4Form::kSuper32) {
          if (c % 128 == 0) strips.set_units(r, c, scale, r % 2 == 0 ? 65504.0F : 0.0F);
          if (c % 32 == 0) strips.set_factors(r, c, r % 5 == 0 ? 0 : 255, 255);
        } else if (c % (form == Int4Form::kZero128 ? 128 : 32) == 0) {
          strips.set_pair(r, c, scale, r % 2 == 0 ? 15.0F : 0.0F);
        }
        strips.set_code(r, c, random_int(0, 3) == 0 ? static_cast<int>(random_int(0, 15)) : 15);
      }
    }
    Numbers x;
    for (std::int64_t i = 0; i < shape.rows * shape.columns; ++i) {
      const float sign = random_int(0, 1) == 0 ? 1.0F : -1.0F;
      const auto exponent = static_cast<int>(random_int(lowest, highest));
      x.push_back(i % 7 == 0 ? 0.0F : round_to(type(), sign * std::ldexp(1.99F, exponent)));
    }
    if (halves) x[3] = 65504.0F;
    const std::int64_t group = form == Int4Form::kZero128 ? 128 : 32;
    std::vector<DirectSum> sums =
        sums_of(taken(x, shape.columns, group), strips.values(), shape, 0.0);
    // Numbers and minimums are added up by themselves, and may be larger than what they make.
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const auto row = static_cast<std::int64_t>(i) / shape.outputs;
      double size = 0.0;
      for (std::int64_t c = 0; c < shape.columns; ++c) {
        size += std::abs(static_cast<double>(x[static_cast<std::size_t>(row * shape.columns + c)]));
      }
      const double largest = 15.0 * scale_of(static_cast<std::int64_t>(i) % shape.outputs) *
                             (form == Int4Form::kSuper32 ? 255.0 : 1.0);
      sums[i].allowed += 0x1p-22 * 2.0 * largest * size;
    }
    const Product product =
        product_of(shape, form, put_strips(strips), false, x, {}, ProductOutput::kFull);
    SCOPED_TRACE(fmt::format("form {}", static_cast<int>(form)));
    expect_all_ways(product, sums);
    if (HasFatalFailure()) return;
  }
}

// What is not finite shows, in its row alone.
TEST_P(Int4DirectTest, NumbersThatAreNotFiniteShow) {
  const Shape shape{2, 48, 576};
  for (const bool with_norm : {false, true}) {
    for (const float bad : {std::nanf(""), INFINITY, -INFINITY}) {
      start_over();
      const void* weight =
          put_strips(random_strips(Int4Form::kZero128, shape.outputs, shape.columns));
      Numbers x = random(shape.rows * shape.columns, with_norm ? DType::kF32 : type());
      x[static_cast<std::size_t>(shape.columns + 300)] = bad;
      const Numbers norm = with_norm ? random(shape.columns, DType::kF32) : Numbers();
      const Product product =
          product_of(shape, Int4Form::kZero128, weight, false, x, norm, ProductOutput::kFull);
      const Numbers got = run(product, int4_ways(launch_, product).front(), {});
      for (std::int64_t o = 0; o < shape.outputs; ++o) {
        EXPECT_TRUE(std::isfinite(got[static_cast<std::size_t>(o)]));
        EXPECT_FALSE(std::isfinite(got[static_cast<std::size_t>(shape.outputs + o)]));
      }
    }
  }
}

TEST_P(Int4DirectTest, ARowDoesNotDependOnTheOther) {
  for (const Int4Form form : kInt4Forms) {
    for (const bool with_norm : {false, true}) {
      start_over();
      const Shape shape{2, 80, 5152};
      const DType x_type = with_norm ? DType::kF32 : type();
      const Numbers norm = with_norm ? random(shape.columns, DType::kF32) : Numbers();
      const void* weight = put_strips(random_strips(form, shape.outputs, shape.columns));
      const Numbers row = random(shape.columns, x_type);
      const auto beside = [&](const Numbers& other) {
        Numbers x = row;
        x.insert(x.end(), other.begin(), other.end());
        return product_of(shape, form, weight, false, x, norm, ProductOutput::kFull);
      };
      const Product one = beside(random(shape.columns, x_type));
      const Product other = beside(random(shape.columns, x_type, 100.0F));
      for (const Int4Way& way : int4_ways(launch_, one)) {
        Numbers first = run(one, way, {});
        Numbers second = run(other, way, {});
        first.resize(static_cast<std::size_t>(shape.outputs));
        second.resize(first.size());
        ASSERT_EQ(first, second) << "form " << static_cast<int>(form);
      }
    }
  }
}

// What is normed may be far beyond F16 before.
TEST_P(Int4DirectTest, ANormTakesLargeAndSmallRows) {
  const Shape shape{2, 48, 576};
  for (const float size : {1e-6F, 3e6F}) {
    start_over();
    HostStrips strips = random_strips(Int4Form::kZero128, shape.outputs, shape.columns);
    const Numbers x = random(shape.rows * shape.columns, DType::kF32, size);
    const Numbers norm = random(shape.columns, DType::kF32);
    const std::vector<DirectSum> sums = sums_of(multiplied(x, norm), strips.values(), shape, 0.0);
    expect_all_ways(product_of(shape, Int4Form::kZero128, put_strips(strips), false, x, norm,
                               ProductOutput::kFull),
                    sums);
    if (HasFatalFailure()) return;
  }
}

TEST_P(Int4DirectTest, InputsThatNobodyCouldReadAreRefused) {
  const Shape shape{2, 16, 64};
  const void* weight = put_strips(random_strips(Int4Form::kZero32, shape.outputs, shape.columns));
  const Numbers x = random(shape.rows * shape.columns, type());
  Product product =
      product_of(shape, Int4Form::kZero32, weight, false, x, {}, ProductOutput::kFull);
  const Int4Way way = int4_ways(launch_, product).front();
  product.x_stride = shape.columns + 4;
  EXPECT_THROW(run(product, way, {}), std::invalid_argument);
}

INSTANTIATE_TEST_SUITE_P(WorkTypes, Int4DirectTest, kWorkTypes, work_type_name);

}  // namespace
}  // namespace hangar::cuda
