#include "golden/architecture_cases.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <iterator>

#include "golden/test_folder.h"

namespace hangar::golden {
namespace {

std::vector<std::int32_t> integers(const boost::json::value& array) {
  return boost::json::value_to<std::vector<std::int32_t>>(array);
}

}  // namespace

std::filesystem::path ArchitectureCase::path(bool of_gguf) const {
  return test_folder() / "tests/data/models" / (of_gguf ? model + ".gguf" : model);
}

std::vector<ArchitectureCase> read_architecture_cases() {
  std::ifstream text(test_folder() / "tests/golden/architectures.json");
  std::ifstream numbers(test_folder() / "tests/golden/architectures.bin", std::ios::binary);
  const std::string listed{std::istreambuf_iterator<char>(text), {}};
  boost::system::error_code error;
  const boost::json::value root = boost::json::parse(listed, error);
  EXPECT_FALSE(error) << "architectures.json: " << error.message();
  std::vector<ArchitectureCase> cases;
  if (error) return cases;
  const auto vocabulary = root.at("vocabulary").to_number<std::size_t>();
  for (const boost::json::value& entry : root.at("cases").as_array()) {
    ArchitectureCase made;
    made.name = entry.at("name").as_string();
    made.model = entry.at("model").as_string();
    made.gguf = entry.at("gguf").as_bool();
    made.context_tokens = entry.at("context_tokens").to_number<std::int32_t>();
    for (const boost::json::value& prompt : entry.at("prompts").as_array()) {
      ArchitecturePrompt& added = made.prompts.emplace_back();
      added.ids = integers(prompt.at("ids"));
      added.positions = integers(prompt.at("positions"));
      for (std::size_t i = 0; i < added.positions.size(); ++i) {
        std::vector<float>& row = added.logits.emplace_back(vocabulary);
        numbers.read(reinterpret_cast<char*>(row.data()),
                     static_cast<std::streamsize>(vocabulary * sizeof(float)));
        EXPECT_TRUE(numbers) << "architectures.bin ends early, in " << made.name;
      }
    }
    cases.push_back(std::move(made));
  }
  EXPECT_EQ(numbers.peek(), std::char_traits<char>::eof()) << "architectures.bin is too long";
  return cases;
}

}  // namespace hangar::golden
