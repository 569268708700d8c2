// pull_model: a model of a hub becomes a folder here, whole or not at all.
//
// Promise: asks the hub which commit the name means and what files that has; takes those that make
//   the model into FOLDER.partial, as many at once as `jobs`, going on where an earlier pull stood;
//   and when every one is right by its hash, renames the folder. At no moment is anything less than
//   a whole model under the final name. A model that is here is left alone; files of it that are
//   missing, of a wrong size or marked damaged (with `verify`: of a wrong hash) are fetched anew
//   and the folder is exchanged for a mended one. Files that another commit of the same repository
//   has here are linked, not downloaded. Two pulls of one model take turns.
// Units: bytes.
// Errors: those of the hub (session.h), of the selection and the disk; kResourceExhausted before
//   the first byte where the disk has no room; kUnavailable when offline and it is not here;
//   kCancelled: what came is kept for the next pull.
// Threads: the caller's, and a few for hashing. Without this call hub/ touches no network.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "hub/environment.h"
#include "hub/hub_name.h"
#include "hub/local_models.h"
#include "hub/retry_policy.h"
#include "hub/session.h"

namespace hangar::hub {

struct PullOptions {
  std::filesystem::path models;  // the store: <models>/hf/...
  HubName name;
  std::vector<std::string> include;
  std::vector<std::string> exclude;
  std::string alias;  // "" leaves it as it is
  int jobs = 4;
  bool verify = false;
  HubEnvironment hub;
  RetryPolicy policy;
};

struct PullResult {
  PulledModel model;
  std::uint64_t received_bytes = 0;
  bool was_here = false;  // nothing had to be fetched
};

Result<PullResult> pull_model(const PullOptions& options, HubWatcher& watcher);

}  // namespace hangar::hub
