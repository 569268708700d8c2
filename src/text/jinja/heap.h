// Heap: makes every value of one render, and owns its objects.
//
// Promise: all memory that a template can ask for is counted by the meter before it is taken; lists
//   and dicts nest no deeper than the limit, so that walking or freeing one can't exhaust the
//   stack.
// Errors: kResourceExhausted, thrown.
// Threads: one render's. The heap must outlive its values.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/meter.h"
#include "text/jinja/object.h"
#include "text/jinja/reps.h"
#include "text/jinja/value.h"

namespace hangar::jinja {

class Heap {
 public:
  Heap(const TemplateLimits& limits, std::int64_t now_unix_s)
      : meter_(limits), now_unix_s_(now_unix_s) {}
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  Meter& meter() { return meter_; }
  std::int64_t now_unix_s() const { return now_unix_s_; }

  Value string(std::string text, bool markup = false);
  Value string(std::string_view text, bool markup = false) {
    meter_.check_room(text.size());
    return string(std::string(text), markup);
  }
  Value string(const char* text) { return string(std::string_view(text)); }
  Value list(std::vector<Value> items, ListFlavor flavor = ListFlavor::kList,
             std::string repr = {});
  Value undefined(std::string message);
  std::shared_ptr<DictRep> new_dict() { return std::make_shared<DictRep>(meter_); }
  static Value finish(std::shared_ptr<DictRep> dict) {
    return Value(std::shared_ptr<const DictRep>(std::move(dict)));
  }

  template <typename T, typename... A>
  T* make(A&&... args) {
    meter_.allocate(sizeof(T) + kObjectBytes);
    auto object = std::make_unique<T>(std::forward<A>(args)...);
    T* pointer = object.get();
    objects_.push_back(std::move(object));
    return pointer;
  }

  // Appends to a text that is being built, after asking whether the whole still fits.
  void append(std::string& out, std::string_view piece) {
    meter_.scan(piece.size());
    meter_.check_room(out.size() + piece.size());
    out += piece;
  }

 private:
  static constexpr std::size_t kObjectBytes = 64;
  Meter meter_;
  std::int64_t now_unix_s_;
  std::vector<std::unique_ptr<Object>> objects_;
};

}  // namespace hangar::jinja
