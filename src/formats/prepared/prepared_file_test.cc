#include "formats/prepared/prepared_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "formats/prepared/prepared_format.h"

namespace hangar {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::byte> bytes_of(std::size_t count, int seed) {
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i) {
    bytes[i] = static_cast<std::byte>(i * 7 + static_cast<std::size_t>(seed));
  }
  return bytes;
}

class PreparedFileTest : public ::testing::Test {
 protected:
  PreparedFileTest() {
    fs::create_directories(folder_);
    wanted_.model = "/models/m.gguf";
    wanted_.layout = "layout 1";
    wanted_.files = {{"m.gguf", 100, 1, 2, 0xFFFF'FFFF'FFFF'FFF0}};
  }
  ~PreparedFileTest() override { fs::remove_all(folder_); }

  Result<std::unique_ptr<PreparedFileWriter>> writer(std::function<bool()> cancelled = {}) const {
    return PreparedFileWriter::create({path_, wanted_, 0, std::move(cancelled)});
  }
  void write_two() const {
    auto out = writer().value();
    ASSERT_TRUE(out->add({"blk.0.a", 0, 16, 32}, "int 4", bytes_of(5000, 1)));
    ASSERT_TRUE(out->add({"blk.0.a", 16, 16, 32}, "int 8", bytes_of(1, 2)));
    // Tied weights are loaded twice.
    ASSERT_TRUE(out->add({"blk.0.a", 0, 16, 32}, "int 4", bytes_of(5000, 1)));
    ASSERT_TRUE(out->finish());
  }
  std::string read() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void overwrite(const std::string& text) const { std::ofstream(path_, std::ios::binary) << text; }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      out.push_back(entry.path().filename().string());
    }
    return out;
  }

  const fs::path folder_ =
      fs::temp_directory_path() / ("hangar_prepared_file_" + std::to_string(::getpid()));
  const fs::path path_ = folder_ / "m.cpu";
  PreparedFor wanted_;
};

TEST_F(PreparedFileTest, GivesBackWhatWasAdded) {
  write_two();
  EXPECT_THAT(names(), ::testing::ElementsAre("m.cpu"));
  const auto prepared = open_prepared(path_, wanted_);
  ASSERT_TRUE(prepared.has_value()) << prepared.error().message;
  const auto first = (*prepared)->find({"blk.0.a", 0, 16, 32});
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->form, "int 4");
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first->data.data()) % kPreparedPage, 0U);
  const auto expected = bytes_of(5000, 1);
  ASSERT_EQ(first->data.size(), expected.size());
  EXPECT_EQ(std::memcmp(first->data.data(), expected.data(), expected.size()), 0);
  const auto second = (*prepared)->find({"blk.0.a", 16, 16, 32});
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->form, "int 8");
  EXPECT_EQ(second->data.size(), 1U);
  for (const PreparedId& id : {PreparedId{"blk.0.b", 0, 16, 32}, PreparedId{"blk.0.a", 8, 16, 32},
                               PreparedId{"blk.0.a", 0, 8, 32}, PreparedId{"blk.0.a", 0, 16, 64}}) {
    EXPECT_FALSE((*prepared)->find(id).has_value());
  }
  EXPECT_EQ(model_of_prepared(path_), "/models/m.gguf");
  EXPECT_TRUE(verify_prepared(path_, wanted_));
}

TEST_F(PreparedFileTest, SectionsOutliveTheFilesObject) {
  write_two();
  auto prepared = open_prepared(path_, wanted_).value();
  const auto section = prepared->find({"blk.0.a", 16, 16, 32});
  prepared.reset();
  fs::remove(path_);
  EXPECT_EQ(section->data[0], bytes_of(1, 2)[0]);
}

TEST_F(PreparedFileTest, OfAnotherModelOrLayoutIsRefused) {
  write_two();
  PreparedFor other = wanted_;
  other.layout = "layout 2";
  auto opened = open_prepared(path_, other);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(opened.error().message, HasSubstr("layout 1"));
  other = wanted_;
  other.files[0].sample ^= 1;
  opened = open_prepared(path_, other);
  ASSERT_FALSE(opened.has_value());
  EXPECT_THAT(opened.error().message, HasSubstr("m.gguf: its contents"));
  EXPECT_EQ(open_prepared(folder_ / "none", wanted_).error().code, ErrorCode::kNotFound);
}

TEST_F(PreparedFileTest, CutShortAnywhereIsRefused) {
  write_two();
  const std::string whole = read();
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{7}, std::size_t{4095},
                                  std::size_t{4096}, whole.size() / 2, whole.size() - 1}) {
    overwrite(whole.substr(0, bytes));
    const auto opened = open_prepared(path_, wanted_);
    ASSERT_FALSE(opened.has_value()) << bytes;
    EXPECT_EQ(opened.error().code, ErrorCode::kCorrupt) << bytes;
    EXPECT_EQ(model_of_prepared(path_), "");
  }
  overwrite(whole + "x");
  EXPECT_FALSE(open_prepared(path_, wanted_).has_value());
}

TEST_F(PreparedFileTest, EveryWrongByteOfHeaderAndIndexIsFound) {
  write_two();
  const std::string whole = read();
  PreparedHeader header;
  std::memcpy(&header, whole.data(), sizeof(header));
  std::vector<std::size_t> places;
  for (std::size_t at = 0; at < sizeof(header); ++at) places.push_back(at);
  for (std::size_t at = header.index_at; at < whole.size(); ++at) places.push_back(at);
  for (const std::size_t at : places) {
    std::string wrong = whole;
    wrong[at] = static_cast<char>(wrong[at] ^ 0x10);
    overwrite(wrong);
    EXPECT_FALSE(open_prepared(path_, wanted_).has_value()) << at;
  }
}

TEST_F(PreparedFileTest, AWrongByteOfASectionIsFoundByVerify) {
  write_two();
  std::string wrong = read();
  wrong[kPreparedPage + 4999] ^= 1;
  overwrite(wrong);
  EXPECT_TRUE(open_prepared(path_, wanted_).has_value());
  const Status verified = verify_prepared(path_, wanted_);
  ASSERT_FALSE(verified.has_value());
  EXPECT_EQ(verified.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(verified.error().message, HasSubstr("blk.0.a"));
}

TEST_F(PreparedFileTest, WithoutFinishNothingStays) {
  {
    auto out = writer().value();
    ASSERT_TRUE(out->add({"a", 0, 1, 1}, "f", bytes_of(10, 0)));
    EXPECT_THAT(names(), ::testing::ElementsAre(".m.cpu.draft"));
  }
  EXPECT_THAT(names(), IsEmpty());
  write_two();
  const std::string old = read();
  {
    auto out = writer().value();
  }
  EXPECT_EQ(read(), old);
}

TEST_F(PreparedFileTest, CancelledLeavesNothing) {
  {
    bool stop = false;
    auto out = writer([&] { return stop; }).value();
    ASSERT_TRUE(out->add({"a", 0, 1, 1}, "f", bytes_of(10, 0)));
    stop = true;
    const Status added = out->add({"b", 0, 1, 1}, "f", bytes_of(10, 0));
    ASSERT_FALSE(added.has_value());
    EXPECT_EQ(added.error().code, ErrorCode::kCancelled);
  }
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(PreparedFileTest, OfTwoWritersOneIsRefused) {
  auto first = writer().value();
  const auto second = writer();
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  ASSERT_TRUE(first->add({"a", 0, 1, 1}, "f", bytes_of(10, 0)));
  ASSERT_TRUE(first->finish());
  // What a killed process left is no hindrance.
  first.reset();
  std::ofstream(PreparedFileWriter::draft_of(path_)) << "rubbish of a killed one";
  write_two();
  EXPECT_TRUE(open_prepared(path_, wanted_).has_value());
  EXPECT_THAT(names(), ::testing::ElementsAre("m.cpu"));
}

TEST_F(PreparedFileTest, AFinishedWriterTakesNothingFromTheNext) {
  auto first = writer().value();
  ASSERT_TRUE(first->finish());
  auto second = writer();  // while the first one lives
  ASSERT_TRUE(second.has_value()) << second.error().message;
  first.reset();
  ASSERT_TRUE((*second)->finish());
  EXPECT_TRUE(open_prepared(path_, wanted_).has_value());
}

TEST_F(PreparedFileTest, NoRoomIsSaidBeforeAnythingIsWritten) {
  const auto out = PreparedFileWriter::create({path_, wanted_, std::uint64_t{1} << 60, {}});
  ASSERT_FALSE(out.has_value());
  EXPECT_EQ(out.error().code, ErrorCode::kResourceExhausted);
  EXPECT_THAT(names(), IsEmpty());
}

// The disk fills up under way: a limit on the size of files stands in for it, in a process of its
// own.
TEST_F(PreparedFileTest, AFullDiskLeavesNothing) {
  write_two();
  const std::string old = read();
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{20'000, 20'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    auto out = writer();
    if (!out) ::_exit(1);
    const bool first = (*out)->add({"a", 0, 1, 1}, "f", bytes_of(10'000, 0)).has_value();
    const Status second = (*out)->add({"b", 0, 1, 1}, "f", bytes_of(10'000, 0));
    out->reset();
    ::_exit(first && !second && second.error().code == ErrorCode::kResourceExhausted ? 0 : 2);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(read(), old);
  EXPECT_THAT(names(), ::testing::ElementsAre("m.cpu"));
}

TEST_F(PreparedFileTest, AFolderThatCannotBeMadeIsSaid) {
  std::ofstream(folder_ / "file") << "x";
  const auto out = PreparedFileWriter::create({folder_ / "file" / "m.cpu", wanted_, 0, {}});
  ASSERT_FALSE(out.has_value());
  EXPECT_THAT(out.error().message, HasSubstr("make the folder"));
}

}  // namespace
}  // namespace hangar
