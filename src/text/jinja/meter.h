// Meter: what one render has used of its limits.
//
// Promise: a template can't use more steps or memory than its limits: whoever does work or makes a
//   value says so here first, before the memory is asked for.
// Errors: kResourceExhausted, thrown as TemplateFailure.
// Threads: one render's.
#pragma once

#include <cstddef>
#include <cstdint>

#include "text/chat_template.h"
#include "text/jinja/error.h"

namespace hangar::jinja {

class Meter {
 public:
  explicit Meter(const TemplateLimits& limits) : limits_(limits) {}
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;

  const TemplateLimits& limits() const { return limits_; }

  void step(std::uint64_t count = 1) {
    steps_ += count;
    if (steps_ > limits_.steps) {
      fail(ErrorCode::kResourceExhausted, "the template takes more than {} steps", limits_.steps);
    }
  }
  // Reading or writing that many bytes of text.
  void scan(std::size_t bytes) { step(1 + bytes / kBytesPerStep); }

  // Refuses what would not fit, without counting it yet.
  void check_room(std::size_t bytes) const {
    if (bytes > limits_.memory_bytes || live_bytes_ > limits_.memory_bytes - bytes) {
      fail(ErrorCode::kResourceExhausted, "the template takes more than {} bytes of memory",
           limits_.memory_bytes);
    }
  }
  void allocate(std::size_t bytes) {
    check_room(bytes);
    live_bytes_ += bytes;
  }
  void release(std::size_t bytes) { live_bytes_ -= bytes; }
  std::size_t live_bytes() const { return live_bytes_; }

 private:
  static constexpr std::size_t kBytesPerStep = 64;
  TemplateLimits limits_;
  std::uint64_t steps_ = 0;
  std::size_t live_bytes_ = 0;
};

// A number of bytes that stays counted as long as this lives.
class MeteredBytes {
 public:
  MeteredBytes(Meter* meter, std::size_t bytes) : meter_(meter), bytes_(bytes) {
    if (meter_ != nullptr) meter_->allocate(bytes_);
  }
  ~MeteredBytes() {
    if (meter_ != nullptr) meter_->release(bytes_);
  }
  MeteredBytes(const MeteredBytes&) = delete;
  MeteredBytes& operator=(const MeteredBytes&) = delete;

 private:
  Meter* meter_;
  std::size_t bytes_;
};

}  // namespace hangar::jinja
