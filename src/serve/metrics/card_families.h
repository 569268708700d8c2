// The GPUs of this machine as families: what NVML says at the moment of the scrape.
//
// Promise: hangar_gpu_*, one sample a card, with the labels that NVIDIA's DCGM exporter has (gpu,
//   UUID, modelName), so that a panel can join the two; docs/monitoring.md names DCGM's metric
//   beside each. What a card does not tell has no sample. Without cards there is no family at all.
// Units: as the names say.
// Errors: none: a card that is lost is hangar_gpu_usable 0. Threads: any.
#pragma once

#include "base/cards.h"
#include "serve/metrics/family_list.h"

namespace hangar {

void add_card_families(const CardList& list, FamilyList& families);

}  // namespace hangar
