#include "engine/device_plan.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <string>

#include "base/units.h"
#include "plan/memory.h"

namespace hangar {
namespace {

// Out of what is left for keys and values.
Status plan_copies(const Backend& backend, const Checkpoint& checkpoint, DevicePlan& plan) {
  std::uint64_t copy_bytes = 0;
  for (const TensorView& tensor : checkpoint.tensors()) copy_bytes += backend.copy_bytes(tensor);
  if (copy_bytes == 0 || !backend.wants_copies(copy_bytes, plan.kv_bytes)) return {};
  if (copy_bytes >= plan.kv_bytes) {
    return make_error(ErrorCode::kResourceExhausted,
                      "copies in 8 bits of matrices of 4 do not fit the card: they take {}, and "
                      "{} are left of it beside weights ({}) and scratch ({}). Do without them "
                      "(--int4-copies off, or auto), or take a larger share of the card "
                      "(--gpu-memory)",
                      format_bytes(copy_bytes), format_bytes(plan.kv_bytes),
                      format_bytes(plan.weight_bytes), format_bytes(plan.scratch_bytes));
  }
  plan.copy_bytes = copy_bytes;
  plan.kv_bytes -= copy_bytes;
  return {};
}

}  // namespace

Result<std::optional<DevicePlan>> plan_device(const Backend& backend, const Checkpoint& checkpoint,
                                              const ModelConfig& config,
                                              const ModelLimits& limits) {
  const std::optional<BackendMemory> memory = backend.memory();
  if (!memory) return std::nullopt;
  DevicePlan plan;
  plan.total_bytes = memory->total_bytes;
  plan.own_bytes = memory->total_bytes - memory->left_bytes;
  for (const TensorView& tensor : checkpoint.tensors()) {
    plan.weight_bytes += backend.weight_bytes(tensor);
  }
  if (const TensorView* table = checkpoint.find("token_embd.weight");
      config.tied_embeddings && table != nullptr) {
    plan.weight_bytes += backend.head_bytes(*table);
  }
  std::size_t input_bytes = 0;  // one room serves them all
  for (const TensorView& view : checkpoint.tensors()) {
    input_bytes = std::max(input_bytes, backend.input_bytes(view, limits.max_rows));
  }
  plan.scratch_bytes =
      device_scratch_bytes(config, limits.max_rows, limits.max_logit_rows) + input_bytes;
  const std::uint64_t taken = plan.weight_bytes + plan.scratch_bytes;
  if (taken >= memory->left_bytes) {
    return make_error(
        ErrorCode::kResourceExhausted,
        "the model does not fit the card: weights take {}, a step of {} rows {}, and "
        "{} are left of the {} that may be used. Take a model of fewer bits (or --quant fp8, "
        "--quant int4), a "
        "larger share of the card (--gpu-memory), or shorter steps (--step-tokens)",
        format_bytes(plan.weight_bytes), limits.max_rows, format_bytes(plan.scratch_bytes),
        format_bytes(memory->left_bytes), format_bytes(memory->total_bytes));
  }
  plan.kv_bytes = memory->left_bytes - taken;
  HANGAR_CHECK_OK(plan_copies(backend, checkpoint, plan));
  return plan;
}

void log_device_use(const DevicePlan& plan, const Backend& backend, std::uint64_t kv_bytes) {
  const std::optional<BackendMemory> memory = backend.memory();
  if (!memory) return;
  const std::uint64_t planned =
      plan.own_bytes + plan.weight_bytes + plan.copy_bytes + plan.scratch_bytes + kv_bytes;
  const std::uint64_t used = memory->total_bytes - memory->left_bytes;
  const std::string copies = plan.copy_bytes > 0 ? fmt::format(", copies of them in 8 bits {}",
                                                               format_bytes(plan.copy_bytes))
                                                 : "";
  spdlog::info(
      "card memory: {} planned (weights {}{}, scratch {}, keys and values {}), {} used of {}",
      format_bytes(planned), format_bytes(plan.weight_bytes), copies,
      format_bytes(plan.own_bytes + plan.scratch_bytes), format_bytes(kv_bytes), format_bytes(used),
      format_bytes(plan.total_bytes));
}

DType usual_work_type(const Checkpoint& checkpoint) {
  std::int64_t half = 0;
  std::int64_t other = 0;
  for (const TensorView& tensor : checkpoint.tensors()) {
    if (tensor.shape.size() < 2) continue;
    (tensor.dtype == DType::kF16 ? half : other) += tensor.elements();
  }
  return half > other ? DType::kF16 : DType::kBF16;
}

}  // namespace hangar
