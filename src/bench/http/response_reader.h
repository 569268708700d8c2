// ResponseReader: bytes of one HTTP/1.x answer in; its status and the bytes of its body, as they
// come,
//   out. Beast's parser within.
//
// Promise: takes no byte past the answer's end. Bodies of any length pass through; none is kept.
// Errors: feed: kCorrupt with what is wrong. at_end() says whether an end of the connection ends
// the
//   answer, as it does where it gives no length.
// Threads: one answer, one thread at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/function_ref.h"
#include "base/result.h"

namespace hangar::bench {

class ResponseReader {
 public:
  using BodySink = FunctionRef<void(std::string_view bytes)>;

  ResponseReader();
  ~ResponseReader();
  ResponseReader(const ResponseReader&) = delete;
  ResponseReader& operator=(const ResponseReader&) = delete;

  // Returns how many of `bytes` were taken; the rest must be given again with more behind it.
  Result<std::size_t> feed(std::string_view bytes, BodySink sink);
  // The connection has ended: true if the answer has too.
  bool at_end();

  bool done() const;
  bool header_done() const;
  // From header_done() on.
  int status() const;
  std::string content_type() const;
  std::string header(std::string_view name) const;
  // From done() on: the connection may be used again.
  bool keep_alive() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hangar::bench
