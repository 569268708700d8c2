// Products: each product of the backend by the way that was measured to be the fastest.
//
// Promise: multiply() takes a tile product (tile_matmul.h) or one of cuBLASLt's algorithms
//   (blas.h), of 4-bit weights a way of cutting int4_matmul.h's or, of many rows and where there is
//   a copy, a product of that (by_copy()), of one or two rows of FP8 one of
//   fp8_direct.h's, whichever was the fastest for about so many rows (tune(), or the file of an
//   earlier start; one or two rows: of layers, one product behind the other), or else what is
//   likeliest; what neither takes is done plainly (plain_matmul.h).
//   Deterministic launches take one algorithm of cuBLASLt for every number of rows, one that does
//   not split K between blocks, or the scalar way: a row is then summed by the same instructions in
//   the same order whatever rows are beside it. tune() runs each such algorithm with few and with
//   many rows and takes none whose results differ in a bit. Fp8Sums: as Blas has it;
//   kExact for deterministic launches.
// Shapes: as Product.
// Errors: CudaError.
// Threads: as Backend. multiply may be captured in a graph; tune may not.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backend/cuda/blas.h"
#include "backend/cuda/launch.h"
#include "backend/cuda/product.h"
#include "backend/cuda/product_choices.h"
#include "backend/cuda/tile_matmul.h"

namespace hangar::cuda {

// Memory of the card's for tune() to work in; its contents are lost.
struct DeviceScratch {
  void* data = nullptr;
  std::size_t bytes = 0;
};

// How much of a measured time counts for a tile product of so many rows beside the library's. In a
// step those of more than 256 rows by three warpgroups lose a few percent of what they show by
// themselves (FP8, 512 rows: alike when measured, 6 us of a layer's 390 slower in a step).
double tile_handicap(const Product& product, const TileWay& way);

class Products {
 public:
  // The workspace is the card's, at 256 bytes, and outlives this. It is for one stream.
  Products(void* workspace, std::size_t workspace_bytes, Fp8Sums sums = Fp8Sums::kExact);

  void multiply(const Launch& launch, const Product& product);
  // Whether a gated product of these sizes, types and addresses can be multiplied in one.
  static bool takes_gated(const Launch& launch, const Product& product);
  // Whether that is also faster than the product by itself with the gate behind it: as measured, or
  // as is likely. gate_joins: the gate goes with the pass that rounds the next product's inputs.
  bool prefers_gated(const Launch& launch, const Product& product, bool gate_joins) const;

  // Whether this one of 4-bit weights is done by their copy, as measured: its inputs want no sums.
  bool goes_by_copy(const Launch& launch, const Product& product) const;

  // Says that there are such products (of those pointers only the weight and the types, sizes and
  // strides count). multiply() does so itself.
  void note(const Product& product);
  // Measures the ways of every product noted and not yet measured, at each of `row_counts`, on the
  // weights noted, in turn, so that they come from memory. Row counts whose x and y do not fit the
  // scratch keep what is likeliest. Returns how many choices it made. Waits for the card.
  int tune(const Launch& launch, std::span<const std::int64_t> row_counts, DeviceScratch scratch);

  // Choices of an earlier start, and what was measured since then.
  void load(const std::filesystem::path& path) { choices_.load(path, owner_); }
  Status save(const std::filesystem::path& path) const { return choices_.save(path, owner_); }

 private:
  struct Noted {
    const void* weight;
    const float* scales;
    Int4Copy copy;

    void give(Product& product) const {
      product.weight = weight;
      product.weight_scales = scales;
      product.copy = copy;
    }
  };
  using Weights = std::vector<Noted>;
  // A product of few rows, placed, and the ways that may be the best of it in a step.
  struct Rivals {
    Product product;
    Weights weights;
    bool behind_attention;
    std::vector<ProductChoice> choices;  // by itself, the fastest first
  };

  ProductKey choice_key(const Product& product, std::int64_t bucket) const;
  // Nothing, nullptr: neither cuBLASLt nor tiles take it.
  std::optional<ProductChoice> likeliest(const Launch& launch, const Product& product);
  const ProductChoice* choose(const Launch& launch, const Product& product);
  bool run(const Launch& launch, const Product& product, const ProductChoice& choice);
  // By what cuBLASLt proposes for just this product.
  bool run_as_proposed(const Launch& launch, const Product& product);
  // Microseconds of one run, W taken from `weights` in turn; 0 where it does not run. Gives up,
  // with a rough figure, on one much slower than give_up_us (0: never).
  double measure(const Launch& launch, Product product, const Weights& weights,
                 const ProductChoice& choice, double give_up_us);
  bool rows_are_independent(const Launch& launch, Product product, const ProductChoice& choice,
                            DeviceScratch scratch);
  // `close`: of few rows, what settle() is to choose from.
  bool tune_bucket(const Launch& launch, const Product& product, const Weights& weights,
                   std::vector<ProductChoice>& close);
  // Chooses among rivals by the time of the layers' products one behind the other, as in a step.
  void settle(const Launch& launch, std::vector<Rivals> all);
  bool tune_fixed(const Launch& launch, Product product, const Weights& weights,
                  DeviceScratch scratch);

  Blas blas_;
  std::string owner_;  // card, driver, library
  ProductChoices choices_;
  std::map<ProductKey, Weights> noted_;  // bucket 0
  std::vector<ProductKey> in_order_;     // as they were noted first: a layer's, in order
};

}  // namespace hangar::cuda
