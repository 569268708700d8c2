// Figures that a test measured, in the file that HANGAR_GOLDEN_JSON names.
//
// Promise: keep_figures puts `figures` under `name` into that file's object beside what other tests
//   put there; a file that is no such object is begun anew. Without the variable it does nothing.
// Errors: a file that cannot be written fails the test.
// Threads: one; of several processes at once the last one wins.
#pragma once

#include <boost/json/value.hpp>
#include <string_view>

namespace hangar::golden {

void keep_figures(std::string_view name, boost::json::value figures);

}  // namespace hangar::golden
