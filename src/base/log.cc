#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <memory>

namespace hangar {
namespace {

constexpr std::array<std::string_view, 6> kNames = {"trace", "debug", "info",
                                                    "warn",  "error", "off"};
constexpr std::array<spdlog::level::level_enum, 6> kLevels = {
    spdlog::level::trace, spdlog::level::debug, spdlog::level::info,
    spdlog::level::warn,  spdlog::level::err,   spdlog::level::off};

}  // namespace

std::span<const std::string_view> log_level_names() {
  return kNames;
}

Status start_log(std::string_view level) {
  const auto* found = std::find(kNames.begin(), kNames.end(), level);
  if (found == kNames.end()) {
    return make_error(ErrorCode::kInvalidArgument, "log level '{}': must be one of {}", level,
                      fmt::join(kNames, ", "));
  }
  auto logger = std::make_shared<spdlog::logger>(
      "hangar", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%l%$ %v");
  logger->set_level(kLevels[static_cast<std::size_t>(found - kNames.begin())]);
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
  return {};
}

}  // namespace hangar
