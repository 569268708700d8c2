#include "bench/http/url.h"

#include <gtest/gtest.h>

namespace hangar::bench {
namespace {

TEST(ServerUrl, TakesWhatPeopleWrite) {
  for (const char* text : {"http://127.0.0.1:8000", "http://127.0.0.1:8000/",
                           "http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1/"}) {
    const auto url = ServerUrl::parse(text);
    ASSERT_TRUE(url.has_value()) << text;
    EXPECT_FALSE(url->tls);
    EXPECT_EQ(url->host, "127.0.0.1");
    EXPECT_EQ(url->port, "8000");
    EXPECT_EQ(url->api_path("/models"), "/v1/models");
    EXPECT_EQ(url->root_path("/tokenize"), "/tokenize");
    EXPECT_EQ(url->host_header(), "127.0.0.1:8000");
    EXPECT_EQ(url->text(), "http://127.0.0.1:8000");
  }
}

TEST(ServerUrl, KnowsPortsPathsAndIp6) {
  const auto secure = ServerUrl::parse("https://models.example.com/team/v1");
  ASSERT_TRUE(secure.has_value());
  EXPECT_TRUE(secure->tls);
  EXPECT_EQ(secure->port, "443");
  EXPECT_EQ(secure->host_header(), "models.example.com");
  EXPECT_EQ(secure->api_path("/completions"), "/team/v1/completions");
  EXPECT_EQ(secure->root_path("/tokenize"), "/team/tokenize");
  const auto ip6 = ServerUrl::parse("http://[::1]:81");
  ASSERT_TRUE(ip6.has_value());
  EXPECT_EQ(ip6->host, "::1");
  EXPECT_EQ(ip6->host_header(), "[::1]:81");
}

TEST(ServerUrl, RefusesWhatIsNone) {
  for (const char* text : {"", "localhost:8000", "ftp://host", "http://", "http://u:p@host",
                           "http://host?x=1", "http://host:99999", "http://host:0", "http://a b"}) {
    const auto url = ServerUrl::parse(text);
    ASSERT_FALSE(url.has_value()) << text;
    EXPECT_EQ(url.error().code, ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace hangar::bench
