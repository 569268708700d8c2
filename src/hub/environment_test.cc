#include "hub/environment.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace hangar::hub {
namespace {

namespace fs = std::filesystem;

class EnvironmentTest : public ::testing::Test {
 protected:
  void SetUp() override {
    home_ = fs::path(::testing::TempDir()) / ("hub_home_" + std::to_string(::getpid()));
    fs::create_directories(home_ / ".cache/huggingface");
  }
  void TearDown() override { fs::remove_all(home_); }
  HubEnvironment read(const std::map<std::string, std::string>& environment) const {
    const auto out = hub_environment(environment, home_);
    EXPECT_TRUE(out.has_value());
    return out ? *out : HubEnvironment{};
  }

  fs::path home_;
};

TEST_F(EnvironmentTest, DefaultsAreThoseOfTheHub) {
  const HubEnvironment out = read({});
  EXPECT_EQ(out.endpoint, "https://huggingface.co");
  EXPECT_EQ(out.token, "");
  EXPECT_FALSE(out.offline);
  EXPECT_EQ(out.stall_us, 30'000'000);
}

TEST_F(EnvironmentTest, EveryVariableCounts) {
  const HubEnvironment out = read({{"HF_ENDPOINT", "http://mirror:8080//"},
                                   {"HF_TOKEN", " hf_a\n"},
                                   {"HUGGING_FACE_HUB_TOKEN", "hf_b"},
                                   {"HF_HUB_OFFLINE", "true"},
                                   {"HF_HUB_DOWNLOAD_TIMEOUT", "7"}});
  EXPECT_EQ(out.endpoint, "http://mirror:8080");
  EXPECT_EQ(out.token, "hf_a");
  EXPECT_TRUE(out.offline);
  EXPECT_EQ(out.stall_us, 7'000'000);
  EXPECT_EQ(read({{"HUGGING_FACE_HUB_TOKEN", "hf_b"}}).token, "hf_b");
  EXPECT_FALSE(read({{"HF_HUB_OFFLINE", "0"}}).offline);
  EXPECT_EQ(read({{"HF_TOKEN", "x"}, {"HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"}}).token, "");
}

TEST_F(EnvironmentTest, TheTokensFileIsReadWhereNoVariableSpeaks) {
  std::ofstream(home_ / ".cache/huggingface/token") << "hf_file\n";
  EXPECT_EQ(read({}).token, "hf_file");
  EXPECT_EQ(read({{"HF_TOKEN", "hf_a"}}).token, "hf_a");
  std::ofstream(home_ / "token") << "hf_other";
  EXPECT_EQ(read({{"HF_HOME", home_.string()}}).token, "hf_other");
  EXPECT_EQ(read({{"HF_TOKEN_PATH", (home_ / "token").string()}}).token, "hf_other");
  EXPECT_EQ(read({{"XDG_CACHE_HOME", (home_ / "elsewhere").string()}}).token, "");
}

TEST_F(EnvironmentTest, ATimeoutMustBeANumber) {
  for (const char* text : {"soon", "0", "-1", "1.5"}) {
    EXPECT_FALSE(hub_environment({{"HF_HUB_DOWNLOAD_TIMEOUT", text}}, home_).has_value()) << text;
  }
}

}  // namespace
}  // namespace hangar::hub
