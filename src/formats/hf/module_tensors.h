// ModuleTensors: the tensors beside one linear layer in a folder, checked as they are taken.
//
// Promise: what is returned has the type and the shape asked for; numbers are read at any
//   alignment.
// Errors: kCorrupt, naming the tensor: missing, or of another type or shape.
// Lifetime: a view on the folder's tensors.
// Threads: const.
#pragma once

#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/hf/raw_tensors.h"

namespace hangar::hf {

std::string_view raw_type_name(RawType type);                    // "I32"
std::string shape_text(const std::vector<std::int64_t>& shape);  // "[64, 16]"

// 32-bit words of a matrix, row-major.
class Words {
 public:
  Words() = default;
  explicit Words(const RawTensor& tensor)
      : data_(tensor.data.data()), columns_(tensor.shape.back()) {}
  std::uint32_t at(std::int64_t row, std::int64_t column) const {
    std::uint32_t word;
    std::memcpy(&word, data_ + (row * columns_ + column) * 4, sizeof(word));
    return word;
  }

 private:
  const std::byte* data_ = nullptr;
  std::int64_t columns_ = 0;
};

// How integers of 4 or 8 bits lie in such words, the first in the lowest bits. Powers of two: no
// division for each of a model's weights.
struct WordPacking {
  unsigned bits = 4;
  unsigned log_per_word = 3;

  static WordPacking of_bits(int bits) { return bits == 4 ? WordPacking{4, 3} : WordPacking{8, 2}; }
  std::int64_t per_word() const { return std::int64_t{1} << log_per_word; }
  std::int64_t words(std::int64_t integers) const {
    return (integers + per_word() - 1) >> log_per_word;
  }
  std::int64_t word_of(std::int64_t index) const { return index >> log_per_word; }
  std::uint8_t pick(std::uint32_t word, std::int64_t index) const {
    const auto place = static_cast<unsigned>(index) & ((1U << log_per_word) - 1U);
    return static_cast<std::uint8_t>((word >> (place * bits)) & ((1U << bits) - 1U));
  }
};

class ModuleTensors {
 public:
  ModuleTensors(const RawTensors& tensors, std::string_view module)
      : tensors_(&tensors), module_(module) {}

  std::string_view module() const { return module_; }
  std::string name(std::string_view suffix) const;  // "model.layers.0.mlp.up_proj.qweight"
  const RawTensor* find(std::string_view suffix) const;
  Result<const RawTensor*> get(std::string_view suffix) const;
  // Of one of these types and so many dimensions, none of them 0.
  Result<const RawTensor*> get(std::string_view suffix, std::initializer_list<RawType> types,
                               std::size_t dimensions) const;
  Result<const RawTensor*> get(std::string_view suffix, std::initializer_list<RawType> types,
                               const std::vector<std::int64_t>& shape) const;
  // The numbers of an F32, F16 or BF16 tensor of any shape.
  Result<std::vector<float>> floats(const RawTensor& tensor) const;
  // The numbers of an I32 or I64 tensor of any shape; each fits 32 bits.
  Result<std::vector<std::int32_t>> integers(const RawTensor& tensor) const;

  tl::unexpected<Error> wrong_shape(const RawTensor& tensor, std::string_view expected) const;

 private:
  Status check_type(const RawTensor& tensor, std::initializer_list<RawType> types) const;

  const RawTensors* tensors_;
  std::string module_;
};

}  // namespace hangar::hf
