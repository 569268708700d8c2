// BackendOptions: how a backend is to run.
//
// Promise: a backend honours each of them or does without it where it has no such thing (threads of
//   the reference backend); none changes an answer.
// Errors: none.
// Threads: values.
#pragma once

#include <memory>

#include "tensor/prepared_weights.h"

namespace hangar {

struct BackendOptions {
  int threads = 0;          // <= 0: all processors this process may run on
  bool pin_threads = true;  // a thread stays on its processor, where there is one for each
  // Weights that are there already as prepared_layout() says; nullptr: none are.
  std::shared_ptr<const PreparedWeights> prepared = {};
  // Gets every matrix that is loaded, as it is laid out; outlives the loading. nullptr: none does.
  PreparedSink* prepare_into = nullptr;
};

}  // namespace hangar
