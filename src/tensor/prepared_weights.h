// Prepared weights: matrices as a backend lays them out, kept in a file so that the next start only
// maps them.
//
// Promise: PreparedWeights::find gives back the bytes and the form that PreparedSink::add took for
//   the same id, and nothing for any other. `form` is the backend's own text. Bytes are aligned to
//   a page, read-only, and stay while `owner` lives.
// Errors: add: kIo, kResourceExhausted (the file), kCancelled.
// Threads: find from any; add from one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"
#include "tensor/tensor_view.h"

namespace hangar {

// A tensor of the model's or some of its rows.
struct PreparedId {
  std::string_view name;
  std::int64_t first_row = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
};

inline PreparedId prepared_id(const TensorView& view) {
  return {view.name, view.first_row, view.rows(), view.columns()};
}

struct PreparedSection {
  std::string_view form;
  std::span<const std::byte> data;
  std::shared_ptr<const void> owner;
};

class PreparedWeights {
 public:
  virtual ~PreparedWeights() = default;
  virtual std::optional<PreparedSection> find(const PreparedId& id) const = 0;
};

class PreparedSink {
 public:
  virtual ~PreparedSink() = default;
  // An id that was added before is left as it is.
  virtual Status add(const PreparedId& id, std::string_view form,
                     std::span<const std::byte> data) = 0;
};

}  // namespace hangar
