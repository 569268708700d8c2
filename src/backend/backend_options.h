// BackendOptions: how a backend is to run.
//
// Promise: a backend honours each of them or does without it where it has no such thing (threads of
//   the reference backend); none changes an answer but by rounding (work_type, quant).
// Errors: make_backend's.
// Threads: values.
#pragma once

#include <cstdint>
#include <memory>

#include "tensor/dtype.h"
#include "tensor/prepared_weights.h"
#include "tensor/weight_quant.h"

namespace hangar {

struct BackendOptions {
  int threads = 0;          // <= 0: all processors this process may run on
  bool pin_threads = true;  // a thread stays on its processor, where there is one for each
  // Weights that are there already as prepared_layout() says; nullptr: none are.
  std::shared_ptr<const PreparedWeights> prepared = {};
  // Gets every matrix that is loaded, as it is laid out; outlives the loading. nullptr: none does.
  PreparedSink* prepare_into = nullptr;

  // Of backends on a card.
  int device = 0;  // which card
  // Of the card's memory, where device_memory_bytes is 0; 0: all but what is well left free.
  double device_memory_share = 0.0;
  std::uint64_t device_memory_bytes = 0;  // to take of it
  DType work_type = DType::kBF16;         // of activations and weights: kBF16 or kF16
  QuantOptions quant = {};                // of weights; make_backend refuses it for the others
  // Steps of one row compute all layers in one kernel, where there is one for them.
  bool stack_layers = true;
  // A row's results do not depend on the rows beside it. (On the CPU they never do.)
  bool deterministic = false;
};

}  // namespace hangar
