#include "cli/token_list.h"

#include <boost/json.hpp>
#include <charconv>

#include "base/json.h"

namespace hangar {
namespace {

constexpr std::string_view kBetween = " \t\r\n,";

tl::unexpected<Error> no_id(std::string_view what, std::string_view found,
                            std::int32_t vocabulary) {
  return make_error(ErrorCode::kInvalidArgument, "{}: '{}' is no token id from 0 to {}", what,
                    found.substr(0, 40), vocabulary - 1);
}

Result<std::vector<TokenId>> from_json(std::string_view text, std::string_view what,
                                       std::int32_t vocabulary) {
  HANGAR_TRY(const boost::json::value value, parse_json(text, what));
  const boost::json::value* list = &value;
  if (value.is_object()) list = value.get_object().if_contains("ids");
  if (list == nullptr || !list->is_array()) {
    return make_error(ErrorCode::kInvalidArgument,
                      "{}: must be a list of ids or an object with \"ids\"", what);
  }
  std::vector<TokenId> ids;
  for (const boost::json::value& item : list->get_array()) {
    boost::json::error_code failure;
    const auto id = item.is_int64() ? item.to_number<TokenId>(failure) : -1;
    if (failure || id < 0 || id >= vocabulary) return no_id(what, write_json(item), vocabulary);
    ids.push_back(id);
  }
  return ids;
}

}  // namespace

Result<std::vector<TokenId>> parse_token_list(std::string_view text, std::string_view what,
                                              std::int32_t vocabulary) {
  std::size_t at = text.find_first_not_of(kBetween);
  if (at != std::string_view::npos && (text[at] == '{' || text[at] == '[')) {
    return from_json(text, what, vocabulary);
  }
  std::vector<TokenId> ids;
  while (at != std::string_view::npos) {
    const std::size_t end = std::min(text.find_first_of(kBetween, at), text.size());
    const std::string_view word = text.substr(at, end - at);
    TokenId id = -1;
    const auto [stop, failure] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (failure != std::errc() || stop != word.data() + word.size() || id < 0 || id >= vocabulary) {
      return no_id(what, word, vocabulary);
    }
    ids.push_back(id);
    at = text.find_first_not_of(kBetween, end);
  }
  return ids;
}

}  // namespace hangar
