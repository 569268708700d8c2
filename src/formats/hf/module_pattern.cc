#include "formats/hf/module_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <new>

namespace hangar::hf {
namespace {

constexpr std::string_view kExpressionMark = "re:";
constexpr std::size_t kLongestExpression = 10000;
constexpr std::uint32_t kMostSteps = 1000000;

PCRE2_SPTR bytes_of(std::string_view text) {
  return reinterpret_cast<PCRE2_SPTR>(text.data());
}

}  // namespace

Result<ModulePattern> ModulePattern::compile(std::string_view text) {
  ModulePattern pattern(text);
  if (!text.starts_with(kExpressionMark)) return pattern;
  const std::string_view expression = text.substr(kExpressionMark.size());
  if (expression.size() > kLongestExpression) {
    return make_error(ErrorCode::kCorrupt, "an expression of {} bytes for modules' names",
                      expression.size());
  }
  int error = 0;
  std::size_t error_at = 0;
  pcre2_code* code =
      pcre2_compile(bytes_of(expression), expression.size(), PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED,
                    &error, &error_at, nullptr);
  if (code == nullptr) {
    std::array<PCRE2_UCHAR, 256> words{};
    pcre2_get_error_message(error, words.data(), words.size());
    return make_error(ErrorCode::kCorrupt, "expression '{}', byte {}: {}", text, error_at,
                      reinterpret_cast<const char*>(words.data()));
  }
  pattern.code_ = std::shared_ptr<const void>(code, [](const void* p) {
    pcre2_code_free(const_cast<pcre2_code*>(static_cast<const pcre2_code*>(p)));
  });
  return pattern;
}

bool ModulePattern::matches(std::string_view module) const {
  if (code_ == nullptr) return module == text_;
  const auto* code = static_cast<const pcre2_code*>(code_.get());
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
      pcre2_match_data_create_from_pattern(code, nullptr), pcre2_match_data_free);
  const std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> limits(
      pcre2_match_context_create(nullptr), pcre2_match_context_free);
  if (data == nullptr || limits == nullptr) throw std::bad_alloc();
  pcre2_set_match_limit(limits.get(), kMostSteps);
  return pcre2_match(code, bytes_of(module), module.size(), 0, 0, data.get(), limits.get()) >= 0;
}

}  // namespace hangar::hf
