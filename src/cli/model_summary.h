// ModelSummary: what `hangar models` says of a model file, read without loading its weights.
//
// Promise: numbers come from the file's own tensors and metadata; memory from plan_memory, as the
//   engine plans it. A file that cannot be opened has its error here instead.
// Units: bytes, tokens, bits per parameter.
// Errors: in the value: one bad file must not hide the others.
// Threads: pure but for reading the file.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "cli/model_store.h"
#include "formats/checkpoint.h"
#include "plan/memory.h"

namespace hangar {

struct ModelSummary {
  StoredModel stored;
  std::string format;
  std::string architecture;
  std::string name;
  std::string license;
  std::string main_type;  // the type most parameters have: "Q4_1"
  std::uint64_t parameters = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t prepared_bytes = 0;  // of what `hangar models prepare` made; 0: nothing
  double bits = 0;
  std::int32_t context_tokens = 0;
  bool vocabulary_only = false;
  std::optional<MemoryPlan> memory;
  std::string error;
};

// context_tokens: 0 for the model's own.
ModelSummary summarize_model(const StoredModel& stored, std::int32_t context_tokens);
void count_tensors(const Checkpoint& checkpoint, ModelSummary& summary);
// What the data take, also where they are made only when read (repacked formats).
std::uint64_t tensor_bytes(const TensorView& tensor);
boost::json::object summary_json(const ModelSummary& summary);

}  // namespace hangar
