// How many files (connections among them) this process may have open.
//
// Promise: raises the soft limit as far as the system lets an ordinary process, once at start.
// Errors: none: what cannot be raised stays.
// Threads: one, before others open files in a hurry.
#pragma once

#include <cstddef>

namespace hangar {

// The limit that holds from now on.
std::size_t raise_descriptor_limit();

}  // namespace hangar
