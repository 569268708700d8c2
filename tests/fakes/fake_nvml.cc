// A libnvidia-ml.so.1 for machines without a card: two cards whose numbers are known, and every way
// in which a driver can fail. HANGAR_FAKE_NVML says which, at each call: "" (all is well), "none",
// "not_loaded", "no_permission", "mismatch", "strange", "old_driver", "no_count"; of the second
// card: "lost", "lost_later", "reset", "forbidden", "no_power", "old_card", "prohibited",
// "exclusive", "sparse" (it tells its name and nothing else).
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

constexpr int kSuccess = 0;
constexpr int kInvalidArgument = 2;
constexpr int kNotSupported = 3;
constexpr int kNoPermission = 4;
constexpr int kInsufficientSize = 7;
constexpr int kInsufficientPower = 8;
constexpr int kDriverNotLoaded = 9;
constexpr int kGpuIsLost = 15;
constexpr int kResetRequired = 16;
constexpr int kVersionMismatch = 18;
constexpr int kUnknown = 999;

// What a handle points to.
struct Card {
  unsigned index;
};
constexpr Card kCards[2] = {{0}, {1}};

// While it is set the driver answers no question about cards.
std::atomic<bool> stuck{false};

bool is(std::string_view fault) {
  const char* wanted = std::getenv("HANGAR_FAKE_NVML");
  return wanted != nullptr && fault == wanted;
}

int copy(const char* text, char* to, unsigned size) {
  if (std::strlen(text) + 1 > size) return kInsufficientSize;
  std::strcpy(to, text);
  return kSuccess;
}

// What the second card says to whatever it is asked.
int answer(const Card* card) {
  if (card->index != 1) return kSuccess;
  if (is("lost_later")) return kGpuIsLost;
  if (is("sparse")) return kNotSupported;
  return kSuccess;
}

template <typename T>
int give(const Card* card, T* to, T first, T second) {
  const int code = answer(card);
  if (code == kSuccess) *to = card->index == 0 ? first : second;
  return code;
}

}  // namespace

extern "C" {

struct Memory {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};
struct Utilization {
  unsigned gpu;
  unsigned memory;
};
struct Pci {
  char bus_id_legacy[16];
  unsigned numbers[5];
  char bus_id[32];
};

int nvmlInit_v2() {
  if (is("not_loaded")) return kDriverNotLoaded;
  if (is("no_permission")) return kNoPermission;
  if (is("mismatch")) return kVersionMismatch;
  if (is("strange")) return kUnknown;
  return kSuccess;
}

int nvmlShutdown() {
  return kSuccess;
}

const char* nvmlErrorString(int code) {
  return code == kUnknown ? "Unknown Error" : "An Error";
}

int nvmlSystemGetDriverVersion(char* version, unsigned size) {
  return copy(is("old_driver") ? "550.54.15" : "580.82.07", version, size);
}

int nvmlSystemGetCudaDriverVersion_v2(int* version) {
  *version = is("old_driver") ? 12040 : 13000;
  return kSuccess;
}

void fake_nvml_set_stuck(bool on) {
  stuck = on;
  stuck.notify_all();
}

int nvmlDeviceGetCount_v2(unsigned* count) {
  stuck.wait(true);
  if (is("no_count")) return kUnknown;
  *count = is("none") ? 0 : 2;
  return kSuccess;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, const Card** card) {
  if (index >= 2) return kInvalidArgument;
  if (index == 1 && is("lost")) return kGpuIsLost;
  if (index == 1 && is("reset")) return kResetRequired;
  if (index == 1 && is("forbidden")) return kNoPermission;
  if (index == 1 && is("no_power")) return kInsufficientPower;
  *card = &kCards[index];
  return kSuccess;
}

int nvmlDeviceGetName(const Card* card, char* name, unsigned size) {
  if (is("old_card") && card->index == 1) return copy("Tesla T4", name, size);
  return copy("NVIDIA H200", name, size);
}

int nvmlDeviceGetUUID(const Card* card, char* uuid, unsigned size) {
  if (const int code = answer(card); code != kSuccess) return code;
  return copy(card->index == 0 ? "GPU-11111111-2222-3333-4444-555555555555"
                               : "GPU-66666666-7777-8888-9999-000000000000",
              uuid, size);
}

int nvmlDeviceGetPciInfo_v3(const Card* card, Pci* pci) {
  if (const int code = answer(card); code != kSuccess) return code;
  std::snprintf(pci->bus_id, sizeof(pci->bus_id), "00000000:%02X:00.0", 0x1A + card->index);
  return kSuccess;
}

int nvmlDeviceGetCudaComputeCapability(const Card* card, int* major, int* minor) {
  if (const int code = answer(card); code != kSuccess) return code;
  const bool old = is("old_card") && card->index == 1;
  *major = old ? 7 : 9;
  *minor = old ? 5 : 0;
  return kSuccess;
}

int nvmlDeviceGetMemoryInfo(const Card* card, Memory* memory) {
  constexpr unsigned long long kTotal = 150'754'820'096ULL;
  const unsigned long long used = card->index == 0 ? 20'000'000'000ULL : 1'000'000ULL;
  return give(card, memory, Memory{kTotal, kTotal - used, used},
              Memory{kTotal, kTotal - used, used});
}

int nvmlDeviceGetPowerUsage(const Card* card, unsigned* milliwatts) {
  return give(card, milliwatts, 345'678U, 77'000U);
}

int nvmlDeviceGetEnforcedPowerLimit(const Card* card, unsigned* milliwatts) {
  return give(card, milliwatts, 700'000U, 700'000U);
}

int nvmlDeviceGetTotalEnergyConsumption(const Card* card, unsigned long long* millijoules) {
  return give(card, millijoules, 1'234'567'890ULL, 5'000ULL);
}

int nvmlDeviceGetTemperature(const Card* card, int sensor, unsigned* celsius) {
  if (sensor != 0) return kInvalidArgument;
  return give(card, celsius, 56U, 31U);
}

int nvmlDeviceGetClockInfo(const Card* card, int clock, unsigned* mhz) {
  if (clock == 1) return give(card, mhz, 1755U, 345U);
  if (clock == 2) return give(card, mhz, 3201U, 3201U);
  return kInvalidArgument;
}

int nvmlDeviceGetMaxClockInfo(const Card* card, int clock, unsigned* mhz) {
  if (clock != 1) return kInvalidArgument;
  return give(card, mhz, 1980U, 1980U);
}

int nvmlDeviceGetCurrentClocksEventReasons(const Card* card, unsigned long long* reasons) {
  return give(card, reasons, 0x24ULL, 0x1ULL);  // power and heat; idle
}

int nvmlDeviceGetUtilizationRates(const Card* card, Utilization* rates) {
  return give(card, rates, Utilization{97, 61}, Utilization{0, 0});
}

int nvmlDeviceGetComputeMode(const Card* card, int* mode) {
  return give(card, mode, 0, is("prohibited") ? 2 : is("exclusive") ? 3 : 0);
}

int nvmlDeviceGetMigMode(const Card* card, unsigned* now, unsigned* later) {
  *later = 0;
  return give(card, now, 0U, 0U);
}

int nvmlDeviceGetComputeRunningProcesses_v3(const Card* card, unsigned* count, void* processes) {
  if (const int code = answer(card); code != kSuccess) return code;
  const unsigned running = card->index == 0 ? 2 : is("exclusive") ? 1 : 0;
  const bool fits = *count >= running;
  *count = running;
  return fits && (running == 0 || processes != nullptr) ? kSuccess : kInsufficientSize;
}

int nvmlDeviceGetCurrPcieLinkGeneration(const Card* card, unsigned* generation) {
  return give(card, generation, 5U, 5U);
}

int nvmlDeviceGetCurrPcieLinkWidth(const Card* card, unsigned* lanes) {
  return give(card, lanes, 16U, 8U);
}

int nvmlDeviceGetNvLinkState(const Card* card, unsigned link, unsigned* active) {
  if (link >= 18) return kInvalidArgument;
  return give(card, active, 1U, link < 6 ? 1U : 0U);
}

}  // extern "C"
