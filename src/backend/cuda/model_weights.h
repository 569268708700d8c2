// ModelWeights: a model's weights on the card, each in the form that was chosen for it.
//
// Promise: load(), make() and make_head() are Backend's load_weight, random_weight and make_head,
//   in WeightChoice's forms; make_head() gives none where the table itself serves. They do not wait
//   for what they begin: finish() does, and says in the log what stayed or became what. Where the
//   options ask for it, or with keep_copies(), matrices of 4 bits get their copies too
//   (copy_bytes()), whose memory take_copies() takes, once all are loaded. take() is where weights
//   lie: matrices behind one another; what is small beside them has a place of its own, so that a
//   bias between two matrices does not part them.
// Errors: as WeightLoader.
// Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/backend_options.h"
#include "backend/cuda/device.h"
#include "backend/cuda/weights.h"
#include "backend/cuda/weights_choice.h"
#include "backend/random_weight.h"

namespace hangar::cuda {

class ModelWeights {
 public:
  ModelWeights(Device& device, const BackendOptions& options);

  const WeightChoice& choice() const { return choice_; }
  std::size_t head_bytes(const TensorView& table) const;
  std::size_t copy_bytes(const TensorView& view) const;
  void keep_copies() { keeps_copies_ = true; }

  Result<CudaWeightPtr> load(const TensorView& view);
  Result<CudaWeightPtr> make(const TensorView& view, const RandomWeights& how);
  Result<CudaWeightPtr> make_head(const CudaWeight& table);
  Status take_copies() { return loader_.take_copies(); }
  void finish();

  void* take(std::size_t bytes, std::size_t alignment);  // nullptr: so much is not left
  // Of the weights of fewer bits than 16.
  std::int64_t widest_input() const { return widest_input_; }

 private:
  void note(CudaWeight& weight, std::size_t copy_bytes);

  Device& device_;
  WeightChoice choice_;
  WeightLoader loader_;
  bool keeps_copies_;
  bool loading_ = false;
  std::byte* small_ = nullptr;
  std::size_t small_left_ = 0;
  std::int64_t widest_input_ = 0;
  int reordered_ = 0;  // since the last finish(), that gave up their 4 bits
};

}  // namespace hangar::cuda
