#include "serve/http/descriptors.h"

#include <sys/resource.h>

#include <algorithm>

namespace hangar {

std::size_t raise_descriptor_limit() {
  // More would only make tables of the kernel's larger.
  constexpr rlim_t kEnough = 1U << 20U;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t wanted = std::min(std::max(limit.rlim_cur, kEnough), limit.rlim_max);
  if (wanted > limit.rlim_cur) {
    rlimit raised = limit;
    raised.rlim_cur = wanted;
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return static_cast<std::size_t>(limit.rlim_cur);
}

}  // namespace hangar
