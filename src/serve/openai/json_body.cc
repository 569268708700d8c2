#include "serve/openai/json_body.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parser.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "base/ascii.h"
#include "serve/openai/field_reader.h"

namespace hangar {

namespace json = boost::json;

namespace {

bool is_json_type(std::string_view content_type) {
  std::string type = ascii_lower(content_type.substr(0, content_type.find(';')));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.pop_back();
  return type.empty() || type == "application/json" || type.ends_with("+json");
}

ApiError syntax_error(std::string_view body, std::size_t at, const std::string& what) {
  const std::string_view before = body.substr(0, std::min(at, body.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t line_start =
      before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  ApiError error;
  error.message = fmt::format(
      "We could not parse the JSON body of your request: {} at line {}, column {} (byte {}).", what,
      line, before.size() - line_start + 1, before.size());
  error.code = "invalid_json";
  return error;
}

}  // namespace

ApiResult<json::object> parse_json_body(const HttpRequest& request) {
  if (!is_json_type(request.content_type)) {
    ApiError error;
    error.status = 415;
    error.message =
        fmt::format("The body must be JSON: send 'Content-Type: application/json', not '{}'.",
                    request.content_type.substr(0, 100));
    error.code = "unsupported_media_type";
    return tl::unexpected<ApiError>(std::move(error));
  }
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  json::parser parser(json::storage_ptr(), options);
  boost::system::error_code error;
  const std::size_t taken = parser.write_some(request.body, error);
  if (!error && taken < request.body.size()) error = json::error::extra_data;
  if (error) {
    return tl::unexpected<ApiError>(syntax_error(request.body, taken, error.message()));
  }
  json::value value = parser.release();
  if (!value.is_object()) {
    ApiError wrong;
    wrong.message =
        fmt::format("The body must be a JSON object, but is {}.", json_type_name(value));
    wrong.code = "invalid_type";
    return tl::unexpected<ApiError>(std::move(wrong));
  }
  return std::move(value.get_object());
}

}  // namespace hangar
