#include "hub/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hangar::hub {
namespace {

using ::testing::HasSubstr;

Manifest sample() {
  Manifest manifest;
  manifest.repo = "org/name";
  manifest.endpoint = "https://huggingface.co";
  manifest.commit = std::string(40, 'a');
  manifest.revisions = {{"main", 1764300000}, {"v1", 5}};
  manifest.alias = "mine";
  manifest.model_file = "sub/m.gguf";
  manifest.files = {{"README.md", 3, std::string(64, '1')},
                    {"sub/m.gguf", 1ULL << 40U, std::string(64, 'f')}};
  manifest.damaged = {"README.md"};
  return manifest;
}

TEST(Manifest, ReadsWhatItWrote) {
  const auto read = parse_manifest(manifest_text(sample()), "m");
  ASSERT_TRUE(read.has_value()) << read.error().message;
  const Manifest wanted = sample();
  EXPECT_EQ(read->repo, wanted.repo);
  EXPECT_EQ(read->endpoint, wanted.endpoint);
  EXPECT_EQ(read->commit, wanted.commit);
  EXPECT_EQ(read->revisions, wanted.revisions);
  EXPECT_EQ(read->alias, wanted.alias);
  EXPECT_EQ(read->model_file, wanted.model_file);
  EXPECT_EQ(read->files, wanted.files);
  EXPECT_EQ(read->damaged, wanted.damaged);
  EXPECT_EQ(read->total_bytes(), (1ULL << 40U) + 3);
  EXPECT_EQ(read->find("README.md")->bytes, 3U);
  EXPECT_EQ(read->find("readme.md"), nullptr);
}

TEST(Manifest, ABadOneIsCorruptAndSaysWhich) {
  std::string escaping = manifest_text(sample());
  escaping.replace(escaping.find("README.md"), 9, "../../etc");
  std::string no_hash = manifest_text(sample());
  no_hash.replace(no_hash.find(std::string(64, '1')), 64, std::string(64, 'G'));
  std::string negative = manifest_text(sample());
  negative.replace(negative.find(": 3"), 3, ": -3");
  for (const std::string& text : {std::string(), std::string("[]"), std::string("{\"format\": 1}"),
                                  escaping, no_hash, negative}) {
    const auto read = parse_manifest(text, "some/.hangar.json");
    ASSERT_FALSE(read.has_value()) << text;
    EXPECT_THAT(read.error().message, HasSubstr("some/.hangar.json"));
    EXPECT_EQ(read.error().code, ErrorCode::kCorrupt) << read.error().message;
  }
  std::string newer = manifest_text(sample());
  newer.replace(newer.find("\"format\": 1"), 11, "\"format\": 9");
  EXPECT_EQ(parse_manifest(newer, "m").error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace hangar::hub
