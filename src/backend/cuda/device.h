// Device: one card: its properties, its stream, and its memory, which is taken once.
//
// Promise: open() takes `memory_bytes` of the card's memory in one piece; take() hands it out piece
//   by piece, in order, zero-filled, until it is used up; nothing else on the step path asks the
//   card for memory. What the driver and the libraries hold for themselves is beside it.
// Units: bytes.
// Errors: kUnsupported (no card, driver too old, a card older than 8.0), kResourceExhausted with
//   the sums (card busy, not enough memory), kInvalidArgument (no card of this number).
// Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "backend/cuda/launch.h"
#include "base/result.h"

namespace hangar::cuda {

struct DeviceOptions {
  int index = 0;
  double memory_share = 0.0;  // of the card's memory, where memory_bytes is 0; 0: usual_memory()
  std::uint64_t memory_bytes = 0;
  bool deterministic = false;
};

// Of so much memory on a card: all but 2%, or but what kernels, libraries and a context want on a
// small one.
std::uint64_t usual_memory(std::uint64_t total);

class Device {
 public:
  static Result<std::unique_ptr<Device>> open(const DeviceOptions& options);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // "NVIDIA H200 (132 multiprocessors, 140.0 GiB)"
  const std::string& description() const { return description_; }
  const Launch& launch() const { return launch_; }
  cudaStream_t stream() const { return launch_.stream; }
  cudaStream_t side_stream() const { return side_stream_; }  // SideCopy
  // nullptr: so much is not left. The zeros are written on stream(): what another stream is to fill
  // is taken without them.
  void* take(std::size_t bytes, std::size_t alignment = 256) {
    return take(bytes, alignment, true);
  }
  // kResourceExhausted, with the sums: `what` finds no place.
  Result<void*> take_for(std::size_t bytes, std::string_view what);
  void* take_unfilled(std::size_t bytes, std::size_t alignment) {
    return take(bytes, alignment, false);
  }
  std::uint64_t memory_bytes() const { return memory_bytes_; }
  std::uint64_t left_bytes() const { return memory_bytes_ - used_bytes_; }
  void synchronize() { HANGAR_CUDA(cudaStreamSynchronize(launch_.stream)); }

 private:
  Device() = default;
  void* take(std::size_t bytes, std::size_t alignment, bool zeros);

  std::string description_;
  Launch launch_;
  cudaStream_t side_stream_ = nullptr;
  std::byte* memory_ = nullptr;
  std::uint64_t memory_bytes_ = 0;
  std::uint64_t used_bytes_ = 0;
};

}  // namespace hangar::cuda
