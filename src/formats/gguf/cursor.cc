#include "formats/gguf/cursor.h"

#include <bit>

namespace hangar::gguf {

static_assert(std::endian::native == std::endian::little,
              "numbers are read as they lie in the file, which is little-endian");

Result<std::span<const std::byte>> Cursor::take(std::uint64_t count, std::string_view what) {
  if (count > remaining()) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: {} at byte {}: needs {} bytes, {} left (is the file cut short?)", file_,
                      what, offset_, count, remaining());
  }
  const std::span<const std::byte> part = bytes_.subspan(offset_, static_cast<std::size_t>(count));
  offset_ += static_cast<std::size_t>(count);
  return part;
}

Result<std::string_view> Cursor::read_string(std::string_view what, std::uint64_t max_bytes) {
  const std::size_t start = offset_;
  HANGAR_TRY(const std::uint64_t length, read<std::uint64_t>(what));
  if (length > max_bytes) {
    return make_error(ErrorCode::kCorrupt, "{}: {} at byte {}: {} bytes long, at most {} expected",
                      file_, what, start, length, max_bytes);
  }
  HANGAR_TRY(const std::span<const std::byte> raw, take(length, what));
  return std::string_view(reinterpret_cast<const char*>(raw.data()), raw.size());
}

Status Cursor::check_count(std::uint64_t count, std::string_view what,
                           std::uint64_t min_bytes) const {
  if (count <= remaining() / min_bytes) return {};
  return make_error(ErrorCode::kCorrupt,
                    "{}: {}: {} of them need at least {} bytes each, but only {} bytes are left",
                    file_, what, count, min_bytes, remaining());
}

Result<std::uint64_t> Cursor::read_count(std::string_view what, std::uint64_t min_bytes) {
  HANGAR_TRY(const std::uint64_t count, read<std::uint64_t>(what));
  HANGAR_CHECK_OK(check_count(count, what, min_bytes));
  return count;
}

namespace {

// Length of the UTF-8 character that starts at text[0], or 0 where it is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  std::size_t length = 0;
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) length = 2;
  if (lead >= 0xE0 && lead <= 0xEF) length = 3;
  if (lead >= 0xF0 && lead <= 0xF4) length = 4;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  if (lead == 0xE0 && byte(1) < 0xA0) return 0;  // overlong
  if (lead == 0xED && byte(1) > 0x9F) return 0;  // surrogate
  if (lead == 0xF0 && byte(1) < 0x90) return 0;  // overlong
  if (lead == 0xF4 && byte(1) > 0x8F) return 0;  // past U+10FFFF
  return length;
}

}  // namespace

std::string printable(std::string_view text, std::size_t max_bytes) {
  std::string out;
  const std::size_t full = text.size();
  std::size_t i = 0;
  while (i < full && i < max_bytes) {
    const std::size_t length = utf8_length(text.substr(i));
    const auto c = static_cast<unsigned char>(text[i]);
    const bool c1_control =
        length == 2 && c == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\\') {
      out += "\\\\";
    } else if (length == 0 || c < 0x20 || c == 0x7F) {
      out += fmt::format("\\x{:02x}", c);
    } else if (c1_control) {
      out +=
          fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(text[i + 1])));
    } else {
      out += text.substr(i, length);
    }
    i += length == 0 ? 1 : length;
  }
  if (i < full) out += "...";
  return out;
}

}  // namespace hangar::gguf
