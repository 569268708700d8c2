// Python's view of text: strings are UTF-8 here, but are counted, cut and cased by code point.
//
// Promise: a byte that is not valid UTF-8 counts as one code point and is kept as it is.
// Errors: none.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hangar::jinja {

// The code point at byte `offset` (U+FFFD for a bad byte); moves offset past it.
char32_t next_code_point(std::string_view text, std::size_t& offset);
void append_code_point(std::string& out, char32_t code_point);
bool is_valid_utf8(std::string_view text);

std::size_t count_code_points(std::string_view text);
// The byte offset of code point `index`; the length in bytes where there are fewer.
std::size_t offset_of_code_point(std::string_view text, std::size_t index);
// As much of the start of `text` as fits `bytes` without cutting a code point: for messages.
std::string_view start_of(std::string_view text, std::size_t bytes);
std::vector<std::string_view> split_code_points(std::string_view text);

bool is_space(char32_t code_point);
bool is_printable(char32_t code_point);
bool is_letter(char32_t code_point);
bool is_digit(char32_t code_point);
bool is_name_part(char32_t code_point);  // what \w matches
bool is_upper_case(char32_t code_point);
bool is_lower_case(char32_t code_point);

std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
std::string to_title_first(std::string_view text);  // first code point title case, the rest lower
std::string to_title_words(std::string_view text);  // str.title()
std::string swap_case(std::string_view text);

// str.strip(): `chars` empty means white space.
std::string_view strip_left(std::string_view text, std::string_view chars, bool white_space);
std::string_view strip_right(std::string_view text, std::string_view chars, bool white_space);

// str.splitlines(): Python's line ends, with the ends kept or not.
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends);

}  // namespace hangar::jinja
