#include "eval/text.h"

namespace hangar {
namespace {

std::optional<TokenId> token_before_text(const TokenizerSpec& spec) {
  if (spec.single.empty() || spec.single.front().kind != TemplatePiece::Kind::kToken) {
    return std::nullopt;
  }
  return spec.single.front().token;
}

}  // namespace

EvalText tokens_for_windows(const Tokenizer& tokenizer, std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  EvalText result;
  result.first_token = token_before_text(tokenizer.spec());
  if (result.first_token) result.tokens.push_back(*result.first_token);
  const std::vector<TokenId> ids =
      tokenizer.encode(text, {.add_special = false, .parse_special = false});
  result.tokens.insert(result.tokens.end(), ids.begin(), ids.end());
  return result;
}

EvalText tokens_for_strides(const Tokenizer& tokenizer, std::string_view text) {
  return {tokenizer.encode(text, {.add_special = true, .parse_special = true}), std::nullopt};
}

}  // namespace hangar
