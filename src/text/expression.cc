#include "text/expression.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <cstdint>
#include <new>
#include <string>
#include <utility>

#include "text/portable_expression.h"
#include "text/shown.h"

namespace hangar {

struct Expression::Code {
  pcre2_code* code = nullptr;
  pcre2_match_context* limits = nullptr;

  Code() = default;
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;
  ~Code() {
    pcre2_match_context_free(limits);
    pcre2_code_free(code);
  }
};

Expression::Cursor::Cursor(const Expression& expression)
    : match_data_(pcre2_match_data_create_from_pattern(expression.code_->code, nullptr)) {
  if (match_data_ == nullptr) throw std::bad_alloc();
}

Expression::Cursor::~Cursor() {
  pcre2_match_data_free(static_cast<pcre2_match_data*>(match_data_));
}

Expression::Cursor::Cursor(Cursor&& other) noexcept
    : match_data_(std::exchange(other.match_data_, nullptr)) {}

Result<Expression> Expression::compile(std::string_view expression) {
  HANGAR_TRY(const std::string portable, portable_expression(expression));
  auto code = std::make_shared<Code>();
  int error = 0;
  std::size_t error_at = 0;
  // As in Oniguruma's Ruby syntax, ^ and $ stand for the ends of lines.
  code->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(portable.data()), portable.size(),
                             PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                             &error, &error_at, nullptr);
  if (code->code == nullptr) {
    std::array<PCRE2_UCHAR, 256> words{};
    pcre2_get_error_message(error, words.data(), words.size());
    return make_error(ErrorCode::kUnsupported, "the expression \"{}\" is not supported: {}",
                      shown(expression), reinterpret_cast<const char*>(words.data()));
  }
  // Without JIT (a system that forbids it) the interpreter runs, slower and with the same result.
  pcre2_jit_compile(code->code, PCRE2_JIT_COMPLETE);
  code->limits = pcre2_match_context_create(nullptr);
  if (code->limits == nullptr) throw std::bad_alloc();
  // Backing off over a row of white space counts as many steps as the row is long; the default
  // limit of 10 million would end a long one early.
  pcre2_set_match_limit(code->limits, UINT32_MAX);
  return Expression(std::move(code));
}

std::size_t Expression::character_bytes(char lead) {
  const auto byte = static_cast<std::uint8_t>(lead);
  return byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

bool Expression::find(std::string_view text, std::size_t at, Cursor& cursor, std::size_t& begin,
                      std::size_t& end) const {
  auto* match_data = static_cast<pcre2_match_data*>(cursor.match_data_);
  const int found = pcre2_match(code_->code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                                at, PCRE2_NO_UTF_CHECK, match_data, code_->limits);
  // Beside "no match" only memory or steps can be wanting; the rest is then one piece, and no byte
  // is lost.
  if (found < 0) return false;
  const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match_data);
  begin = bounds[0];
  end = bounds[1];
  return begin <= end;  // \K can set the begin behind the end
}

}  // namespace hangar
