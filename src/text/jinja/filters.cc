#include "text/jinja/filters.h"

#include <array>

namespace hangar::jinja {
namespace {

struct FilterEntry {
  std::string_view name;
  FilterFunction function;
};

constexpr std::array kFilters = {
    FilterEntry{"abs", &filters::absolute},
    FilterEntry{"attr", &filters::attr},
    FilterEntry{"batch", &filters::batch},
    FilterEntry{"capitalize", &filters::capitalize},
    FilterEntry{"center", &filters::center},
    FilterEntry{"count", &filters::length},
    FilterEntry{"d", &filters::default_value},
    FilterEntry{"default", &filters::default_value},
    FilterEntry{"dictsort", &filters::dictsort},
    FilterEntry{"e", &filters::escape},
    FilterEntry{"escape", &filters::escape},
    FilterEntry{"first", &filters::first},
    FilterEntry{"float", &filters::to_float},
    FilterEntry{"forceescape", &filters::force_escape},
    FilterEntry{"format", &filters::format},
    FilterEntry{"from_json", &filters::from_json_text},
    FilterEntry{"groupby", &filters::groupby},
    FilterEntry{"indent", &filters::indent},
    FilterEntry{"int", &filters::to_int},
    FilterEntry{"items", &filters::items},
    FilterEntry{"join", &filters::join},
    FilterEntry{"last", &filters::last},
    FilterEntry{"length", &filters::length},
    FilterEntry{"list", &filters::list},
    FilterEntry{"lower", &filters::lower},
    FilterEntry{"map", &filters::map},
    FilterEntry{"max", &filters::max},
    FilterEntry{"min", &filters::min},
    FilterEntry{"reject", &filters::reject},
    FilterEntry{"rejectattr", &filters::rejectattr},
    FilterEntry{"replace", &filters::replace},
    FilterEntry{"reverse", &filters::reverse},
    FilterEntry{"round", &filters::round},
    FilterEntry{"safe", &filters::safe},
    FilterEntry{"select", &filters::select},
    FilterEntry{"selectattr", &filters::selectattr},
    FilterEntry{"slice", &filters::slice},
    FilterEntry{"sort", &filters::sort},
    FilterEntry{"string", &filters::string},
    FilterEntry{"sum", &filters::sum},
    FilterEntry{"title", &filters::title},
    FilterEntry{"tojson", &filters::tojson},
    FilterEntry{"trim", &filters::trim},
    FilterEntry{"truncate", &filters::truncate},
    FilterEntry{"unique", &filters::unique},
    FilterEntry{"upper", &filters::upper},
    FilterEntry{"wordcount", &filters::wordcount},
};

}  // namespace

FilterFunction find_filter(std::string_view name) {
  for (const FilterEntry& entry : kFilters) {
    if (entry.name == name) return entry.function;
  }
  return nullptr;
}

}  // namespace hangar::jinja
