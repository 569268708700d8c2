#include "serve/metrics/card_families.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace hangar {
namespace {

constexpr double kMega = 1e6;

template <auto Member>
std::optional<double> told(const CardInfo& card) {
  const auto& value = card.*Member;
  if (!value) return std::nullopt;
  return static_cast<double>(*value);
}
template <auto Member>
std::optional<double> told_mega(const CardInfo& card) {
  const std::optional<double> value = told<Member>(card);
  if (!value) return std::nullopt;
  return *value * kMega;
}

struct CardGauge {
  std::string_view name;
  std::string_view help;
  std::optional<double> (*value)(const CardInfo& card);
};

constexpr std::array kGauges{
    CardGauge{"hangar_gpu_memory_used_bytes", "Memory in use, by all processes and the driver.",
              told<&CardInfo::memory_used_bytes>},
    CardGauge{"hangar_gpu_memory_free_bytes", "Memory that is free.",
              told<&CardInfo::memory_free_bytes>},
    CardGauge{"hangar_gpu_memory_total_bytes", "The card's memory.", told<&CardInfo::memory_bytes>},
    CardGauge{"hangar_gpu_utilization_ratio",
              "Share of the last moment in which a kernel ran, 0 to 1.",
              told<&CardInfo::busy_share>},
    CardGauge{"hangar_gpu_memory_utilization_ratio",
              "Share of the last moment in which memory was read or written, 0 to 1.",
              told<&CardInfo::memory_busy_share>},
    CardGauge{"hangar_gpu_power_watts", "Power drawn.", told<&CardInfo::power_w>},
    CardGauge{"hangar_gpu_power_limit_watts", "Power that it may draw.",
              told<&CardInfo::power_limit_w>},
    CardGauge{"hangar_gpu_temperature_celsius", "Temperature of the chip.",
              told<&CardInfo::temperature_c>},
    CardGauge{"hangar_gpu_sm_clock_hertz", "Clock of the multiprocessors.",
              told_mega<&CardInfo::clock_mhz>},
    CardGauge{"hangar_gpu_memory_clock_hertz", "Clock of the memory.",
              told_mega<&CardInfo::memory_clock_mhz>},
    CardGauge{"hangar_gpu_processes", "Processes that compute on it.", told<&CardInfo::processes>},
};

}  // namespace

void add_card_families(const CardList& list, FamilyList& families) {
  for (const CardInfo& card : list.cards) {
    const FamilyList::Labels labels{
        {"gpu", std::to_string(card.index)}, {"UUID", card.uuid}, {"modelName", card.name}};
    families.gauge("hangar_gpu_usable", "0 where the card is lost or cannot be used.", labels,
                   card.problem.empty() && list.problem.empty() ? 1 : 0);
    for (const CardGauge& gauge : kGauges) {
      if (const auto value = gauge.value(card)) {
        families.gauge(gauge.name, gauge.help, labels, *value);
      }
    }
    if (card.energy_j) {
      families.counter("hangar_gpu_energy_joules_total",
                       "Energy drawn since the driver was loaded.", labels, *card.energy_j);
    }
    for (const std::string_view reason : card.slowed_by) {
      FamilyList::Labels why = labels;
      why.push_back({"reason", std::string(reason)});
      families.gauge("hangar_gpu_slowed", "1 while the clock is held back, by `reason`.", why, 1);
    }
  }
}

}  // namespace hangar
