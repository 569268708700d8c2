// RequestIds: names for requests that brought none of their own: "req_" and 32 hexadecimal digits.
//
// Promise: no two are alike, in one server or in two. They are no secret: whoever knows one can
//   work out others.
// Threads: one.
#pragma once

#include <sys/random.h>

#include <cstdint>
#include <string>

namespace hangar {

class RequestIds {
 public:
  RequestIds() {
    if (::getrandom(&server_, sizeof(server_), 0) < 0) server_ = 0;
    if (::getrandom(&count_, sizeof(count_), 0) < 0) count_ = 0;
  }

  std::string next() {
    std::string id = "req_";
    append_hex(id, server_);
    append_hex(id, mix(++count_));
    return id;
  }

 private:
  // Steele, Lea and Flood's SplitMix64 finisher: one to one, so no value comes twice.
  static std::uint64_t mix(std::uint64_t x) {
    x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31U);
  }
  static void append_hex(std::string& text, std::uint64_t value) {
    constexpr const char* kDigits = "0123456789abcdef";
    for (int shift = 60; shift >= 0; shift -= 4) {
      text += kDigits[(value >> static_cast<unsigned>(shift)) & 15U];
    }
  }

  std::uint64_t server_ = 0;
  std::uint64_t count_ = 0;
};

}  // namespace hangar
