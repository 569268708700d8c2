#include "backend/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hangar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(RegistryTest, ShareOfMemoryIsForACard) {
  for (const char* name : {"cpu", "ref"}) {
    const auto share = make_backend(name, {.threads = 1, .device_memory_share = 0.5});
    ASSERT_FALSE(share.has_value()) << name;
    EXPECT_EQ(share.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(share.error().field, "gpu_memory");
    EXPECT_THAT(share.error().message, HasSubstr("--gpu-memory is for a card (--backend cuda)"));
    const auto size = make_backend(name, {.threads = 1, .device_memory_bytes = 1 << 30});
    ASSERT_FALSE(size.has_value()) << name;
  }
}

TEST(RegistryTest, FewerBitsThanTheFilesAreForACard) {
  for (const char* name : {"cpu", "ref"}) {
    const auto fp8 = make_backend(name, {.threads = 1, .quant = {.matrices = WeightQuant::kFp8}});
    ASSERT_FALSE(fp8.has_value()) << name;
    EXPECT_EQ(fp8.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(fp8.error().field, "quant");
    EXPECT_THAT(fp8.error().message, HasSubstr("--quant fp8 is for a card (--backend cuda)"));
    EXPECT_THAT(fp8.error().message, HasSubstr("take a file of 4 or 8 bits"));
    const auto head = make_backend(name, {.threads = 1, .quant = {.head = WeightQuant::kFp8}});
    ASSERT_FALSE(head.has_value()) << name;
    EXPECT_EQ(head.error().field, "quant_head");
    EXPECT_THAT(head.error().message, HasSubstr("--quant-head 8 is for a card"));
    const QuantOptions four{.matrices = WeightQuant::kInt4, .head = WeightQuant::kInt4};
    const auto int4 = make_backend(name, {.threads = 1, .quant = four});
    ASSERT_FALSE(int4.has_value()) << name;
    EXPECT_THAT(int4.error().message, HasSubstr("--quant int4 is for a card"));
    const auto head4 = make_backend(name, {.threads = 1, .quant = {.head = WeightQuant::kInt4}});
    ASSERT_FALSE(head4.has_value()) << name;
    EXPECT_THAT(head4.error().message, HasSubstr("--quant-head 4 is for a card"));
    const auto copies =
        make_backend(name, {.threads = 1, .quant = {.copies = WeightCopies::kExact}});
    ASSERT_FALSE(copies.has_value()) << name;
    EXPECT_EQ(copies.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(copies.error().field, "int4_copies");
    EXPECT_THAT(copies.error().message, HasSubstr("--int4-copies exact is for a card"));
    const QuantOptions off{.copies = WeightCopies::kOff};
    EXPECT_TRUE(make_backend(name, {.threads = 1, .quant = off}).has_value());
    const QuantOptions sixteen{.matrices = WeightQuant::kNone, .head = WeightQuant::kNone};
    EXPECT_TRUE(make_backend(name, {.threads = 1, .quant = sixteen}).has_value());
  }
}

TEST(RegistryTest, KnowsItsBackendsAndNamesThem) {
  for (const std::string_view name : backend_names()) {
    const auto made = make_backend(name, 1);
    if (!made && name == "cuda") {  // no card here, or no such library
      EXPECT_EQ(made.error().code, ErrorCode::kUnsupported) << made.error().message;
      continue;
    }
    ASSERT_TRUE(made.has_value()) << made.error().message;
    EXPECT_EQ((*made)->name(), name);
  }
  const auto none = make_backend("abacus", 1);
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(none.error().message, HasSubstr("ref"));
}

}  // namespace
}  // namespace hangar
