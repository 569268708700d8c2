// What the readers of config.json's "quantization_config" share.
//
// Promise: messages name the key as it stands in the file: "config.json:
//   'quantization_config.bits': 3 found; 4 is read".
// Errors: kUnsupported for a setting that is known and not read; kCorrupt for one of another type.
// Threads: pure functions.
#pragma once

#include <boost/json.hpp>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/result.h"
#include "formats/hf/fields.h"

namespace hangar::hf {

Fields quantization_fields(const boost::json::object& quantization_config);

// "groups of 128"; -1: "one group a row".
std::string groups_text(std::int64_t group_size);

// "group_size" (or what old files call it), -1 or above 0; it must be there.
Result<std::int64_t> read_group_size(const Fields& fields, std::string_view old_key);

// The value of `key` (or old_key), which must be there and among `read`.
Result<std::int64_t> require_integer(const Fields& fields, std::string_view key,
                                     std::initializer_list<std::int64_t> read,
                                     std::string_view old_key = "");
// A key that may be missing: its value is among `read`.
Status require_text(const Fields& fields, std::string_view key,
                    std::initializer_list<std::string_view> read);
// A key that may be missing: its value is not among `refused`.
Status refuse_text(const Fields& fields, std::string_view key,
                   std::initializer_list<std::string_view> refused, std::string_view way_out);
// A key that may be missing, null, false or empty: it is.
Status refuse_present(const Fields& fields, std::string_view key, std::string_view why);

}  // namespace hangar::hf
