// A file of prepared weights (tensor/prepared_weights.h).
//
// Promise: open_prepared maps the file if it is whole and of just these model files, this program's
//   version and this layout; reading takes place as the weights are used. PreparedFileWriter writes
//   beside the name and renames at finish(), so that under the name there is at all times a whole
//   file, the old or the new; without finish() nothing stays. Of two that write the same file one
//   is refused.
// Layout: a page with the header (prepared_format.h), sections, each on its own pages, then the
//   index as JSON. Header and index carry their hashes; a section's hash is checked by
//   verify_prepared only, since to check it is to read all of the file.
// Errors: open_prepared: kNotFound where there is none; else kCorrupt (damaged) or
//   kUnsupported (of another model, version or layout), with the reason: prepare again.
//   Writer: kUnavailable where another process writes it; kResourceExhausted; kIo; kCancelled.
// Threads: what open_prepared gives is const; a writer belongs to one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "formats/prepared/file_stamp.h"
#include "tensor/prepared_weights.h"

namespace hangar {

// What a file of prepared weights is of.
struct PreparedFor {
  std::string model;   // the first file's path, for people
  std::string layout;  // the backend's (prepared_layout), with the program's version
  std::vector<FileStamp> files;
};

Result<std::shared_ptr<const PreparedWeights>> open_prepared(const std::filesystem::path& path,
                                                             const PreparedFor& wanted);
// Reads all sections and checks their hashes, too.
Status verify_prepared(const std::filesystem::path& path, const PreparedFor& wanted);
// Which model a file of prepared weights is of; "" where it cannot be said.
std::string model_of_prepared(const std::filesystem::path& path);

class PreparedFileWriter final : public PreparedSink {
 public:
  struct Options {
    std::filesystem::path path;
    PreparedFor prepared_for;
    std::uint64_t expected_bytes = 0;  // room that must be there
    std::function<bool()> cancelled;   // asked at each section; empty: never
  };
  static Result<std::unique_ptr<PreparedFileWriter>> create(Options options);
  ~PreparedFileWriter() override;
  PreparedFileWriter(const PreparedFileWriter&) = delete;
  PreparedFileWriter& operator=(const PreparedFileWriter&) = delete;

  Status add(const PreparedId& id, std::string_view form, std::span<const std::byte> data) override;
  // The file gets its name. Nothing is added afterwards.
  Status finish();
  std::uint64_t bytes() const { return end_; }

  // What the file is called while it is written.
  static std::filesystem::path draft_of(const std::filesystem::path& path);

 private:
  struct Section {
    std::string name;
    std::string form;
    std::int64_t first_row, rows, columns;
    std::uint64_t at, bytes, hash;
  };

  PreparedFileWriter(Options options, int fd);
  Status write(std::uint64_t at, std::span<const std::byte> data);
  std::string index() const;

  Options options_;
  int fd_;
  bool finished_ = false;
  std::uint64_t end_;
  std::vector<Section> sections_;
  std::unordered_set<std::string> ids_;
};

}  // namespace hangar
