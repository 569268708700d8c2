#include "golden/golden_data.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <string_view>

#include "golden/test_folder.h"

namespace hangar::golden {
namespace {

std::string read_file(const std::string& name) {
  std::ifstream file(test_folder() / "tests/golden" / name, std::ios::binary);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

template <typename T>
std::vector<T> numbers(const boost::json::value& array) {
  return boost::json::value_to<std::vector<T>>(array);
}

// Takes values off the front of the file's bytes.
template <typename T>
T take(std::string_view& bytes) {
  T value{};
  if (bytes.size() < sizeof(T)) {
    ADD_FAILURE() << "smollm2.bin is cut short";
    return value;
  }
  std::memcpy(&value, bytes.data(), sizeof(T));
  bytes.remove_prefix(sizeof(T));
  return value;
}

double log_sum_exp(std::span<const float> logits) {
  const double peak = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - peak);
  return peak + std::log(sum);
}

}  // namespace

std::vector<Prompt> read_golden() {
  const boost::json::value document = boost::json::parse(read_file("smollm2.json"));
  const std::string blob = read_file("smollm2.bin");
  std::string_view rest = blob;
  const auto top = document.at("top").to_number<std::size_t>();
  std::vector<Prompt> prompts;
  for (const boost::json::value& entry : document.at("prompts").as_array()) {
    Prompt& prompt = prompts.emplace_back();
    prompt.name = entry.at("name").as_string().c_str();
    prompt.ids = numbers<std::int32_t>(entry.at("ids"));
    prompt.greedy_ids = numbers<std::int32_t>(entry.at("greedy_ids"));
    prompt.greedy_gaps = numbers<float>(entry.at("greedy_gaps"));
    prompt.llama_cpp_kl_mean = entry.at("llama_cpp_kl_mean").to_number<double>();
    for (const std::int32_t index : numbers<std::int32_t>(entry.at("positions"))) {
      Position& position = prompt.positions.emplace_back();
      position.index = index;
      for (std::size_t i = 0; i < top; ++i) position.ids.push_back(take<std::uint16_t>(rest));
      for (std::size_t i = 0; i < top; ++i) position.logits.push_back(take<float>(rest));
      position.rest_logsumexp = take<float>(rest);
    }
  }
  EXPECT_TRUE(rest.empty()) << "smollm2.bin and smollm2.json are not of one making";
  return prompts;
}

double kl_divergence(const Position& position, std::span<const float> logits) {
  std::vector<float> reference = position.logits;
  reference.push_back(position.rest_logsumexp);
  const double reference_total = log_sum_exp(reference);
  const double our_total = log_sum_exp(logits);
  std::vector<float> others(logits.begin(), logits.end());
  double divergence = 0.0;
  for (std::size_t i = 0; i < position.ids.size(); ++i) {
    const auto id = static_cast<std::size_t>(position.ids[i]);
    const double log_p = static_cast<double>(position.logits[i]) - reference_total;
    const double log_q = static_cast<double>(logits[id]) - our_total;
    divergence += std::exp(log_p) * (log_p - log_q);
    others[id] = -std::numeric_limits<float>::infinity();
  }
  const double log_p = static_cast<double>(position.rest_logsumexp) - reference_total;
  const double log_q = log_sum_exp(others) - our_total;
  return divergence + std::exp(log_p) * (log_p - log_q);
}

float gap_error(const Position& position, std::span<const float> logits) {
  const auto first = static_cast<std::size_t>(position.ids[0]);
  const auto second = static_cast<std::size_t>(position.ids[1]);
  return std::abs((logits[first] - logits[second]) - (position.logits[0] - position.logits[1]));
}

std::filesystem::path model_path() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::filesystem::path(value == nullptr ? "" : value);
  };
  std::filesystem::path path = variable("HANGAR_TEST_MODEL");
  if (path.empty()) {
    std::filesystem::path cache = variable("XDG_CACHE_HOME");
    if (cache.empty()) cache = variable("HOME") / ".cache";
    path = cache / "hangar/models/SmolLM2-135M-Instruct.Q4_1.gguf";
  }
  return std::filesystem::exists(path) ? path : std::filesystem::path();
}

}  // namespace hangar::golden
