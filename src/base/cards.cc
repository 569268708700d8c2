#include "base/cards.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <system_error>
#include <utility>

namespace hangar {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kInContainer =
    "In a container, ask for the GPU: docker run --gpus all; in Kubernetes nvidia.com/gpu among "
    "the limits.";

// PCI addresses of NVIDIA's display and compute controllers, whether a driver holds them or not.
std::vector<std::string> nvidia_pci_cards(const fs::path& sysfs) {
  std::vector<std::string> found;
  std::error_code failure;
  for (fs::directory_iterator entry(sysfs / "bus/pci/devices", failure), end;
       !failure && entry != end; entry.increment(failure)) {
    std::string vendor;
    std::string kind;
    std::ifstream(entry->path() / "vendor") >> vendor;
    std::ifstream(entry->path() / "class") >> kind;
    if (vendor == "0x10de" && kind.starts_with("0x03")) {
      found.push_back(entry->path().filename().string());
    }
  }
  return found;
}

// The library did not load: what is missing?
std::string why_no_library(const CardPaths& paths, const std::string& loader_words) {
  std::error_code failure;
  if (fs::exists(paths.proc / "driver/nvidia/version", failure)) {
    return fmt::format("NVIDIA's driver runs, but its library is not here ({}). {}", loader_words,
                       kInContainer);
  }
  if (const auto cards = nvidia_pci_cards(paths.sysfs); !cards.empty()) {
    return fmt::format(
        "There is an NVIDIA card ({}), but no driver for it ({}). Install NVIDIA's driver {} or "
        "newer.",
        cards.front(), loader_words, kLeastDriver);
  }
  return fmt::format("No NVIDIA card and no driver here ({}).", loader_words);
}

std::string why_no_start(const NvmlLibrary& nvml, NvmlLibrary::Code code) {
  switch (code) {
    case NvmlLibrary::kDriverNotLoaded:
      return fmt::format(
          "NVIDIA's driver is installed, but its kernel module is not loaded (modprobe nvidia). {}",
          kInContainer);
    case NvmlLibrary::kNoPermission:
      return "No permission: this user may not open NVIDIA's driver (/dev/nvidiactl, "
             "/dev/nvidia0 ...).";
    case NvmlLibrary::kVersionMismatch:
      return "The driver's library and its kernel module are of different versions: the driver was "
             "updated while it ran. Reboot, or load the module again.";
    default:
      return fmt::format("NVIDIA's driver does not start: {}.", nvml.error_string(code));
  }
}

std::string why_no_card(const NvmlLibrary& nvml, NvmlLibrary::Code code, unsigned index) {
  switch (code) {
    case NvmlLibrary::kGpuIsLost:
      return "the card is lost: it fell off the bus or stopped with an Xid error (dmesg | grep "
             "Xid). It needs a reset or a reboot";
    case NvmlLibrary::kResetRequired:
      return "the card needs a reset before it works again (dmesg | grep Xid says why)";
    case NvmlLibrary::kNoPermission:
      return fmt::format("no permission: this user may not open /dev/nvidia{}", index);
    case NvmlLibrary::kInsufficientPower:
      return "the card has too little power: look at its power cables";
    default:
      return nvml.error_string(code);
  }
}

// Reasons for which a card holds its clocks back, but for being idle.
struct SlowReason {
  unsigned long long bit;
  std::string_view name;
};
constexpr std::array<SlowReason, 7> kSlowReasons = {{{0x02, "clock setting"},
                                                     {0x04, "power limit"},
                                                     {0x08, "hardware"},
                                                     {0x10, "sync boost"},
                                                     {0x20, "heat"},
                                                     {0x40, "heat (hardware)"},
                                                     {0x80, "power brake"}}};

constexpr std::array<std::string_view, 4> kComputeModes = {"shared", "exclusive", "prohibited",
                                                           "exclusive"};

// Asks for one number; what is not told stays empty. The first answer that says more than "not
// supported" is kept: a lost card says so to every question.
class Asking {
 public:
  explicit Asking(NvmlLibrary::Device device) : device_(device) {}

  template <typename T>
  std::optional<T> ask(NvmlLibrary::Code (*function)(NvmlLibrary::Device, T*)) {
    T value{};
    if (function == nullptr || !holds(function(device_, &value))) return std::nullopt;
    return value;
  }
  template <typename T>
  std::optional<T> ask(NvmlLibrary::Code (*function)(NvmlLibrary::Device, int, T*), int which) {
    T value{};
    if (function == nullptr || !holds(function(device_, which, &value))) return std::nullopt;
    return value;
  }
  bool holds(NvmlLibrary::Code code) {
    const bool grave = code == NvmlLibrary::kGpuIsLost || code == NvmlLibrary::kResetRequired;
    if (grave && failure_ == NvmlLibrary::kSuccess) failure_ = code;
    return code == NvmlLibrary::kSuccess;
  }
  NvmlLibrary::Code failure() const { return failure_; }
  NvmlLibrary::Device device() const { return device_; }

 private:
  NvmlLibrary::Device device_;
  NvmlLibrary::Code failure_ = NvmlLibrary::kSuccess;
};

template <std::size_t kSize, typename Function, typename... Known>
std::string ask_text(Function function, Known... known) {
  std::array<char, kSize> text{};
  if (function == nullptr ||
      function(known..., text.data(), static_cast<unsigned>(kSize)) != NvmlLibrary::kSuccess) {
    return "";
  }
  text.back() = '\0';
  return text.data();
}

template <typename To, typename From>
std::optional<To> as(std::optional<From> value) {
  if (!value) return std::nullopt;
  return static_cast<To>(*value);
}

std::optional<double> scaled(std::optional<double> value, double factor) {
  if (!value) return std::nullopt;
  return *value * factor;
}

std::optional<int> count_nvlinks(const NvmlLibrary& nvml, Asking& card) {
  constexpr unsigned kMostLinks = 18;
  if (nvml.nvlink_state == nullptr) return std::nullopt;
  std::optional<int> up;
  for (unsigned link = 0; link < kMostLinks; ++link) {
    unsigned active = 0;
    if (!card.holds(nvml.nvlink_state(card.device(), link, &active))) break;
    up = up.value_or(0) + (active != 0 ? 1 : 0);
  }
  return up;
}

std::optional<int> count_processes(const NvmlLibrary& nvml, Asking& card) {
  if (nvml.processes == nullptr) return std::nullopt;
  unsigned count = 0;
  const NvmlLibrary::Code code = nvml.processes(card.device(), &count, nullptr);
  // With room for none, "too small" is how it says that there are some.
  if (code != NvmlLibrary::kInsufficientSize && !card.holds(code)) return std::nullopt;
  return static_cast<int>(count);
}

void read_load(const NvmlLibrary& nvml, Asking& card, CardInfo& info) {
  if (const auto memory = card.ask(nvml.memory)) {
    info.memory_bytes = memory->total;
    info.memory_used_bytes = memory->used;
    info.memory_free_bytes = memory->free;
  }
  info.power_w = scaled(as<double>(card.ask(nvml.power)), 1e-3);
  info.power_limit_w = scaled(as<double>(card.ask(nvml.power_limit)), 1e-3);
  info.energy_j = scaled(as<double>(card.ask(nvml.energy)), 1e-3);
  info.temperature_c = as<int>(card.ask(nvml.temperature, NvmlLibrary::kSensorGpu));
  info.clock_mhz = as<int>(card.ask(nvml.clock, NvmlLibrary::kClockSm));
  info.clock_most_mhz = as<int>(card.ask(nvml.clock_most, NvmlLibrary::kClockSm));
  info.memory_clock_mhz = as<int>(card.ask(nvml.clock, NvmlLibrary::kClockMemory));
  if (const auto use = card.ask(nvml.utilization)) {
    info.busy_share = use->compute / 100.0;
    info.memory_busy_share = use->memory / 100.0;
  }
  if (const auto reasons = card.ask(nvml.slowed_by)) {
    for (const SlowReason& reason : kSlowReasons) {
      if ((*reasons & reason.bit) != 0) info.slowed_by.push_back(reason.name);
    }
  }
  info.processes = count_processes(nvml, card);
}

// What speaks against a card that answers.
std::string unfit(const CardInfo& info) {
  if (info.capability_major > 0 && info.capability_major < kLeastCapabilityMajor) {
    return fmt::format("too old: compute capability {}.{}, and Hangar's kernels begin at {}.0",
                       info.capability_major, info.capability_minor, kLeastCapabilityMajor);
  }
  if (info.compute_mode == "prohibited") {
    return "its compute mode is 'prohibited': nobody may compute on it (nvidia-smi -c DEFAULT)";
  }
  if (info.compute_mode == "exclusive" && info.processes.value_or(0) > 0) {
    return "busy: its compute mode is 'exclusive', and another process has it";
  }
  return "";
}

}  // namespace

std::string cuda_version_text(int version) {
  return fmt::format("{}.{}", version / 1000, version / 10 % 100);
}

CardPaths CardPaths::from_environment() {
  CardPaths paths;
  const char* nvml = std::getenv("HANGAR_NVML");
  if (nvml != nullptr && *nvml != '\0') paths.nvml = nvml;
  return paths;
}

Result<std::unique_ptr<CardWatch>> CardWatch::open(const CardPaths& paths) {
  const auto nvml = NvmlLibrary::load(paths.nvml);
  if (!nvml && nvml.error().code == ErrorCode::kNotFound) {
    return make_error(ErrorCode::kUnavailable, "{}", why_no_library(paths, nvml.error().message));
  }
  if (!nvml) {
    return make_error(ErrorCode::kUnavailable, "NVIDIA's driver is too old: {}.",
                      nvml.error().message);
  }
  if (const NvmlLibrary::Code code = nvml->init(); code != NvmlLibrary::kSuccess) {
    return make_error(ErrorCode::kUnavailable, "{}", why_no_start(*nvml, code));
  }
  return std::unique_ptr<CardWatch>(new CardWatch(*nvml));
}

CardWatch::~CardWatch() {
  nvml_.shutdown();
}

CardList CardWatch::read() const {
  const std::unique_lock reading(reading_, std::try_to_lock);
  if (reading) {
    CardList now = read_now();
    const std::lock_guard lock(last_mutex_);
    last_ = now;
    return now;
  }
  const std::lock_guard lock(last_mutex_);
  return last_;
}

CardList CardWatch::read_now() const {
  CardList list;
  list.driver = ask_text<80>(nvml_.driver_version);
  if (nvml_.driver_cuda_version != nullptr) nvml_.driver_cuda_version(&list.driver_cuda);
  if (list.driver_cuda > 0 && list.driver_cuda < kLeastDriverCuda) {
    list.problem = fmt::format(
        "The driver {} is too old: it runs CUDA {}, and Hangar's GPU part is made with {}. Install "
        "driver {} or newer.",
        list.driver, cuda_version_text(list.driver_cuda), cuda_version_text(kLeastDriverCuda),
        kLeastDriver);
  }
  unsigned count = 0;
  if (const auto code = nvml_.device_count(&count); code != NvmlLibrary::kSuccess) {
    list.problem =
        fmt::format("The driver does not say which cards there are: {}.", nvml_.error_string(code));
  }
  for (unsigned index = 0; index < count; ++index) list.cards.push_back(read_card(index));
  return list;
}

CardInfo CardWatch::read_card(unsigned index) const {
  CardInfo info;
  info.index = static_cast<int>(index);
  NvmlLibrary::Device device = nullptr;
  if (const auto code = nvml_.device_by_index(index, &device); code != NvmlLibrary::kSuccess) {
    info.problem = why_no_card(nvml_, code, index);
    return info;
  }
  Asking card(device);
  info.name = ask_text<96>(nvml_.name, device);
  info.uuid = ask_text<96>(nvml_.uuid, device);
  if (auto pci = card.ask(nvml_.pci)) {
    pci->bus_id.back() = '\0';
    info.bus = pci->bus_id.data();
  }
  if (nvml_.compute_capability != nullptr) {
    card.holds(nvml_.compute_capability(device, &info.capability_major, &info.capability_minor));
  }
  const auto mode = card.ask(nvml_.compute_mode);
  if (mode && *mode >= 0 && *mode < static_cast<int>(kComputeModes.size())) {
    info.compute_mode = kComputeModes[static_cast<std::size_t>(*mode)];
  }
  unsigned mig = 0;
  unsigned mig_later = 0;
  if (nvml_.mig_mode != nullptr && card.holds(nvml_.mig_mode(device, &mig, &mig_later))) {
    info.mig = mig != 0;
  }
  info.pcie_generation = as<int>(card.ask(nvml_.pcie_generation));
  info.pcie_lanes = as<int>(card.ask(nvml_.pcie_lanes));
  info.nvlinks = count_nvlinks(nvml_, card);
  read_load(nvml_, card, info);
  info.problem = card.failure() != NvmlLibrary::kSuccess ? why_no_card(nvml_, card.failure(), index)
                                                         : unfit(info);
  return info;
}

Result<CardList> list_cards(const CardPaths& paths) {
  HANGAR_TRY(const std::unique_ptr<CardWatch> watch, CardWatch::open(paths));
  return watch->read();
}

}  // namespace hangar
