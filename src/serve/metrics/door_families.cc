#include "serve/metrics/door_families.h"

#include <array>
#include <string>
#include <string_view>

#include "base/version.h"
#include "serve/metrics/process_stats.h"

namespace hangar {
namespace {

struct ProcessGauge {
  std::string_view name;
  std::string_view help;
  double ProcessStats::* value;
};

constexpr std::array kProcessGauges{
    ProcessGauge{"process_resident_memory_bytes", "Resident memory size in bytes.",
                 &ProcessStats::resident_bytes},
    ProcessGauge{"process_virtual_memory_bytes", "Virtual memory size in bytes.",
                 &ProcessStats::virtual_bytes},
    ProcessGauge{"process_start_time_seconds", "Start time since 1970 in seconds.",
                 &ProcessStats::start_unix_seconds},
    ProcessGauge{"process_open_fds", "Open file descriptors.", &ProcessStats::open_descriptors},
    ProcessGauge{"process_max_fds", "File descriptors that may be open.",
                 &ProcessStats::max_descriptors},
    ProcessGauge{"process_threads", "Threads.", &ProcessStats::threads},
};

struct HttpCount {
  std::string_view name;
  std::string_view label;  // "": none
  std::string_view label_value;
  std::string_view help;
  HttpCounters::Count HttpCounters::* value;
};

constexpr std::string_view kRefused = "Connections turned away with a reason.";
constexpr std::string_view kTimeouts = "Connections ended by a limit of time, by what was late.";

constexpr std::array kHttpCounts{
    HttpCount{"hangar_http_connections_total", "", "", "Connections taken.",
              &HttpCounters::connections},
    HttpCount{"hangar_http_connections_refused_total", "reason", "full", kRefused,
              &HttpCounters::refused_full},
    HttpCount{"hangar_http_connections_refused_total", "reason", "address", kRefused,
              &HttpCounters::refused_address},
    HttpCount{"hangar_http_connections_refused_total", "reason", "descriptors", kRefused,
              &HttpCounters::refused_descriptors},
    HttpCount{"hangar_http_connections_evicted_total", "", "",
              "Silent connections that gave their place to a new one.", &HttpCounters::evicted},
    HttpCount{"hangar_http_timeouts_total", "phase", "header", kTimeouts,
              &HttpCounters::header_timeouts},
    HttpCount{"hangar_http_timeouts_total", "phase", "body", kTimeouts,
              &HttpCounters::body_timeouts},
    HttpCount{"hangar_http_timeouts_total", "phase", "write", kTimeouts,
              &HttpCounters::write_timeouts},
    HttpCount{"hangar_http_timeouts_total", "phase", "answer", kTimeouts,
              &HttpCounters::answer_timeouts},
    HttpCount{"hangar_http_bad_requests_total", "", "",
              "Requests refused for what they hold, before any route saw them.",
              &HttpCounters::bad_requests},
    HttpCount{"hangar_http_refused_bodies_total", "", "",
              "Requests refused since too many bodies were held at once.",
              &HttpCounters::refused_buffered},
    HttpCount{"hangar_http_clients_gone_total", "", "",
              "Clients that left while their answer was being made.", &HttpCounters::clients_gone},
};

void add_sockets(const HttpCounters& counters, FamilyList& families) {
  families.gauge("hangar_http_connections", "Open connections.", {},
                 static_cast<double>(counters.open_connections.load()));
  families.gauge("hangar_http_buffered_bytes", "Request bodies held, as their limit counts them.",
                 {}, static_cast<double>(counters.buffered_bytes.load()));
  for (const HttpCount& count : kHttpCounts) {
    FamilyList::Labels labels;
    if (!count.label.empty()) {
      labels.push_back({std::string(count.label), std::string(count.label_value)});
    }
    families.counter(count.name, count.help, labels,
                     static_cast<double>((counters.*count.value).load()));
  }
}

void add_routes(const RouteMetrics& routes, FamilyList& families) {
  for (const RouteMetrics::Entry* entry : routes.entries()) {
    const FamilyList::Labels labels{{"method", entry->method}, {"route", entry->route}};
    for (std::size_t status = 0; status < entry->by_status.size(); ++status) {
      const std::uint64_t count = entry->by_status[status].load();
      if (count == 0) continue;
      FamilyList::Labels with_status = labels;
      with_status.push_back({"status", std::to_string(status)});
      families.counter("hangar_http_requests_total",
                       "Requests by route, method and status (499: the client left first).",
                       with_status, static_cast<double>(count));
    }
    families.gauge("hangar_http_requests_under_way", "Requests being answered.", labels,
                   static_cast<double>(entry->under_way.load()));
    families.histogram("hangar_http_request_seconds",
                       "From a request's arrival at its route to its answer's end.", labels,
                       entry->duration_us.snapshot(), 1e6);
  }
}

}  // namespace

void add_door_families(Gateway& gateway, FamilyList& families) {
  families.gauge("hangar_ready", "Whether /readyz says 200.", {},
                 gateway.state().status == GatewayStatus::kReady ? 1 : 0);
  add_routes(gateway.route_metrics(), families);
  if (const HttpCounters* counters = gateway.http_counters()) add_sockets(*counters, families);
  const ProcessStats process = read_process_stats();
  families.counter("process_cpu_seconds_total", "User and system CPU time spent in seconds.", {},
                   process.cpu_seconds);
  for (const ProcessGauge& gauge : kProcessGauges) {
    families.gauge(gauge.name, gauge.help, {}, process.*gauge.value);
  }
  families.gauge("hangar_build_info", "The program's version; the value is always 1.",
                 {{"version", std::string(kVersion)}}, 1);
}

}  // namespace hangar
