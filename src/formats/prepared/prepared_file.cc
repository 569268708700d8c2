#include "formats/prepared/prepared_file.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstring>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "base/json.h"
#include "base/mapped_file.h"
#include "formats/prepared/prepared_format.h"

namespace hangar {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

struct Entry {
  std::string form;
  std::uint64_t at = 0;
  std::uint64_t bytes = 0;
  std::uint64_t hash = 0;
};

struct Index {
  PreparedFor prepared_for;
  std::unordered_map<std::string, Entry> entries;  // by prepared_key
};

class PreparedFile final : public PreparedWeights {
 public:
  PreparedFile(std::shared_ptr<const MappedFile> file, Index index)
      : file_(std::move(file)), index_(std::move(index)) {}

  std::optional<PreparedSection> find(const PreparedId& id) const override {
    const auto it = index_.entries.find(prepared_key(id));
    if (it == index_.entries.end()) return std::nullopt;
    const Entry& entry = it->second;
    return PreparedSection{entry.form, data(entry), file_};
  }

  Status check_hashes() const {
    for (const auto& [key, entry] : index_.entries) {
      const auto bytes = data(entry);
      if (XXH3_64bits(bytes.data(), bytes.size()) != entry.hash) {
        return make_error(ErrorCode::kCorrupt, "{}: the bytes of {} are not what was written",
                          file_->path().string(), key);
      }
      file_->release(bytes);
    }
    return {};
  }

 private:
  std::span<const std::byte> data(const Entry& entry) const {
    return file_->bytes().subspan(entry.at, entry.bytes);
  }

  std::shared_ptr<const MappedFile> file_;
  Index index_;
};

// Reads members by name; what is missing or of another type makes it wrong.
class Members {
 public:
  explicit Members(const json::value& value) : object_(value.if_object()) {
    right_ = object_ != nullptr;
  }
  std::string text(std::string_view key) {
    const json::value* value = find(key);
    const json::string* string = value == nullptr ? nullptr : value->if_string();
    if (string == nullptr) right_ = false;
    return string == nullptr ? std::string() : std::string(*string);
  }
  template <typename T>
  T number(std::string_view key) {
    const json::value* value = find(key);
    if (value != nullptr && value->is_number()) {
      boost::system::error_code failure;
      const T number = value->to_number<T>(failure);
      if (!failure) return number;
    }
    right_ = false;
    return {};
  }
  const json::array* array(std::string_view key) {
    const json::value* value = find(key);
    const json::array* array = value == nullptr ? nullptr : value->if_array();
    if (array == nullptr) right_ = false;
    return array;
  }
  bool right() const { return right_; }

 private:
  const json::value* find(std::string_view key) const {
    return object_ == nullptr ? nullptr : object_->if_contains(key);
  }

  const json::object* object_;
  bool right_;
};

bool read_entry(const json::value& value, std::uint64_t index_at, Index& index) {
  Members members(value);
  const std::string name = members.text("name");
  const PreparedId id{name, members.number<std::int64_t>("first_row"),
                      members.number<std::int64_t>("rows"),
                      members.number<std::int64_t>("columns")};
  Entry entry{members.text("form"), members.number<std::uint64_t>("at"),
              members.number<std::uint64_t>("bytes"), members.number<std::uint64_t>("hash")};
  if (!members.right() || entry.at % kPreparedPage != 0 || entry.at < kPreparedPage ||
      entry.at > index_at || entry.bytes > index_at - entry.at) {
    return false;
  }
  return index.entries.emplace(prepared_key(id), std::move(entry)).second;
}

std::optional<Index> read_index(const json::value& value, std::uint64_t index_at) {
  Index index;
  Members members(value);
  index.prepared_for.model = members.text("model");
  index.prepared_for.layout = members.text("layout");
  const json::array* files = members.array("files");
  const json::array* sections = members.array("sections");
  if (!members.right()) return std::nullopt;
  for (const json::value& one : *files) {
    Members file(one);
    index.prepared_for.files.push_back({file.text("name"), file.number<std::uint64_t>("bytes"),
                                        file.number<std::int64_t>("time_s"),
                                        file.number<std::int64_t>("time_ns"),
                                        file.number<std::uint64_t>("sample")});
    if (!file.right()) return std::nullopt;
  }
  for (const json::value& one : *sections) {
    if (!read_entry(one, index_at, index)) return std::nullopt;
  }
  return index;
}

tl::unexpected<Error> damaged(const fs::path& path, std::string_view how) {
  return make_error(ErrorCode::kCorrupt, "{}: is damaged: {}", path.string(), how);
}

Result<Index> load_index(const MappedFile& file) {
  const auto bytes = file.bytes();
  PreparedHeader header;
  if (bytes.size() < kPreparedPage) return damaged(file.path(), "too short for a header");
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.magic != kPreparedMagic) return damaged(file.path(), "it begins with other bytes");
  if (header.version != kPreparedVersion || header.header_bytes != sizeof(header)) {
    return make_error(ErrorCode::kUnsupported, "{}: is of another version of hangar",
                      file.path().string());
  }
  if (header.header_hash != XXH3_64bits(&header, offsetof(PreparedHeader, header_hash))) {
    return damaged(file.path(), "its header's hash is another");
  }
  if (header.file_bytes != bytes.size()) {
    return damaged(file.path(),
                   fmt::format("{} bytes where {} were written", bytes.size(), header.file_bytes));
  }
  if (header.index_at > bytes.size() || header.index_bytes > bytes.size() - header.index_at) {
    return damaged(file.path(), "its index lies outside of it");
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + header.index_at,
                              header.index_bytes);
  if (header.index_hash != XXH3_64bits(text.data(), text.size())) {
    return damaged(file.path(), "its index's hash is another");
  }
  HANGAR_TRY(const json::value value, parse_json(text, "index"));
  auto index = read_index(value, header.index_at);
  if (!index) return damaged(file.path(), "its index does not say what it should");
  return std::move(*index);
}

Result<std::shared_ptr<const PreparedFile>> open_file(const fs::path& path,
                                                      const PreparedFor& wanted) {
  HANGAR_TRY(MappedFile file, MappedFile::open(path));
  HANGAR_TRY(Index index, load_index(file));
  if (index.prepared_for.layout != wanted.layout) {
    return make_error(ErrorCode::kUnsupported,
                      "{}: is of another version of hangar or another layout of weights: {}, and "
                      "this is {}",
                      path.string(), index.prepared_for.layout, wanted.layout);
  }
  const std::string changed = difference(index.prepared_for.files, wanted.files);
  if (!changed.empty()) {
    return make_error(ErrorCode::kUnsupported, "{}: the model has changed since: {}", path.string(),
                      changed);
  }
  return std::make_shared<const PreparedFile>(std::make_shared<const MappedFile>(std::move(file)),
                                              std::move(index));
}

}  // namespace

std::string prepared_key(const PreparedId& id) {
  return fmt::format("{}\n{}\n{}\n{}", id.name, id.first_row, id.rows, id.columns);
}

Result<std::shared_ptr<const PreparedWeights>> open_prepared(const fs::path& path,
                                                             const PreparedFor& wanted) {
  HANGAR_TRY(std::shared_ptr<const PreparedWeights> file, open_file(path, wanted));
  return file;
}

Status verify_prepared(const fs::path& path, const PreparedFor& wanted) {
  HANGAR_TRY(const std::shared_ptr<const PreparedFile> file, open_file(path, wanted));
  return file->check_hashes();
}

std::string model_of_prepared(const fs::path& path) {
  const auto file = MappedFile::open(path);
  if (!file) return {};
  const auto index = load_index(*file);
  return index ? index->prepared_for.model : std::string();
}

}  // namespace hangar
