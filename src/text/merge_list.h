// MergeList: the merges of a BPE vocabulary as texts, best first.
//
// Promise: as a vector of MergeSpec, which are views on it, good until it changes. 8 bytes a merge
//   and its text's.
// Limits: less than kMaxBytes of text together; more is the caller's to refuse.
// Threads: a value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "text/text_buffer.h"

namespace hangar {

// "left right" of a merge: text is both joined, the first left_bytes of it are the left one.
struct MergeSpec {
  std::string_view text;
  std::size_t left_bytes = 0;
};

class MergeList {
 public:
  static constexpr std::size_t kMaxBytes = UINT32_MAX;

  std::size_t size() const { return ends_.size(); }
  bool empty() const { return ends_.empty(); }
  MergeSpec operator[](std::size_t index) const {
    const std::size_t begin = index == 0 ? 0 : ends_[index - 1].right;
    return {{bytes_.data() + begin, ends_[index].right - begin}, ends_[index].left - begin};
  }

  const char* bytes_end() const { return bytes_.end(); }  // of all texts

  void reserve(std::size_t merges, std::size_t bytes) {
    ends_.reserve(merges);
    bytes_.reserve(bytes);
  }
  void add(std::string_view left, std::string_view right) {
    add(left, left.data() + left.size(), right, right.data() + right.size());
  }
  // The same, and quicker where memory may be read past each text, up to its end.
  void add(std::string_view left, const char* left_end, std::string_view right,
           const char* right_end) {
    bytes_.append(left, left_end);
    const std::size_t left_bytes = bytes_.size();
    bytes_.append(right, right_end);
    ends_.push_back({.left = static_cast<std::uint32_t>(left_bytes),
                     .right = static_cast<std::uint32_t>(bytes_.size())});
  }
  void clear() { *this = {}; }  // gives its memory back

 private:
  // Where a merge's parts end in bytes_; the left one begins where the merge before ended.
  struct Ends {
    std::uint32_t left = 0;
    std::uint32_t right = 0;
  };
  TextBuffer bytes_;
  std::vector<Ends> ends_;
};

}  // namespace hangar
