#include "base/nvml_library.h"

#include <dlfcn.h>

#include <initializer_list>

namespace hangar {

Result<NvmlLibrary> NvmlLibrary::load(const std::string& path) {
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* words = ::dlerror();
    return make_error(ErrorCode::kNotFound, "{}", words == nullptr ? "dlopen failed" : words);
  }
  NvmlLibrary library{};
  std::string missing;
  const auto find = [&]<typename Function>(Function*& function,
                                           std::initializer_list<const char*> names) {
    for (const char* name : names) {
      if (function == nullptr) function = reinterpret_cast<Function*>(::dlsym(handle, name));
    }
  };
  const auto need = [&](auto*& function, const char* name) {
    find(function, {name});
    if (function == nullptr && missing.empty()) missing = name;
  };
  need(library.init, "nvmlInit_v2");
  need(library.shutdown, "nvmlShutdown");
  need(library.error_string, "nvmlErrorString");
  need(library.device_count, "nvmlDeviceGetCount_v2");
  need(library.device_by_index, "nvmlDeviceGetHandleByIndex_v2");
  need(library.name, "nvmlDeviceGetName");
  if (!missing.empty()) {
    return make_error(ErrorCode::kUnsupported, "{}: has no {}", path, missing);
  }
  find(library.driver_version, {"nvmlSystemGetDriverVersion"});
  find(library.driver_cuda_version,
       {"nvmlSystemGetCudaDriverVersion_v2", "nvmlSystemGetCudaDriverVersion"});
  find(library.uuid, {"nvmlDeviceGetUUID"});
  find(library.pci, {"nvmlDeviceGetPciInfo_v3"});
  find(library.compute_capability, {"nvmlDeviceGetCudaComputeCapability"});
  find(library.memory, {"nvmlDeviceGetMemoryInfo"});
  find(library.power, {"nvmlDeviceGetPowerUsage"});
  find(library.power_limit, {"nvmlDeviceGetEnforcedPowerLimit"});
  find(library.energy, {"nvmlDeviceGetTotalEnergyConsumption"});
  find(library.temperature, {"nvmlDeviceGetTemperature"});
  find(library.clock, {"nvmlDeviceGetClockInfo"});
  find(library.clock_most, {"nvmlDeviceGetMaxClockInfo"});
  find(library.slowed_by,
       {"nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"});
  find(library.utilization, {"nvmlDeviceGetUtilizationRates"});
  find(library.compute_mode, {"nvmlDeviceGetComputeMode"});
  find(library.mig_mode, {"nvmlDeviceGetMigMode"});
  find(library.processes, {"nvmlDeviceGetComputeRunningProcesses_v3"});
  find(library.pcie_generation, {"nvmlDeviceGetCurrPcieLinkGeneration"});
  find(library.pcie_lanes, {"nvmlDeviceGetCurrPcieLinkWidth"});
  find(library.nvlink_state, {"nvmlDeviceGetNvLinkState"});
  return library;
}

}  // namespace hangar
