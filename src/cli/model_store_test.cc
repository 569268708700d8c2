#include "cli/model_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace hangar {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ModelStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) / ("model_store_" + std::to_string(::getpid()));
    fs::create_directories(root_ / "a");
    fs::create_directories(root_ / "b");
  }
  void TearDown() override { fs::remove_all(root_); }
  void touch(const std::string& name) { std::ofstream(root_ / name) << "x"; }
  ModelStore store() const { return ModelStore({root_ / "a", root_ / "b", root_ / "absent"}); }
  std::vector<std::string> ids() const {
    std::vector<std::string> out;
    for (const StoredModel& model : store().list()) out.push_back(model.id);
    return out;
  }

  fs::path root_;
};

TEST(ModelAlias, DropsWhatSaysHowNotWhich) {
  EXPECT_EQ(model_alias("SmolLM2-135M-Instruct.Q4_1.gguf"), "smollm2-135m-instruct");
  EXPECT_EQ(model_alias("Llama-3.2-1B-Instruct-Q4_K_M.gguf"), "llama-3.2-1b-instruct");
  EXPECT_EQ(model_alias("m-IQ2_XS.gguf"), "m");
  EXPECT_EQ(model_alias("big-bf16-00001-of-00003.gguf"), "big");
  EXPECT_EQ(model_alias("qwen2.gguf"), "qwen2");
  EXPECT_EQ(model_alias("Q4_0.gguf"), "q4_0");
  EXPECT_EQ(model_alias("model-v2"), "model-v2");
}

TEST_F(ModelStoreTest, ListsFirstPartsByFolderAndHidesTwins) {
  touch("a/Two-Q8_0-00001-of-00002.gguf");
  touch("a/Two-Q8_0-00002-of-00002.gguf");
  touch("a/notes.txt");
  touch("a/One.Q4_0.gguf");
  touch("b/one.q4_0.GGUF");
  touch("b/Three.gguf");
  EXPECT_THAT(ids(), ElementsAre("one", "two", "three"));
}

TEST_F(ModelStoreTest, FilesOfOneAliasAreToldApartByTheirStem) {
  touch("a/m.Q4_0.gguf");
  touch("a/m.Q8_0.gguf");
  EXPECT_THAT(ids(), ElementsAre("m.q4_0", "m.q8_0"));
  const auto both = store().resolve("m");
  ASSERT_FALSE(both.has_value());
  EXPECT_EQ(both.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(both.error().message, HasSubstr("name one of: m.q4_0, m.q8_0"));
  EXPECT_EQ(store().resolve("M.Q8_0")->path, root_ / "a/m.Q8_0.gguf");
  EXPECT_EQ(store().resolve("m.Q8_0.gguf")->path, root_ / "a/m.Q8_0.gguf");
}

TEST_F(ModelStoreTest, EmptyNameIsTheDefaultModelOrTheOnlyOne) {
  EXPECT_EQ(store().resolve("").error().code, ErrorCode::kNotFound);
  EXPECT_THAT(store().resolve("").error().message, HasSubstr("./dev run"));
  touch("a/other.gguf");
  EXPECT_EQ(store().resolve("")->id, "other");
  touch("a/another.gguf");
  EXPECT_THAT(store().resolve("").error().message, HasSubstr("here are: another, other"));
  touch("b/SmolLM2-135M-Instruct.Q4_1.gguf");
  touch("b/SmolLM2-135M-Instruct.Q8_0.gguf");
  EXPECT_EQ(store().resolve("")->id, "smollm2-135m-instruct");
  EXPECT_EQ(store().resolve("SmolLM2-135M-Instruct")->path,
            root_ / "b/SmolLM2-135M-Instruct.Q4_1.gguf");
}

TEST_F(ModelStoreTest, PathsAreTakenAsTheyAre) {
  touch("Deep.Q4_0.gguf");
  const std::string path = (root_ / "Deep.Q4_0.gguf").string();
  const auto model = store().resolve(path);
  ASSERT_TRUE(model.has_value());
  EXPECT_EQ(model->path, path);
  EXPECT_EQ(model->id, "deep");
  const auto absent = store().resolve((root_ / "no.gguf").string());
  ASSERT_FALSE(absent.has_value());
  EXPECT_EQ(absent.error().code, ErrorCode::kNotFound);
}

TEST_F(ModelStoreTest, ANameThatIsNotHereSaysWhatIs) {
  touch("a/llama.gguf");
  const auto near = store().resolve("lama");
  ASSERT_FALSE(near.has_value());
  EXPECT_THAT(near.error().message, HasSubstr("here are: llama"));
  EXPECT_THAT(near.error().message, HasSubstr("did you mean 'llama'?"));
  EXPECT_THAT(store().resolve("mistral-large").error().message, HasSubstr("./dev run"));
}

}  // namespace
}  // namespace hangar
