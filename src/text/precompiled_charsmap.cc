#include "text/precompiled_charsmap.h"

#include <algorithm>
#include <limits>

#include "text/grapheme.h"
#include "text/utf8.h"

namespace hangar {
namespace {

// Clusters of more bytes are looked up by character alone, whatever rules there are.
constexpr std::size_t kMaxClusterBytes = 5;

// A unit of the double array, as darts-clone packs it.
std::uint32_t label_of(std::uint32_t unit) {
  return unit & 0x8000'00FFU;
}
std::uint32_t offset_of(std::uint32_t unit) {
  return (unit >> 10U) << ((unit & 0x200U) >> 6U);
}
bool has_value(std::uint32_t unit) {
  return (unit & 0x100U) != 0;
}
std::uint32_t value_of(std::uint32_t unit) {
  return unit & 0x7FFF'FFFFU;
}

std::uint32_t little_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < 4; ++i) {
    value |= static_cast<std::uint32_t>(static_cast<std::uint8_t>(bytes[i])) << (8 * i);
  }
  return value;
}

bool is_ascii(char byte) {
  return static_cast<std::uint8_t>(byte) < 0x80;
}

}  // namespace

Result<PrecompiledCharsmap> PrecompiledCharsmap::parse(std::string_view bytes) {
  if (bytes.size() < 4) {
    return make_error(ErrorCode::kCorrupt, "tokenizer: a precompiled charsmap of {} bytes",
                      bytes.size());
  }
  const std::uint32_t trie_bytes = little_endian(bytes);
  bytes.remove_prefix(4);
  if (trie_bytes / 4 * 4 > bytes.size()) {
    return make_error(ErrorCode::kCorrupt,
                      "tokenizer: the precompiled charsmap's trie takes {} bytes, but {} are there",
                      trie_bytes, bytes.size());
  }
  PrecompiledCharsmap map;
  map.units_.resize(trie_bytes / 4);
  for (std::uint32_t& unit : map.units_) {
    unit = little_endian(bytes);
    bytes.remove_prefix(4);
  }
  if (bytes.size() > std::numeric_limits<std::int32_t>::max() ||
      valid_utf8_prefix(bytes) != bytes.size()) {
    return make_error(ErrorCode::kCorrupt,
                      "tokenizer: the precompiled charsmap's replacements are not UTF-8");
  }
  map.replacements_ = bytes;
  for (std::size_t character = 0; character < map.ascii_.size(); ++character) {
    const char byte = static_cast<char>(character);
    map.ascii_[character] = map.replacement_of(std::string_view(&byte, 1));
  }
  return map;
}

std::optional<PrecompiledCharsmap::Replacement> PrecompiledCharsmap::replacement_at(
    std::uint32_t begin) const {
  if (begin > replacements_.size()) return std::nullopt;
  const std::string_view rest = std::string_view(replacements_).substr(begin);
  // One that begins inside a character would break the text.
  if (!rest.empty() && (static_cast<std::uint8_t>(rest[0]) & 0xC0U) == 0x80U) return std::nullopt;
  const std::size_t bytes = std::min(rest.find('\0'), rest.size());
  return Replacement{.begin = begin, .bytes = static_cast<std::uint32_t>(bytes)};
}

std::optional<PrecompiledCharsmap::Replacement> PrecompiledCharsmap::replacement_of(
    std::string_view text) const {
  if (units_.empty()) return std::nullopt;
  std::size_t at = offset_of(units_[0]);
  for (const char byte : text) {
    const std::uint32_t label = static_cast<std::uint8_t>(byte);
    if (label == 0) break;
    at ^= label;
    if (at >= units_.size() || label_of(units_[at]) != label) return std::nullopt;
    const std::uint32_t unit = units_[at];
    at ^= offset_of(unit);
    if (!has_value(unit)) continue;
    return at < units_.size() ? replacement_at(value_of(units_[at])) : std::nullopt;
  }
  return std::nullopt;
}

std::string PrecompiledCharsmap::normalize(std::string_view text) const {
  std::string out;
  out.reserve(text.size());
  std::size_t kept = 0;  // text from here to `at` stays as it is
  for (std::size_t at = 0; at < text.size();) {
    // An ASCII character before another is a cluster, unless it is the first of "\r\n".
    if (is_ascii(text[at]) && text[at] != '\r' &&
        (at + 1 == text.size() || is_ascii(text[at + 1]))) {
      if (const auto& replacement = ascii_[static_cast<std::uint8_t>(text[at])]) {
        out.append(text.substr(kept, at - kept));
        append(*replacement, out);
        kept = at + 1;
      }
      ++at;
      continue;
    }
    const std::string_view cluster = text.substr(at, first_grapheme(text.substr(at)));
    out.append(text.substr(kept, at - kept));
    append_cluster(cluster, out);
    at += cluster.size();
    kept = at;
  }
  out.append(text.substr(kept));
  return out;
}

void PrecompiledCharsmap::append_cluster(std::string_view cluster, std::string& out) const {
  if (cluster.size() <= kMaxClusterBytes) {
    if (const auto replacement = replacement_of(cluster)) {
      append(*replacement, out);
      return;
    }
  }
  while (!cluster.empty()) {
    const std::string_view character = cluster.substr(0, next_utf8(cluster).bytes);
    if (const auto replacement = replacement_of(character)) {
      append(*replacement, out);
    } else {
      out.append(character);
    }
    cluster.remove_prefix(character.size());
  }
}

}  // namespace hangar
