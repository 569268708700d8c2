#include "hub/repo_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hangar::hub {
namespace {

using ::testing::ElementsAre;

const std::string kSha1(40, 'a');
const std::string kSha256(64, 'b');

TEST(ParseTree, FilesWithTheirHashes) {
  const auto files = parse_tree(R"([{"type":"directory","path":"sub","oid":"x","size":0},)"
                                R"({"type":"file","path":"sub/c.json","oid":")" +
                                kSha1 +
                                R"(","size":12},)"
                                R"({"type":"file","path":"m.safetensors","oid":")" +
                                kSha1 +
                                R"(","size":130,)"
                                R"("lfs":{"oid":")" +
                                kSha256 + R"(","size":5000000000,"pointerSize":130}}])");
  ASSERT_TRUE(files.has_value()) << files.error().message;
  EXPECT_THAT(*files, ElementsAre(HubFile{"sub/c.json", 12, "", kSha1},
                                  HubFile{"m.safetensors", 5000000000, kSha256, ""}));
}

TEST(ParseTree, NothingIsBelieved) {
  for (const std::string& text :
       {std::string("no json"), std::string("{}"), std::string("[1]"),
        R"([{"type":"file","path":"../x","oid":")" + kSha1 + R"(","size":1}])",
        R"([{"type":"file","path":"/x","oid":")" + kSha1 + R"(","size":1}])",
        R"([{"type":"file","path":"x","oid":")" + kSha1 + R"("}])",
        R"([{"type":"file","path":"x","oid":")" + kSha1 + R"(","size":-1}])",
        R"([{"type":"file","path":"x","oid":")" + kSha1 + R"(","size":99999999999999999}])",
        std::string(R"([{"type":"file","path":"x","oid":"short","size":1}])"),
        R"([{"type":"file","path":"x","oid":")" + kSha1 +
            R"(","size":1,"lfs":{"oid":"q","size":1}}])"}) {
    EXPECT_FALSE(parse_tree(text).has_value()) << text;
  }
}

TEST(FileUrl, EveryOddCharacterIsEncoded) {
  EXPECT_EQ(file_url("https://h", "o/n", "abc", "d/ä b?#%.json"),
            "https://h/o/n/resolve/abc/d/%C3%A4%20b%3F%23%25.json");
}

TEST(Urls, OriginsAndWhatIsShown) {
  EXPECT_TRUE(same_origin("https://h/a", "https://H:443/b?c"));
  EXPECT_FALSE(same_origin("https://h/a", "http://h/a"));
  EXPECT_FALSE(same_origin("https://h/a", "https://h:444/a"));
  EXPECT_FALSE(same_origin("https://h/a", "https://h.evil/a"));
  EXPECT_FALSE(same_origin("https://h@evil/a", "https://h/a"));
  EXPECT_EQ(shown_url("https://user:secret@h/p/a?sig=secret#f"), "https://h/p/a");
}

TEST(HttpClient, RefusesWhatIsNoEndpointOrToken) {
  EXPECT_FALSE(make_http_client({.endpoint = "ftp://h"}).has_value());
  EXPECT_FALSE(make_http_client({.endpoint = ""}).has_value());
  const auto token = make_http_client({.endpoint = "https://h", .token = "hf_x\r\nHost: y"});
  ASSERT_FALSE(token.has_value());
  EXPECT_EQ(token.error().message.find("hf_x"), std::string::npos);
  EXPECT_TRUE(make_http_client({.endpoint = "https://h", .token = "hf_x"}).has_value());
}

}  // namespace
}  // namespace hangar::hub
