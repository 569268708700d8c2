#include "serve/monitoring_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/routes.h"
#include "serve/testing/test_server.h"

namespace hangar {
namespace {

using ::testing::HasSubstr;

HttpResponse get(Gateway& gateway, std::string path) {
  HttpRequest request;
  request.method = "GET";
  request.target = std::move(path);
  HandlerResult result = handle_request(gateway, request);
  return std::get<HttpResponse>(result);
}

struct Watched {
  explicit Watched(const GatewayOptions& options = {}, MockEngine::Options engine_options = {})
      : gateway(options) {
    auto owned = std::make_unique<MockEngine>(std::move(engine_options));
    engine = owned.get();
    gateway.add(make_cold_mock_model(std::move(owned)));
  }
  Gateway gateway;
  MockEngine* engine;
};

TEST(HealthTest, ReadyOnceATokenHasComeOutOfTheModel) {
  Watched watched;
  EXPECT_EQ(get(watched.gateway, "/health").status, 503);
  EXPECT_THAT(get(watched.gateway, "/readyz").body, HasSubstr(R"("status":"starting")"));
  EXPECT_EQ(get(watched.gateway, "/livez").status, 200);
  ASSERT_TRUE(watched.gateway.models()[0]->warm_up());
  EXPECT_EQ(get(watched.gateway, "/health").status, 200);
  EXPECT_EQ(get(watched.gateway, "/health").body, R"({"status":"ok"})");
  EXPECT_EQ(get(watched.gateway, "/readyz").status, 200);
}

TEST(HealthTest, ADrainingDoorIsUnreadyAndAlive) {
  Watched watched;
  ASSERT_TRUE(watched.gateway.models()[0]->warm_up());
  watched.gateway.drain();
  EXPECT_EQ(get(watched.gateway, "/readyz").status, 503);
  EXPECT_THAT(get(watched.gateway, "/health").body, HasSubstr(R"("status":"draining")"));
  EXPECT_EQ(get(watched.gateway, "/livez").status, 200);
}

TEST(HealthTest, AFrozenEngineTurnsUnreadyWithinTheLimitAndReadyAgain) {
  Watched watched({.ready_limit_us = 30'000});
  ASSERT_TRUE(watched.gateway.models()[0]->warm_up());
  watched.engine->freeze(true);
  EXPECT_EQ(get(watched.gateway, "/readyz").status, 200);  // nothing waits: an idle engine is fine
  TextRequest request;
  request.request.prompt = {1};
  request.request.max_tokens = 3;
  auto stream = watched.gateway.models()[0]->generate(std::move(request));
  ASSERT_TRUE(stream);
  ASSERT_TRUE(eventually([&] { return get(watched.gateway, "/readyz").status == 503; }));
  const HttpResponse stalled = get(watched.gateway, "/health");
  EXPECT_EQ(stalled.status, 503);
  EXPECT_THAT(stalled.body, HasSubstr(R"("status":"stalled")"));
  EXPECT_THAT(stalled.body, HasSubstr(R"(no step of \"mock\" has ended for)"));
  EXPECT_EQ(get(watched.gateway, "/livez").status, 200);
  watched.engine->freeze(false);
  EXPECT_TRUE(eventually([&] { return get(watched.gateway, "/readyz").status == 200; }));
}

TEST(HealthTest, AnEngineThatHasEndedIsSaidSo) {
  Watched watched;
  ASSERT_TRUE(watched.gateway.models()[0]->warm_up());
  watched.engine->stop();
  EXPECT_THAT(get(watched.gateway, "/health").body, HasSubstr(R"("status":"stopped")"));
  EXPECT_EQ(get(watched.gateway, "/readyz").status, 503);
}

}  // namespace
}  // namespace hangar
