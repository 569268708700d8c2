// CompressedScheme: one group of a compressed-tensors config: which modules, and how their weights
// are stored.
//
// Promise: read_schemes gives every group of config.json's "config_groups" that quantizes weights,
//   in the file's order.
// Errors: kUnsupported and kCorrupt with the key.
// Threads: values, const after.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "formats/hf/fields.h"
#include "formats/hf/fp8_module.h"
#include "formats/hf/module_pattern.h"

namespace hangar::hf {

enum class CompressedKind { kPacked, kInt8, kFp8 };
enum class CompressedStrategy { kTensor, kChannel, kGroup, kBlock };

struct CompressedScheme {
  std::vector<ModulePattern> targets;
  CompressedKind kind = CompressedKind::kPacked;
  CompressedStrategy strategy = CompressedStrategy::kGroup;
  int bits = 4;
  std::int64_t group_size = -1;  // kGroup
  BlockShape block;              // kBlock
  bool symmetric = true;
  bool activations = false;  // the file asks for quantized activations

  std::string description() const;
};

Result<std::vector<CompressedScheme>> read_schemes(const Fields& quantization);

// The patterns of a list of names; none where the key is missing.
Result<std::vector<ModulePattern>> read_patterns(const Fields& fields, std::string_view key);

// Whether one of `patterns` means this module: 3 by its name, 2 by an expression, 1 by its class, 0
// not at all.
int match_strength(const std::vector<ModulePattern>& patterns, std::string_view module);

}  // namespace hangar::hf
