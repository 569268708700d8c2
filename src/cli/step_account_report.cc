#include "cli/step_account_report.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "cli/table.h"

namespace hangar {
namespace {

// 1e9 a second of what `amount` counts; 0 where it counts nothing.
double giga_a_second(double amount, const OperationTime& time) {
  return time.ns > 0 ? amount / static_cast<double>(time.ns) : 0.0;
}

std::string rate_cell(double rate) {
  return rate > 0.0 ? fmt::format("{:.1f}", rate) : "";
}

double per_step(double amount, const StepAccount& account) {
  return amount / static_cast<double>(account.steps);
}

std::string headline(const StepAccount& account) {
  const char* step = account.test.prefill ? "the prompt" : "a step";
  return fmt::format("{}: {} {:.0f} us without clocks, {:.0f} us with them ({:+.1f}%)\n",
                     account.test.name(), step, account.plain_us, account.clocked_us,
                     100.0 * (account.clocked_us / account.plain_us - 1.0));
}

}  // namespace

std::string account_table(const StepAccount& account) {
  std::vector<std::vector<std::string>> rows;
  const auto add = [&](std::string name, double calls, double us) {
    rows.push_back({std::move(name), calls > 0.0 ? fmt::format("{:.0f}", calls) : "",
                    fmt::format("{:.1f}", us),
                    fmt::format("{:.1f}%", 100.0 * us / account.clocked_us), "", "", ""});
  };
  for (std::size_t i = 0; i < kStepParts; ++i) {
    const auto part = static_cast<StepPart>(i);
    const OperationTime& time = account.times.of(part);
    if (time.calls == 0) continue;
    add(std::string(step_part_name(part)), per_step(static_cast<double>(time.calls), account),
        account.own_us(part));
    rows.back()[4] = fmt::format("{:.1f}", account.us_a_step(time.waits_ns));
    rows.back()[5] = rate_cell(giga_a_second(time.bytes, time));
    rows.back()[6] = rate_cell(giga_a_second(time.multiply_adds, time));
  }
  add("joins (wakes and waits)", 0.0, account.waits_us());
  add("outside operations", 0.0, account.outside_us());
  add("step", 0.0, account.clocked_us);
  return headline(account) + format_table({{"PART"},
                                           {"CALLS", true},
                                           {"US", true},
                                           {"SHARE", true},
                                           {"+JOINS US", true},
                                           {"GB/S", true},
                                           {"GMAC/S", true}},
                                          rows);
}

boost::json::object account_json(const StepAccount& account) {
  boost::json::array parts;
  for (std::size_t i = 0; i < kStepParts; ++i) {
    const auto part = static_cast<StepPart>(i);
    const OperationTime& time = account.times.of(part);
    if (time.calls == 0) continue;
    parts.push_back({{"part", std::string(step_part_key(part))},
                     {"calls", per_step(static_cast<double>(time.calls), account)},
                     {"us", account.own_us(part)},
                     {"joins_us", account.us_a_step(time.waits_ns)},
                     {"weight_bytes", per_step(time.bytes, account)},
                     {"multiply_adds", per_step(time.multiply_adds, account)},
                     {"gb_per_s", giga_a_second(time.bytes, time)},
                     {"gmac_per_s", giga_a_second(time.multiply_adds, time)}});
  }
  return {{"test", account.test.name()},
          {"steps", account.steps},
          {"step_us_without_clocks", account.plain_us},
          {"step_us", account.clocked_us},
          {"joins_us", account.waits_us()},
          {"outside_us", account.outside_us()},
          {"parts", std::move(parts)}};
}

}  // namespace hangar
