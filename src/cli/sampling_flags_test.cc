#include "cli/sampling_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hangar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Status parse(SamplingFlags& flags, std::vector<std::string> arguments, Request& request,
             std::int32_t context_tokens = 100) {
  CLI::App app;
  flags.add(app);
  std::reverse(arguments.begin(), arguments.end());
  app.parse(arguments);
  return flags.apply(request, context_tokens);
}

TEST(SamplingFlags, ModelsDefaultsFillInForFlagsNotGiven) {
  SamplingFlags flags(0.7, 128);
  CLI::App app;
  flags.add(app);
  app.parse(std::vector<std::string>{"5", "--top-k"});
  GenerationDefaults defaults;
  defaults.temperature = 0.25F;
  defaults.top_k = 40;
  Request request;
  ASSERT_TRUE(flags.apply(request, 100, defaults));
  EXPECT_EQ(request.sampling.temperature, 0.25F);
  EXPECT_EQ(request.sampling.top_k, 5);
}

TEST(SamplingFlags, ReachTheRequest) {
  SamplingFlags flags(0, 128);
  Request request;
  ASSERT_TRUE(parse(flags,
                    {"--temperature",
                     "0.5",
                     "--top-p",
                     "0.9",
                     "--top-k",
                     "40",
                     "--min-p",
                     "0.1",
                     "--presence-penalty",
                     "-1",
                     "--frequency-penalty",
                     "1",
                     "--repetition-penalty",
                     "1.1",
                     "--seed",
                     "18446744073709551615",
                     "--max-tokens",
                     "7",
                     "--min-tokens",
                     "3",
                     "--ignore-eos",
                     "--stop",
                     "[a,b]",
                     "--stop",
                     "-x"},
                    request)
                  .has_value());
  EXPECT_FLOAT_EQ(request.sampling.temperature, 0.5F);
  EXPECT_FLOAT_EQ(request.sampling.top_p, 0.9F);
  EXPECT_EQ(request.sampling.top_k, 40);
  EXPECT_FLOAT_EQ(request.sampling.min_p, 0.1F);
  EXPECT_FLOAT_EQ(request.sampling.presence_penalty, -1.0F);
  EXPECT_FLOAT_EQ(request.sampling.frequency_penalty, 1.0F);
  EXPECT_FLOAT_EQ(request.sampling.repetition_penalty, 1.1F);
  EXPECT_EQ(request.sampling.seed, 18446744073709551615U);
  EXPECT_EQ(request.max_tokens, 7);
  EXPECT_EQ(request.min_tokens, 3);
  EXPECT_TRUE(request.ignore_eos);
  EXPECT_THAT(flags.stop(), ElementsAre("[a,b]", "-x"));
}

TEST(SamplingFlags, UnsaidMaxTokensFitTheContext) {
  SamplingFlags flags(0, 128);
  Request request;
  request.prompt.resize(60);
  ASSERT_TRUE(parse(flags, {}, request).has_value());
  EXPECT_EQ(request.max_tokens, 40);
  EXPECT_EQ(request.sampling.seed, std::nullopt);
  SamplingFlags said(0, 128);
  ASSERT_TRUE(parse(said, {"--max-tokens", "90"}, request).has_value());
  EXPECT_EQ(request.max_tokens, 90);
}

TEST(SamplingFlags, OutOfRangeNamesTheFlag) {
  for (const auto& [flag, value] :
       std::vector<std::pair<std::string, std::string>>{{"--temperature", "2.1"},
                                                        {"--temperature", "nan"},
                                                        {"--top-p", "0"},
                                                        {"--top-k", "-1"},
                                                        {"--min-p", "1.5"},
                                                        {"--presence-penalty", "3"},
                                                        {"--frequency-penalty", "-3"},
                                                        {"--repetition-penalty", "0"},
                                                        {"--max-tokens", "0"},
                                                        {"--min-tokens", "200"}}) {
    SamplingFlags flags(0, 128);
    Request request;
    const Status status = parse(flags, {flag, value}, request);
    ASSERT_FALSE(status.has_value()) << flag << value;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(status.error().message, HasSubstr(flag));
  }
}

}  // namespace
}  // namespace hangar
