#include "cli/model_summary.h"

#include <algorithm>
#include <map>

#include "cli/model_loading.h"
#include "engine/local_engine.h"
#include "engine/prepared_model.h"

namespace hangar {
namespace {

constexpr std::uint32_t kKvElementBytes = 2;  // f16, as the CPU backend keeps keys and values

std::uint64_t prepared_bytes(const Checkpoint& checkpoint) {
  const std::vector<std::filesystem::path> files = checkpoint.files();
  if (files.empty()) return 0;
  std::error_code missing;
  const std::uintmax_t bytes = std::filesystem::file_size(
      prepared_path(prepared_folder(), files.front(), kPreparingBackend), missing);
  return missing ? 0 : bytes;
}

}  // namespace

std::uint64_t tensor_bytes(const TensorView& tensor) {
  if (!tensor.data.empty()) return tensor.data.size();
  return row_bytes(tensor.dtype, tensor.columns()) * static_cast<std::uint64_t>(tensor.rows());
}

void count_tensors(const Checkpoint& checkpoint, ModelSummary& summary) {
  std::map<std::string_view, std::uint64_t> elements_of_type;
  std::uint64_t bytes = 0;
  for (const TensorView& tensor : checkpoint.tensors()) {
    const auto elements = static_cast<std::uint64_t>(tensor.elements());
    summary.parameters += elements;
    bytes += tensor_bytes(tensor);
    elements_of_type[dtype_name(tensor.dtype)] += elements;
  }
  std::uint64_t most = 0;
  for (const auto& [type, elements] : elements_of_type) {
    if (elements > most) {
      most = elements;
      summary.main_type = std::string(type);
    }
  }
  if (summary.parameters > 0) {
    summary.bits = static_cast<double>(bytes) * 8 / static_cast<double>(summary.parameters);
  }
}

ModelSummary summarize_model(const StoredModel& stored, std::int32_t context_tokens) {
  ModelSummary summary;
  summary.stored = stored;
  const auto checkpoint = open_checkpoint(stored.path);
  if (!checkpoint) {
    summary.error = checkpoint.error().message;
    return summary;
  }
  summary.format = std::string((*checkpoint)->format());
  summary.file_bytes = (*checkpoint)->file_bytes();
  summary.prepared_bytes = prepared_bytes(**checkpoint);
  count_tensors(**checkpoint, summary);
  const auto config = (*checkpoint)->config();
  if (!config) {
    summary.vocabulary_only = (*checkpoint)->tensors().empty();
    if (!summary.vocabulary_only) summary.error = config.error().message;
    return summary;
  }
  summary.architecture = config->architecture;
  summary.name = config->name;
  summary.license = config->license;
  summary.context_tokens = config->context_tokens;
  const std::int32_t planned =
      context_tokens > 0 ? std::min(context_tokens, config->context_tokens) : 0;
  summary.memory = plan_memory(*config, summary.file_bytes, planned,
                               LocalEngineOptions{}.step_tokens, kKvElementBytes);
  return summary;
}

boost::json::object summary_json(const ModelSummary& summary) {
  boost::json::object out;
  out["id"] = summary.stored.id;
  out["path"] = summary.stored.path.string();
  if (!summary.stored.source.empty()) out["source"] = summary.stored.source;
  out["format"] = summary.format;
  out["architecture"] = summary.architecture;
  out["name"] = summary.name;
  out["license"] = summary.license;
  out["parameters"] = summary.parameters;
  out["type"] = summary.main_type;
  out["bits_per_parameter"] = summary.bits;
  out["context_tokens"] = summary.context_tokens;
  out["file_bytes"] = summary.file_bytes;
  out["prepared_bytes"] = summary.prepared_bytes;
  out["vocabulary_only"] = summary.vocabulary_only;
  out["memory"] = nullptr;
  if (summary.memory) {
    out["memory"] = {{"context_tokens", summary.memory->context_tokens},
                     {"weight_bytes", summary.memory->weight_bytes},
                     {"kv_bytes", summary.memory->kv_bytes},
                     {"scratch_bytes", summary.memory->scratch_bytes},
                     {"total_bytes", summary.memory->total_bytes()}};
  }
  if (!summary.error.empty()) out["error"] = summary.error;
  return out;
}

}  // namespace hangar
