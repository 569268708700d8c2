// WidenedCheckpoint: a checkpoint's quantized tensors in float32.
//
// Promise: everything as the checkpoint inside has it, but tensors of quantized types: those are
//   listed as F32, without data, and read() gives the numbers that the file stands for. So a
//   backend that is asked for fewer bits has to quantize them itself.
// Errors: read: as the inner checkpoint's.
// Threads: as Checkpoint.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/checkpoint.h"
#include "quant/view_rows.h"
#include "tensor/dtype.h"

namespace hangar::golden {

class WidenedCheckpoint final : public Checkpoint {
 public:
  explicit WidenedCheckpoint(std::shared_ptr<const Checkpoint> inner) : inner_(std::move(inner)) {
    for (const TensorView& tensor : inner_->tensors()) {
      tensors_.push_back(tensor);
      if (dtype_info(tensor.dtype).block_elements == 1) continue;
      tensors_.back() = {.name = tensor.name, .dtype = DType::kF32, .shape = tensor.shape};
    }
  }

  std::string_view format() const override { return inner_->format(); }
  Result<ModelConfig> config() const override { return inner_->config(); }
  Result<TokenizerSpec> tokenizer() const override { return inner_->tokenizer(); }
  std::vector<ChatTemplateSource> chat_templates() const override {
    return inner_->chat_templates();
  }
  const std::vector<TensorView>& tensors() const override { return tensors_; }
  const TensorView* find(std::string_view name) const override {
    for (const TensorView& tensor : tensors_) {
      if (tensor.name == name) return &tensor;
    }
    return nullptr;
  }
  Result<TensorView> read(const TensorView& tensor) const override {
    HANGAR_TRY(const TensorView stored, inner_->read(*inner_->find(tensor.name)));
    if (stored.dtype == tensor.dtype) return stored;
    auto numbers =
        std::make_shared<std::vector<float>>(static_cast<std::size_t>(stored.elements()));
    for (std::int64_t r = 0; r < stored.rows(); ++r) {
      dequantize_view_row(stored, r, numbers->data() + r * stored.columns());
    }
    TensorView view = tensor;
    view.data = std::as_bytes(std::span(*numbers));
    view.owner = std::move(numbers);
    return view;
  }
  std::vector<std::pair<std::string, std::string>> metadata() const override {
    return inner_->metadata();
  }
  std::vector<std::filesystem::path> files() const override { return inner_->files(); }
  std::uint64_t file_bytes() const override { return inner_->file_bytes(); }

 private:
  std::shared_ptr<const Checkpoint> inner_;
  std::vector<TensorView> tensors_;
};

}  // namespace hangar::golden
