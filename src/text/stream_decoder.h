// StreamDecoder: token bytes in, text out, piece by piece, always whole UTF-8.
//
// Promise: every piece is valid UTF-8, and the pieces with finish() joined equal the lossy decode
// of
//   all bytes (invalid sequences as U+FFFD, by the Unicode standard's maximal-subpart rule).
// Threads: one stream, one thread at a time.
#pragma once

#include <string>
#include <string_view>

namespace hangar {

class StreamDecoder {
 public:
  // What can be shown now that `bytes` have come.
  std::string push(std::string_view bytes);
  // What is left: an unfinished character becomes U+FFFD.
  std::string finish();

 private:
  std::string held_;  // start of an unfinished character, at most 3 bytes
};

// Replaces invalid sequences by U+FFFD.
std::string to_valid_utf8(std::string_view bytes);

}  // namespace hangar
