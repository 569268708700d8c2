#include "golden/figures_file.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

namespace hangar::golden {

void keep_figures(std::string_view name, boost::json::value figures) {
  const char* path = std::getenv("HANGAR_GOLDEN_JSON");
  if (path == nullptr || *path == '\0') return;
  std::ifstream before(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(before), {}};
  boost::system::error_code error;
  boost::json::value root = boost::json::parse(text, error);
  if (error || !root.is_object()) root = boost::json::object{};
  root.as_object()[name] = std::move(figures);
  std::ofstream file(path, std::ios::binary);
  file << boost::json::serialize(root) << "\n";
  file.flush();
  EXPECT_TRUE(file) << "HANGAR_GOLDEN_JSON: " << path << " cannot be written";
}

}  // namespace hangar::golden
