#include "serve/metrics/model_metrics.h"

namespace hangar {
namespace {

constexpr std::array<std::int64_t, 22> kFirstTokenUs{
    1'000,      5'000,       10'000,      20'000,       40'000,     60'000,
    80'000,     100'000,     250'000,     500'000,      750'000,    1'000'000,
    2'500'000,  5'000'000,   7'500'000,   10'000'000,   20'000'000, 40'000'000,
    80'000'000, 160'000'000, 640'000'000, 2'560'000'000};

constexpr std::array<std::int64_t, 19> kTokenUs{
    10'000,    25'000,     50'000,     75'000,     100'000,   150'000,   200'000,
    300'000,   400'000,    500'000,    750'000,    1'000'000, 2'500'000, 5'000'000,
    7'500'000, 10'000'000, 20'000'000, 40'000'000, 80'000'000};

constexpr std::array<std::int64_t, 21> kRequestUs{
    300'000,    500'000,     800'000,     1'000'000,   1'500'000,   2'000'000,     2'500'000,
    5'000'000,  10'000'000,  15'000'000,  20'000'000,  30'000'000,  40'000'000,    50'000'000,
    60'000'000, 120'000'000, 240'000'000, 480'000'000, 960'000'000, 1'920'000'000, 7'680'000'000};

constexpr std::array<std::int64_t, 18> kTokens{1,      2,      5,      10,      20,      50,
                                               100,    200,    500,    1'000,   2'000,   5'000,
                                               10'000, 20'000, 50'000, 100'000, 200'000, 500'000};

constexpr std::array<std::int64_t, 7> kChoices{1, 2, 5, 10, 20, 50, 100};

}  // namespace

std::string_view finish_label(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kCancelled:
      return "abort";
    case FinishReason::kFailed:
      return "error";
    case FinishReason::kExpired:
      return "timeout";
  }
  return "error";
}

ModelMetrics::ModelMetrics()
    : time_to_first_token_us(kFirstTokenUs),
      inter_token_us(kTokenUs),
      token_mean_us(kTokenUs),
      request_us(kRequestUs),
      queue_us(kRequestUs),
      prefill_us(kRequestUs),
      decode_us(kRequestUs),
      inference_us(kRequestUs),
      request_prompt_tokens(kTokens),
      request_generation_tokens(kTokens),
      request_max_tokens(kTokens),
      request_choices(kChoices) {}

}  // namespace hangar
