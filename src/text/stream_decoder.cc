#include "text/stream_decoder.h"

#include "text/utf8.h"

namespace hangar {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Appends the whole characters of `bytes` to `out`; returns the unfinished one at its end, if any.
std::string_view append_characters(std::string_view bytes, std::string& out) {
  while (true) {
    const std::size_t valid = valid_utf8_prefix(bytes);
    out.append(bytes.substr(0, valid));
    bytes.remove_prefix(valid);
    if (bytes.empty()) return {};
    const Utf8Unit broken = next_utf8(bytes);
    if (broken.incomplete) return bytes;
    out.append(kReplacement);
    bytes.remove_prefix(broken.bytes);
  }
}

}  // namespace

std::string StreamDecoder::push(std::string_view bytes) {
  std::string out;
  if (held_.empty()) {
    held_ = append_characters(bytes, out);
    return out;
  }
  held_.append(bytes);
  const std::string all = std::move(held_);
  held_ = append_characters(all, out);
  return out;
}

std::string StreamDecoder::finish() {
  if (held_.empty()) return {};
  held_.clear();
  return std::string(kReplacement);
}

std::string to_valid_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  if (!append_characters(bytes, out).empty()) out.append(kReplacement);
  return out;
}

}  // namespace hangar
