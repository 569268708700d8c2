#include "hub/local_models.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "hub/disk.h"
#include "hub/testing/scripted_client.h"
#include "hub/verify.h"

namespace hangar::hub {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const std::string kOld(40, 'a');
const std::string kNew(40, 'b');

class LocalModelsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    models_ = fs::path(::testing::TempDir()) / ("local_models_" + std::to_string(::getpid()));
    fs::remove_all(models_);
  }
  void TearDown() override { fs::remove_all(models_); }

  fs::path add(const std::string& commit, const std::string& file,
               std::map<std::string, std::int64_t> revisions) {
    Manifest manifest;
    manifest.repo = "org/name";
    manifest.commit = commit;
    manifest.revisions = std::move(revisions);
    manifest.model_file = file;
    if (!file.empty()) manifest.files = {{file, 3, std::string(64, '0')}};
    const std::string variant = file.empty() ? "" : file.substr(0, file.size() - 5);
    const fs::path folder = model_folder(models_, "org/name", commit, variant);
    fs::create_directories(folder);
    EXPECT_TRUE(write_manifest(folder, manifest).has_value());
    return folder;
  }
  Result<fs::path> found(const std::string& name) const {
    HANGAR_TRY(const HubName parsed, parse_hub_name(name));
    HANGAR_TRY(const PulledModel model, find_pulled(models_, parsed));
    return model.folder;
  }

  fs::path models_;
};

TEST_F(LocalModelsTest, AnUnpinnedNameIsTheLatestMain) {
  EXPECT_EQ(found("hf:org/name").error().code, ErrorCode::kNotFound);
  const fs::path older = add(kOld, "", {{"main", 10}, {"v1", 10}});
  const fs::path newer = add(kNew, "", {{"main", 20}});
  EXPECT_EQ(*found("hf:org/name"), newer);
  EXPECT_EQ(*found("hf:org/name@main"), newer);
  EXPECT_EQ(*found("hf:org/name@v1"), older);
  EXPECT_EQ(*found("hf:org/name@aaaaaaa"), older);
  EXPECT_EQ(*found("hf:org/name@" + kOld), older);
  EXPECT_EQ(found("hf:org/name@aaaaaa").error().code, ErrorCode::kNotFound);
  const auto absent = found("hf:org/name@v2");
  EXPECT_THAT(absent.error().message, HasSubstr("hf:org/name@bbbbbbbbbbbb"));
  EXPECT_EQ(found("hf:org/other").error().code, ErrorCode::kNotFound);
}

TEST_F(LocalModelsTest, QuantizationsAreToldApart) {
  const fs::path q4 = add(kNew, "M-Q4_0.gguf", {{"main", 1}});
  EXPECT_EQ(*found("hf:org/name"), q4);
  const fs::path q8 = add(kNew, "sub/M-Q8_0.gguf", {{"main", 1}});
  EXPECT_EQ(found("hf:org/name").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(*found("hf:org/name:q8_0"), q8);
  EXPECT_EQ(*found("hf:org/name/M-Q4_0.gguf"), q4);
  EXPECT_EQ(found("hf:org/name:Q2_K").error().code, ErrorCode::kNotFound);
  const fs::path whole = add(kNew, "", {{"main", 1}});
  EXPECT_EQ(*found("hf:org/name"), whole);
  for (const PulledModel& model : pulled_models(models_)) {
    EXPECT_EQ(*found(model.exact_name()), model.folder) << model.exact_name();
  }
}

TEST_F(LocalModelsTest, WhatIsUnfinishedOrBrokenIsNoModel) {
  const fs::path folder = add(kOld, "", {{"main", 1}});
  fs::create_directories(partial_folder(folder) / "d");
  std::ofstream(partial_folder(folder) / "d/x.part") << "12345";
  EXPECT_EQ(pulled_models(models_).size(), 1U);
  const auto partials = partial_pulls(models_);
  ASSERT_EQ(partials.size(), 1U);
  EXPECT_EQ(partials[0].repo, "org/name");
  EXPECT_EQ(partials[0].bytes, 5U);
  std::ofstream(folder / kManifestName) << "{";
  const auto all = pulled_models(models_);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_THAT(all[0].problem, HasSubstr(".hangar.json"));
  EXPECT_EQ(found("hf:org/name").error().code, ErrorCode::kNotFound);
}

TEST_F(LocalModelsTest, VariantsOfAnyLengthHaveTheirOwnFolder) {
  const std::string deep(3000, 'x');
  const fs::path one = model_folder(models_, "o/n", kNew, deep + "1");
  const fs::path two = model_folder(models_, "o/n", kNew, deep + "2");
  EXPECT_NE(one, two);
  EXPECT_LT(one.filename().string().size(), 200U);
  EXPECT_EQ(one.parent_path(), repo_folder(models_, "o/n"));
}

TEST_F(LocalModelsTest, VerifyFindsEveryKindOfWrong) {
  const fs::path folder = add(kNew, "", {});
  Manifest manifest = *read_manifest(folder);
  const std::string hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  for (const char* name : {"right", "changed", "longer", "missing", "linked"}) {
    manifest.files.push_back({name, 3, hash});
  }
  ASSERT_TRUE(write_manifest(folder, manifest).has_value());
  std::ofstream(folder / "right") << "abc";
  std::ofstream(folder / "changed") << "abd";
  std::ofstream(folder / "longer") << "abcd";
  fs::create_symlink("right", folder / "linked");
  SilentWatcher watcher;
  const auto checks = verify_files(folder, manifest, 2, watcher);
  ASSERT_TRUE(checks.has_value());
  EXPECT_EQ((*checks)[0].problem, "");
  EXPECT_EQ((*checks)[0].sha256, hash);
  EXPECT_THAT((*checks)[1].problem, HasSubstr("SHA-256"));
  EXPECT_THAT((*checks)[2].problem, HasSubstr("4 bytes"));
  EXPECT_THAT((*checks)[3].problem, HasSubstr("missing"));
  EXPECT_THAT((*checks)[4].problem, HasSubstr("link"));
  ASSERT_TRUE(mark_damaged(folder, *checks).has_value());
  EXPECT_EQ(read_manifest(folder)->damaged.size(), 4U);
}

}  // namespace
}  // namespace hangar::hub
