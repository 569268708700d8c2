// WeightLoader: takes named weights out of a checkpoint into the backend, checking shapes.
//
// Promise: a weight it returns has exactly the shape asked for. It remembers what was taken, so
//   that a tensor nobody asked for (a bias, a norm) is an error and not a silently wrong answer.
//   Where the checkpoint has no data (Checkpoint::random_weights) the backend makes the weights.
// Errors: kCorrupt naming the tensor, the shape found and the shape the config calls for;
//   kUnsupported from refuse_unused(); what Checkpoint::read and Backend::load_weight fail with.
// Threads: one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "backend/backend.h"
#include "base/result.h"
#include "formats/checkpoint.h"

namespace hangar {

// Part of a matrix: rows [first, first + count) of `total`. Of a vector: elements.
struct RowRange {
  std::int64_t first = 0;
  std::int64_t count = 0;
  std::int64_t total = 0;
};

class WeightLoader {
 public:
  WeightLoader(const Checkpoint& checkpoint, Backend& backend)
      : checkpoint_(checkpoint), backend_(backend) {}

  bool has(std::string_view name) const { return checkpoint_.find(name) != nullptr; }

  // Rows of the matrix of this name; 0: not there.
  std::int64_t rows_of(std::string_view name) const {
    const TensorView* view = checkpoint_.find(name);
    return view == nullptr ? 0 : view->rows();
  }

  // {rows, columns}; a vector is {1, columns}.
  Result<WeightPtr> load(const std::string& name, std::int64_t rows, std::int64_t columns,
                         InputPrecision precision = InputPrecision::kFast);
  // nullptr where the file has no such tensor.
  Result<WeightPtr> load_optional(const std::string& name, std::int64_t rows, std::int64_t columns,
                                  InputPrecision precision = InputPrecision::kFast);
  // Part of a fused matrix: q of qkv, gate of gate and up.
  Result<WeightPtr> load_rows(const std::string& name, RowRange rows, std::int64_t columns,
                              InputPrecision precision = InputPrecision::kFast);
  // A vector that is added: `called_for` as ModelConfig's (nullopt: if it is there). nullptr: none.
  Result<WeightPtr> load_bias(const std::string& name, RowRange elements,
                              std::optional<bool> called_for);
  // Expert `expert` of `experts`, {rows, columns}: a slice of "STEM_exps.weight" (rows `part` of
  // each expert's), or "STEM.EXPERT.weight".
  Result<WeightPtr> load_expert(const std::string& stem, std::int32_t expert, std::int32_t experts,
                                RowRange part, std::int64_t columns);

  // As Backend::join_experts().
  Result<std::unique_ptr<const ExpertSet>> join_experts(std::span<const ExpertWeights> experts,
                                                        std::int32_t used) {
    return backend_.join_experts(experts, used);
  }

  // After the last load: every tensor that a layer, the embedding or the head would have is taken.
  Status refuse_unused(const ModelConfig& config) const;
  std::size_t total_bytes() const { return total_bytes_; }

 private:
  // The tensor with its data; a view without a name where the file has none. Keeps the last one:
  // the parts of a fused or stacked tensor come one after another, and reading may mean repacking.
  Result<TensorView> read(std::string_view name);
  Result<WeightPtr> take(const TensorView& view, InputPrecision precision);
  // Of `listed`, a tensor of the checkpoint's; nullptr: the backend has it not.
  WeightPtr take_prepared(const TensorView& listed, const TensorView& part,
                          InputPrecision precision);

  const Checkpoint& checkpoint_;
  Backend& backend_;
  TensorView last_;
  std::unordered_set<const TensorView*> used_;
  std::size_t total_bytes_ = 0;
};

}  // namespace hangar
