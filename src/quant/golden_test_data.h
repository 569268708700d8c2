// Test data of quant/: the records of tests/data/gguf/{blocks,quantized}.bin, made by
// tools/make_gguf_golden.py with the `gguf` Python package.
//
// Promise: every record of the file, in order; a malformed file fails the test that reads it.
// Threads: tests only.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "tensor/dtype.h"

namespace hangar {

struct GoldenRecord {
  DType dtype = DType::kF32;
  std::int64_t elements = 0;
  std::vector<std::byte> blocks;
  std::vector<float> floats;
};

inline DType dtype_by_name(const std::string& name) {
  for (const DType dtype :
       {DType::kF32, DType::kF16, DType::kBF16, DType::kQ4_0, DType::kQ4_1, DType::kQ5_0,
        DType::kQ5_1, DType::kQ8_0, DType::kQ2_K, DType::kQ3_K, DType::kQ4_K, DType::kQ5_K,
        DType::kQ6_K, DType::kIQ4_NL, DType::kIQ4_XS, DType::kMXFP4}) {
    if (dtype_name(dtype) == name) return dtype;
  }
  ADD_FAILURE() << "no dtype is called " << name;
  return DType::kF32;
}

// floats_first: quantized.bin; else blocks.bin.
inline std::vector<GoldenRecord> read_golden(const std::string& name, bool floats_first) {
  const auto file = MappedFile::open(std::string(HANGAR_SOURCE_DIR) + "/tests/data/gguf/" + name);
  std::vector<GoldenRecord> records;
  if (!file) {
    ADD_FAILURE() << file.error().message;
    return records;
  }
  const std::span<const std::byte> bytes = file->bytes();
  std::size_t at = 0;
  const auto copy = [&](void* to, std::size_t count) {
    if (count > bytes.size() - at) {
      ADD_FAILURE() << name << " is cut short at " << at;
      std::memset(to, 0, count);
      at = bytes.size();
      return;
    }
    std::memcpy(to, bytes.data() + at, count);
    at += count;
  };
  while (at < bytes.size()) {
    char type_name[9] = {};
    std::uint64_t elements = 0;
    copy(type_name, 8);
    copy(&elements, 8);
    GoldenRecord record;
    record.dtype = dtype_by_name(type_name);
    record.elements = static_cast<std::int64_t>(elements);
    record.blocks.resize(row_bytes(record.dtype, record.elements));
    record.floats.resize(elements);
    if (floats_first) copy(record.floats.data(), record.floats.size() * sizeof(float));
    copy(record.blocks.data(), record.blocks.size());
    if (!floats_first) copy(record.floats.data(), record.floats.size() * sizeof(float));
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace hangar
