#include "text/jinja/filters.h"

#include <array>

namespace hangar::jinja {
namespace {

struct Entry {
  std::string_view name;
  FilterFunction function;
};

constexpr std::array kFilters = {
    Entry{"abs", &filters::absolute},
    Entry{"attr", &filters::attr},
    Entry{"batch", &filters::batch},
    Entry{"capitalize", &filters::capitalize},
    Entry{"center", &filters::center},
    Entry{"count", &filters::length},
    Entry{"d", &filters::default_value},
    Entry{"default", &filters::default_value},
    Entry{"dictsort", &filters::dictsort},
    Entry{"e", &filters::escape},
    Entry{"escape", &filters::escape},
    Entry{"first", &filters::first},
    Entry{"float", &filters::to_float},
    Entry{"forceescape", &filters::force_escape},
    Entry{"format", &filters::format},
    Entry{"from_json", &filters::from_json_text},
    Entry{"groupby", &filters::groupby},
    Entry{"indent", &filters::indent},
    Entry{"int", &filters::to_int},
    Entry{"items", &filters::items},
    Entry{"join", &filters::join},
    Entry{"last", &filters::last},
    Entry{"length", &filters::length},
    Entry{"list", &filters::list},
    Entry{"lower", &filters::lower},
    Entry{"map", &filters::map},
    Entry{"max", &filters::max},
    Entry{"min", &filters::min},
    Entry{"reject", &filters::reject},
    Entry{"rejectattr", &filters::rejectattr},
    Entry{"replace", &filters::replace},
    Entry{"reverse", &filters::reverse},
    Entry{"round", &filters::round},
    Entry{"safe", &filters::safe},
    Entry{"select", &filters::select},
    Entry{"selectattr", &filters::selectattr},
    Entry{"slice", &filters::slice},
    Entry{"sort", &filters::sort},
    Entry{"string", &filters::string},
    Entry{"sum", &filters::sum},
    Entry{"title", &filters::title},
    Entry{"tojson", &filters::tojson},
    Entry{"trim", &filters::trim},
    Entry{"truncate", &filters::truncate},
    Entry{"unique", &filters::unique},
    Entry{"upper", &filters::upper},
    Entry{"wordcount", &filters::wordcount},
};

}  // namespace

FilterFunction find_filter(std::string_view name) {
  for (const Entry& entry : kFilters) {
    if (entry.name == name) return entry.function;
  }
  return nullptr;
}

}  // namespace hangar::jinja
