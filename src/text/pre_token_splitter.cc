#include "text/pre_token_splitter.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <new>
#include <string>

#include "text/pre_tokenizers.h"
#include "text/utf8.h"

namespace hangar {

struct PreTokenSplitter::Code {
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

PreTokenSplitter::Cursor::Cursor(const PreTokenSplitter& splitter)
    : match_data_(pcre2_match_data_create_from_pattern(splitter.code_->code, nullptr)) {
  if (match_data_ == nullptr) throw std::bad_alloc();
}

PreTokenSplitter::Cursor::~Cursor() {
  pcre2_match_data_free(static_cast<pcre2_match_data*>(match_data_));
}

Result<PreTokenSplitter> PreTokenSplitter::compile(std::string_view expression) {
  const std::string portable = portable_expression(expression);
  auto code = std::make_shared<Code>();
  int error = 0;
  std::size_t error_at = 0;
  code->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(portable.data()), portable.size(),
                             PCRE2_UTF | PCRE2_UCP, &error, &error_at, nullptr);
  if (code->code == nullptr) {
    std::array<PCRE2_UCHAR, 256> words{};
    pcre2_get_error_message(error, words.data(), words.size());
    return make_error(ErrorCode::kInternal, "pre-tokenizer expression, byte {}: {}", error_at,
                      reinterpret_cast<const char*>(words.data()));
  }
  // Without JIT (a system that forbids it) the interpreter runs, slower and with the same result.
  pcre2_jit_compile(code->code, PCRE2_JIT_COMPLETE);
  code->limits = pcre2_match_context_create(nullptr);
  if (code->limits == nullptr) throw std::bad_alloc();
  // Backing off over a row of white space counts as many steps as the row is long; the default
  // limit of 10 million would end a long one early.
  pcre2_set_match_limit(code->limits, UINT32_MAX);
  return PreTokenSplitter(std::move(code));
}

void PreTokenSplitter::split(std::string_view text, Cursor& cursor,
                             FunctionRef<void(std::string_view)> on_piece) const {
  auto* match_data = static_cast<pcre2_match_data*>(cursor.match_data_);
  const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match_data);
  std::size_t at = 0;    // where the next search begins
  std::size_t done = 0;  // what has been handed out
  while (at < text.size()) {
    const int found = pcre2_match(code_->code, reinterpret_cast<PCRE2_SPTR>(text.data()),
                                  text.size(), at, PCRE2_NO_UTF_CHECK, match_data, code_->limits);
    // Beside "no match" only memory can be wanting; the rest is then one piece, and no byte is
    // lost.
    if (found < 0) break;
    if (bounds[1] == bounds[0]) {  // an empty match cuts nothing
      at = bounds[1] < text.size() ? bounds[1] + next_utf8(text.substr(bounds[1])).bytes
                                   : text.size();
      continue;
    }
    if (bounds[0] > done) on_piece(text.substr(done, bounds[0] - done));
    on_piece(text.substr(bounds[0], bounds[1] - bounds[0]));
    at = done = bounds[1];
  }
  if (done < text.size()) on_piece(text.substr(done));
}

}  // namespace hangar
