// ProductChoices: which way is taken for which product: a table that is kept in a file between
//   starts.
//
// Promise: rows are looked up by row_bucket(), so that a table of a few dozen lines serves every
//   step. The file belongs to one card, driver and version of the library: load() takes nothing
//   from any other, nor from one that is cut short or changed. save() writes beside the file and
//   renames, so that two processes never see half of one.
// Units: microseconds.
// Errors: load: none, a table that is not there is empty. save: kIo.
// Threads: a value.
#pragma once

#include <cublasLt.h>

#include <compare>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "backend/cuda/fp8_direct.h"
#include "backend/cuda/int4_matmul.h"
#include "backend/cuda/product.h"
#include "backend/cuda/tile_matmul.h"
#include "base/result.h"
#include "tensor/dtype.h"

namespace hangar::cuda {

// The number of rows that products of `rows` rows are tuned at: 1, 2, 4, 8, then steps of at most
// half again as much, up to 8192.
std::int64_t row_bucket(std::int64_t rows);

struct ProductKey {
  std::int64_t outputs = 0;
  std::int64_t columns = 0;
  std::int64_t bucket = 0;  // 0: one algorithm for every number of rows
  DType type = DType::kBF16;
  DType weight_type = DType::kBF16;
  DType y_type = DType::kBF16;
  bool add = false;
  bool gated = false;
  bool leaves_room = false;
  std::int32_t int4 = 0;   // 1 and the form
  std::int32_t copy = 0;   // of 4 bits: 1: an exact one, 2: a rounded one
  bool fast_sums = false;  // of FP8 (Blas)

  auto operator<=>(const ProductKey&) const = default;
};

ProductKey key_of(const Product& product, std::int64_t bucket);

struct ProductChoice {
  // One of these; none of the first three (no rows, no strips): cuBLASLt, by `algorithm`. 4 bits:
  // all but int4 by the copy.
  TileWay tiles = {};
  Int4Way int4 = {};
  Fp8DirectWay fp8_direct = {};
  cublasLtMatmulAlgo_t algorithm = {};
  double us = 0.0;  // as measured; 0: taken from the library's own order
};

class ProductChoices {
 public:
  const ProductChoice* find(const ProductKey& key) const;
  void set(const ProductKey& key, const ProductChoice& choice) { choices_[key] = choice; }
  std::size_t size() const { return choices_.size(); }

  // `owner`: the card, the driver and the library (one line).
  void load(const std::filesystem::path& path, const std::string& owner);
  // What was measured.
  Status save(const std::filesystem::path& path, const std::string& owner) const;

 private:
  std::map<ProductKey, ProductChoice> choices_;
};

}  // namespace hangar::cuda
