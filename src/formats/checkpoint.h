// Checkpoint: a model on disk, opened: hyper-parameters, named tensors, tokenizer, templates.
//
// Promise: open_checkpoint(path) tells the format by content, maps the file(s) and checks all of
// it:
//   afterwards every TensorView lies inside the mapping and the config agrees with the shapes.
//   Tensor names are GGUF's ("blk.0.attn_q.weight") whatever the format; other formats map theirs.
//   Experts come stacked ("blk.0.ffn_gate_exps.weight", {experts, out, in}) or one by one
//   ("blk.0.ffn_gate.3.weight").
// Errors: kNotFound, kCorrupt (file, field, what was found), kUnsupported (what, and what to do).
//   Memory taken is bounded by the file's own size.
// Threads: const after open.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "formats/model_config.h"
#include "tensor/random_weights.h"
#include "tensor/tensor_view.h"
#include "text/tokenizer_spec.h"

namespace hangar {

struct ChatTemplateSource {
  std::string name;  // "default", "tool_use"
  std::string text;
};

// What the model's authors recommend to sample with (generation_config.json); a request's own
// fields win.
struct GenerationDefaults {
  std::optional<bool> sample;  // false: greedy
  std::optional<float> temperature, top_p, min_p, repetition_penalty;
  std::optional<std::int32_t> top_k;
  std::vector<TokenId> end_of_generation;  // eos_token_id, one or several
};

class Checkpoint {
 public:
  virtual ~Checkpoint() = default;
  virtual std::string_view format() const = 0;  // "GGUF v3"
  // Fails with kUnsupported where the file holds only a vocabulary.
  virtual Result<ModelConfig> config() const = 0;
  virtual Result<TokenizerSpec> tokenizer() const = 0;
  virtual std::vector<ChatTemplateSource> chat_templates() const = 0;
  virtual GenerationDefaults generation_defaults() const { return {}; }
  virtual const std::vector<TensorView>& tensors() const = 0;
  virtual const TensorView* find(std::string_view name) const = 0;  // nullptr: not there
  // A listed tensor with its data. Formats that repack (AWQ, GPTQ) list such tensors without data
  // and make it here, on each call: the view owns it. `tensor` is one of tensors().
  virtual Result<TensorView> read(const TensorView& tensor) const { return tensor; }
  // Every metadata key with its value written out (arrays shortened), in file order.
  virtual std::vector<std::pair<std::string, std::string>> metadata() const = 0;
  virtual std::vector<std::filesystem::path> files() const = 0;
  virtual std::uint64_t file_bytes() const = 0;
  // nullopt: the tensors have data. Else they have none, and whoever loads them makes it up so
  // (open_dummy); file_bytes() is then what a file of them would take.
  virtual std::optional<RandomWeights> random_weights() const { return std::nullopt; }
  // The data of a tensor that is a file's will not be read for a while: its pages may leave this
  // process's memory. Without a span: all of the files.
  virtual void release(std::optional<std::span<const std::byte>> /*part*/) const {}
};

Result<std::unique_ptr<Checkpoint>> open_checkpoint(const std::filesystem::path& path);

// A model's true shape without its weights, from its config.json alone: `path` is that file or the
// folder it lies in; weights beside it are not looked at. Matrices are of the config's dtype, BF16
// where it names none. A tokenizer that is not in the folder is stood in for, with a line in the
// log (text/stand_in_tokenizer.h).
Result<std::unique_ptr<Checkpoint>> open_dummy(const std::filesystem::path& path,
                                               const RandomWeights& random);

}  // namespace hangar
