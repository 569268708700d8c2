// What the kernel says of this process, under the names that every Prometheus client library uses.
//
// Promise: read from /proc at each call; what it does not tell is 0.
// Units: bytes, seconds, counts as named.
// Errors: none. Threads: any.
#pragma once

namespace hangar {

struct ProcessStats {
  double resident_bytes = 0;
  double virtual_bytes = 0;
  double cpu_seconds = 0;  // user and system
  double start_unix_seconds = 0;
  double open_descriptors = 0;
  double max_descriptors = 0;
  double threads = 0;
};

ProcessStats read_process_stats();

}  // namespace hangar
