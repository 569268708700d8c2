// Reaching into values: attributes, subscripts, slices, iteration, length.
//
// Promise: as Jinja2's sandbox does it: `x.name` looks for a method, then for a key; `x["name"]`
// for a
//   key, then for a method; what is not there is undefined; names with a leading underscore and
//   methods that would change a value can't be used.
// Errors: an attribute of undefined, or iterating what is no iterable: kInvalidArgument, thrown.
// Threads: the caller's render.
#pragma once

#include <memory>
#include <string_view>

#include "text/jinja/reps.h"
#include "text/jinja/value.h"

namespace hangar::jinja {

class Heap;

Value get_attribute(Heap& heap, const Value& base, std::string_view name);
Value get_item(Heap& heap, const Value& base, const Value& key);
// start, stop and step may be none.
Value get_slice(Heap& heap, const Value& base, const Value& start, const Value& stop,
                const Value& step);
// What iterating gives: characters, items or keys. A list is not copied.
std::shared_ptr<const ListRep> iterate(Heap& heap, const Value& value);
bool is_iterable(const Value& value);
std::int64_t length_of(Heap& heap, const Value& value);
Value call_value(Heap& heap, const Value& callee, const Args& args);

// "a.b.0": attributes of attributes, as map(attribute=...) and its kin take them; an integer or
// none is allowed. `otherwise` takes the place of what is not there.
Value get_path(Heap& heap, Value base, const Value& path, const Value* otherwise = nullptr);

}  // namespace hangar::jinja
