// Where the golden tests' files lie: the source tree they were built from, or what
// HANGAR_TEST_FOLDER names: a bundle brings the files to a machine that has no such tree.
//
// Promise: test_folder() holds tests/golden and tests/data/models.
// Errors: none here; a file that is not there fails the test that reads it.
// Threads: any; reads the environment.
#pragma once

#include <cstdlib>
#include <filesystem>

namespace hangar::golden {

inline std::filesystem::path test_folder() {
  const char* given = std::getenv("HANGAR_TEST_FOLDER");
  return given == nullptr || *given == '\0' ? HANGAR_SOURCE_DIR : given;
}

}  // namespace hangar::golden
