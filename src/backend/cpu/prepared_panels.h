// IntPanels and DensePanels as prepared weights.
//
// Promise: restore_panels gives back what save_panels added, without a copy. panel_layout() is
//   another text whenever packing would give other bytes for any type: it holds a hash of small
//   matrices of all types, packed.
// Errors: save_panels: the sink's. restore_panels: a section that does not fit its form is logged
//   and not used.
// Threads: as PreparedWeights and PreparedSink.
#pragma once

#include <string>

#include "backend/cpu/cpu_weight.h"
#include "tensor/prepared_weights.h"

namespace hangar::cpu {

std::string panel_layout();
Status save_panels(const PreparedId& id, const CpuWeight& weight, PreparedSink& sink);
// The weight that `view` names; nullptr: it is not there. `view` may be without data.
std::unique_ptr<CpuWeight> restore_panels(const TensorView& view, const PreparedWeights& prepared);

}  // namespace hangar::cpu
