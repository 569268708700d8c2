// One model's metrics as families: the engine's counters and what the pump has seen.
//
// Promise: every metric is there under hangar_*, and, where vLLM has one of the same meaning, under
//   its name too, with its labels (model_name, engine): dashboards and autoscalers made for it
//   work. docs/monitoring.md lists them all; metrics_test.cc holds the two together.
// Errors: none. Threads: any.
#pragma once

#include "serve/metrics/family_list.h"
#include "serve/served_model.h"

namespace hangar {

void add_model_families(const ServedModel& model, FamilyList& families);

}  // namespace hangar
