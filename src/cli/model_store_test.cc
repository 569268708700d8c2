#include "cli/model_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "cli/model_scan.h"
#include "hub/disk.h"
#include "hub/local_models.h"

namespace hangar {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ModelStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) / ("model_store_" + std::to_string(::getpid()));
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

  fs::path pulled(const std::string& repo, const std::string& commit, const std::string& file,
                  std::int64_t asked, const std::string& alias = "") {
    hub::Manifest manifest;
    manifest.repo = repo;
    manifest.commit = commit;
    manifest.revisions = {{"main", asked}};
    manifest.alias = alias;
    manifest.model_file = file;
    if (!file.empty()) manifest.files = {{file, 1, std::string(64, '0')}};
    const fs::path folder =
        hub::model_folder(root_ / "a", repo, commit, file.substr(0, file.find(".gguf")));
    fs::create_directories(folder);
    EXPECT_TRUE(hub::write_manifest(folder, manifest).has_value());
    return folder;
  }

  fs::path root_;
};

const std::string kOld(40, 'a');
const std::string kNew(40, 'b');

TEST(ModelAlias, DropsWhatSaysHowNotWhich) {
  EXPECT_EQ(model_alias("SmolLM2-135M-Instruct.Q4_1.gguf"), "smollm2-135m-instruct");
  EXPECT_EQ(model_alias("Llama-3.2-1B-Instruct-Q4_K_M.gguf"), "llama-3.2-1b-instruct");
  EXPECT_EQ(model_alias("m-IQ2_XS.gguf"), "m");
  EXPECT_EQ(model_alias("big-bf16-00001-of-00003.gguf"), "big");
  EXPECT_EQ(model_alias("qwen2.gguf"), "qwen2");
  EXPECT_EQ(model_alias("Q4_0.gguf"), "q4_0");
  EXPECT_EQ(model_alias("model-v2"), "model-v2");
}

TEST_F(ModelStoreTest, AShapeIsAFolderOrItsConfig) {
  fs::create_directories(root_ / "a/Some-8B");
  touch("a/Some-8B/config.json");
  const auto folder = store().resolve_shape((root_ / "a/Some-8B").string());
  ASSERT_TRUE(folder.has_value()) << folder.error().message;
  EXPECT_EQ(folder->id, "some-8b");
  EXPECT_EQ(folder->path, root_ / "a/Some-8B");
  const auto file = store().resolve_shape((root_ / "a/Some-8B/config.json").string());
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_EQ(file->id, "some-8b") << "by its folder: every config has the same name";
  EXPECT_EQ(file->path, root_ / "a/Some-8B/config.json");
  touch("a/One.Q4_0.gguf");
  EXPECT_EQ(store().resolve_shape("one").value().path, root_ / "a/One.Q4_0.gguf");
  EXPECT_EQ(store().resolve_shape("none").error().code, ErrorCode::kNotFound);
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
  EXPECT_THAT(store().resolve("mistral-large").error().message, HasSubstr("hangar models pull"));
  EXPECT_THAT(store().resolve("hf:org/name:Q4_0").error().message,
              HasSubstr("`hangar models pull hf:org/name:Q4_0` fetches it"));
  EXPECT_EQ(store().resolve("hf:org/name").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store().resolve("hf:org").error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(store().resolve("meta-llama/Llama-3.2-1B").error().message,
              HasSubstr("hangar models pull hf:meta-llama/Llama-3.2-1B"));
}

TEST_F(ModelStoreTest, PulledModelsAreKnownByEveryName) {
  const fs::path folder = pulled("org/Name-1B", kNew, "", 5);
  const fs::path quantized = pulled("org/Name-1B-GGUF", kNew, "Name-1B-Q4_0.gguf", 5);
  EXPECT_THAT(ids(), ElementsAre("name-1b@bbbbbbb", "name-1b-q4_0"));
  for (const std::string& name : {std::string("hf:org/Name-1B"), std::string("NAME-1B@bbbbbbb"),
                                  folder.string(), "hf:org/Name-1B@" + kNew}) {
    const auto model = store().resolve(name);
    ASSERT_TRUE(model.has_value()) << name << ": " << model.error().message;
    EXPECT_EQ(model->path, folder);
    EXPECT_EQ(model->folder, folder);
    EXPECT_EQ(model->source, "hf:org/Name-1B@bbbbbbbbbbbb");
  }
  for (const std::string& name : {std::string("hf:org/Name-1B-GGUF:q4_0"),
                                  std::string("name-1b-q4_0"), std::string("Name-1B-Q4_0.gguf")}) {
    EXPECT_EQ(store().resolve(name)->path, quantized / "Name-1B-Q4_0.gguf") << name;
  }
  EXPECT_EQ(store().resolve("name-1b").error().code, ErrorCode::kInvalidArgument);
}

TEST_F(ModelStoreTest, TheLatestCommitHasTheShortNameAndAnAliasIsKept) {
  pulled("org/m", kOld, "", 5);
  const fs::path latest = pulled("org/m", kNew, "", 9);
  EXPECT_THAT(ids(), ElementsAre("m@aaaaaaa", "m"));
  EXPECT_EQ(store().resolve("m")->path, latest);
  touch("a/mine-Q4_0.gguf");
  const fs::path own = pulled("org/other", kOld, "", 9, "mine");
  EXPECT_EQ(store().resolve("mine")->path, own);
  EXPECT_EQ(store().resolve("mine-q4_0")->path, root_ / "a/mine-Q4_0.gguf");
}

TEST_F(ModelStoreTest, FoldersOfSafetensorsAreModels) {
  fs::create_directories(root_ / "b/My-Model");
  EXPECT_THAT(ids(), ElementsAre());
  touch("b/My-Model/config.json");
  touch("b/My-Model/model.safetensors");
  EXPECT_THAT(ids(), ElementsAre("my-model"));
  EXPECT_EQ(store().resolve("My-Model")->path, root_ / "b/My-Model");
  EXPECT_EQ(store().resolve((root_ / "b/My-Model/").string())->id, "my-model");
}

TEST_F(ModelStoreTest, WhatIsResolvedIsInUse) {
  touch("a/m.gguf");
  const fs::path folder = pulled("org/p", kNew, "", 1);
  const auto free = [](const fs::path& file) {
    const auto lock = hub::FileLock::try_take(file, hub::FileLock::Mode::kExclusive, false);
    return lock.has_value() && lock->has_value();
  };
  {
    const auto file = store().resolve("m");
    const auto model = store().resolve("p");
    EXPECT_FALSE(free(root_ / "a/m.gguf"));
    EXPECT_FALSE(free(folder));
  }
  const auto looked_at = store().find("p");
  EXPECT_TRUE(free(root_ / "a/m.gguf"));
  EXPECT_TRUE(free(folder));
}

TEST_F(ModelStoreTest, PartsOfASplitModelBelongTogether) {
  for (const char* name : {"a/M-00001-of-00002.gguf", "a/M-00002-of-00002.gguf",
                           "a/M-00001-of-00003.gguf", "a/Other-00002-of-00002.gguf"}) {
    touch(name);
  }
  EXPECT_THAT(parts_of(root_ / "a/M-00001-of-00002.gguf"),
              ElementsAre(root_ / "a/M-00001-of-00002.gguf", root_ / "a/M-00002-of-00002.gguf"));
  EXPECT_THAT(parts_of(root_ / "a/single.gguf"), ElementsAre(root_ / "a/single.gguf"));
}

}  // namespace
}  // namespace hangar
