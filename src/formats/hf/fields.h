// Fields: typed reading of one JSON object of a model folder.
//
// Promise: a key that is missing, or null, is nullopt; one of another type or out of bounds is an
//   error. Whole numbers may be written as 32.0.
// Errors: kCorrupt: "config.json: 'rope_scaling.factor': \"x\" found, a number expected".
// Lifetime: a view on the object.
// Threads: const.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hangar::hf {

class Fields {
 public:
  // `prefix` is put before keys in messages: "rope_scaling.".
  Fields(const boost::json::object& object, std::string file, std::string prefix = "")
      : object_(&object), file_(std::move(file)), prefix_(std::move(prefix)) {}

  const boost::json::object& object() const { return *object_; }
  const std::string& file() const { return file_; }
  bool has(std::string_view key) const { return find(key) != nullptr; }  // and is not null
  bool has_key(std::string_view key) const { return object_->if_contains(key) != nullptr; }
  const boost::json::value* find(std::string_view key) const;

  Result<std::optional<std::int64_t>> integer(std::string_view key, std::int64_t low,
                                              std::int64_t high) const;
  Result<std::int32_t> required_integer(std::string_view key, std::int64_t low,
                                        std::int64_t high) const;
  Result<std::int32_t> integer_or(std::string_view key, std::int64_t low, std::int64_t high,
                                  std::int32_t otherwise) const;
  Result<std::optional<double>> number(std::string_view key, double low, double high) const;
  Result<float> number_or(std::string_view key, double low, double high, float otherwise) const;
  Result<bool> boolean_or(std::string_view key, bool otherwise) const;
  Result<std::optional<bool>> boolean(std::string_view key) const;
  Result<std::optional<std::string_view>> text(std::string_view key) const;
  Result<std::optional<std::vector<std::int64_t>>> integers(std::string_view key, std::int64_t low,
                                                            std::int64_t high) const;
  Result<std::optional<std::vector<float>>> numbers(std::string_view key, double low,
                                                    double high) const;
  Result<std::optional<std::vector<std::string_view>>> texts(std::string_view key) const;
  Result<std::optional<Fields>> fields(std::string_view key) const;

  // "config.json: 'hidden_size': -1 found, EXPECTED expected"
  tl::unexpected<Error> wrong(std::string_view key, std::string_view expected) const;
  tl::unexpected<Error> unsupported(std::string_view key, std::string_view supported) const;
  tl::unexpected<Error> missing(std::string_view key, std::string_view expected) const;

 private:
  const boost::json::object* object_;
  std::string file_;
  std::string prefix_;
};

}  // namespace hangar::hf
