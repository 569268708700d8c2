// StepInputs: what the host tells the card about a step, in one copy.
//
// Promise: upload() brings the batch to the card and says where it lies, as StepKind asks. ints()
//   finds on the card what is a part of that batch (token_ids, positions, logit_rows), and brings
//   anything else there (not while a graph is recorded). A sequence without blocks (one that only
//   fills a recorded step up) is named by its row, but has no rows there: nothing attends for it.
//   As a context of one token it would be a run for each KV head, and all such runs the last
//   block's (attention_runs.cuh). Nothing waits for the card but a third upload for the first.
// Errors: CudaError; std::length_error for a step that is larger than kMostInts.
// Threads: one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "backend/cuda/device.h"
#include "backend/cuda/device_batch.h"
#include "backend/cuda/side_copy.h"
#include "tensor/ragged_batch.h"

namespace hangar::cuda {

enum class StepKind : std::uint8_t {
  kAny,
  // The batch lies at the same addresses each time: the step may be recorded.
  kFixed,
  // The same, and a graph follows: the batch is brought beside the step before (SideCopy), to a
  // room of its own, and put there by a kernel when that is over. A graph begins when that kernel
  // has ended; a kernel by itself may begin, and read the batch, before.
  kGraph,
};

class StepInputs {
 public:
  static constexpr std::int32_t kFixedRows = 1024;  // a graph's rows at most
  static constexpr std::size_t kMostInts = std::size_t{1} << 22U;

  explicit StepInputs(Device& device);
  ~StepInputs();
  StepInputs(const StepInputs&) = delete;
  StepInputs& operator=(const StepInputs&) = delete;

  // The batch outlives the step.
  DeviceBatch upload(const RaggedBatch& batch, StepKind kind);
  const std::int32_t* ints(std::span<const std::int32_t> host);
  // Whether it is the batch that was uploaded last, and its step is not over.
  bool holds(const RaggedBatch& batch) const {
    return !batch.token_ids.empty() && sections_[0].host == batch.token_ids.data();
  }
  // The batch may go or change: its parts are not looked for any more.
  void end_step() { sections_ = {}; }
  // The same of anything that is no part of a batch.
  const void* bytes(std::span<const std::byte> host);

 private:
  static constexpr std::size_t kBuffers = 3;
  static constexpr std::size_t kStagedInts = std::size_t{1} << 18U;  // what is longer is not
  struct Section {
    const std::int32_t* host = nullptr;
    std::size_t at = 0;
    std::size_t count = 0;
  };

  // Of the steps that are under way, each with a buffer that no copy under way reads.
  struct Buffer {
    std::int32_t* host = nullptr;    // pinned
    std::int32_t* device = nullptr;  // kStagedInts
    SideCopy copy;
    cudaEvent_t placed = nullptr;  // recorded when the step after it begins
    cudaEvent_t read = nullptr;    // by a copy on the step's own stream
  };
  Buffer& next_buffer();

  Device& device_memory_;
  std::int32_t* device_ = nullptr;        // the step
  std::int32_t* loose_device_ = nullptr;  // all else
  std::size_t loose_at_ = 0;
  std::int32_t* loose_host_ = nullptr;
  std::array<Buffer, kBuffers> buffers_;
  std::size_t next_ = 0;
  std::array<Section, 3> sections_;  // of the step's batch, by host address
};

// to = from, `count` rounded up to 16 bytes; both begin on borders of 16.
void place_ints(const Launch& launch, std::int32_t* to, const std::int32_t* from,
                std::size_t count);

}  // namespace hangar::cuda
