#include "text/vocabulary.h"

#include <limits>

#include "text/post_processor.h"
#include "text/shown.h"

namespace hangar {
namespace {

Status check_id(std::string_view field, std::optional<TokenId> id, std::size_t tokens) {
  if (!id || (*id >= 0 && static_cast<std::size_t>(*id) < tokens)) return {};
  return make_error(ErrorCode::kCorrupt, "tokenizer: {} is {}, but there are {} tokens", field, *id,
                    tokens);
}

Status check(const TokenizerSpec& spec) {
  const std::size_t count = spec.tokens.size();
  if (count == 0) return make_error(ErrorCode::kCorrupt, "tokenizer: the vocabulary is empty");
  if (count > static_cast<std::size_t>(std::numeric_limits<TokenId>::max())) {
    return make_error(ErrorCode::kCorrupt, "tokenizer: {} tokens are more than ids can number",
                      count);
  }
  if (!spec.kinds.empty() && spec.kinds.size() != count) {
    return make_error(ErrorCode::kCorrupt, "tokenizer: {} token kinds for {} tokens",
                      spec.kinds.size(), count);
  }
  HANGAR_CHECK_OK(check_id("bos", spec.bos, count));
  HANGAR_CHECK_OK(check_id("eos", spec.eos, count));
  HANGAR_CHECK_OK(check_id("unknown", spec.unknown, count));
  HANGAR_CHECK_OK(check_id("padding", spec.padding, count));
  for (const TokenId id : spec.end_of_generation) {
    HANGAR_CHECK_OK(check_id("end_of_generation", id, count));
  }
  for (const AddedToken& token : spec.added) {
    HANGAR_CHECK_OK(
        check_id(fmt::format("added token \"{}\"", shown(token.content)), token.id, count));
  }
  return check_templates(spec);
}

}  // namespace

Result<Vocabulary> Vocabulary::build(TokenizerSpec spec) {
  HANGAR_CHECK_OK(check(spec));
  return Vocabulary(std::move(spec));
}

}  // namespace hangar
