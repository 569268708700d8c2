// Numbers as people read them: 98.4 MB, 134.5M, 1.25 s.
//
// Promise: three or four digits and a unit; decimal units (1 MB = 1,000,000 bytes), as file
//   managers and GPU makers count.
// Errors: parse_bytes, parse_share: nullopt for what is none.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hangar {

std::string format_bytes(std::uint64_t bytes);  // "98.4 MB"
// "2GB", "1.5 GiB", "512 MiB", "1000": a number above 0 and B, KB, MB, GB, TB (thousands) or KiB
// and so on (1,024), in either case; nothing: bytes.
std::optional<std::uint64_t> parse_bytes(std::string_view text);
// "0.9", "1": a part of a whole, above 0 and up to 1; nothing else, and no unit.
std::optional<double> parse_share(std::string_view text);
std::string format_count(std::uint64_t count);      // "134.5M"
std::string format_duration(std::int64_t time_us);  // "850 us", "12.3 ms", "1.25 s", "2 min 05 s"

}  // namespace hangar
