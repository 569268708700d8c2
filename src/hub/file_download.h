// FileDownload: one file from the hub to the disk, however often the connection is cut.
//
// Promise: bytes go to TARGET.part and are hashed as they come; what is there is asked for no more
//   (Range, with If-Range where the server names its version). When all have come and the hash is
//   the hub's, the file gets its name, whole and on the disk. A wrong hash or a contradictory
//   answer is taken from zero once more, then it is an error. A part that a later run finds is gone
//   on with after prepare() has hashed it.
// Units: bytes, microseconds of monotonic_us().
// Errors: error() once state() is kFailed: kCorrupt (hash, size), status_error's, kUnavailable and
//   kDeadlineExceeded after the last retry, those of the disk.
// Threads: prepare() on any one thread; then all on the HttpClient's.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hub/digest.h"
#include "hub/http.h"
#include "hub/parallel.h"
#include "hub/repo_api.h"
#include "hub/session.h"

namespace hangar::hub {

class FileDownload : public HttpSink {
 public:
  enum class State : std::uint8_t { kWaiting, kRunning, kDone, kFailed };

  FileDownload(Session& session, HubFile file, std::string url, std::string commit,
               std::filesystem::path target);
  ~FileDownload() override;
  FileDownload(const FileDownload&) = delete;
  FileDownload& operator=(const FileDownload&) = delete;

  // Opens the part and hashes what it holds.
  Status prepare(WorkMeter& meter);
  // Starts the request, or ends at once where every byte is here. kWaiting, and ready_us is past.
  void begin();
  void stop();  // as if it had never begun: the part stays

  State state() const { return state_; }
  std::int64_t ready_us() const { return ready_us_; }
  std::uint64_t bytes_here() const { return offset_; }
  std::uint64_t bytes_received() const { return received_; }
  const HubFile& file() const { return file_; }
  const Error& error() const { return error_; }
  const std::string& sha256() const { return sha256_; }  // once kDone

  bool head(const HttpHead& head) override;
  bool body(std::string_view bytes) override;
  void end(const HttpOutcome& outcome) override;

 private:
  // Why head() or body() stopped the answer.
  enum class Stop : std::uint8_t { kNone, kStatus, kWrongAnswer, kRangeRefused, kDisk };

  Status start_over();
  Status open_part();
  void keep_version(const std::string& etag);
  std::string kept_version() const;
  bool stop_with(Stop stop, std::string words);
  void check_whole();
  Status give_name();
  void wrong_answer(std::string words);
  void try_again(Error error, int most_retries, std::int64_t retry_after_us);
  void fail(Error error);

  Session& session_;
  HubFile file_;
  std::string url_;
  std::string commit_;
  std::filesystem::path target_;
  std::filesystem::path part_;
  int fd_ = -1;
  std::uint64_t offset_ = 0;
  std::uint64_t received_ = 0;
  Digest sha256_digest_;
  std::optional<Digest> git_digest_;
  std::string sha256_;

  State state_ = State::kWaiting;
  std::int64_t ready_us_ = 0;
  Error error_;
  int failures_ = 0;
  int wrong_answers_ = 0;
  // Offset at the last failure that had come further than all before: starting over is no progress.
  std::uint64_t highest_ = 0;
  HttpHead head_;
  Stop stop_ = Stop::kNone;
  std::string stop_words_;
};

// All of them, at most `jobs` at once. The first that fails ends the others, whose parts stay.
Status download_all(Session& session, std::vector<std::unique_ptr<FileDownload>>& downloads,
                    int jobs);

}  // namespace hangar::hub
