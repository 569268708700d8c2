#include "text/end_of_generation.h"

#include <algorithm>
#include <array>

namespace hangar {
namespace {

constexpr std::array<std::string_view, 11> kTurnEnds = {
    "<|im_end|>",             // ChatML: SmolLM, Qwen
    "<|eot_id|>",             // Llama 3
    "<|eom_id|>",             // Llama 3, where a tool is to answer
    "<|end|>",                // Phi-3
    "<|endoftext|>",          // GPT-2 and many after it
    "<|end_of_text|>",        // Llama 3, plain text
    "<end_of_turn>",          // Gemma
    "<|eot|>",                // Llama 4
    "<|eom|>",                // Llama 4, where a tool is to answer
    "<|return|>",             // gpt-oss
    "<|END_OF_TURN_TOKEN|>",  // Command R
};

}  // namespace

bool is_turn_end(std::string_view token_text) {
  return std::find(kTurnEnds.begin(), kTurnEnds.end(), token_text) != kTurnEnds.end();
}

std::vector<TokenId> end_of_generation_ids(const TokenizerSpec& spec) {
  std::vector<TokenId> ids = spec.end_of_generation;
  if (spec.eos) ids.push_back(*spec.eos);
  for (std::size_t i = 0; i < spec.kinds.size(); ++i) {
    if (spec.kinds[i] == TokenKind::kControl && is_turn_end(spec.tokens[i])) {
      ids.push_back(static_cast<TokenId>(i));
    }
  }
  for (const AddedToken& token : spec.added) {
    if (token.special && is_turn_end(token.content)) ids.push_back(token.id);
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

}  // namespace hangar
