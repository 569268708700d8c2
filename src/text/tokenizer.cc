#include "text/tokenizer.h"

#include <utility>

#include "text/pipeline_tokenizer.h"

namespace hangar {

std::string Tokenizer::decode(std::span<const TokenId> ids, bool keep_special) const {
  std::string bytes;
  for (const TokenId id : ids) {
    if (keep_special || !is_special(id)) bytes.append(token_bytes(id));
  }
  return bytes;
}

Result<std::unique_ptr<const Tokenizer>> make_tokenizer(TokenizerSpec spec) {
  return PipelineTokenizer::build(std::move(spec));
}

}  // namespace hangar
