#include "formats/hf/safetensors.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <limits>
#include <optional>
#include <tuple>

#include "formats/gguf/cursor.h"
#include "formats/hf/strict_json.h"

namespace hangar::hf {
namespace {

using gguf::printable;

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
constexpr std::size_t kMaxDimensions = 8;
constexpr std::size_t kMaxNameBytes = 1024;

struct TypeInfo {
  RawType type;
  std::string_view name;
  std::size_t bytes;
};
constexpr std::array kTypes = {
    TypeInfo{RawType::kBool, "BOOL", 1},      TypeInfo{RawType::kU8, "U8", 1},
    TypeInfo{RawType::kI8, "I8", 1},          TypeInfo{RawType::kF8E4M3, "F8_E4M3", 1},
    TypeInfo{RawType::kF8E5M2, "F8_E5M2", 1}, TypeInfo{RawType::kI16, "I16", 2},
    TypeInfo{RawType::kU16, "U16", 2},        TypeInfo{RawType::kF16, "F16", 2},
    TypeInfo{RawType::kBF16, "BF16", 2},      TypeInfo{RawType::kI32, "I32", 4},
    TypeInfo{RawType::kU32, "U32", 4},        TypeInfo{RawType::kF32, "F32", 4},
    TypeInfo{RawType::kI64, "I64", 8},        TypeInfo{RawType::kU64, "U64", 8},
    TypeInfo{RawType::kF64, "F64", 8},
};
// Types of the format that nothing here reads.
constexpr std::array<std::string_view, 7> kKnownTypes = {
    "F4", "F6_E2M3", "F6_E3M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "C64"};

const TypeInfo& info_of(RawType type) {
  return kTypes[static_cast<std::size_t>(type)];
}

std::uint64_t read_length(std::span<const std::byte> bytes) {
  std::uint64_t length = 0;
  for (std::size_t i = kLengthBytes; i-- > 0;) {
    length = length << 8U | std::to_integer<std::uint64_t>(bytes[i]);
  }
  return length;
}

// A header entry, its place still as numbers.
struct Entry {
  RawTensor tensor;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// JSON numbers that are whole and not negative.
std::optional<std::uint64_t> whole(const boost::json::value& value) {
  if (const auto* i = value.if_int64(); i != nullptr && *i >= 0) {
    return static_cast<std::uint64_t>(*i);
  }
  if (const auto* u = value.if_uint64()) return *u;
  return std::nullopt;
}

class HeaderReader {
 public:
  HeaderReader(std::string_view file, std::uint64_t data_bytes)
      : file_(file), data_bytes_(data_bytes) {}

  Status read(const boost::json::object& header) {
    for (const auto& member : header) {
      const std::string_view key = member.key();
      if (key == "__metadata__") {
        HANGAR_CHECK_OK(read_metadata(member.value()));
      } else {
        HANGAR_CHECK_OK(read_entry(key, member.value()));
      }
    }
    return check_cover();
  }

  SafetensorsFile finish(std::span<const std::byte> data) {
    SafetensorsFile out;
    out.metadata = std::move(metadata_);
    out.tensors.reserve(entries_.size());
    for (Entry& entry : entries_) {
      entry.tensor.data = data.subspan(entry.begin, entry.end - entry.begin);
      out.tensors.push_back(std::move(entry.tensor));
    }
    return out;
  }

 private:
  template <typename... Args>
  tl::unexpected<Error> bad(std::string_view tensor, fmt::format_string<Args...> format,
                            Args&&... args) const {
    return make_error(ErrorCode::kCorrupt, "{}: tensor '{}': {}", file_, printable(tensor, 200),
                      fmt::format(format, std::forward<Args>(args)...));
  }

  Status read_metadata(const boost::json::value& value) {
    if (!value.is_object()) {
      return make_error(ErrorCode::kCorrupt, "{}: '__metadata__' is not an object of strings",
                        file_);
    }
    for (const auto& member : value.get_object()) {
      if (!member.value().is_string()) {
        return make_error(ErrorCode::kCorrupt, "{}: '__metadata__': '{}' is not a string", file_,
                          printable(member.key(), 100));
      }
      metadata_.emplace_back(member.key(), member.value().get_string());
    }
    return {};
  }

  Result<RawType> read_type(std::string_view tensor, const boost::json::value* value) const {
    if (value == nullptr || !value->is_string()) return bad(tensor, "'dtype' is no string");
    const std::string_view name = value->get_string();
    for (const TypeInfo& info : kTypes) {
      if (info.name == name) return info.type;
    }
    if (std::find(kKnownTypes.begin(), kKnownTypes.end(), name) != kKnownTypes.end()) {
      return make_error(ErrorCode::kUnsupported, "{}: tensor '{}': dtype {} is not supported",
                        file_, printable(tensor, 200), name);
    }
    return make_error(ErrorCode::kUnsupported, "{}: tensor '{}': dtype '{}' is not known", file_,
                      printable(tensor, 200), printable(name, 40));
  }

  // Fills the shape; gives the bytes that it and the type call for.
  Result<std::uint64_t> read_shape(const boost::json::value* value, RawTensor& tensor) const {
    if (value == nullptr || !value->is_array()) {
      return bad(tensor.name, "'shape' is no list of numbers");
    }
    const boost::json::array& shape = value->get_array();
    if (shape.size() > kMaxDimensions) {
      return bad(tensor.name, "{} dimensions found, at most {} expected", shape.size(),
                 kMaxDimensions);
    }
    constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    std::uint64_t bytes = safetensors_type_bytes(tensor.type);
    bool empty = false;
    for (const boost::json::value& item : shape) {
      const std::optional<std::uint64_t> size = whole(item);
      if (!size) return bad(tensor.name, "'shape' holds {}, a whole number expected", brief(item));
      if (*size > kMost / bytes) {
        return bad(tensor.name, "shape {}: the product overflows", brief(*value));
      }
      empty = empty || *size == 0;
      if (*size > 0) bytes *= *size;
      tensor.shape.push_back(static_cast<std::int64_t>(*size));
    }
    return empty ? 0 : bytes;
  }

  Status read_entry(std::string_view name, const boost::json::value& value) {
    if (name.empty() || name.size() > kMaxNameBytes) {
      return bad(name, "the name has {} bytes, 1 to {} expected", name.size(), kMaxNameBytes);
    }
    if (!value.is_object()) return bad(name, "its entry is not an object");
    const boost::json::object& object = value.get_object();
    for (const auto& member : object) {
      const std::string_view key = member.key();
      if (key != "dtype" && key != "shape" && key != "data_offsets") {
        return make_error(ErrorCode::kUnsupported, "{}: tensor '{}': key '{}' is not known", file_,
                          printable(name, 200), printable(key, 100));
      }
    }
    Entry entry;
    entry.tensor.name = name;
    HANGAR_TRY(entry.tensor.type, read_type(name, object.if_contains("dtype")));
    HANGAR_TRY(const std::uint64_t bytes, read_shape(object.if_contains("shape"), entry.tensor));
    const boost::json::value* offsets = object.if_contains("data_offsets");
    if (offsets == nullptr || !offsets->is_array() || offsets->get_array().size() != 2) {
      return bad(name, "'data_offsets' is no pair of numbers");
    }
    const std::optional<std::uint64_t> begin = whole(offsets->get_array()[0]);
    const std::optional<std::uint64_t> end = whole(offsets->get_array()[1]);
    if (!begin || !end || *begin > *end || *end > data_bytes_) {
      return bad(name, "data_offsets {} found, but the file has {} bytes of data", brief(*offsets),
                 data_bytes_);
    }
    if (*end - *begin != bytes) {
      return bad(name, "{} bytes of data found, but {} {} takes {}", *end - *begin,
                 safetensors_type_name(entry.tensor.type), brief(*object.if_contains("shape")),
                 bytes);
    }
    entry.begin = *begin;
    entry.end = *end;
    entries_.push_back(std::move(entry));
    return {};
  }

  // In the order of their places, each tensor starts where the one before ends.
  Status check_cover() {
    std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
      return std::tie(a.begin, a.end, a.tensor.name) < std::tie(b.begin, b.end, b.tensor.name);
    });
    std::uint64_t covered = 0;
    const Entry* before = nullptr;
    for (const Entry& entry : entries_) {
      if (entry.begin < covered) {
        return bad(entry.tensor.name, "starts at byte {} of the data, inside tensor '{}'",
                   entry.begin, printable(before->tensor.name, 200));
      }
      if (entry.begin > covered) {
        return bad(entry.tensor.name, "starts at byte {} of the data, {} expected: there is a hole",
                   entry.begin, covered);
      }
      covered = entry.end;
      before = &entry;
    }
    if (covered != data_bytes_) {
      return make_error(ErrorCode::kCorrupt,
                        "{}: {} bytes of data found, but the header lists {} bytes of tensors",
                        file_, data_bytes_, covered);
    }
    return {};
  }

  std::string_view file_;
  std::uint64_t data_bytes_;
  std::vector<Entry> entries_;
  std::vector<std::pair<std::string, std::string>> metadata_;
};

}  // namespace

std::string_view safetensors_type_name(RawType type) {
  return info_of(type).name;
}

std::size_t safetensors_type_bytes(RawType type) {
  return info_of(type).bytes;
}

bool looks_like_safetensors(std::span<const std::byte> bytes) {
  if (bytes.size() < kLengthBytes + 2 || bytes[kLengthBytes] != std::byte{'{'}) return false;
  const std::uint64_t length = read_length(bytes);
  return length >= 2 && length <= bytes.size() - kLengthBytes;
}

Result<SafetensorsFile> parse_safetensors(std::span<const std::byte> bytes, std::string_view name) {
  if (bytes.size() < kLengthBytes) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: {} bytes found, a safetensors file has at least 10; it is cut short",
                      name, bytes.size());
  }
  const std::uint64_t length = read_length(bytes);
  if (length > kMaxHeaderBytes) {
    return make_error(
        ErrorCode::kCorrupt,
        "{}: header length {} found, at most {} expected; is this a safetensors file?", name,
        length, kMaxHeaderBytes);
  }
  if (length > bytes.size() - kLengthBytes) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: header length {} found, but only {} bytes follow; the file is cut short",
                      name, length, bytes.size() - kLengthBytes);
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length);
  if (text.empty() || text.front() != '{') {
    return make_error(ErrorCode::kCorrupt, "{}: the header does not start with '{{'", name);
  }
  HANGAR_TRY(const boost::json::object header, parse_object(text, fmt::format("{}: header", name)));
  const std::span<const std::byte> data = bytes.subspan(kLengthBytes + length);
  HeaderReader reader(name, data.size());
  HANGAR_CHECK_OK(reader.read(header));
  return reader.finish(data);
}

}  // namespace hangar::hf
