#include "hub/hub_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hangar::hub {
namespace {

using ::testing::HasSubstr;

TEST(HubName, EveryFormIsReadAndWrittenBack) {
  const struct {
    std::string text;
    HubName name;
  } cases[] = {
      {"hf:org/name", {"org/name", "", "", ""}},
      {"hf:o-r_g/Na.me-1@v1.0", {"o-r_g/Na.me-1", "v1.0", "", ""}},
      {"hf:org/name:Q4_K_M", {"org/name", "", "", "Q4_K_M"}},
      {"hf:org/name@main:Q8_0", {"org/name", "main", "", "Q8_0"}},
      {"hf:org/name/a/b.gguf", {"org/name", "", "a/b.gguf", ""}},
      {"hf:org/name@0123abc/b.gguf", {"org/name", "0123abc", "b.gguf", ""}},
      {"hf:org/name@refs/pr/7", {"org/name", "refs/pr/7", "", ""}},
      {"hf:org/name@refs/pr/7/b.gguf", {"org/name", "refs/pr/7", "b.gguf", ""}},
      {"hf:org/name/at@sign.gguf", {"org/name", "", "at@sign.gguf", ""}},
  };
  for (const auto& one : cases) {
    const auto name = parse_hub_name(one.text);
    ASSERT_TRUE(name.has_value()) << one.text << ": " << name.error().message;
    EXPECT_EQ(*name, one.name) << one.text;
    EXPECT_EQ(hub_name_text(*name), one.text);
  }
}

TEST(HubName, WhatIsNoNameIsRefusedWithTheForm) {
  for (const char* text :
       {"org/name", "hf:", "hf:name", "hf:/name", "hf:org/", "hf:org/name@",
        "hf:org/name:", "hf:org/name/", "hf:../name", "hf:org/..", "hf:.org/name", "hf:or g/name",
        "hf:org/name/../x.gguf", "hf:org/name//x.gguf", "hf:org/name@a..b", "hf:org/name@-x",
        "hf:org/name:Q4/x",

        "hf:org/n\ame", "hf:org/name@a b"}) {
    const auto name = parse_hub_name(text);
    ASSERT_FALSE(name.has_value()) << text;
    EXPECT_EQ(name.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(name.error().message, HasSubstr("hf:org/name"));
  }
}

TEST(RepoPath, StaysInItsFolder) {
  for (const char* right : {"a", "a/b/c.txt", ".gitattributes", "a b.json", "ä.bin", "..a/b"}) {
    EXPECT_TRUE(check_repo_path(right).has_value()) << right;
  }
  for (const std::string& wrong :
       {std::string(""), std::string("/a"), std::string("../a"), std::string("a/../../b"),
        std::string("a/./b"), std::string("a//b"), std::string("a/"), std::string("."),
        std::string("a\\b"), std::string("a\0b", 3), std::string("a\nb"), std::string(300, 'x')}) {
    EXPECT_FALSE(check_repo_path(wrong).has_value()) << wrong;
  }
}

TEST(RepoPath, SomeNamesAreHangarsOwn) {
  for (const char* own : {"x.part", "d/x.part.etag", ".hangar.json", "d/.hangar/x"}) {
    EXPECT_TRUE(is_reserved_path(own)) << own;
  }
  for (const char* free : {"x.parts", "part", "a/hangar.json", ".gitattributes"}) {
    EXPECT_FALSE(is_reserved_path(free)) << free;
  }
}

TEST(LooksLikeRepo, IsOrgAndName) {
  EXPECT_TRUE(looks_like_repo("meta-llama/Llama-3.2-1B"));
  EXPECT_TRUE(looks_like_repo("org/name:Q4_K_M"));
  EXPECT_FALSE(looks_like_repo("./model"));
  EXPECT_FALSE(looks_like_repo("/abs/path"));
  EXPECT_FALSE(looks_like_repo("model.gguf"));
}

}  // namespace
}  // namespace hangar::hub
