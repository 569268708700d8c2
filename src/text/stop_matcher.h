// StopMatcher: finds stop strings in a stream and holds back what might become one.
//
// Promise: push() returns text that certainly comes before any stop string; once one is complete,
//   stopped() is true and nothing from its start on is ever returned. finish() gives what was held
//   back when the stream ended without one: no text is lost. The stop that is complete first wins;
//   of those complete at the same byte, the longest. So the outcome does not depend on how the text
//   was cut into pieces. Empty stop strings are left out: they would match before anything is said.
//   A byte costs O(stops), amortised; what is held is shorter than the longest stop.
// Source: Knuth, Morris and Pratt, "Fast pattern matching in strings" (1977).
// Threads: one stream, one thread at a time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hangar {

class StopMatcher {
 public:
  explicit StopMatcher(std::vector<std::string> stops);
  std::string push(std::string_view text);
  std::string finish();
  bool stopped() const { return stopped_; }

 private:
  struct Stop {
    std::string text;
    std::vector<std::size_t> border;  // of text[0..i]: its longest proper prefix that ends it too
    std::size_t matched = 0;          // so many bytes of text end what has come so far
  };
  static void advance(Stop& stop, char byte);

  std::vector<Stop> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace hangar
