// CudaWeight: a weight in the card's memory; and WeightLoader, which brings it there.
//
// Promise: a single row (a norm, a bias) is float32. A dense matrix is 16 bits, of the work type,
//   row after row: BF16 and F16 files as they are, or converted between the two or from F32;
//   quantized types are dequantized with their scales, inputs in order, and rounded once. An FP8
//   matrix is the file's own bytes and scales where it has one scale for each row or for all;
//   anything else is quantized by quantize_rows() from what the file stands for: from its own 16
//   bits, or from float32. A matrix of 4 bits is the file's own numbers where packed_form() has a
//   form for them, else quantized by quantize_int4() in groups of 128, from the same. (A file's
//   scales of activations are not used: inputs get theirs row by row as they come.) Weights that
//   are loaded one after the other with equal columns lie directly behind one another where a row
//   is a multiple of 16 bytes, their scales too, so that one product can take them together
//   (lie_together()). load() does not wait for what a file holds: WeightTransfer's threads read it
//   and have it moved. finish() waits for all of them; nothing else may read the weights before it.
// Errors: load: as check_weight_view; kResourceExhausted where `take` has no more; what an earlier
//   one met underway. finish: std::runtime_error, CudaError.
// Threads: one calls; a loader uses its own threads inside.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "backend/cuda/int4.h"
#include "backend/cuda/int4_copy.h"
#include "backend/cuda/weights_file.h"
#include "backend/cuda/weights_fill.h"
#include "backend/cuda/weights_scales.h"
#include "backend/cuda/weights_transfer.h"
#include "base/result.h"
#include "tensor/activation.h"
#include "tensor/dtype.h"
#include "tensor/tensor_view.h"

namespace hangar::cuda {

// How the numbers lie. Forms that stay packed come beside these.
enum class WeightForm : std::uint8_t {
  kVector,  // one row, float32
  kDense,   // {rows, columns} of 16 bits
  kFp8,     // {rows, columns} of e4m3, and a float32 scale for each row
  kInt4,    // strips of 4 bits (int4.h)
};

// What a weight of this shape is, where matrices are wanted as `matrices`. FP8 products take
// multiples of 16 only, those of 4 bits multiples of 16 rows and 32 columns.
WeightForm form_for(std::int64_t rows, std::int64_t columns, WeightForm matrices);
// Of the numbers and their scales. int4: of kInt4.
std::size_t form_bytes(WeightForm form, std::int64_t rows, std::int64_t columns,
                       Int4Form int4 = Int4Form::kZero128);

class CudaWeight final : public Weight {
 public:
  void* data = nullptr;       // the card's
  DType dtype = DType::kF32;  // kInt4: kInt4G32, whatever form they have
  WeightForm layout = WeightForm::kVector;
  float* scales = nullptr;  // the card's, [rows], of kFp8: row r stands for scales[r] times it
  Int4Form int4 = Int4Form::kZero128;  // of kInt4
  Int4Copy copy;                       // of kInt4, where it is kept

  const float* vector() const { return static_cast<const float*>(data); }
};
using CudaWeightPtr = std::unique_ptr<CudaWeight>;

// Whether they are one matrix in memory: of one type and number of columns, each where the one
// before it ends, and so their scales; strips of one form.
bool lie_together(std::span<const CudaWeight* const> weights);
// That of weights that lie together, where all have one and those lie so too; else none.
Int4Copy copy_of(std::span<const CudaWeight* const> weights);

class WeightLoader {
 public:
  // `type`: of dense matrices. threads: as WeightTransfer's.
  WeightLoader(TakeMemory take, DType type, int threads);
  ~WeightLoader();
  WeightLoader(const WeightLoader&) = delete;
  WeightLoader& operator=(const WeightLoader&) = delete;

  // `matrices`: see form_for().
  Result<CudaWeightPtr> load(const TensorView& view, WeightForm matrices = WeightForm::kDense);
  // Has finish() make the copy of a weight of 4 bits (takes_int4_copy()), which is there until
  // then; and takes the memory of all that were asked for, since the last finish(). A weight whose
  // zeros would not be exact keeps none.
  void copy_later(CudaWeight& weight) { copied_.push_back(&weight); }
  void round_copies(bool rounded) { rounded_ = rounded; }  // before the first
  Status take_copies();
  // Numbers made on the card, the same for the same seed and shape (of fewer bits: those,
  // quantized); and every number the same.
  Result<CudaWeightPtr> make_random(std::int64_t rows, std::int64_t columns, std::uint64_t seed,
                                    float scale, RandomNumbers numbers,
                                    WeightForm matrices = WeightForm::kDense,
                                    Int4Form int4 = Int4Form::kZero128);
  // A copy of a dense matrix of this loader's in fewer bits: kFp8 or kInt4, in groups of 128. Waits
  // for what was loaded.
  Result<CudaWeightPtr> make_head(const CudaWeight& dense, WeightForm form);
  Result<CudaWeightPtr> make_constant(std::int64_t rows, std::int64_t columns, float value);
  // What load() and make_*() began is done.
  void finish();

 private:
  Result<CudaWeightPtr> make_empty(WeightForm form, std::int64_t rows, std::int64_t columns,
                                   std::string_view name, Int4Form int4 = Int4Form::kZero128);
  void place_scales(const CudaWeight& weight, const TensorView& view);
  void quantize(const CudaWeight& weight, std::int64_t first_row, const Activation& from);
  std::shared_ptr<const WeightFile> file_of(const TensorView& view);

  TakeMemory take_;
  DType type_;
  ScalePool scale_pool_;
  WeightTransfer transfer_;
  std::vector<std::shared_ptr<const WeightFile>> files_;  // found since the last finish()
  void make_copies();
  void make_exact_copies();
  void make_rounded_copies();
  // Memory for rows to be quantized; nullptr: there is none left.
  void* made();

  std::vector<CudaWeight*> copied_;  // or will be, by finish()
  bool rounded_ = false;
  std::int32_t* inexact_ = nullptr;  // the card's, of each; nullptr: their memory was not taken
  cudaStream_t stream_ = nullptr;
  void* made_ = nullptr;  // rows to be quantized, until finish()
  struct Sum {
    int weights = 0;
    std::uint64_t bytes = 0;
  };
  Sum fp8_, int4_, dense_;  // since the last finish()
};

}  // namespace hangar::cuda
