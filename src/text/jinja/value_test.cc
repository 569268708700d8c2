// Values and their operators, under the meter.
#include "text/jinja/value.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "text/jinja/heap.h"
#include "text/jinja/merge_sort.h"
#include "text/jinja/operators.h"
#include "text/jinja/text_form.h"

namespace hangar::jinja {
namespace {

ErrorCode code_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const TemplateFailure& failure) {
    return failure.error().code;
  }
  ADD_FAILURE() << "nothing failed";
  return ErrorCode::kInternal;
}

TEST(Value, CountsEveryByteAndGivesItBack) {
  Heap heap(TemplateLimits{}, 0);
  EXPECT_EQ(heap.meter().live_bytes(), 0U);
  {
    const Value text = heap.string(std::string(1000, 'x'));
    EXPECT_GE(heap.meter().live_bytes(), 1000U);
    const Value list = heap.list({text, text, Value::integer(1)});
    const auto dict = heap.new_dict();
    dict->set(text, list);
    EXPECT_GE(heap.meter().live_bytes(), 1000U + 3 * sizeof(Value));
  }
  EXPECT_EQ(heap.meter().live_bytes(), 0U);
}

TEST(Value, RefusesWhatPassesTheLimits) {
  TemplateLimits limits;
  limits.memory_bytes = 10'000;
  limits.depth = 5;
  Heap heap(limits, 0);
  EXPECT_EQ(code_of([&] { heap.string(std::string(20'000, 'x')); }), ErrorCode::kResourceExhausted);
  EXPECT_EQ(code_of([&] {
              binary(heap, BinaryOp::kMultiply, heap.string("ab"), Value::integer(1'000'000'000));
            }),
            ErrorCode::kResourceExhausted);
  Value nested = heap.list({});
  for (int i = 0; i < 4; ++i) nested = heap.list({nested});
  EXPECT_EQ(code_of([&] { heap.list({nested}); }), ErrorCode::kResourceExhausted);
}

TEST(Value, DictsKeepOrderAndFindEqualNumbers) {
  Heap heap(TemplateLimits{}, 0);
  const auto dict = heap.new_dict();
  for (std::int64_t i = 20; i > 0; --i) dict->set(Value::integer(i), Value::integer(i * i));
  dict->set(Value::real(20.0), Value::integer(-1));  // the same key as 20
  dict->set(heap.string("k"), Value());
  EXPECT_EQ(dict->entries().size(), 21U);
  EXPECT_EQ(dict->entries()[0].first.as_int(), 20);
  ASSERT_NE(dict->find(Value::integer(20)), nullptr);
  EXPECT_EQ(dict->find(Value::integer(20))->as_int(), -1);
  EXPECT_NE(dict->find("k"), nullptr);
  EXPECT_EQ(dict->find("q"), nullptr);
  EXPECT_EQ(code_of([&] { dict->find(heap.list({})); }), ErrorCode::kInvalidArgument);
}

TEST(Operators, ArithmeticIsPythons) {
  Heap heap(TemplateLimits{}, 0);
  const auto whole = [&](BinaryOp op, std::int64_t a, std::int64_t b) {
    return binary(heap, op, Value::integer(a), Value::integer(b)).as_int();
  };
  EXPECT_EQ(whole(BinaryOp::kFloorDivide, -7, 2), -4);
  EXPECT_EQ(whole(BinaryOp::kModulo, -7, 3), 2);
  EXPECT_EQ(whole(BinaryOp::kModulo, 7, -3), -2);
  EXPECT_EQ(whole(BinaryOp::kPower, 3, 4), 81);
  EXPECT_EQ(whole(BinaryOp::kModulo, std::numeric_limits<std::int64_t>::min(), -1), 0);
  for (const BinaryOp op : {BinaryOp::kAdd, BinaryOp::kMultiply, BinaryOp::kPower}) {
    EXPECT_EQ(code_of([&] { whole(op, std::numeric_limits<std::int64_t>::max(), 2); }),
              ErrorCode::kInvalidArgument);
  }
  EXPECT_EQ(
      code_of([&] { whole(BinaryOp::kFloorDivide, std::numeric_limits<std::int64_t>::min(), -1); }),
      ErrorCode::kInvalidArgument);
}

TEST(Operators, ComparesIntegersAndFloatsExactly) {
  Heap heap(TemplateLimits{}, 0);
  const Value odd = Value::integer(9007199254740993);
  EXPECT_FALSE(equals(heap.meter(), odd, Value::real(9007199254740992.0)));
  EXPECT_TRUE(less(heap.meter(), Value::real(9007199254740992.0), odd));
  EXPECT_FALSE(less(heap.meter(), odd, Value::real(9007199254740992.0)));
  EXPECT_TRUE(less(heap.meter(), Value::integer(std::numeric_limits<std::int64_t>::max()),
                   Value::real(9223372036854775808.0)));
}

TEST(MergeSort, IsStableAndBearsANonsenseOrder) {
  std::vector<std::pair<int, int>> items;
  for (int i = 0; i < 100; ++i) items.emplace_back((i * 37) % 10, i);
  merge_sort(items, [](const auto& a, const auto& b) { return a.first < b.first; });
  for (std::size_t i = 1; i < items.size(); ++i) EXPECT_LT(items[i - 1], items[i]);
  std::vector<int> numbers = {5, 1, 4, 2, 3};
  merge_sort(numbers, [](int, int) { return true; });
  std::sort(numbers.begin(), numbers.end());
  EXPECT_EQ(numbers, (std::vector<int>{1, 2, 3, 4, 5}));
}

TEST(TextForm, FloatsAndStringsAreReprs) {
  EXPECT_EQ(float_repr(1.0), "1.0");
  EXPECT_EQ(float_repr(1e16), "1e+16");
  EXPECT_EQ(float_repr(-1e-5), "-1e-05");
  EXPECT_EQ(string_repr("it's"), "\"it's\"");
  EXPECT_EQ(string_repr("a\n\x01\u200b"), "'a\\n\\x01\\u200b'");
  EXPECT_EQ(parse_int(" -0x1f ", 16), -31);
  EXPECT_EQ(parse_int("1__0", 10), std::nullopt);
  EXPECT_EQ(parse_float("1e999"), std::numeric_limits<double>::infinity());
  EXPECT_EQ(parse_float("0x1"), std::nullopt);
}

}  // namespace
}  // namespace hangar::jinja
