// DevicePlan: what of a card's memory goes where, by arithmetic, before anything is loaded.
//
// Promise: weights by the backend's own sizes, scratch by the model's numbers (plan/memory.h),
//   copies of weights where the backend wants them of what is left; the rest is for keys and
//   values. log_device_use says afterwards what was planned and what is used.
// Units: bytes.
// Errors: kResourceExhausted with the sums, and what would make it fit.
// Threads: pure functions but for the log.
#pragma once

#include <cstdint>
#include <optional>

#include "backend/backend.h"
#include "base/result.h"
#include "formats/checkpoint.h"
#include "model/model.h"

namespace hangar {

struct DevicePlan {
  std::uint64_t total_bytes = 0;
  std::uint64_t own_bytes = 0;  // what the backend holds for itself already
  std::uint64_t weight_bytes = 0;
  std::uint64_t scratch_bytes = 0;
  std::uint64_t copy_bytes = 0;  // of weights, for steps of many rows; 0: none are kept
  std::uint64_t kv_bytes = 0;    // what is left

  void give_up_copies() {
    kv_bytes += copy_bytes;
    copy_bytes = 0;
  }
};

// nullopt: the backend computes in the system's memory.
Result<std::optional<DevicePlan>> plan_device(const Backend& backend, const Checkpoint& checkpoint,
                                              const ModelConfig& config, const ModelLimits& limits);
void log_device_use(const DevicePlan& plan, const Backend& backend, std::uint64_t kv_bytes);
// Of 16 bits: F16 where most of the checkpoint's numbers are stored so, else BF16.
DType usual_work_type(const Checkpoint& checkpoint);

}  // namespace hangar
