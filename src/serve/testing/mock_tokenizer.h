// MockTokenizer: for tests: each byte is a token; "<s>", "</s>" and "<|role|>" marks are control
// tokens.
//
// Promise: id 0..255 is that byte; the control tokens follow. No bos is added unless asked for.
// Threads: const after construction.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "text/post_processor.h"
#include "text/tokenizer.h"

namespace hangar {

class MockTokenizer final : public Tokenizer {
 public:
  static constexpr TokenId kBos = 256;
  static constexpr TokenId kEos = 257;
  static constexpr TokenId kMark = 258;

  explicit MockTokenizer(bool add_bos = false) {
    for (int i = 0; i < 256; ++i) spec_.tokens.push_back(std::string(1, static_cast<char>(i)));
    for (const std::string_view text : kControls) spec_.tokens.push_back(text);
    spec_.bos = kBos;
    spec_.eos = kEos;
    wrap_in_bos_eos(add_bos, false, spec_);
  }

  std::vector<TokenId> encode(std::string_view text, EncodeOptions options) const override {
    std::vector<TokenId> ids;
    if (options.add_special && begins_with_bos(spec_)) ids.push_back(kBos);
    while (!text.empty()) {
      TokenId id = static_cast<unsigned char>(text.front());
      std::size_t taken = 1;
      for (std::size_t i = 0; options.parse_special && i < kControls.size(); ++i) {
        if (!text.starts_with(kControls[i])) continue;
        id = kBos + static_cast<TokenId>(i);
        taken = kControls[i].size();
      }
      ids.push_back(id);
      text.remove_prefix(taken);
    }
    return ids;
  }
  Encoding encode_pair(std::string_view first, std::string_view second,
                       EncodeOptions options) const override {
    Encoding both{.ids = encode(first, options), .type_ids = {}};
    both.type_ids.assign(both.ids.size(), 0);
    const std::vector<TokenId> ids =
        encode(second, {.add_special = false, .parse_special = options.parse_special});
    both.ids.insert(both.ids.end(), ids.begin(), ids.end());
    both.type_ids.resize(both.ids.size(), 1);
    return both;
  }
  std::string_view token_bytes(TokenId id) const override {
    return id >= 0 && id < vocabulary() ? spec_.tokens[static_cast<std::size_t>(id)]
                                        : std::string_view();
  }
  bool is_special(TokenId id) const override { return id >= kBos; }
  bool ends_generation(TokenId id) const override { return id == kEos; }
  std::vector<TokenId> end_of_generation() const override { return {kEos}; }
  std::optional<TokenId> find(std::string_view text) const override {
    const auto at = std::find(spec_.tokens.begin(), spec_.tokens.end(), text);
    if (at == spec_.tokens.end()) return std::nullopt;
    return static_cast<TokenId>(std::distance(spec_.tokens.begin(), at));
  }
  std::int32_t vocabulary() const override {
    return static_cast<std::int32_t>(spec_.tokens.size());
  }
  const TokenizerSpec& spec() const override { return spec_; }

 private:
  static constexpr std::array<std::string_view, 3> kControls{"<s>", "</s>", "<|mark|>"};
  TokenizerSpec spec_;
};

}  // namespace hangar
