// What string methods and text filters share: splitting, replacing, padding, counting.
//
// Promise: Python's results, by code point; the pieces are views of the text given.
// Errors: limits pass as kResourceExhausted, thrown, where there is a heap.
// Threads: pure, save for the caller's heap.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hangar::jinja {

class Heap;

// str.split() and str.rsplit(): most < 0 means as many as there are.
std::vector<std::string_view> split_white_space(std::string_view text, std::int64_t most,
                                                bool from_right);
std::vector<std::string_view> split_at(std::string_view text, std::string_view separator,
                                       std::int64_t most, bool from_right);
// str.replace(); an empty `from` stands between all code points.
std::string replace_all(Heap& heap, std::string_view text, std::string_view from,
                        std::string_view to, std::int64_t most);
std::size_t count_of(std::string_view text, std::string_view piece);
std::string pad(Heap& heap, std::string_view text, std::string_view fill, std::size_t left,
                std::size_t right);
bool is_upper_text(std::string_view text);  // str.isupper()
bool is_lower_text(std::string_view text);

}  // namespace hangar::jinja
