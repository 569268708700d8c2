// Fuzzes reading a tokenizer.json, building the tokenizer and encoding with it. A zero byte ends
// the tokenizer.json; tokenizer_config.json and special_tokens_map.json may follow in the same way.
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "formats/hf/tokenizer_json.h"
#include "text/tokenizer.h"

namespace {

using hangar::TokenId;

constexpr std::array<std::string_view, 6> kTexts = {
    "",
    "Hello  world, it's 12345!\n\n<s>[CLS] a b ab<tool>",
    "  \t Zażółć e\u0301 日本語 👩‍🚀 \u00a0\u2581\u2581x<0x0A>",
    "\xff\xfe broken \xe2\x82 utf-8 \xed\xa0\x80",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "abababab BbAa ÀÉ ##a ﬁ Ａ",
};

std::string_view part(std::string_view& rest) {
  const std::size_t end = rest.find('\0');
  const std::string_view one = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return one;
}

void check(const hangar::Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  for (const TokenId id : ids) {
    if (id < 0 || id >= tokenizer.vocabulary()) __builtin_trap();
  }
  (void)tokenizer.decode(ids);
  (void)tokenizer.decode(ids, /*keep_special=*/true);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  hangar::hf::TokenizerFiles files;
  files.tokenizer_json = part(rest);
  files.tokenizer_config_json = part(rest);
  files.special_tokens_map_json = part(rest);
  auto spec = hangar::hf::read_tokenizer_json(files);
  if (!spec) {
    if (spec.error().message.empty()) __builtin_trap();  // an error must say something
    return 0;
  }
  const auto tokenizer = hangar::make_tokenizer(std::move(*spec));
  if (!tokenizer) {
    if (tokenizer.error().message.empty()) __builtin_trap();
    return 0;
  }
  for (const std::string_view text : kTexts) {
    check(**tokenizer, (*tokenizer)->encode(text, {}));
    check(**tokenizer, (*tokenizer)->encode_pair(text, kTexts[1], {.parse_special = false}).ids);
  }
  return 0;
}
