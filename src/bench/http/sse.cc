#include "bench/http/sse.h"

namespace hangar::bench {

void SseParser::feed(std::string_view bytes, EventSink sink) {
  while (!bytes.empty()) {
    if (after_return_) {
      after_return_ = false;
      if (bytes.front() == '\n') {
        bytes.remove_prefix(1);
        continue;
      }
    }
    const std::size_t end = bytes.find_first_of("\r\n");
    if (end == std::string_view::npos) {
      line_ += bytes;
      return;
    }
    after_return_ = bytes[end] == '\r';
    if (line_.empty()) {
      take_line(bytes.substr(0, end), sink);
    } else {
      line_ += bytes.substr(0, end);
      take_line(line_, sink);
      line_.clear();
    }
    bytes.remove_prefix(end + 1);
  }
}

void SseParser::take_line(std::string_view line, EventSink sink) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (at_start_ && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  at_start_ = false;
  if (line.empty()) {
    if (has_data_) sink(data_);
    data_.clear();
    has_data_ = false;
    return;
  }
  const std::size_t colon = line.find(':');
  if (line.substr(0, colon) != "data") return;
  std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (has_data_) data_ += '\n';
  data_ += value;
  has_data_ = true;
}

}  // namespace hangar::bench
