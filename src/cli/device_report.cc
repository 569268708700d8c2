#include "cli/device_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/json.hpp>
#include <charconv>
#include <fstream>
#include <set>
#include <string_view>
#include <vector>

#include "backend/cpu/instruction_set.h"
#include "base/processors.h"
#include "base/units.h"
#include "cli/table.h"

namespace hangar {
namespace {

// What follows "NAME:" in one of the system's files, its first such line.
std::string value_of(const std::filesystem::path& file, std::string_view name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(name)) continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
    if (begin != std::string::npos) return line.substr(begin);
  }
  return "";
}

template <typename T>
std::string or_dash(const std::optional<T>& value, fmt::format_string<const T&> format) {
  return value ? fmt::format(format, *value) : "-";
}

std::string memory_of(const CardInfo& card) {
  if (!card.memory_bytes || !card.memory_free_bytes) return "-";
  return fmt::format("{} of {}", format_bytes(*card.memory_free_bytes),
                     format_bytes(*card.memory_bytes));
}

std::string power_of(const CardInfo& card) {
  if (!card.power_w) return "-";
  return card.power_limit_w ? fmt::format("{:.0f} of {:.0f} W", *card.power_w, *card.power_limit_w)
                            : fmt::format("{:.0f} W", *card.power_w);
}

std::string clock_of(const CardInfo& card) {
  if (!card.clock_mhz) return "-";
  return card.clock_most_mhz ? fmt::format("{} of {} MHz", *card.clock_mhz, *card.clock_most_mhz)
                             : fmt::format("{} MHz", *card.clock_mhz);
}

std::string links_of(const CardInfo& card) {
  std::vector<std::string> links;
  if (card.pcie_generation && card.pcie_lanes) {
    links.push_back(fmt::format("PCIe {} x{}", *card.pcie_generation, *card.pcie_lanes));
  }
  if (card.nvlinks.value_or(0) > 0) links.push_back(fmt::format("{} NVLinks", *card.nvlinks));
  return links.empty() ? "-" : fmt::format("{}", fmt::join(links, ", "));
}

std::vector<std::string> row_of(const CardInfo& card) {
  std::optional<double> busy;
  if (card.busy_share) busy = 100.0 * *card.busy_share;
  return {fmt::format("{}", card.index),
          card.name.empty() ? "-" : printable(card.name),
          card.capability_major > 0
              ? fmt::format("{}.{}", card.capability_major, card.capability_minor)
              : "-",
          memory_of(card),
          or_dash(busy, "{:.0f}%"),
          power_of(card),
          clock_of(card),
          or_dash(card.temperature_c, "{} C"),
          or_dash(card.processes, "{}"),
          links_of(card)};
}

std::string processors_line(const ProcessorReport& report) {
  std::string line = fmt::format("CPU: {}, {} processor{}",
                                 report.model.empty() ? "unknown" : printable(report.model),
                                 report.processors, report.processors == 1 ? "" : "s");
  if (report.nodes > 1) line += fmt::format(" on {} memory nodes", report.nodes);
  if (report.limit) line += fmt::format(" (control groups allow {:g})", *report.limit);
  line += fmt::format(", {}, {} thread{}", report.instruction_set, report.threads,
                      report.threads == 1 ? "" : "s");
  if (report.memory_bytes > 0) line += fmt::format(", {}", format_bytes(report.memory_bytes));
  return line + "\n";
}

// A remark for each card that there is something to say of.
std::string remarks(const CardList& list) {
  std::string text;
  if (!list.problem.empty()) text += list.problem + "\n";
  for (const CardInfo& card : list.cards) {
    if (!card.problem.empty()) {
      text += fmt::format("card {} cannot be used: {}\n", card.index, card.problem);
    }
    if (!card.slowed_by.empty()) {
      text +=
          fmt::format("card {} is held back: {}\n", card.index, fmt::join(card.slowed_by, ", "));
    }
    if (card.mig.value_or(false)) {
      text += fmt::format("card {} is cut into MIG instances: CUDA sees those, not the card\n",
                          card.index);
    }
  }
  return text;
}

boost::json::value text_or_null(std::string_view text) {
  if (text.empty()) return nullptr;
  return boost::json::string(text);
}

template <typename T>
boost::json::value or_null(const std::optional<T>& value) {
  if (!value) return nullptr;
  return boost::json::value(*value);
}

boost::json::object card_json(const CardInfo& card) {
  boost::json::array slowed_by;
  for (const std::string_view reason : card.slowed_by) slowed_by.emplace_back(reason);
  return {{"index", card.index},
          {"name", text_or_null(card.name)},
          {"uuid", text_or_null(card.uuid)},
          {"bus", text_or_null(card.bus)},
          {"compute_capability", card.capability_major > 0
                                     ? boost::json::value(boost::json::string(fmt::format(
                                           "{}.{}", card.capability_major, card.capability_minor)))
                                     : boost::json::value(nullptr)},
          {"memory_bytes", or_null(card.memory_bytes)},
          {"memory_used_bytes", or_null(card.memory_used_bytes)},
          {"memory_free_bytes", or_null(card.memory_free_bytes)},
          {"busy_share", or_null(card.busy_share)},
          {"memory_busy_share", or_null(card.memory_busy_share)},
          {"power_w", or_null(card.power_w)},
          {"power_limit_w", or_null(card.power_limit_w)},
          {"energy_j", or_null(card.energy_j)},
          {"temperature_c", or_null(card.temperature_c)},
          {"clock_mhz", or_null(card.clock_mhz)},
          {"clock_most_mhz", or_null(card.clock_most_mhz)},
          {"memory_clock_mhz", or_null(card.memory_clock_mhz)},
          {"slowed_by", std::move(slowed_by)},
          {"compute_mode", text_or_null(card.compute_mode)},
          {"mig", or_null(card.mig)},
          {"processes", or_null(card.processes)},
          {"pcie_generation", or_null(card.pcie_generation)},
          {"pcie_lanes", or_null(card.pcie_lanes)},
          {"nvlinks", or_null(card.nvlinks)},
          {"problem", text_or_null(card.problem)}};
}

}  // namespace

ProcessorReport report_processors(const std::filesystem::path& proc) {
  ProcessorReport report;
  report.model = value_of(proc / "cpuinfo", "model name");
  report.instruction_set = cpu::instruction_set_name(cpu::instruction_set_in_use());
  std::set<int> nodes;
  for (const Processor& one : processors()) {
    ++report.processors;
    nodes.insert(one.node);
  }
  report.nodes = static_cast<int>(nodes.size());
  report.threads = available_processors();
  report.limit = cgroup_limit();
  const std::string memory = value_of(proc / "meminfo", "MemTotal");
  std::uint64_t kib = 0;
  std::from_chars(memory.data(), memory.data() + memory.size(), kib);
  report.memory_bytes = kib << 10U;
  return report;
}

std::string card_line(const CardInfo& card, const std::string& driver) {
  std::string line =
      fmt::format("card {}: {}", card.index, card.name.empty() ? "no name" : printable(card.name));
  if (card.memory_bytes) line += fmt::format(", {} free", memory_of(card));
  if (card.power_w) line += ", " + power_of(card);
  if (card.clock_mhz) line += ", " + clock_of(card);
  if (card.temperature_c) line += fmt::format(", {} C", *card.temperature_c);
  if (!driver.empty()) line += ", driver " + printable(driver);
  return line;
}

std::string devices_text(const ProcessorReport& processors, const Result<CardList>& cards,
                         const Result<std::filesystem::path>& library) {
  std::string text = processors_line(processors);
  if (!cards) return text + "GPU: none. " + cards.error().message + "\n";
  text += fmt::format("GPU: {} card{}, driver {}", cards->cards.size(),
                      cards->cards.size() == 1 ? "" : "s",
                      cards->driver.empty() ? "unknown" : printable(cards->driver));
  if (cards->driver_cuda > 0)
    text += fmt::format(" (CUDA {})", cuda_version_text(cards->driver_cuda));
  text += '\n';
  if (!cards->cards.empty()) {
    std::vector<std::vector<std::string>> rows;
    for (const CardInfo& card : cards->cards) rows.push_back(row_of(card));
    text += format_table({{"CARD", true},
                          {"NAME"},
                          {"CAPABILITY"},
                          {"MEMORY FREE", true},
                          {"BUSY", true},
                          {"POWER", true},
                          {"CLOCK", true},
                          {"HEAT", true},
                          {"PROCESSES", true},
                          {"LINKS"}},
                         rows);
  }
  text += remarks(*cards);
  if (cards->cards.empty()) return text;
  return text + (library
                     ? fmt::format("they are computed on by {}\n", library->string())
                     : fmt::format("nothing here computes on them: {}\n", library.error().message));
}

boost::json::object devices_json(const ProcessorReport& processors, const Result<CardList>& cards,
                                 const Result<std::filesystem::path>& library) {
  boost::json::object out{
      {"cpu", boost::json::object{{"model", text_or_null(processors.model)},
                                  {"instruction_set", processors.instruction_set},
                                  {"processors", processors.processors},
                                  {"memory_nodes", processors.nodes},
                                  {"limit", or_null(processors.limit)},
                                  {"threads", processors.threads},
                                  {"memory_bytes", processors.memory_bytes}}},
      {"driver", nullptr},
      {"driver_cuda", nullptr},
      {"problem", nullptr},
      {"library", nullptr},
      {"library_problem", nullptr},
      {"cards", boost::json::array()}};
  if (library) {
    out["library"] = library->string();
  } else {
    out["library_problem"] = library.error().message;
  }
  if (!cards) {
    out["problem"] = cards.error().message;
    return out;
  }
  out["driver"] = text_or_null(cards->driver);
  if (cards->driver_cuda > 0) out["driver_cuda"] = cuda_version_text(cards->driver_cuda);
  out["problem"] = text_or_null(cards->problem);
  for (const CardInfo& card : cards->cards) out["cards"].as_array().push_back(card_json(card));
  return out;
}

}  // namespace hangar
