// A step's account as a table for people and as JSON for programs.
//
// Promise: the table's rows and its last line, the step, add up: parts by themselves, the waits of
//   all of them as "joins", and what lies outside operations. Rates (GB/s of weights read, GMAC/s)
//   are over a part's whole time, waits included. Parts that never ran are left out.
// Units: microseconds a step, percent of the clocked step.
// Errors: none.
// Threads: pure functions.
#pragma once

#include <boost/json.hpp>
#include <string>

#include "engine/step_account.h"

namespace hangar {

std::string account_table(const StepAccount& account);
boost::json::object account_json(const StepAccount& account);

}  // namespace hangar
