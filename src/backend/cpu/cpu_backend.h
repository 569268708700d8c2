// backend/cpu: the operations with threads and vectors (Highway, which picks them at run time).
//
// Promise: as Backend. Integer weights are multiplied by activations in 8 bits (QuantizedRows says
//   how exactly), keys and values are kept in f16, bf16 or int8 (f16 where nobody asks), all else
//   is float32. A row's results are the same bit for bit whatever other rows are in the step and
//   however many threads there are.
// Errors: as Backend. Scratch that a step needs is made by allocate(): make activations with it.
// Threads: as Backend.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"
#include "backend/backend_options.h"

namespace hangar {

std::unique_ptr<Backend> make_cpu_backend(const BackendOptions& options);
// Another text whenever weights would be laid out otherwise.
std::string cpu_prepared_layout();

}  // namespace hangar
