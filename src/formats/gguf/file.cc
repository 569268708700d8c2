#include "formats/gguf/file.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <unordered_set>

#include "formats/gguf/ggml_types.h"

namespace hangar::gguf {
namespace {

constexpr std::uint64_t kMaxKeyBytes = 65535;
constexpr std::uint64_t kMaxTensorNameBytes = 64;
constexpr std::uint32_t kMaxDimensions = 4;
constexpr std::uint64_t kMaxAlignment = 1U << 20U;
// The least that an entry can take: a key's length, a byte of key, a type and a one-byte value; a
// name's length, a byte of name, the count of dimensions, a type and an offset.
constexpr std::uint64_t kMinMetadataBytes = 8 + 1 + 4 + 1;
constexpr std::uint64_t kMinTensorBytes = 8 + 1 + 4 + 4 + 8;

struct Header {
  std::uint32_t version;
  std::uint64_t tensors;
  std::uint64_t metadata;
};

// A tensor as listed, its data not yet looked up.
struct Listing {
  TensorView view;
  std::uint64_t offset = 0;  // from the start of the data section
  std::uint64_t bytes = 0;
};

Result<Header> read_header(Cursor& cursor) {
  HANGAR_TRY(const std::span<const std::byte> magic, cursor.take(4, "magic"));
  if (std::memcmp(magic.data(), "GGUF", 4) != 0) {
    const std::string_view found(reinterpret_cast<const char*>(magic.data()), 4);
    return make_error(ErrorCode::kCorrupt, "{}: magic is '{}', 'GGUF' expected", cursor.file(),
                      printable(found));
  }
  Header header{};
  HANGAR_TRY(header.version, cursor.read<std::uint32_t>("version"));
  if (header.version != 0 && (header.version & 0xFFFFU) == 0) {
    return make_error(ErrorCode::kUnsupported,
                      "{}: is a big-endian GGUF file (version field 0x{:08x}), little-endian "
                      "expected; convert it with gguf-convert-endian",
                      cursor.file(), header.version);
  }
  if (header.version != 2 && header.version != 3) {
    return make_error(ErrorCode::kUnsupported, "{}: GGUF version is {}, 2 or 3 expected",
                      cursor.file(), header.version);
  }
  HANGAR_TRY(header.tensors, cursor.read<std::uint64_t>("tensor count"));
  HANGAR_TRY(header.metadata, cursor.read_count("metadata count", kMinMetadataBytes));
  HANGAR_CHECK_OK(cursor.check_count(header.tensors, "tensor count", kMinTensorBytes));
  return header;
}

Status read_metadata(Cursor& cursor, std::uint64_t count, Metadata& metadata) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string what = fmt::format("key {} of {}", i + 1, count);
    HANGAR_TRY(const std::string_view key, cursor.read_string(what, kMaxKeyBytes));
    if (key.empty()) {
      return make_error(ErrorCode::kCorrupt, "{}: {} is empty, a name expected", cursor.file(),
                        what);
    }
    HANGAR_TRY(const ValueType type, read_value_type(cursor, key));
    HANGAR_TRY(Value value, read_value(cursor, type, key));
    if (!metadata.add(key, std::move(value))) {
      return make_error(ErrorCode::kCorrupt, "{}: metadata '{}' is there twice, once expected",
                        cursor.file(), printable(key, 100));
    }
  }
  return {};
}

Result<std::uint64_t> read_alignment(const Metadata& metadata) {
  const Value* value = metadata.find("general.alignment");
  if (value == nullptr) return 32;
  const auto* alignment = std::get_if<std::uint64_t>(&value->data);
  if (alignment == nullptr || !std::has_single_bit(*alignment) || *alignment < 8 ||
      *alignment > kMaxAlignment) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: metadata 'general.alignment': {} found, a power of two from 8 to {} "
                      "expected",
                      metadata.file(), to_text(*value), kMaxAlignment);
  }
  return *alignment;
}

// The dimensions, turned outermost first, with the product checked to fit 63 bits.
Result<std::vector<std::int64_t>> read_shape(Cursor& cursor, std::string_view what) {
  HANGAR_TRY(const std::uint32_t dimensions, cursor.read<std::uint32_t>(what));
  if (dimensions > kMaxDimensions) {
    return make_error(ErrorCode::kCorrupt, "{}: {}: {} dimensions, at most {} expected",
                      cursor.file(), what, dimensions, kMaxDimensions);
  }
  std::vector<std::int64_t> shape(dimensions);
  std::uint64_t elements = 1;
  for (std::uint32_t d = 0; d < dimensions; ++d) {
    HANGAR_TRY(const std::uint64_t size, cursor.read<std::uint64_t>(what));
    if (size == 0) {
      return make_error(ErrorCode::kCorrupt, "{}: {}: dimension {} is 0, at least 1 expected",
                        cursor.file(), what, d);
    }
    // A block takes at most 8 bytes an element, so this also keeps the byte count in 64 bits.
    constexpr std::uint64_t kMaxElements =
        static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / 8;
    if (size > kMaxElements / elements) {
      return make_error(ErrorCode::kCorrupt,
                        "{}: {}: dimension {} is {}: the product of the dimensions overflows",
                        cursor.file(), what, d, size);
    }
    elements *= size;
    shape[dimensions - 1 - d] = static_cast<std::int64_t>(size);
  }
  return shape;
}

Result<DType> read_dtype(Cursor& cursor, std::string_view what) {
  HANGAR_TRY(const std::uint32_t number, cursor.read<std::uint32_t>(what));
  const GgmlType* type = find_ggml_type(number);
  if (type == nullptr) {
    return make_error(ErrorCode::kUnsupported, "{}: {}: type number {} is unknown; supported: {}",
                      cursor.file(), what, number, supported_ggml_types());
  }
  if (!type->dtype) {
    return make_error(ErrorCode::kUnsupported, "{}: {}: type {} is not supported; supported: {}",
                      cursor.file(), what, type->name, supported_ggml_types());
  }
  return *type->dtype;
}

Result<Listing> read_listing(Cursor& cursor, std::uint64_t i, std::uint64_t count) {
  Listing listing;
  const std::string number = fmt::format("name of tensor {} of {}", i + 1, count);
  HANGAR_TRY(const std::string_view name, cursor.read_string(number, kMaxTensorNameBytes));
  if (name.empty()) {
    return make_error(ErrorCode::kCorrupt, "{}: {} is empty, a name expected", cursor.file(),
                      number);
  }
  const std::string what = fmt::format("tensor '{}'", printable(name));
  listing.view.name = name;
  HANGAR_TRY(listing.view.shape, read_shape(cursor, what));
  HANGAR_TRY(listing.view.dtype, read_dtype(cursor, what));
  HANGAR_TRY(listing.offset, cursor.read<std::uint64_t>(what));
  const DTypeInfo& info = dtype_info(listing.view.dtype);
  if (listing.view.columns() % info.block_elements != 0) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: {}: rows of {} elements, a multiple of {} expected for {}",
                      cursor.file(), what, listing.view.columns(), info.block_elements, info.name);
  }
  listing.bytes = row_bytes(listing.view.dtype, listing.view.elements());
  return listing;
}

Status check_no_overlap(std::vector<Listing>& listings, std::string_view file) {
  std::vector<const Listing*> sorted;
  sorted.reserve(listings.size());
  for (const Listing& listing : listings) sorted.push_back(&listing);
  std::sort(sorted.begin(), sorted.end(),
            [](const Listing* a, const Listing* b) { return a->offset < b->offset; });
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    const Listing& before = *sorted[i - 1];
    const Listing& after = *sorted[i];
    if (before.offset + before.bytes > after.offset) {
      return make_error(ErrorCode::kCorrupt,
                        "{}: tensor '{}': offset {} lies inside tensor '{}' ({} bytes at {}), no "
                        "overlap expected",
                        file, printable(after.view.name), after.offset, printable(before.view.name),
                        before.bytes, before.offset);
    }
  }
  return {};
}

// Cuts each tensor's bytes out of the data section.
Status place(std::vector<Listing>& listings, std::span<const std::byte> data,
             std::uint64_t alignment, std::string_view file) {
  for (Listing& listing : listings) {
    if (listing.offset % alignment != 0) {
      return make_error(ErrorCode::kCorrupt,
                        "{}: tensor '{}': offset {}, a multiple of the alignment {} expected", file,
                        printable(listing.view.name), listing.offset, alignment);
    }
    if (listing.bytes > data.size() || listing.offset > data.size() - listing.bytes) {
      return make_error(ErrorCode::kCorrupt,
                        "{}: tensor '{}': {} bytes at offset {} of the data section, which has {} "
                        "bytes (is the file cut short?)",
                        file, printable(listing.view.name), listing.bytes, listing.offset,
                        data.size());
    }
    listing.view.data = data.subspan(static_cast<std::size_t>(listing.offset),
                                     static_cast<std::size_t>(listing.bytes));
  }
  return check_no_overlap(listings, file);
}

}  // namespace

Result<File> parse_file(std::span<const std::byte> bytes, std::string_view name) {
  Cursor cursor(bytes, name);
  HANGAR_TRY(const Header header, read_header(cursor));
  File file;
  file.version = header.version;
  file.metadata = Metadata(std::string(name));
  HANGAR_CHECK_OK(read_metadata(cursor, header.metadata, file.metadata));
  HANGAR_TRY(file.alignment_bytes, read_alignment(file.metadata));

  HANGAR_CHECK_OK(cursor.check_count(header.tensors, "tensor count", kMinTensorBytes));
  std::vector<Listing> listings;
  std::unordered_set<std::string_view> names;
  for (std::uint64_t i = 0; i < header.tensors; ++i) {
    HANGAR_TRY(Listing listing, read_listing(cursor, i, header.tensors));
    listings.push_back(std::move(listing));
  }
  for (const Listing& listing : listings) {
    if (!names.insert(listing.view.name).second) {
      return make_error(ErrorCode::kCorrupt, "{}: tensor '{}' is there twice, once expected", name,
                        printable(listing.view.name));
    }
  }
  if (listings.empty()) return file;  // a vocabulary has no data section, not even padding

  const std::size_t padding =
      (file.alignment_bytes - cursor.offset() % file.alignment_bytes) % file.alignment_bytes;
  HANGAR_CHECK_OK(cursor.take(padding, "padding before the tensors' data"));
  const std::span<const std::byte> data = bytes.subspan(cursor.offset());
  HANGAR_CHECK_OK(place(listings, data, file.alignment_bytes, name));
  file.tensors.reserve(listings.size());
  for (Listing& listing : listings) file.tensors.push_back(std::move(listing.view));
  return file;
}

}  // namespace hangar::gguf
