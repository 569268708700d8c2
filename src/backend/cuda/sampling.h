// Sampler: Backend::sample on the card, for all rows of a step, without a copy of the logits.
//
// Promise: as backend/sampling.h says, up to rounding; a row's token does not depend on the rows
//   beside it, nor on how many there are. Logits are what they were in the end. What is equal by
//   sums alone differs in the last digits from the reference: a draw that falls within some 1e-7 of
//   a border between two tokens may go to the other. A token that a list of biases or counts names
//   more than twice is summed in any order. Steps of one round, in this order, none of which waits
//   for the card: plan() packs as many rows as one launch serves (nearly always all); upload()
//   brings the plan beside what the stream does (SideCopy); launch() runs the kernels, which write
//   the results to the host's memory; mark() says behind what they are there. The rounds of a step
//   follow one another on the stream. finish() gives a round's results and waits for them. plan()
//   waits where kRounds rounds are under way; each must be finished before it is as many rounds
//   old.
// On the card: tokens() [rows of the step], by the SampleRow's place in the step, until the next
//   step's launch; SampleRow::pending names a place there.
// Method: threshold selection by counting in bins of the bits (radix selection); no sort of a row.
// Errors: make: kResourceExhausted, kUnsupported (a vocabulary above kMostVocabulary). The rest:
//   CudaError; plan: as SamplePlan.
// Threads: one (the step thread). finish() and ready() may be called from another.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "backend/cuda/device.h"
#include "backend/cuda/sampling_arrays.h"
#include "backend/cuda/sampling_plan.h"
#include "backend/cuda/side_copy.h"
#include "backend/sampling.h"
#include "base/result.h"
#include "tensor/activation.h"

namespace hangar::cuda {

struct SamplerLimits {
  std::int32_t vocabulary = 0;
  std::int32_t rows = 1024;       // of one round; a step of more takes several
  std::int32_t step_rows = 1024;  // of a step, all rounds together
};

class Sampler {
 public:
  static constexpr std::size_t kRounds = 4;
  using Round = std::size_t;

  // What it takes of the card's memory.
  static std::size_t device_bytes(const SamplerLimits& limits);
  static Result<std::unique_ptr<Sampler>> make(Device& device, const SamplerLimits& limits);
  ~Sampler();
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  // The rows of a step from `first` on; gives how many of them this round takes, at least one.
  // rows may not be empty, and `first` is where the round before ended. Where they are fewer,
  // padded_rows of them are launched.
  std::int32_t plan(std::span<const SampleRow> rows, std::size_t first = 0,
                    std::int32_t padded_rows = 0);
  // Of the plan: its launch is the greedy one; rows launched, padding included.
  bool greedy() const { return plan_.greedy(); }
  std::int32_t padded_rows() const { return plan_.padded_rows(); }

  void upload();
  // A launch that is not greedy serves greedy plans too.
  void launch(Activation logits, std::int32_t padded_rows, bool greedy);
  // Of the plan, as one.
  void launch(Activation logits) { launch(logits, padded_rows(), greedy()); }
  Round mark();

  bool ready(Round round) const;
  // out: as many as the round took.
  void finish(Round round, std::span<Sampled> out);

  const std::int32_t* tokens() const { return arrays_.tokens; }
  // For whoever launches the kernels alone, over the plan that was uploaded last.
  const SamplerArrays& arrays() const { return arrays_; }

 private:
  struct Slot {
    std::uint32_t* plan = nullptr;  // pinned, as all but the next
    std::uint32_t* device_plan = nullptr;
    SideCopy copy;
    SampledRow* results = nullptr;
    TokenLogprob* tops = nullptr;
    cudaEvent_t done = nullptr;
    std::int32_t rows = 0;
  };

  Sampler(Device& device, const SamplerLimits& limits);
  Status take_memory(Device& device);

  Launch launch_;
  SamplerLimits limits_;
  SampleRoom room_;
  SamplePlan plan_;
  SamplerArrays arrays_;
  std::int32_t* kept_tokens_ = nullptr;
  cudaStream_t side_stream_;
  std::array<Slot, kRounds> slots_;
  std::size_t slot_ = 0;
  bool keep_tokens_ = false;  // more rounds of this step come
};

}  // namespace hangar::cuda
