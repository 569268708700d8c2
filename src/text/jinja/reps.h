// What stands behind a Value's pointers: text, lists and dicts, each counted against the render.
//
// Promise: const once a Value holds them. A dict keeps the order of first insertion.
// Errors: inserting a key that Python can't hash (a list, a dict) throws; so does passing a limit.
// Threads: one render's, save those of the template's constants, which are only read.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "text/jinja/meter.h"
#include "text/jinja/value.h"

namespace hangar::jinja {

struct UndefinedRep {
  UndefinedRep(Meter* meter, std::string text)
      : bytes(meter, sizeof(UndefinedRep) + text.size()), message(std::move(text)) {}
  MeteredBytes bytes;
  std::string message;
};

struct StringRep {
  StringRep(Meter* meter, std::string content, bool is_markup)
      : bytes(meter, sizeof(StringRep) + content.size()),
        text(std::move(content)),
        markup(is_markup) {}
  MeteredBytes bytes;
  std::string text;
  bool markup;
};

struct ListRep {
  ListRep(Meter* meter, std::vector<Value> values, ListFlavor list_flavor, std::string repr_text,
          std::uint32_t nesting)
      : bytes(meter, sizeof(ListRep) + values.size() * sizeof(Value) + repr_text.size()),
        items(std::move(values)),
        flavor(list_flavor),
        repr(std::move(repr_text)),
        depth(nesting) {}
  MeteredBytes bytes;
  std::vector<Value> items;
  ListFlavor flavor;
  std::string repr;  // of a range, as it was called
  std::uint32_t depth;

  bool is_tuple() const { return flavor == ListFlavor::kTuple || flavor == ListFlavor::kGroup; }
  bool has_length() const { return flavor != ListFlavor::kGenerator; }
  bool has_subscript() const {
    return flavor == ListFlavor::kList || flavor == ListFlavor::kRange || is_tuple();
  }
};

class DictRep {
 public:
  using Entry = std::pair<Value, Value>;
  explicit DictRep(Meter& meter) : meter_(meter) {}
  DictRep(const DictRep&) = delete;
  DictRep& operator=(const DictRep&) = delete;
  ~DictRep() { meter_.release(bytes_); }

  // Only while it is being built.
  void set(Value key, Value value);

  const std::vector<Entry>& entries() const { return entries_; }
  const Value* find(const Value& key) const;  // nullptr: not there. Throws where it has no hash.
  const Value* find(std::string_view key) const;
  std::uint32_t depth() const { return depth_; }

 private:
  std::size_t hash_of(const Value& key) const;
  const Value* find_hashed(const Value& key, std::size_t hash) const;

  Meter& meter_;
  std::size_t bytes_ = 0;
  std::vector<Entry> entries_;
  std::unordered_multimap<std::size_t, std::size_t> index_;  // hash to place in entries_
  std::uint32_t depth_ = 1;
};

}  // namespace hangar::jinja
