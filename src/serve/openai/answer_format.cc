#include "serve/openai/answer_format.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <iterator>
#include <system_error>

#include "text/stream_decoder.h"

namespace hangar {

std::string_view finish_reason_name(FinishReason reason) {
  return reason == FinishReason::kLength ? "length" : "stop";
}

double finite_logprob(float logprob) {
  constexpr double kLeast = -9999.0;
  if (!std::isfinite(logprob) || logprob < kLeast) return kLeast;
  // The shortest decimal that gives this float back, not the long one of its double.
  const std::string text = fmt::format("{}", logprob);
  double value = static_cast<double>(logprob);
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string token_text(std::string_view bytes, std::string_view prefix) {
  std::string text = to_valid_utf8(bytes);
  if (text == bytes) return text;
  text = prefix;
  for (const char byte : bytes) {
    fmt::format_to(std::back_inserter(text), "\\x{:02x}", static_cast<unsigned char>(byte));
  }
  return text;
}

}  // namespace hangar
