// Where Hangar keeps its files, by the XDG base directory rules.
//
// Promise: cache_folder() is $XDG_CACHE_HOME/hangar (else ~/.cache/hangar): can be fetched again.
//   state_folder() is $XDG_STATE_HOME/hangar (else ~/.local/state/hangar): histories. A relative
//   XDG value is ignored, as the rules ask. Nothing is created here.
// Errors: none; without any home folder the current folder stands in.
// Threads: read the environment, so not while another thread changes it.
#pragma once

#include <filesystem>

namespace hangar {

std::filesystem::path home_folder();
std::filesystem::path cache_folder();
std::filesystem::path state_folder();

}  // namespace hangar
