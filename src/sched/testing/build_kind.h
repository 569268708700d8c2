// kFastBuild: optimised and without sanitizers: tests may do more, and may hold code to its time.
#pragma once

namespace hangar {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HANGAR_SANITIZED_BUILD
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HANGAR_SANITIZED_BUILD
#endif

#if defined(__OPTIMIZE__) && !defined(HANGAR_SANITIZED_BUILD)
inline constexpr bool kFastBuild = true;
#else
inline constexpr bool kFastBuild = false;
#endif

}  // namespace hangar
