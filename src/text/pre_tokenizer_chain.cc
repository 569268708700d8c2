#include "text/pre_tokenizer_chain.h"

#include <utility>

namespace hangar {
namespace {

// Each digit alone, then GPT-2's words in what lies between: a digit ends the text as far as white
// space before it is concerned. (The two ranges are digits only since Unicode 17.)
constexpr std::string_view kDigitsAndWords =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+|[\p{N}\x{11de0}-\x{11de9}\x{16ff4}-\x{16ff6}])"
    R"(| ?[^\s\p{L}\p{N}\x{11de0}-\x{11de9}\x{16ff4}-\x{16ff6}]+)"
    R"(|\s+(?![^\s\p{N}\x{11de0}-\x{11de9}\x{16ff4}-\x{16ff6}])|\s+)";

void join_stages(std::vector<PreTokenizerSpec>& specs) {
  for (std::size_t i = 0; i + 1 < specs.size(); ++i) {
    PreTokenizerSpec& digits = specs[i];
    PreTokenizerSpec& words = specs[i + 1];
    if (digits.kind != PreTokenizerKind::kDigits || !digits.individual) continue;
    if (words.kind != PreTokenizerKind::kByteLevel || !words.use_regex || words.add_prefix_space) {
      continue;
    }
    digits = {.kind = PreTokenizerKind::kSplit,
              .pattern = {.text = std::string(kDigitsAndWords), .regex = true}};
    words.use_regex = false;
  }
}

}  // namespace

Result<PreTokenizerChain> PreTokenizerChain::build(std::vector<PreTokenizerSpec> specs,
                                                   bool spell_last) {
  join_stages(specs);
  PreTokenizerChain chain;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const PreTokenizerSpec& spec = specs[i];
    const bool spell = spell_last || i + 1 < specs.size();
    // Nothing is left to do where the bytes are not made visible.
    if (!spell && spec.kind == PreTokenizerKind::kByteLevel && !spec.use_regex &&
        !spec.add_prefix_space) {
      continue;
    }
    HANGAR_TRY(auto stage, make_pre_tokenizer_stage(spec, spell));
    chain.stages_.push_back(std::move(stage));
  }
  return chain;
}

PreTokenizerChain::Scratch PreTokenizerChain::make_scratch() const {
  Scratch scratch;
  scratch.reserve(stages_.size());
  for (const auto& stage : stages_)
    scratch.push_back({.cursor = stage->make_cursor(), .text = {}, .piece = {}});
  return scratch;
}

void PreTokenizerChain::cut(std::string_view text, bool at_start, Scratch& scratch,
                            OnPiece on_piece) const {
  if (!text.empty()) run(0, text, at_start, scratch, on_piece);
}

void PreTokenizerChain::run(std::size_t stage, std::string_view text, bool at_start,
                            Scratch& scratch, OnPiece on_piece) const {
  if (stage == stages_.size()) return on_piece(text);
  if (stage + 1 == stages_.size()) {
    stages_[stage]->cut(text, at_start, scratch[stage],
                        [&](std::string_view piece, bool) { on_piece(piece); });
    return;
  }
  stages_[stage]->cut(text, at_start, scratch[stage], [&](std::string_view piece, bool starts) {
    run(stage + 1, piece, starts, scratch, on_piece);
  });
}

}  // namespace hangar
