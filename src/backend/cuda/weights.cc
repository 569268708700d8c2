#include "backend/cuda/weights.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "backend/checks.h"
#include "backend/cuda/int4_pack.h"
#include "backend/cuda/launch.h"
#include "backend/cuda/quantize.h"
#include "backend/host_memory.h"
#include "base/units.h"

namespace hangar::cuda {
namespace {

// Of a weight's place: what bulk copies and 16-byte loads want, and no more, so that weights of
// whole multiples of it lie one behind the other.
constexpr std::size_t kAlignmentBytes = 16;
constexpr std::int64_t kFp8Multiple = 16;   // of both sizes
constexpr std::int64_t kInt4Multiple = 32;  // of columns
// Of numbers that are made to be quantized, at a time.
constexpr std::size_t kMadeBytes = std::size_t{64} << 20U;

// Of one number; at most.
std::int64_t element_bytes(WeightForm form) {
  switch (form) {
    case WeightForm::kVector:
      return sizeof(float);
    case WeightForm::kDense:
      return 2;
    case WeightForm::kFp8:
      return 1;
    case WeightForm::kInt4:
      return 3;  // with parameters, and columns filled up
  }
  return 0;
}

DType type_of(WeightForm form, DType dense) {
  switch (form) {
    case WeightForm::kVector:
      return DType::kF32;
    case WeightForm::kDense:
      return dense;
    case WeightForm::kFp8:
      return DType::kF8E4M3;
    case WeightForm::kInt4:
      return DType::kInt4G32;
  }
  return DType::kF32;
}

std::string name_of(const CudaWeight& weight) {
  if (weight.layout != WeightForm::kInt4) return std::string(dtype_name(weight.dtype));
  return fmt::format("INT4, groups of {}", weight.int4 == Int4Form::kZero128 ? 128 : 32);
}

// The scale of each row of a view that is_row_fp8().
std::vector<float> row_scales(const TensorView& view) {
  std::vector<float> scales(static_cast<std::size_t>(view.rows()), 1.0F);
  if (!view.scales) return scales;
  const auto block = static_cast<std::size_t>(view.scales->block_rows);
  for (std::size_t r = 0; r < scales.size(); ++r) scales[r] = view.scales->values[r / block];
  return scales;
}

}  // namespace

WeightForm form_for(std::int64_t rows, std::int64_t columns, WeightForm matrices) {
  if (rows == 1) return WeightForm::kVector;
  const bool fits_fp8 = rows % kFp8Multiple == 0 && columns % kFp8Multiple == 0;
  const bool fits_int4 = rows % kInt4Strip == 0 && columns % kInt4Multiple == 0;
  if (matrices == WeightForm::kFp8 && fits_fp8) return WeightForm::kFp8;
  if (matrices == WeightForm::kInt4 && fits_int4) return WeightForm::kInt4;
  return WeightForm::kDense;
}

std::size_t form_bytes(WeightForm form, std::int64_t rows, std::int64_t columns, Int4Form int4) {
  if (form == WeightForm::kInt4) return static_cast<std::size_t>(int4_bytes(int4, rows, columns));
  const auto scales = form == WeightForm::kFp8 ? static_cast<std::size_t>(rows) : 0;
  return static_cast<std::size_t>(rows * columns * element_bytes(form)) + scales * sizeof(float);
}

bool lie_together(std::span<const CudaWeight* const> weights) {
  for (std::size_t i = 1; i < weights.size(); ++i) {
    const CudaWeight& before = *weights[i - 1];
    const CudaWeight& here = *weights[i];
    if (here.columns != before.columns || here.dtype != before.dtype) return false;
    if (here.layout != before.layout || here.layout == WeightForm::kVector) return false;
    const bool strips = here.layout == WeightForm::kInt4;
    if (strips && here.int4 != before.int4) return false;
    const std::size_t bytes =
        strips ? form_bytes(before.layout, before.rows, before.columns, before.int4)
               : row_bytes(before.dtype, before.columns) * static_cast<std::size_t>(before.rows);
    if (static_cast<const std::byte*>(before.data) + bytes != here.data) return false;
    if (before.scales != nullptr && before.scales + before.rows != here.scales) return false;
  }
  return true;
}

Int4Copy copy_of(std::span<const CudaWeight* const> weights) {
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const CudaWeight& here = *weights[i];
    if (here.copy.numbers == nullptr) return {};
    if (i == 0) continue;
    const CudaWeight& before = *weights[i - 1];
    const std::int64_t numbers = before.rows * before.columns;
    if (static_cast<std::byte*>(before.copy.numbers) + numbers != here.copy.numbers) return {};
    if (before.copy.row_scales != nullptr) {
      if (before.copy.row_scales + before.rows != here.copy.row_scales) return {};
      continue;
    }
    const std::int64_t scales = before.rows * int4_copy_scales(before.columns);
    if (before.copy.scales + scales != here.copy.scales) return {};
  }
  return weights.front()->copy;
}

WeightLoader::WeightLoader(TakeMemory take, DType type, int threads)
    : take_(std::move(take)), type_(type), scale_pool_(take_), transfer_(threads) {
  HANGAR_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
}

WeightLoader::~WeightLoader() {
  if (stream_ == nullptr) return;
  (void)cudaStreamSynchronize(stream_);
  (void)cudaFree(made_);
  (void)cudaStreamDestroy(stream_);
}

Result<CudaWeightPtr> WeightLoader::make_empty(WeightForm form, std::int64_t rows,
                                               std::int64_t columns, std::string_view name,
                                               Int4Form int4) {
  auto weight = std::make_unique<CudaWeight>();
  weight->rows = rows;
  weight->columns = columns;
  weight->layout = form;
  weight->dtype = type_of(form, type_);
  weight->int4 = int4;
  weight->form = name_of(*weight);
  const bool fp8 = form == WeightForm::kFp8;
  const bool countable = checked_product({rows, columns, element_bytes(form)}).has_value();
  // Scales first: new memory for them must not part a run of matrices.
  if (fp8 && countable) weight->scales = scale_pool_.take(rows, columns);
  if (countable && (!fp8 || weight->scales != nullptr)) {
    const std::size_t beside = fp8 ? static_cast<std::size_t>(rows) * sizeof(float) : 0;
    weight->data = take_(form_bytes(form, rows, columns, int4) - beside, kAlignmentBytes);
  }
  if (weight->data == nullptr) {
    return make_error(ErrorCode::kResourceExhausted,
                      "tensor {}: no room for its {} x {} numbers on the card", name, rows,
                      columns);
  }
  weight->memory_bytes = form_bytes(form, rows, columns, int4);
  Sum& sum = fp8 ? fp8_ : form == WeightForm::kInt4 ? int4_ : dense_;
  if (form != WeightForm::kVector) sum = {sum.weights + 1, sum.bytes + weight->memory_bytes};
  return weight;
}

// What a format made (it has an owner) lies in memory; the rest is most likely a mapped file's.
std::shared_ptr<const WeightFile> WeightLoader::file_of(const TensorView& view) {
  if (view.owner != nullptr) return nullptr;
  for (const auto& file : files_) {
    if (file->shows(view.data)) return file;
  }
  auto found = WeightFile::behind(view.data);
  if (found != nullptr) files_.push_back(found);
  return found;
}

Result<CudaWeightPtr> WeightLoader::load(const TensorView& view, WeightForm matrices) {
  HANGAR_CHECK_OK(check_weight_view(view));
  const WeightForm form = form_for(view.rows(), view.columns(), matrices);
  HANGAR_TRY(CudaWeightPtr weight,
             make_empty(form, view.rows(), view.columns(), view.name, int4_form_for(view)));
  if (view.dtype != weight->dtype || form == WeightForm::kInt4) {
    weight->form += fmt::format(", from {}", dtype_name(view.dtype));
  }
  if (form == WeightForm::kFp8 && is_row_fp8(view)) place_scales(*weight, view);
  const WeightPlace place{weight->data, weight->dtype, weight->scales, weight->int4};
  HANGAR_CHECK_OK(transfer_.add(view, file_of(view), place));
  return weight;
}

// From pageable memory: CUDA has copied them when it returns.
void WeightLoader::place_scales(const CudaWeight& weight, const TensorView& view) {
  const std::vector<float> scales = row_scales(view);
  HANGAR_CUDA(cudaMemcpyAsync(weight.scales, scales.data(), scales.size() * sizeof(float),
                              cudaMemcpyHostToDevice, stream_));
}

Result<CudaWeightPtr> WeightLoader::make_random(std::int64_t rows, std::int64_t columns,
                                                std::uint64_t seed, float scale,
                                                RandomNumbers numbers, WeightForm matrices,
                                                Int4Form int4) {
  const WeightForm form = form_for(rows, columns, matrices);
  HANGAR_TRY(CudaWeightPtr weight, make_empty(form, rows, columns, "made at random", int4));
  if (form == WeightForm::kVector || form == WeightForm::kDense) {
    fill_random(weight->data, weight->dtype, rows * columns, seed, scale, numbers, stream_);
    return weight;
  }
  const auto piece_rows =
      static_cast<std::int64_t>(kMadeBytes / row_bytes(type_, columns)) / kInt4Strip * kInt4Strip;
  if (piece_rows == 0) {
    return make_error(ErrorCode::kUnsupported, "rows of {} random numbers are too long", columns);
  }
  if (made() == nullptr) {
    return make_error(ErrorCode::kResourceExhausted,
                      "no {} are left on the card to make random numbers in",
                      format_bytes(kMadeBytes));
  }
  for (std::int64_t first = 0; first < rows; first += piece_rows) {
    const std::int64_t count = std::min(piece_rows, rows - first);
    fill_random(made_, type_, count * columns, seed, scale, numbers, stream_, first * columns);
    quantize(*weight, first, {made_, count, columns, type_});
  }
  return weight;
}

void* WeightLoader::made() {
  if (made_ == nullptr && cudaMalloc(&made_, kMadeBytes) != cudaSuccess) {
    made_ = nullptr;
    (void)cudaGetLastError();
  }
  return made_;
}

Result<CudaWeightPtr> WeightLoader::make_head(const CudaWeight& dense, WeightForm form) {
  HANGAR_TRY(CudaWeightPtr weight, make_empty(form, dense.rows, dense.columns, "of the head"));
  weight->form += fmt::format(", from {}", dtype_name(dense.dtype));
  HANGAR_CHECK_OK(transfer_.finish());
  quantize(*weight, 0, {dense.data, dense.rows, dense.columns, dense.dtype});
  return weight;
}

// `from`: of rows first_row and on; strips begin there.
void WeightLoader::quantize(const CudaWeight& weight, std::int64_t first_row,
                            const Activation& from) {
  Launch launch;
  launch.stream = stream_;
  auto* data = static_cast<std::byte*>(weight.data);
  if (weight.layout == WeightForm::kInt4) {
    quantize_int4(launch, weight.int4, data + int4_bytes(weight.int4, first_row, weight.columns),
                  from);
    return;
  }
  const QuantizedRows out{data + first_row * weight.columns, weight.columns,
                          weight.scales + first_row};
  quantize_rows(launch, out, from);
}

Result<CudaWeightPtr> WeightLoader::make_constant(std::int64_t rows, std::int64_t columns,
                                                  float value) {
  const WeightForm form = form_for(rows, columns, WeightForm::kDense);
  HANGAR_TRY(CudaWeightPtr weight, make_empty(form, rows, columns, "of one number"));
  fill_constant(weight->data, weight->dtype, rows * columns, value, stream_);
  return weight;
}

// Numbers of all, then scales of all: those of weights that lie together do so too.
Status WeightLoader::take_copies() {
  if (copied_.empty()) return {};
  std::size_t numbers = 0;
  std::size_t scales = 0;
  for (const CudaWeight* weight : copied_) {
    numbers += static_cast<std::size_t>(weight->rows * weight->columns);
    scales += int4_copy_scale_bytes(weight->rows, weight->columns, rounded_);
  }
  const std::size_t bytes = numbers + scales + copied_.size() * sizeof(std::int32_t);
  auto* at = static_cast<std::byte*>(take_(bytes, kAlignmentBytes));
  if (at == nullptr) {
    return make_error(ErrorCode::kResourceExhausted,
                      "copies of 4-bit matrices in 8 bits: {} are not left on the card. Take "
                      "--int4-copies off, or a larger share of the card (--gpu-memory)",
                      format_bytes(bytes));
  }
  for (CudaWeight* weight : copied_) {
    weight->copy.numbers = at;
    at += weight->rows * weight->columns;
  }
  for (CudaWeight* weight : copied_) {
    if (rounded_) {
      weight->copy.row_scales = reinterpret_cast<float*>(at);
    } else {
      weight->copy.scales = reinterpret_cast<std::uint16_t*>(at);
    }
    at += int4_copy_scale_bytes(weight->rows, weight->columns, rounded_);
  }
  inexact_ = reinterpret_cast<std::int32_t*>(at);
  return {};
}

// Those whose memory was taken.
void WeightLoader::make_copies() {
  if (inexact_ != nullptr && !copied_.empty()) {
    std::size_t bytes = 0;
    for (const CudaWeight* weight : copied_) {
      bytes += int4_copy_bytes(weight->rows, weight->columns, rounded_);
    }
    spdlog::info("copies in 8 bits of {} matrices of 4 bits, for many rows: {}{}", copied_.size(),
                 format_bytes(bytes), rounded_ ? ", rounded to FP8" : "");
    if (rounded_) {
      make_rounded_copies();
    } else {
      make_exact_copies();
    }
  }
  copied_.clear();
  inexact_ = nullptr;
}

// In pieces of rows, by way of the work type.
void WeightLoader::make_rounded_copies() {
  Launch launch;
  launch.stream = stream_;
  auto* const rows = static_cast<std::byte*>(made());
  if (rows == nullptr) {
    spdlog::warn(
        "none of them is made, and steps of many rows are slower: no {} are left on the card to "
        "make them in; a smaller --gpu-memory leaves some",
        format_bytes(kMadeBytes));
    for (CudaWeight* weight : copied_) weight->copy = {};
    return;
  }
  for (const CudaWeight* weight : copied_) {
    const std::int64_t columns = weight->columns;
    const auto piece =
        static_cast<std::int64_t>(kMadeBytes / row_bytes(type_, columns)) / kInt4Strip * kInt4Strip;
    if (piece == 0) throw std::length_error("rows of a matrix of 4 bits are too long to be copied");
    for (std::int64_t first = 0; first < weight->rows; first += piece) {
      const Activation some{rows, std::min(piece, weight->rows - first), columns, type_};
      unpack_int4(
          launch, some, weight->int4,
          static_cast<const std::byte*>(weight->data) + int4_bytes(weight->int4, first, columns));
      quantize_rows(launch,
                    {static_cast<std::byte*>(weight->copy.numbers) + first * columns, columns,
                     weight->copy.row_scales + first},
                    some);
    }
  }
}

void WeightLoader::make_exact_copies() {
  const std::size_t bytes = copied_.size() * sizeof(std::int32_t);
  HANGAR_CUDA(cudaMemsetAsync(inexact_, 0, bytes, stream_));
  Launch launch;
  launch.stream = stream_;
  for (std::size_t i = 0; i < copied_.size(); ++i) {
    const CudaWeight& weight = *copied_[i];
    make_int4_copy(launch, weight.copy, weight.data, weight.rows, weight.columns, inexact_ + i);
  }
  std::vector<std::int32_t> inexact(copied_.size());
  HANGAR_CUDA(cudaMemcpyAsync(inexact.data(), inexact_, bytes, cudaMemcpyDeviceToHost, stream_));
  HANGAR_CUDA(cudaStreamSynchronize(stream_));
  std::size_t dropped = 0;
  for (std::size_t i = 0; i < copied_.size(); ++i) {
    if (inexact[i] == 0) continue;
    copied_[i]->copy = {};
    ++dropped;
  }
  if (dropped > 0) {
    spdlog::warn("{} of them are not used: their zero points are no whole numbers of 4 bits",
                 dropped);
  }
}

void WeightLoader::finish() {
  files_.clear();
  if (const Status moved = transfer_.finish(); !moved) {
    throw std::runtime_error("weights could not be loaded: " + moved.error().message);
  }
  make_copies();
  HANGAR_CUDA(cudaStreamSynchronize(stream_));
  HANGAR_CUDA(cudaFree(made_));
  made_ = nullptr;
  std::string fewer;
  if (fp8_.weights > 0) {
    fewer += fmt::format("{} matrices of {} in FP8, ", fp8_.weights, format_bytes(fp8_.bytes));
  }
  if (int4_.weights > 0) {
    fewer += fmt::format("{} matrices of {} in 4 bits, ", int4_.weights, format_bytes(int4_.bytes));
  }
  if (!fewer.empty()) {
    spdlog::info("weights on the card: {}{} of {} in 16 bits", fewer, dense_.weights,
                 format_bytes(dense_.bytes));
  }
  fp8_ = int4_ = dense_ = {};
}

}  // namespace hangar::cuda
