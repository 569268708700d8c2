#include "serve/openai/time_limit.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace hangar {
namespace {

constexpr std::string_view kHeader = "X-Request-Timeout-Ms";
constexpr std::int64_t kMostMs = 1'000'000'000;

std::optional<std::int64_t> parse_ms(std::string_view text) {
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size() || value <= 0 || value > kMostMs)
    return std::nullopt;
  return value;
}

}  // namespace

ApiResult<TimeLimit> read_time_limit(const Gateway& gateway, const HttpRequest& request,
                                     const GenerationFields& fields, std::int64_t arrival_us) {
  std::optional<std::int64_t> own_us;
  if (!request.timeout_ms.empty()) {
    const std::optional<std::int64_t> given_ms = parse_ms(request.timeout_ms);
    if (!given_ms) {
      return tl::unexpected<ApiError>(
          invalid_value(std::string(kHeader),
                        fmt::format("a whole number of milliseconds, 1 to {}, but got '{}'.",
                                    kMostMs, request.timeout_ms.substr(0, 40))));
    }
    own_us = *given_ms * 1000;
  }
  if (fields.timeout_s) {
    const auto field_us =
        std::max<std::int64_t>(static_cast<std::int64_t>(*fields.timeout_s * 1e6), 1);
    own_us = std::min(own_us.value_or(field_us), field_us);
  }
  const std::int64_t limit_us = gateway.options().request_timeout_us;
  TimeLimit limit;
  limit.of_client = own_us && (limit_us <= 0 || *own_us < limit_us);
  if (limit.of_client) {
    limit.deadline_us = arrival_us + *own_us;
  } else if (limit_us > 0) {
    limit.deadline_us = arrival_us + limit_us;
  }
  return limit;
}

ApiError expired_error(bool of_client) {
  ApiError error;
  if (of_client) {
    error.status = 408;
    error.message = "The request was not answered within the time that it allows itself.";
    error.code = "request_timeout";
    error.retry = false;  // whoever set the limit has given it up
    return error;
  }
  error.status = 504;
  error.message = "The request was not answered within the server's time limit.";
  error.type = "server_error";
  error.code = "deadline_exceeded";
  return error;
}

}  // namespace hangar
