// Test data of the linear formats: the cases of tests/data/formats/linear_formats.{json,bin}, made
// by tools/make_linear_format_golden.py with the formats' own Python packages.
//
// Promise: every case of the file, in order; a malformed file fails the test that reads it.
// Threads: tests only.
#pragma once

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/mapped_file.h"
#include "formats/hf/module_tensors.h"
#include "formats/hf/raw_tensors.h"

namespace hangar::hf {

// Tensors that a test owns and may damage. Their bytes are at odd addresses.
class ModuleTestTensors final : public RawTensors {
 public:
  void add(const std::string& name, RawType type, std::vector<std::int64_t> shape,
           std::span<const std::byte> data) {
    bytes_[name].assign(1, std::byte{0});
    bytes_[name].insert(bytes_[name].end(), data.begin(), data.end());
    all_.push_back({name, type, std::move(shape), std::span(bytes_[name]).subspan(1)});
  }
  template <typename T>
  void add_numbers(const std::string& name, RawType type, std::vector<std::int64_t> shape,
                   const std::vector<T>& numbers) {
    add(name, type, std::move(shape), std::as_bytes(std::span(numbers)));
  }
  void remove(std::string_view name) {
    std::erase_if(all_, [&](const RawTensor& t) { return t.name == name; });
  }
  RawTensor& at(std::string_view name) {
    for (RawTensor& tensor : all_) {
      if (tensor.name == name) return tensor;
    }
    ADD_FAILURE() << "no tensor " << name;
    return all_.front();
  }
  const RawTensor* find(std::string_view name) const override {
    for (const RawTensor& tensor : all_) {
      if (tensor.name == name) return &tensor;
    }
    return nullptr;
  }
  std::span<const RawTensor> all() const override { return all_; }

 private:
  std::vector<RawTensor> all_;
  std::map<std::string, std::vector<std::byte>> bytes_;
};

struct LinearCase {
  std::string name;
  boost::json::object config;
  std::string dtype;
  bool reordered = false;
  ModuleTestTensors tensors;  // of module "m"
  std::vector<std::int64_t> shape;
  std::vector<float> expected;
};

inline RawType raw_type_by_name(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(RawType::kF64); ++i) {
    if (raw_type_name(static_cast<RawType>(i)) == name) return static_cast<RawType>(i);
  }
  ADD_FAILURE() << "no type is called " << name;
  return RawType::kF32;
}

inline std::vector<std::int64_t> shape_of(const boost::json::object& stored) {
  return boost::json::value_to<std::vector<std::int64_t>>(stored.at("shape"));
}

inline std::vector<LinearCase> read_linear_cases() {
  const std::string folder = std::string(HANGAR_SOURCE_DIR) + "/tests/data/formats/";
  const auto text = read_text_file(folder + "linear_formats.json", 1 << 20);
  const auto file = MappedFile::open(folder + "linear_formats.bin");
  std::vector<LinearCase> cases;
  if (!text || !file) {
    ADD_FAILURE() << (text ? file.error().message : text.error().message);
    return cases;
  }
  const auto bytes_of = [&](const boost::json::object& stored) {
    return file->bytes().subspan(boost::json::value_to<std::size_t>(stored.at("at")),
                                 boost::json::value_to<std::size_t>(stored.at("bytes")));
  };
  const boost::json::value parsed = parse_json(*text, "linear_formats.json").value();
  for (const boost::json::value& entry : parsed.as_array()) {
    const boost::json::object& object = entry.as_object();
    LinearCase test;
    test.name = object.at("name").as_string();
    test.config = object.at("config").as_object();
    test.dtype = object.at("dtype").as_string();
    test.reordered = object.at("reordered").as_bool();
    for (const auto& [name, stored] : object.at("tensors").as_object()) {
      test.tensors.add("m." + std::string(name),
                       raw_type_by_name(stored.as_object().at("type").as_string()),
                       shape_of(stored.as_object()), bytes_of(stored.as_object()));
    }
    const boost::json::object& expected = object.at("expected").as_object();
    test.shape = shape_of(expected);
    const auto bytes = bytes_of(expected);
    test.expected.resize(bytes.size() / sizeof(float));
    std::memcpy(test.expected.data(), bytes.data(), bytes.size());
    cases.push_back(std::move(test));
  }
  return cases;
}

inline LinearCase linear_case(std::string_view name) {
  for (LinearCase& test : read_linear_cases()) {
    if (test.name == name) return std::move(test);
  }
  ADD_FAILURE() << "no case is called " << name;
  return {};
}

}  // namespace hangar::hf
