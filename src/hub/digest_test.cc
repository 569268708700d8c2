#include "hub/digest.h"

#include <gtest/gtest.h>

#include <string_view>

namespace hangar::hub {
namespace {

std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

TEST(Digest, Sha256IsTheStandards) {
  Digest digest(DigestKind::kSha256, 0);
  digest.update(bytes("a"));
  digest.update(bytes("bc"));
  EXPECT_EQ(digest.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  digest.start();
  EXPECT_EQ(digest.hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Digest, GitBlobIsWhatGitSays) {
  Digest empty(DigestKind::kGitBlob, 0);
  EXPECT_EQ(empty.hex(), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
  Digest digest(DigestKind::kGitBlob, 6);
  digest.update(bytes("junk"));
  digest.start();
  digest.update(bytes("hello\n"));
  EXPECT_EQ(digest.hex(), "ce013625030ba8dba906f756967f9e9ca394464a");
}

}  // namespace
}  // namespace hangar::hub
