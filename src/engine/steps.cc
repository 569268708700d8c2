#include "engine/steps.h"

#include "engine/ahead_steps.h"
#include "engine/step_thread.h"

namespace hangar {

std::unique_ptr<Steps> make_steps(Runner& runner) {
  if (runner.backend().runs_ahead()) return std::make_unique<AheadSteps>(runner);
  return std::make_unique<StepThread>(runner);
}

}  // namespace hangar
