#include "formats/hf/strict_json.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "formats/gguf/cursor.h"

namespace hangar::hf {
namespace {

using boost::json::error_code;
using boost::json::string_view;

// Gathers the keys of each object and looks for a pair of equal ones at its end. Sorting keeps the
// time bounded whatever the keys are.
class DuplicateFinder {
 public:
  static constexpr std::size_t max_array_size = SIZE_MAX;
  static constexpr std::size_t max_object_size = SIZE_MAX;
  static constexpr std::size_t max_string_size = SIZE_MAX;
  static constexpr std::size_t max_key_size = SIZE_MAX;

  const std::optional<std::string>& duplicate() const { return duplicate_; }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(std::size_t, error_code&) { return true; }
  bool on_object_begin(error_code&) {
    objects_.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t, error_code&) {
    std::vector<std::string>& keys = objects_.back();
    std::sort(keys.begin(), keys.end());
    const auto twin = std::adjacent_find(keys.begin(), keys.end());
    if (twin != keys.end() && !duplicate_) duplicate_ = *twin;
    objects_.pop_back();
    return true;
  }
  bool on_string_part(string_view, std::size_t, error_code&) { return true; }
  bool on_string(string_view, std::size_t, error_code&) { return true; }
  bool on_key_part(string_view part, std::size_t, error_code&) {
    key_.append(part.data(), part.size());
    return true;
  }
  bool on_key(string_view part, std::size_t, error_code&) {
    key_.append(part.data(), part.size());
    objects_.back().push_back(std::move(key_));
    key_.clear();
    return true;
  }
  bool on_number_part(string_view, error_code&) { return true; }
  bool on_int64(std::int64_t, string_view, error_code&) { return true; }
  bool on_uint64(std::uint64_t, string_view, error_code&) { return true; }
  bool on_double(double, string_view, error_code&) { return true; }
  bool on_bool(bool, error_code&) { return true; }
  bool on_null(error_code&) { return true; }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }

 private:
  std::vector<std::vector<std::string>> objects_;
  std::string key_;
  std::optional<std::string> duplicate_;
};

}  // namespace

Result<boost::json::object> parse_object(std::string_view text, std::string_view file) {
  Result<boost::json::value> parsed = parse_json(text, file);
  if (!parsed) {
    return make_error(ErrorCode::kCorrupt, "{}", parsed.error().message);
  }
  if (!parsed->is_object()) {
    return make_error(ErrorCode::kCorrupt, "{}: is not a JSON object", file);
  }
  boost::json::basic_parser<DuplicateFinder> keys{boost::json::parse_options{}};
  error_code failure;
  keys.write_some(false, text.data(), text.size(), failure);
  if (keys.handler().duplicate()) {
    return make_error(ErrorCode::kCorrupt, "{}: key '{}' is there twice in one object", file,
                      gguf::printable(*keys.handler().duplicate(), 100));
  }
  return std::move(parsed->get_object());
}

std::string brief(const boost::json::value& value) {
  constexpr std::size_t kShown = 8;
  constexpr std::size_t kMaxBytes = 200;
  if (value.is_array() && value.get_array().size() > kShown) {
    const boost::json::array& all = value.get_array();
    const boost::json::array first(all.begin(), all.begin() + kShown);
    std::string text = write_json(first);
    text.back() = ',';
    return gguf::printable(text, kMaxBytes) + fmt::format(" ... {} in all]", all.size());
  }
  if (value.is_string()) return gguf::printable(std::string_view(value.get_string()), kMaxBytes);
  return gguf::printable(write_json(value), kMaxBytes);
}

}  // namespace hangar::hf
