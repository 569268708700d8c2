// WeightLoader: takes named weights out of a checkpoint into the backend, checking shapes.
//
// Promise: a weight it returns has exactly the shape asked for.
// Errors: kCorrupt naming the tensor, the shape found and the shape the config calls for.
// Threads: one.
#pragma once

#include <cstdint>
#include <string>

#include "backend/backend.h"
#include "base/result.h"
#include "formats/checkpoint.h"

namespace hangar {

class WeightLoader {
 public:
  WeightLoader(const Checkpoint& checkpoint, Backend& backend)
      : checkpoint_(checkpoint), backend_(backend) {}

  // {rows, columns}; a vector is {1, columns}.
  Result<WeightPtr> load(const std::string& name, std::int64_t rows, std::int64_t columns,
                         InputPrecision precision = InputPrecision::kFast);
  // nullptr where the file has no such tensor.
  Result<WeightPtr> load_optional(const std::string& name, std::int64_t rows, std::int64_t columns,
                                  InputPrecision precision = InputPrecision::kFast);
  std::size_t total_bytes() const { return total_bytes_; }

 private:
  const Checkpoint& checkpoint_;
  Backend& backend_;
  std::size_t total_bytes_ = 0;
};

}  // namespace hangar
