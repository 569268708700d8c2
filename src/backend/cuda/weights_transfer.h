// WeightTransfer: weights on their way from a file, or from memory, to their place on the card.
//
// Promise: several threads each read a piece of the file into a pinned buffer, have the card fetch
//   it, and meanwhile fill their other buffer: disk, processors and bus work side by side. Numbers
//   of the weight's own type go over as they are; types that unpacks_on_card() knows go over as
//   stored and are widened there; the rest (scales beside the matrix, inputs in another order,
//   rarer types) is widened by the thread that read it. To FP8: bytes that are it already
//   (is_row_fp8()) go over as they are; else numbers of 16 bits as they are, all others as
//   float32, come into a buffer on the card and quantize_rows() makes its place's of them. To 4
//   bits: what packed_form() knows comes as stored into such a buffer and is packed from there,
//   the rest as to FP8, for quantize_int4(). add()
//   does not wait for a file; what lies in memory has been read when it returns. finish() waits
//   for all; threads and buffers are gone then.
// Units: bytes.
// Errors: the first that a thread met, of add or finish, whichever comes next: kIo (the file),
//   kInternal (the card). After one nothing more is moved.
// Threads: add and finish are called from one.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "backend/cuda/int4.h"
#include "backend/cuda/weights_file.h"
#include "base/result.h"
#include "tensor/dtype.h"
#include "tensor/tensor_view.h"

namespace hangar::cuda {

// Where a weight goes, on the card, and as what.
struct WeightPlace {
  void* data = nullptr;
  DType type = DType::kF32;  // kF32, kBF16, kF16, kF8E4M3; kInt4G32: strips of int4
  float* scales = nullptr;   // [rows], kF8E4M3; left alone where the view is_row_fp8()
  Int4Form int4 = Int4Form::kZero128;
};

// FP8 with at most one scale for each row, inputs in order: an FP8 weight's own bytes.
bool is_row_fp8(const TensorView& view);

class WeightTransfer {
 public:
  // A row, stored or widened to floats, is at most so long; 16 of them on their way to 4 bits.
  static constexpr std::size_t kPieceBytes = std::size_t{4} << 20U;

  // threads <= 0: enough to keep a disk busy.
  explicit WeightTransfer(int threads);
  ~WeightTransfer();
  WeightTransfer(const WeightTransfer&) = delete;
  WeightTransfer& operator=(const WeightTransfer&) = delete;

  // All rows of the view. file: where view.data is to be read from; nullptr: it lies in memory.
  Status add(const TensorView& view, std::shared_ptr<const WeightFile> file,
             const WeightPlace& place);
  Status finish();

 private:
  class Worker;
  struct Task {
    TensorView view;
    std::shared_ptr<const WeightFile> file;
    WeightPlace place;
    DType brought = DType::kF32;  // what comes over
    bool made_there = false;      // place.type is made of that on the card
    std::int64_t piece_rows = 0;
    std::int64_t next_row = 0;   // that no thread has taken
    std::int64_t under_way = 0;  // pieces
  };
  struct Piece {
    std::shared_ptr<Task> task;
    std::int64_t first_row = 0;
    std::int64_t rows = 0;
  };

  void work();
  std::optional<Piece> next_piece();
  void done(const Piece& piece);
  void fail(Error error);
  void stop();

  const int most_threads_;
  int device_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Task>> queue_;  // with rows that nobody has taken
  std::optional<Error> failure_;
  bool last_ = false;  // nothing will be added
  std::vector<std::thread> threads_;
  std::size_t added_bytes_ = 0;
  std::int64_t begin_us_ = 0;
};

}  // namespace hangar::cuda
