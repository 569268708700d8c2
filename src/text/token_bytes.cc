#include "text/token_bytes.h"

namespace hangar {

TokenBytes::TokenBytes(const Vocabulary& vocabulary, const Decoders& decoders,
                       const std::vector<bool>& is_special) {
  const auto count = static_cast<std::size_t>(vocabulary.size());
  begins_.reserve(count + 1);
  bytes_.reserve(8 * count);
  begins_.push_back(0);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view text = vocabulary.text(static_cast<TokenId>(i));
    const auto id = static_cast<TokenId>(i);
    const auto byte = vocabulary.kind(id) == TokenKind::kByte ? byte_of_token(text) : std::nullopt;
    if (byte) {
      bytes_ += *byte;
    } else if (is_special[i]) {
      bytes_.append(text);
    } else if (!text.empty()) {  // a hole
      decoders.append_inside(text, bytes_);
    }
    begins_.push_back(static_cast<std::uint32_t>(bytes_.size()));
  }
}

}  // namespace hangar
