#include "serve/metrics/card_families.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "serve/routes.h"
#include "serve/testing/test_server.h"

namespace hangar {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string metrics_of(Gateway& gateway) {
  HttpRequest request;
  request.method = "GET";
  request.target = "/metrics";
  HandlerResult result = handle_request(gateway, request);
  return std::get<HttpResponse>(result).body;
}

// What /metrics says with the fake driver failing in this way.
std::string with(const std::string& fault) {
  ::setenv("HANGAR_FAKE_NVML", fault.c_str(), 1);
  Gateway gateway;
  auto watch = CardWatch::open({.nvml = HANGAR_FAKE_NVML_LIBRARY});
  EXPECT_TRUE(watch);
  if (watch) gateway.watch_cards(std::move(*watch));
  const std::string text = metrics_of(gateway);
  ::unsetenv("HANGAR_FAKE_NVML");
  return text;
}

constexpr std::string_view kFirst =
    R"({gpu="0",UUID="GPU-11111111-2222-3333-4444-555555555555",modelName="NVIDIA H200"} )";

TEST(CardFamiliesTest, OneSampleACard) {
  const std::string text = with("");
  const auto has = [&](const std::string& name, const std::string& value) {
    EXPECT_THAT(text, HasSubstr("\n" + name + std::string(kFirst) + value + "\n"));
  };
  has("hangar_gpu_usable", "1");
  has("hangar_gpu_memory_used_bytes", "20000000000");
  has("hangar_gpu_memory_free_bytes", "130754820096");
  has("hangar_gpu_memory_total_bytes", "150754820096");
  has("hangar_gpu_utilization_ratio", "0.97");
  has("hangar_gpu_memory_utilization_ratio", "0.61");
  has("hangar_gpu_power_watts", "345.678");
  has("hangar_gpu_power_limit_watts", "700");
  has("hangar_gpu_temperature_celsius", "56");
  has("hangar_gpu_sm_clock_hertz", "1755000000");
  has("hangar_gpu_memory_clock_hertz", "3201000000");
  has("hangar_gpu_processes", "2");
  has("hangar_gpu_energy_joules_total", "1234567.89");
  EXPECT_THAT(text, HasSubstr(R"(modelName="NVIDIA H200",reason="heat"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(hangar_gpu_power_watts{gpu="1",)"));
  EXPECT_THAT(text, HasSubstr("# TYPE hangar_gpu_energy_joules_total counter"));
}

TEST(CardFamiliesTest, ALostCardIsUnusableAndHasNoNumbers) {
  const std::string text = with("lost");
  EXPECT_THAT(text, HasSubstr(R"(hangar_gpu_usable{gpu="1",UUID="",modelName=""} 0)"));
  EXPECT_THAT(text, Not(HasSubstr(R"(hangar_gpu_power_watts{gpu="1")")));
  EXPECT_THAT(text, HasSubstr("\nhangar_gpu_usable" + std::string(kFirst) + "1\n"));
}

TEST(CardFamiliesTest, WithoutCardsThereIsNoFamily) {
  Gateway gateway;
  EXPECT_THAT(metrics_of(gateway), Not(HasSubstr("hangar_gpu_")));
  EXPECT_THAT(with("none"), Not(HasSubstr("hangar_gpu_")));
}

}  // namespace
}  // namespace hangar
