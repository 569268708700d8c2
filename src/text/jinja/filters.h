// The filters: what may follow `|`.
//
// Promise: Jinja2's filters under the names it gives them, with `tojson` as transformers has it;
// the
//   table in filters.cc is the whole list, the functions lie by theme in filters_*.cc.
// Errors: thrown, as Python's TypeError and ValueError.
// Threads: the table is a constant.
#pragma once

#include <string_view>

#include "text/jinja/value.h"

namespace hangar::jinja {

class Heap;

using FilterFunction = Value (*)(Heap& heap, const Value& input, const Args& args);

FilterFunction find_filter(std::string_view name);  // nullptr: there is none of that name

namespace filters {

// filters_text.cc
Value upper(Heap& heap, const Value& input, const Args& args);
Value lower(Heap& heap, const Value& input, const Args& args);
Value title(Heap& heap, const Value& input, const Args& args);
Value capitalize(Heap& heap, const Value& input, const Args& args);
Value trim(Heap& heap, const Value& input, const Args& args);
Value replace(Heap& heap, const Value& input, const Args& args);
Value indent(Heap& heap, const Value& input, const Args& args);
Value center(Heap& heap, const Value& input, const Args& args);
Value truncate(Heap& heap, const Value& input, const Args& args);
Value wordcount(Heap& heap, const Value& input, const Args& args);
Value format(Heap& heap, const Value& input, const Args& args);
Value string(Heap& heap, const Value& input, const Args& args);
Value safe(Heap& heap, const Value& input, const Args& args);
Value escape(Heap& heap, const Value& input, const Args& args);
Value force_escape(Heap& heap, const Value& input, const Args& args);

// filters_sequence.cc
Value first(Heap& heap, const Value& input, const Args& args);
Value last(Heap& heap, const Value& input, const Args& args);
Value length(Heap& heap, const Value& input, const Args& args);
Value list(Heap& heap, const Value& input, const Args& args);
Value items(Heap& heap, const Value& input, const Args& args);
Value reverse(Heap& heap, const Value& input, const Args& args);
Value join(Heap& heap, const Value& input, const Args& args);
Value batch(Heap& heap, const Value& input, const Args& args);
Value slice(Heap& heap, const Value& input, const Args& args);
Value sum(Heap& heap, const Value& input, const Args& args);

// filters_order.cc
Value sort(Heap& heap, const Value& input, const Args& args);
Value dictsort(Heap& heap, const Value& input, const Args& args);
Value unique(Heap& heap, const Value& input, const Args& args);
Value groupby(Heap& heap, const Value& input, const Args& args);
Value min(Heap& heap, const Value& input, const Args& args);
Value max(Heap& heap, const Value& input, const Args& args);

// filters_select.cc
Value map(Heap& heap, const Value& input, const Args& args);
Value select(Heap& heap, const Value& input, const Args& args);
Value reject(Heap& heap, const Value& input, const Args& args);
Value selectattr(Heap& heap, const Value& input, const Args& args);
Value rejectattr(Heap& heap, const Value& input, const Args& args);

// filters_value.cc
Value default_value(Heap& heap, const Value& input, const Args& args);
Value attr(Heap& heap, const Value& input, const Args& args);
Value tojson(Heap& heap, const Value& input, const Args& args);
Value from_json_text(Heap& heap, const Value& input, const Args& args);
Value to_int(Heap& heap, const Value& input, const Args& args);
Value to_float(Heap& heap, const Value& input, const Args& args);
Value absolute(Heap& heap, const Value& input, const Args& args);
Value round(Heap& heap, const Value& input, const Args& args);

}  // namespace filters
}  // namespace hangar::jinja
