// Metrics of the HTTP door and of the process as families.
//
// Promise: all under hangar_http_* and hangar_*; the process's under process_*, as every Prometheus
//   client library has them.
// Errors: none. Threads: any.
#pragma once

#include "serve/gateway.h"
#include "serve/metrics/family_list.h"

namespace hangar {

void add_door_families(Gateway& gateway, FamilyList& families);

}  // namespace hangar
