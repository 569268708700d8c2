#include "backend/cuda/device.h"

#include <fmt/format.h>

#include <algorithm>

#include "backend/cuda/device_arch.h"
#include "base/units.h"

namespace hangar::cuda {
namespace {

// What CUDA's own words leave out: what to do.
std::string advice(cudaError_t code) {
  switch (code) {
    case cudaErrorNoDevice:
      return "; no card is visible: is CUDA_VISIBLE_DEVICES empty, or the card not passed into "
             "this container?";
    case cudaErrorInsufficientDriver:
      return "; there is no driver here, or it is older than CUDA 13 needs: install 580 or newer";
    case cudaErrorDevicesUnavailable:
      return "; another process holds the card for itself (its compute mode is exclusive)";
    case cudaErrorNotPermitted:
    case cudaErrorOperatingSystem:
      return "; may this user open /dev/nvidia*?";
    case cudaErrorECCUncorrectable:
    case cudaErrorHardwareStackError:
    case cudaErrorLaunchFailure:
    case cudaErrorIllegalAddress:
      return "; the card's state is lost: see Xid lines in the kernel log, then start again";
    default:
      return {};
  }
}

Error device_error(ErrorCode code, const CudaError& error) {
  return Error{code, fmt::format("the card cannot be used: {}", error.what()), {}};
}

Result<std::uint64_t> memory_to_take(const DeviceOptions& options) {
  std::size_t free = 0;
  std::size_t total = 0;
  HANGAR_CUDA(cudaMemGetInfo(&free, &total));
  const std::uint64_t wanted =
      options.memory_bytes > 0 ? options.memory_bytes
      : options.memory_share == 0
          ? usual_memory(total)
          : static_cast<std::uint64_t>(static_cast<double>(total) * options.memory_share);
  // A copy of each kernel and the libraries' own handles come after this.
  constexpr std::uint64_t kBeside = 512ULL << 20U;
  if (wanted + kBeside > free) {
    return make_error(ErrorCode::kResourceExhausted,
                      "{} of the card's memory are wanted (and {} beside it); {} of {} are free. "
                      "End what else runs there, or ask for less with --gpu-memory",
                      format_bytes(wanted), format_bytes(kBeside), format_bytes(free),
                      format_bytes(total));
  }
  return wanted;
}

}  // namespace

std::uint64_t usual_memory(std::uint64_t total) {
  constexpr std::uint64_t kPart = 50;
  constexpr std::uint64_t kLeast = std::uint64_t{1536} << 20U;
  return total - std::min(total, std::max(total / kPart, kLeast));
}

CudaError::CudaError(cudaError_t code, const char* call)
    : std::runtime_error(fmt::format("{}: {} ({}){}", call, cudaGetErrorName(code),
                                     cudaGetErrorString(code), advice(code))),
      code_(code) {}

Result<std::unique_ptr<Device>> Device::open(const DeviceOptions& options) {
  std::unique_ptr<Device> device(new Device);
  try {
    int count = 0;
    HANGAR_CUDA(cudaGetDeviceCount(&count));
    if (options.index < 0 || options.index >= count) {
      return make_error(ErrorCode::kInvalidArgument, "there is no card {}; there are {}",
                        options.index, count);
    }
    HANGAR_CUDA(cudaSetDevice(options.index));
    cudaDeviceProp properties{};
    HANGAR_CUDA(cudaGetDeviceProperties(&properties, options.index));
    if (properties.major < 8) {
      return make_error(ErrorCode::kUnsupported,
                        "{} has compute capability {}.{}; 8.0 (Ampere) is the least",
                        properties.name, properties.major, properties.minor);
    }
    Launch& launch = device->launch_;
    launch.processors = properties.multiProcessorCount;
    launch.hopper = properties.major == 9 && runs_hopper_code();
    launch.overlap = launch.hopper;
    launch.deterministic = options.deterministic;
    HANGAR_CUDA(cudaStreamCreateWithFlags(&launch.stream, cudaStreamNonBlocking));
    HANGAR_CUDA(cudaStreamCreateWithFlags(&device->side_stream_, cudaStreamNonBlocking));
    HANGAR_TRY(device->memory_bytes_, memory_to_take(options));
    HANGAR_CUDA(cudaMalloc(reinterpret_cast<void**>(&device->memory_), device->memory_bytes_));
    device->description_ =
        fmt::format("{} (compute capability {}.{}, {} multiprocessors, {} of {} taken)",
                    properties.name, properties.major, properties.minor, launch.processors,
                    format_bytes(device->memory_bytes_), format_bytes(properties.totalGlobalMem));
  } catch (const CudaError& error) {
    const bool memory = error.code() == cudaErrorMemoryAllocation;
    return tl::unexpected<Error>(
        device_error(memory ? ErrorCode::kResourceExhausted : ErrorCode::kUnsupported, error));
  }
  return device;
}

Device::~Device() {
  // A card that is lost cannot be tidied up; the process ends soon.
  for (cudaStream_t stream : {side_stream_, launch_.stream}) {
    if (stream == nullptr) continue;
    (void)cudaStreamSynchronize(stream);
    (void)cudaStreamDestroy(stream);
  }
  if (memory_ != nullptr) (void)cudaFree(memory_);
}

Result<void*> Device::take_for(std::size_t bytes, std::string_view what) {
  void* const memory = take(bytes);
  if (memory != nullptr) return memory;
  return make_error(ErrorCode::kResourceExhausted, "{}: {} wanted, {} of {} left on the card", what,
                    bytes, left_bytes(), memory_bytes());
}

void* Device::take(std::size_t bytes, std::size_t alignment, bool zeros) {
  const std::uint64_t start = (used_bytes_ + alignment - 1) / alignment * alignment;
  if (start > memory_bytes_ || bytes > memory_bytes_ - start) return nullptr;
  used_bytes_ = start + bytes;
  std::byte* piece = memory_ + start;
  if (zeros) HANGAR_CUDA(cudaMemsetAsync(piece, 0, bytes, launch_.stream));
  return piece;
}

}  // namespace hangar::cuda
