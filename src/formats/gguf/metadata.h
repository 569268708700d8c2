// Metadata: a GGUF file's keys and values, and typed reads of them.
//
// Promise: entries() keeps the file's order. The typed reads take any of the file's number types as
//   long as the value fits the bounds asked for.
// Errors: kCorrupt naming the file, the key, what was found and what was expected. The optional
// reads
//   are nullopt where the key is not there; the others then fail.
// Threads: const after construction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "formats/gguf/value.h"

namespace hangar::gguf {

class Metadata {
 public:
  explicit Metadata(std::string file = {}) : file_(std::move(file)) {}

  // false: the key is there already.
  bool add(std::string_view key, Value value);
  const std::vector<std::pair<std::string_view, Value>>& entries() const { return entries_; }
  const Value* find(std::string_view key) const;
  const std::string& file() const { return file_; }

  Result<std::optional<std::int64_t>> integer(std::string_view key, std::int64_t low,
                                              std::int64_t high) const;
  Result<std::int64_t> required_integer(std::string_view key, std::int64_t low,
                                        std::int64_t high) const;
  // Finite and low <= x <= high.
  Result<std::optional<float>> number(std::string_view key, float low, float high) const;
  Result<std::optional<bool>> boolean(std::string_view key) const;
  Result<std::optional<std::string_view>> text(std::string_view key) const;
  // nullptr: not there.
  Result<const Array*> array(std::string_view key, ValueType element) const;

 private:
  tl::unexpected<Error> wrong_type(std::string_view key, const Value& found,
                                   std::string_view expected) const;

  std::string file_;
  std::vector<std::pair<std::string_view, Value>> entries_;
  std::unordered_map<std::string_view, std::size_t> index_;
};

}  // namespace hangar::gguf
