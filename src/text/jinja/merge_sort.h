// merge_sort: a stable sort whose comparison may throw, or contradict itself (NaN), without harm.
//
// Promise: equal elements keep their order; the vector holds the same elements even where `less`
//   is no order at all. (std::sort may read out of bounds then, and std::stable_sort of this
//   standard library does not compile without a warning under Clang.)
// Errors: what `less` throws; the vector's elements are then in an unspecified state.
// Threads: pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace hangar::jinja {

template <typename T, typename Less>
void merge_sort(std::vector<T>& items, Less less) {
  const std::size_t size = items.size();
  std::vector<T> merged(size);
  for (std::size_t width = 1; width < size; width *= 2) {
    for (std::size_t begin = 0; begin < size; begin += 2 * width) {
      const std::size_t middle = std::min(begin + width, size);
      const std::size_t end = std::min(middle + width, size);
      std::size_t left = begin;
      std::size_t right = middle;
      for (std::size_t out = begin; out < end; ++out) {
        const bool take_right = left == middle || (right < end && less(items[right], items[left]));
        merged[out] = std::move(items[take_right ? right++ : left++]);
      }
    }
    std::swap(items, merged);
  }
}

}  // namespace hangar::jinja
