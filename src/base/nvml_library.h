// NvmlLibrary: NVIDIA's management library (libnvidia-ml.so.1), loaded when it is asked for.
//
// Promise: the driver brings this library; nothing of it is needed to build. The types below are
//   those of its C interface, whose functions keep their form for ever (a changed one gets a new
//   name: _v2). What an old driver does not have is nullptr; the first group always is there.
// Errors: load: kNotFound with the loader's words; kUnsupported where one of the first group is
//   missing.
// Threads: any; NVML's functions may be called from several at once. Never unloaded.
// Source: NVIDIA, NVML API Reference Guide.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace hangar {

struct NvmlLibrary {
  using Code = int;
  using Device = struct NvmlDevice*;

  // Of the codes there are, those that are told apart.
  static constexpr Code kSuccess = 0;
  static constexpr Code kNotSupported = 3;
  static constexpr Code kNoPermission = 4;
  static constexpr Code kInsufficientSize = 7;
  static constexpr Code kInsufficientPower = 8;
  static constexpr Code kDriverNotLoaded = 9;
  static constexpr Code kGpuIsLost = 15;
  static constexpr Code kResetRequired = 16;
  static constexpr Code kVersionMismatch = 18;

  struct Memory {
    std::uint64_t total;  // bytes
    std::uint64_t free;
    std::uint64_t used;
  };
  struct Utilization {
    unsigned compute;  // percent of the last sample's time
    unsigned memory;
  };
  struct Pci {
    std::array<char, 16> old_bus_id;
    std::array<unsigned, 5> numbers;
    std::array<char, 32> bus_id;  // "00000000:01:00.0"
  };
  static constexpr int kClockSm = 1;
  static constexpr int kClockMemory = 2;
  static constexpr int kSensorGpu = 0;

  Code (*init)();
  Code (*shutdown)();
  const char* (*error_string)(Code);
  Code (*device_count)(unsigned*);
  Code (*device_by_index)(unsigned, Device*);
  Code (*name)(Device, char*, unsigned);

  Code (*driver_version)(char*, unsigned);
  Code (*driver_cuda_version)(int*);  // 13000
  Code (*uuid)(Device, char*, unsigned);
  Code (*pci)(Device, Pci*);
  Code (*compute_capability)(Device, int*, int*);
  Code (*memory)(Device, Memory*);
  Code (*power)(Device, unsigned*);  // milliwatts
  Code (*power_limit)(Device, unsigned*);
  Code (*energy)(Device, unsigned long long*);  // millijoules since the driver was loaded
  Code (*temperature)(Device, int, unsigned*);  // degrees Celsius
  Code (*clock)(Device, int, unsigned*);        // MHz
  Code (*clock_most)(Device, int, unsigned*);
  Code (*slowed_by)(Device, unsigned long long*);  // bits
  Code (*utilization)(Device, Utilization*);
  Code (*compute_mode)(Device, int*);
  Code (*mig_mode)(Device, unsigned*, unsigned*);
  Code (*processes)(Device, unsigned*, void*);  // with a count of 0: only counts
  Code (*pcie_generation)(Device, unsigned*);
  Code (*pcie_lanes)(Device, unsigned*);
  Code (*nvlink_state)(Device, unsigned, unsigned*);

  static Result<NvmlLibrary> load(const std::string& path);
};

}  // namespace hangar
