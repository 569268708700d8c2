// SseParser: bytes of a text/event-stream in, the data of its events out.
//
// Promise: as the HTML standard reads event streams: lines end in \n, \r\n or \r; several data
// lines of
//   an event are joined by \n; comments, ids, names and retry times are passed over; an event that
//   has not ended when the stream does is dropped. However the bytes are cut, the events are the
//   same.
// Errors: none: any bytes are some event stream.
// Threads: one stream, one thread at a time.
#pragma once

#include <string>
#include <string_view>

#include "base/function_ref.h"

namespace hangar::bench {

class SseParser {
 public:
  using EventSink = FunctionRef<void(std::string_view data)>;

  void feed(std::string_view bytes, EventSink sink);

 private:
  void take_line(std::string_view line, EventSink sink);

  std::string line_;  // the start of a line whose end has not come
  std::string data_;
  bool has_data_ = false;
  bool after_return_ = false;  // a \n that comes now belongs to the line end before it
  bool at_start_ = true;
};

}  // namespace hangar::bench
