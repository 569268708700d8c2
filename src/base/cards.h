// Cards: the GPUs of this machine, as NVIDIA's management library (NVML) tells of them.
//
// Promise: CardWatch::open() finds the driver or says in words why there is none to be found: no
//   card, no driver, a container without the GPU, no permission. read() then tells of every card at
//   that moment; what a card does not tell is nullopt, and a card that cannot be used says why in
//   `problem`. Nothing is changed on a card, and no CUDA context is made.
// Units: bytes, watts, joules, degrees Celsius, MHz; shares from 0 to 1.
// Errors: open: kUnavailable; the message is whole sentences for people.
// Threads: any. Where one thread hangs in a driver that has stopped answering, others get what was
//   read last.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/nvml_library.h"
#include "base/result.h"

namespace hangar {

// The CUDA version that libhangar_cuda.so is made with; drivers from 580 on run it.
inline constexpr int kLeastDriverCuda = 13000;
inline constexpr std::string_view kLeastDriver = "580";
// The oldest cards that kernels are compiled for: compute capability 8.0 (A100).
inline constexpr int kLeastCapabilityMajor = 8;

struct CardInfo {
  int index = 0;          // NVML's: by the place on the bus, as with CUDA_DEVICE_ORDER=PCI_BUS_ID
  std::string name = {};  // "NVIDIA H200"
  std::string uuid = {};  // "GPU-..."
  std::string bus = {};   // "00000000:01:00.0"
  std::string problem = {};  // why it cannot be used, in words; "": nothing speaks against it
  int capability_major = 0;  // compute capability; 0: not told
  int capability_minor = 0;
  std::optional<std::uint64_t> memory_bytes = {};
  std::optional<std::uint64_t> memory_used_bytes = {};  // by everybody, the driver too
  std::optional<std::uint64_t> memory_free_bytes = {};
  std::optional<double> power_w = {};
  std::optional<double> power_limit_w = {};
  std::optional<double> energy_j = {};           // since the driver was loaded
  std::optional<double> busy_share = {};         // of the last sample's time with a kernel running
  std::optional<double> memory_busy_share = {};  // with memory read or written
  std::optional<int> temperature_c = {};
  std::optional<int> clock_mhz = {};
  std::optional<int> clock_most_mhz = {};
  std::optional<int> memory_clock_mhz = {};
  std::vector<std::string_view> slowed_by = {};  // "power limit", "heat", ...
  std::string_view compute_mode = {};  // "shared", "exclusive", "prohibited"; "": not told
  std::optional<bool> mig = {};        // cut into instances
  std::optional<int> processes = {};   // with a CUDA context on it
  std::optional<int> pcie_generation = {};
  std::optional<int> pcie_lanes = {};
  std::optional<int> nvlinks = {};  // that are up
};

struct CardList {
  std::string driver;   // "580.82.07"
  int driver_cuda = 0;  // the newest CUDA that the driver runs: 13000 is 13.0; 0: not told
  std::string problem;  // why no card can be used whatever it is: the driver is too old
  std::vector<CardInfo> cards;
};

// "13.0"
std::string cuda_version_text(int version);

struct CardPaths {
  std::string nvml = "libnvidia-ml.so.1";
  std::filesystem::path proc = "/proc";
  std::filesystem::path sysfs = "/sys";
  // HANGAR_NVML: where another NVML is to be taken from.
  static CardPaths from_environment();
};

class CardWatch {
 public:
  static Result<std::unique_ptr<CardWatch>> open(
      const CardPaths& paths = CardPaths::from_environment());
  ~CardWatch();
  CardWatch(const CardWatch&) = delete;
  CardWatch& operator=(const CardWatch&) = delete;

  CardList read() const;

 private:
  explicit CardWatch(const NvmlLibrary& nvml) : nvml_(nvml) {}
  CardList read_now() const;
  CardInfo read_card(unsigned index) const;

  NvmlLibrary nvml_;
  mutable std::mutex reading_;
  mutable std::mutex last_mutex_;
  mutable CardList last_;
};

// open() and read() once.
Result<CardList> list_cards(const CardPaths& paths = CardPaths::from_environment());

}  // namespace hangar
