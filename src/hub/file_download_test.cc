#include "hub/file_download.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <limits>

#include "base/mapped_file.h"
#include "hub/testing/scripted_client.h"

namespace hangar::hub {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const std::string kCommit(40, 'c');
const std::string kText = "0123456789abcdefghij";
// sha256sum and git hash-object of kText.
std::string sha256_of(std::string_view text) {
  Digest digest(DigestKind::kSha256, 0);
  digest.update(std::as_bytes(std::span(text.data(), text.size())));
  return digest.hex();
}

HttpHead head_of(int status, std::int64_t length = -1) {
  HttpHead head;
  head.status = status;
  head.content_bytes = length;
  head.etag = "\"v1\"";
  return head;
}

HttpHead part_head(const std::string& range) {
  HttpHead head = head_of(206);
  head.content_range = range;
  return head;
}

class FileDownloadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / ("file_download_" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    session_.policy.first_wait_us = 0;
    session_.policy.most_wait_us = 0;
  }
  void TearDown() override { fs::remove_all(folder_); }

  Status fetch(const HubFile& file) {
    std::vector<std::unique_ptr<FileDownload>> all;
    all.push_back(
        std::make_unique<FileDownload>(session_, file, "http://h/f", kCommit, folder_ / file.path));
    WorkMeter meter;
    HANGAR_CHECK_OK(all[0]->prepare(meter));
    return download_all(session_, all, 1);
  }
  static HubFile lfs() { return {"f.bin", kText.size(), sha256_of(kText), ""}; }
  std::string contents() const {
    const auto text = read_text_file(folder_ / "f.bin", 1000);
    return text ? *text : "(none)";
  }
  void write_part(std::string_view text) {
    fs::create_directories(folder_);
    std::ofstream(folder_ / "f.bin.part") << text;
  }

  fs::path folder_;
  ScriptedClient client_;
  SilentWatcher watcher_;
  Session session_{client_, watcher_, "http://h", false, {}, std::mt19937_64(1)};
};

TEST_F(FileDownloadTest, AWholeAnswerGetsItsName) {
  client_.answers = {{head_of(200, 20), kText}};
  ASSERT_TRUE(fetch(lfs()).has_value());
  EXPECT_EQ(contents(), kText);
  EXPECT_FALSE(fs::exists(folder_ / "f.bin.part"));
  EXPECT_FALSE(fs::exists(folder_ / "f.bin.part.etag"));
  EXPECT_THAT(watcher_.files, ElementsAre("f.bin"));
  EXPECT_THAT(client_.requests[0].headers, Not(Contains(StartsWith("Range"))));
}

TEST_F(FileDownloadTest, ACutIsGoneOnWith) {
  client_.answers = {{head_of(200, 20), kText.substr(0, 7), {HttpEnd::kBroken, "cut"}},
                     {part_head("bytes 7-19/20"), kText.substr(7)}};
  ASSERT_TRUE(fetch(lfs()).has_value());
  EXPECT_EQ(contents(), kText);
  EXPECT_THAT(client_.requests[1].headers, Contains("Range: bytes=7-"));
  EXPECT_THAT(client_.requests[1].headers, Contains("If-Range: \"v1\""));
  EXPECT_THAT(watcher_.notes, Contains(HasSubstr("cut")));
}

TEST_F(FileDownloadTest, APartOfAnEarlierRunIsGoneOnWith) {
  write_part(kText.substr(0, 12));
  client_.answers = {{part_head("bytes 12-19/*"), kText.substr(12)}};
  ASSERT_TRUE(fetch(lfs()).has_value());
  EXPECT_EQ(contents(), kText);
  EXPECT_THAT(client_.requests[0].headers, Contains("Range: bytes=12-"));
}

TEST_F(FileDownloadTest, AWholePartAsksForNothing) {
  write_part(kText);
  ASSERT_TRUE(fetch(lfs()).has_value());
  EXPECT_EQ(contents(), kText);
  EXPECT_TRUE(client_.requests.empty());
}

TEST_F(FileDownloadTest, AWholeAnswerToARangeBeginsAnew) {
  write_part("WRONG");
  client_.answers = {{head_of(200, 20), kText}};
  ASSERT_TRUE(fetch(lfs()).has_value());
  EXPECT_EQ(contents(), kText);
}

TEST_F(FileDownloadTest, AWrongRangeIsNotTaken) {
  for (const char* range : {"bytes 4-19/20", "bytes 7-19/21", "nonsense", ""}) {
    write_part(kText.substr(0, 7));
    client_.answers = {{part_head(range), kText.substr(7)}, {head_of(200, 20), kText}};
    ASSERT_TRUE(fetch(lfs()).has_value()) << range;
    EXPECT_EQ(contents(), kText) << range;
    EXPECT_THAT(client_.requests.back().headers, Not(Contains(StartsWith("Range"))));
    fs::remove_all(folder_);
  }
}

TEST_F(FileDownloadTest, ARefusedRangeBeginsAnew) {
  write_part(kText.substr(0, 7));
  client_.answers = {{head_of(416), ""}, {head_of(200, 20), kText}};
  ASSERT_TRUE(fetch(lfs()).has_value());
  EXPECT_EQ(contents(), kText);
}

TEST_F(FileDownloadTest, AWrongHashIsTakenOnceMoreThenAnError) {
  const std::string wrong = "x123456789abcdefghij";
  client_.answers = {{head_of(200, 20), wrong}, {head_of(200, 20), kText}};
  ASSERT_TRUE(fetch(lfs()).has_value());
  EXPECT_EQ(contents(), kText);
  EXPECT_THAT(watcher_.notes, Contains(HasSubstr("SHA-256")));

  fs::remove_all(folder_);
  client_.answers = {{head_of(200, 20), wrong}, {head_of(200, 20), wrong}};
  const Status failed = fetch(lfs());
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(failed.error().message, HasSubstr(lfs().sha256));
  EXPECT_EQ(contents(), "(none)");
}

TEST_F(FileDownloadTest, SmallFilesAreCheckedByGitsHash) {
  HubFile file{"f.bin", 6, "", "ce013625030ba8dba906f756967f9e9ca394464a"};
  client_.answers = {{head_of(200, 6), "hello\n"}};
  ASSERT_TRUE(fetch(file).has_value());
  EXPECT_EQ(contents(), "hello\n");
  fs::remove_all(folder_);
  client_.answers = {{head_of(200, 6), "hellO\n"}, {head_of(200, 6), "hellO\n"}};
  EXPECT_EQ(fetch(file).error().code, ErrorCode::kCorrupt);
  HubFile empty{"f.bin", 0, "", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"};
  ASSERT_TRUE(fetch(empty).has_value());
  EXPECT_EQ(contents(), "");
}

TEST_F(FileDownloadTest, ALinkedPartThatIsWrongHarmsNotItsOtherName) {
  fs::create_directories(folder_);
  std::ofstream(folder_ / "other") << "x123456789abcdefghij";
  fs::create_hard_link(folder_ / "other", folder_ / "f.bin.part");
  client_.answers = {{head_of(200, 20), kText}};
  ASSERT_TRUE(fetch(lfs()).has_value());
  EXPECT_EQ(contents(), kText);
  EXPECT_EQ(*read_text_file(folder_ / "other", 100), "x123456789abcdefghij");
}

TEST_F(FileDownloadTest, MoreOrOtherBytesThanListedAreWrong) {
  client_.answers = {{head_of(200, 21), kText + "x"}, {head_of(200, -1), kText + "x"}};
  const Status failed = fetch(lfs());
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(failed.error().message, HasSubstr("20"));
  client_.answers = {{head_of(200, -1), kText.substr(0, 5)},
                     {part_head("bytes 5-19/20"), kText.substr(5)}};
  EXPECT_TRUE(fetch(lfs()).has_value());
}

TEST_F(FileDownloadTest, AnotherCommitIsWrong) {
  HttpHead head = head_of(200, 20);
  head.repo_commit = std::string(40, 'd');
  client_.answers = {{head, kText}, {head, kText}};
  const Status failed = fetch(lfs());
  ASSERT_FALSE(failed.has_value());
  EXPECT_THAT(failed.error().message, HasSubstr("commit"));
}

TEST_F(FileDownloadTest, WhatPassesIsTriedAgainAndWhatDoesNotIsNot) {
  client_.answers = {{head_of(503), ""}, {head_of(429), ""}, {head_of(200, 20), kText}};
  EXPECT_TRUE(fetch(lfs()).has_value());
  fs::remove_all(folder_);
  client_.requests.clear();
  client_.answers = {{head_of(404), ""}};
  EXPECT_EQ(fetch(lfs()).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(client_.requests.size(), 1U);
  client_.answers = {{head_of(403), ""}};
  const Status denied = fetch(lfs());
  EXPECT_EQ(denied.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(denied.error().message, HasSubstr("HF_TOKEN"));
  // A signed address that ran out.
  HttpHead elsewhere = head_of(403);
  elsewhere.from_endpoint = false;
  client_.answers = {{elsewhere, ""}, {head_of(200, 20), kText}};
  EXPECT_TRUE(fetch(lfs()).has_value());
}

TEST_F(FileDownloadTest, FailuresWithoutProgressEnd) {
  session_.policy.most_retries = 3;
  for (int i = 0; i < 10; ++i) client_.answers.push_back({head_of(500), ""});
  const Status failed = fetch(lfs());
  EXPECT_EQ(failed.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(client_.requests.size(), 4U);

  // A hub without ranges that always cuts at the same place makes no progress either.
  client_.requests.clear();
  client_.answers.clear();
  for (int i = 0; i < 20; ++i) {
    client_.answers.push_back({head_of(200, 20), kText.substr(0, 7), {HttpEnd::kBroken, "cut"}});
  }
  EXPECT_FALSE(fetch(lfs()).has_value());
  EXPECT_EQ(client_.requests.size(), 4U);
}

TEST_F(FileDownloadTest, ProgressBeginsTheCountAnew) {
  session_.policy.most_retries = 1;
  client_.answers = {{head_of(200, 20), kText.substr(0, 1), {HttpEnd::kBroken, "cut"}}};
  for (std::size_t i = 1; i < 20; ++i) {
    client_.answers.push_back({part_head("bytes " + std::to_string(i) + "-19/20"),
                               kText.substr(i, 1),
                               {HttpEnd::kBroken, "cut"}});
  }
  EXPECT_TRUE(fetch(lfs()).has_value());
  EXPECT_EQ(contents(), kText);
}

TEST_F(FileDownloadTest, CancelKeepsThePart) {
  write_part(kText.substr(0, 7));
  watcher_.stop = true;
  EXPECT_EQ(fetch(lfs()).error().code, ErrorCode::kCancelled);
  EXPECT_EQ(*read_text_file(folder_ / "f.bin.part", 100), kText.substr(0, 7));
}

TEST_F(FileDownloadTest, TheFirstFailureEndsTheOthers) {
  std::vector<std::unique_ptr<FileDownload>> all;
  for (const char* name : {"a.bin", "b.bin"}) {
    HubFile file = lfs();
    file.path = name;
    all.push_back(
        std::make_unique<FileDownload>(session_, file, "http://h/f", kCommit, folder_ / name));
    WorkMeter meter;
    ASSERT_TRUE(all.back()->prepare(meter).has_value());
  }
  client_.answers = {{head_of(404), ""}};
  EXPECT_EQ(download_all(session_, all, 2).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(client_.requests.size(), 2U);
  EXPECT_EQ(all[1]->state(), FileDownload::State::kWaiting);
}

TEST(FetchText, RetriesAndTellsWhy) {
  ScriptedClient client;
  SilentWatcher watcher;
  Session session{client, watcher, "http://h", false, {}, std::mt19937_64(1)};
  session.policy.first_wait_us = 0;
  client.answers = {{{}, "", {HttpEnd::kUnreachable, "no route"}}, {head_of(200), "text"}};
  const auto answer = fetch_text(session, "http://h/x", "hf:o/n");
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->body, "text");
  EXPECT_THAT(watcher.notes, Contains(HasSubstr("no route")));

  HttpHead gated = head_of(401);
  gated.error_code = "GatedRepo";
  client.answers = {{gated, ""}};
  const auto denied = fetch_text(session, "http://h/x", "hf:o/n");
  EXPECT_EQ(denied.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(denied.error().message, HasSubstr("licence"));
  HttpHead absent = head_of(404);
  absent.error_code = "RevisionNotFound";
  client.answers = {{absent, ""}};
  EXPECT_THAT(fetch_text(session, "http://h/x", "hf:o/n").error().message, HasSubstr("branch"));
  HttpHead later = head_of(429);
  later.retry_after_us = std::numeric_limits<std::int32_t>::max() * std::int64_t{1000};
  client.answers = {{later, ""}};
  EXPECT_THAT(fetch_text(session, "http://h/x", "hf:o/n").error().message, HasSubstr("come back"));
}

}  // namespace
}  // namespace hangar::hub
