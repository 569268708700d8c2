// Names: an enumeration's values by name, and back.
//
// Promise: of(value) is its name, "" where it has none; of(name) its value. begin() to end() are
//   pairs of both, in the order of the list.
// Errors: of(name): nullopt for any other name. A list with two alike does not compile.
// Threads: values.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

namespace hangar {

template <typename Enum, std::size_t kCount>
class Names {
 public:
  using Named = std::pair<Enum, std::string_view>;

  consteval explicit Names(const std::array<Named, kCount>& all) : all_(all) {
    for (std::size_t i = 0; i < kCount; ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (all[i].first == all[j].first || all[i].second == all[j].second) throw "two alike";
      }
    }
  }

  constexpr std::string_view of(Enum value) const {
    const auto* found = std::ranges::find(begin(), end(), value, &Named::first);
    return found == end() ? std::string_view() : found->second;
  }
  constexpr std::optional<Enum> of(std::string_view name) const {
    const auto* found = std::ranges::find(begin(), end(), name, &Named::second);
    if (found == end()) return std::nullopt;
    return found->first;
  }

  constexpr const Named* begin() const { return all_.data(); }
  constexpr const Named* end() const { return all_.data() + kCount; }

 private:
  std::array<Named, kCount> all_;
};

// names_of<Enum>({{value, name}, ...})
template <typename Enum, std::size_t kCount>
consteval Names<Enum, kCount> names_of(const std::pair<Enum, std::string_view> (&list)[kCount]) {
  return Names<Enum, kCount>(std::to_array(list));
}

}  // namespace hangar
