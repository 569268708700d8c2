// FieldReader: takes the fields of one JSON object by name, with their types and ranges checked.
//
// Promise: a field that is absent or null reads as nullopt. The first thing wrong is kept, with the
//   field's full name; finish() also refuses every field that nobody asked for.
// Threads: one reader, one thread. The object must outlive it.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/openai/api_error.h"

namespace hangar {

struct NumberRange {
  double low = 0.0;
  double high = 0.0;
  bool above_low = false;  // low itself is out
};

// "a string", "an object": as OpenAI's messages say it.
std::string_view json_type_name(const boost::json::value& value);
ApiError invalid_type(std::string param, std::string_view expected, const boost::json::value& got);
ApiError invalid_value(std::string param, std::string message, std::string code = "invalid_value");
ApiError unsupported_parameter(std::string param, std::string message);

class FieldReader {
 public:
  explicit FieldReader(const boost::json::object& object, std::string path = "");

  // The value as it is; nullptr: absent or null. The field counts as known.
  const boost::json::value* any(std::string_view name);
  std::optional<bool> boolean(std::string_view name);
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t low, std::int64_t high);
  std::optional<double> number(std::string_view name, NumberRange range);
  // The same for a value that has no name in the object.
  std::optional<double> number_in(const boost::json::value& value, std::string path,
                                  NumberRange range);
  const boost::json::string* string(std::string_view name);
  const boost::json::array* array(std::string_view name);
  const boost::json::object* object(std::string_view name);

  std::string path_of(std::string_view name) const;
  void require(std::string_view name);  // it is an error if it is absent or null
  void fail(ApiError error);            // the first one stays
  bool failed() const { return error_.has_value(); }
  ApiResult<void> finish();

 private:
  const boost::json::object& object_;
  std::string path_;
  std::vector<std::string_view> known_;
  std::optional<ApiError> error_;
};

}  // namespace hangar
