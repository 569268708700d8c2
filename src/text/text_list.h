// TextList: many short texts in one piece of memory: a vocabulary's tokens.
//
// Promise: what a vector of strings does here, without an allocation or 32 bytes a text: 8 bytes
//   and the text's own. A text that is set anew leaves its old bytes unused.
// Limits: all texts ever put in have together less than kMaxBytes; more is the caller's to refuse.
//   None of them lies in the list itself.
// Threads: a value.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "text/text_buffer.h"

namespace hangar {

class TextList {
 public:
  static constexpr std::size_t kMaxBytes = UINT32_MAX;

  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;
    using pointer = const std::string_view*;
    using reference = std::string_view;

    Iterator() = default;
    Iterator(const TextList* list, std::size_t index) : list_(list), index_(index) {}
    std::string_view operator*() const { return (*list_)[index_]; }
    Iterator& operator++() {
      ++index_;
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++index_;
      return before;
    }
    bool operator==(const Iterator&) const = default;

   private:
    const TextList* list_ = nullptr;
    std::size_t index_ = 0;
  };
  using value_type = std::string_view;
  using iterator = Iterator;
  using const_iterator = Iterator;

  TextList() = default;
  TextList(std::initializer_list<std::string_view> texts) { append(texts); }
  TextList(const std::vector<std::string>& texts) {  // NOLINT: as a vector of them would be
    for (const std::string& text : texts) push_back(text);
  }

  std::size_t size() const { return places_.size(); }
  bool empty() const { return places_.empty(); }
  std::string_view operator[](std::size_t index) const {
    const Place place = places_[index];
    return {bytes_.data() + place.begin, place.bytes};
  }
  std::string_view back() const { return (*this)[size() - 1]; }
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, size()}; }
  const char* bytes_end() const { return bytes_.end(); }  // of all texts
  bool operator==(const TextList& other) const {
    return std::equal(begin(), end(), other.begin(), other.end());
  }

  void reserve(std::size_t texts, std::size_t bytes) {
    places_.reserve(texts);
    bytes_.reserve(bytes);
  }
  void push_back(std::string_view text) { push_back(text, text.data() + text.size()); }
  // The same, and quicker where memory may be read past the text, up to `end`.
  void push_back(std::string_view text, const char* end) { places_.push_back(stored(text, end)); }
  void append(std::initializer_list<std::string_view> texts) {
    for (const std::string_view text : texts) push_back(text);
  }
  void set(std::size_t index, std::string_view text) {
    places_[index] = stored(text, text.data() + text.size());
  }
  void resize(std::size_t size) { places_.resize(size); }  // new ones are empty

 private:
  struct Place {
    std::uint32_t begin = 0;
    std::uint32_t bytes = 0;
  };

  Place stored(std::string_view text, const char* end) {
    const Place place{.begin = static_cast<std::uint32_t>(bytes_.size()),
                      .bytes = static_cast<std::uint32_t>(text.size())};
    bytes_.append(text, end);
    return place;
  }

  TextBuffer bytes_;
  std::vector<Place> places_;
};

}  // namespace hangar
