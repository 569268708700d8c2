#include "base/paths.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>

namespace hangar {
namespace {

std::filesystem::path xdg_folder(const char* variable, const char* below_home) {
  const char* value = std::getenv(variable);
  if (value != nullptr && value[0] == '/') return std::filesystem::path(value) / "hangar";
  return home_folder() / below_home / "hangar";
}

}  // namespace

std::filesystem::path home_folder() {
  const char* home = std::getenv("HOME");
  if (home != nullptr && home[0] != '\0') return home;
  // Services often run without HOME.
  const passwd* user = ::getpwuid(::getuid());
  if (user != nullptr && user->pw_dir != nullptr && user->pw_dir[0] != '\0') return user->pw_dir;
  return ".";
}

std::filesystem::path cache_folder() {
  return xdg_folder("XDG_CACHE_HOME", ".cache");
}
std::filesystem::path state_folder() {
  return xdg_folder("XDG_STATE_HOME", ".local/state");
}

}  // namespace hangar
