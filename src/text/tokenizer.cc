#include "text/tokenizer.h"

#include <utility>

#include "text/byte_level_bpe.h"

namespace hangar {

std::string Tokenizer::decode(std::span<const TokenId> ids, bool keep_special) const {
  std::string bytes;
  for (const TokenId id : ids) {
    if (keep_special || !is_special(id)) bytes.append(token_bytes(id));
  }
  return bytes;
}

Result<std::unique_ptr<const Tokenizer>> make_tokenizer(TokenizerSpec spec) {
  switch (spec.model) {
    case TokenizerModel::kByteLevelBpe:
      return ByteLevelBpe::build(std::move(spec));
  }
  return make_error(ErrorCode::kUnsupported, "tokenizer: model {} is not known",
                    static_cast<int>(spec.model));
}

}  // namespace hangar
