#include "hub/environment.h"

#include <charconv>
#include <string_view>

#include "base/mapped_file.h"

namespace hangar::hub {
namespace {

using Environment = std::map<std::string, std::string>;

constexpr std::size_t kMostTokenBytes = 4096;

// "" where it is not set, or set to nothing.
std::string value_of(const Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

bool is_true(const Environment& environment, const std::string& name) {
  std::string value = value_of(environment, name);
  for (char& c : value) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

std::string trimmed(std::string text) {
  const char* const spaces = " \t\r\n";
  text.erase(text.find_last_not_of(spaces) + 1);
  text.erase(0, text.find_first_not_of(spaces));
  return text;
}

std::filesystem::path token_file(const Environment& environment,
                                 const std::filesystem::path& home) {
  if (std::string path = value_of(environment, "HF_TOKEN_PATH"); !path.empty()) return path;
  if (const std::string folder = value_of(environment, "HF_HOME"); !folder.empty()) {
    return std::filesystem::path(folder) / "token";
  }
  const std::string cache = value_of(environment, "XDG_CACHE_HOME");
  return (cache.starts_with('/') ? std::filesystem::path(cache) : home / ".cache") / "huggingface" /
         "token";
}

Result<std::string> find_token(const Environment& environment, const std::filesystem::path& home) {
  if (is_true(environment, "HF_HUB_DISABLE_IMPLICIT_TOKEN")) return std::string();
  for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {
    if (std::string token = trimmed(value_of(environment, name)); !token.empty()) return token;
  }
  auto text = read_text_file(token_file(environment, home), kMostTokenBytes);
  if (text) return trimmed(std::move(*text));
  if (text.error().code == ErrorCode::kNotFound) return std::string();
  return tl::unexpected<Error>(std::move(text.error()));
}

}  // namespace

std::string without_slash(std::string endpoint) {
  while (endpoint.ends_with('/')) endpoint.pop_back();
  return endpoint;
}

Result<HubEnvironment> hub_environment(const Environment& environment,
                                       const std::filesystem::path& home) {
  HubEnvironment out;
  if (const std::string endpoint = trimmed(value_of(environment, "HF_ENDPOINT"));
      !endpoint.empty()) {
    out.endpoint = without_slash(endpoint);
  }
  HANGAR_TRY(out.token, find_token(environment, home));
  out.offline = is_true(environment, "HF_HUB_OFFLINE");
  const std::string timeout = trimmed(value_of(environment, "HF_HUB_DOWNLOAD_TIMEOUT"));
  if (!timeout.empty()) {
    int seconds = 0;
    const auto [end, failure] =
        std::from_chars(timeout.data(), timeout.data() + timeout.size(), seconds);
    if (failure != std::errc() || end != timeout.data() + timeout.size() || seconds < 1) {
      return make_error(ErrorCode::kInvalidArgument,
                        "environment HF_HUB_DOWNLOAD_TIMEOUT: '{}': must be whole seconds from 1",
                        timeout);
    }
    out.stall_us = std::int64_t{seconds} * 1'000'000;
  }
  return out;
}

}  // namespace hangar::hub
