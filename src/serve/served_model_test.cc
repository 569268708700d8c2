#include "serve/served_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <initializer_list>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/clock.h"
#include "serve/chat_prompt.h"
#include "serve/gateway.h"
#include "serve/testing/test_server.h"
#include "text/stream_decoder.h"

namespace hangar {
namespace {

using ::testing::ElementsAre;

struct Collected {
  std::map<int, std::string> text;
  std::map<int, std::vector<std::string>> tokens;
  std::map<int, FinishReason> finish;
  std::optional<OutputPiece> end;
  bool whole_utf8 = true;
};

Collected collect(OutputStream& stream) {
  Collected all;
  while (!all.end) {
    std::optional<OutputPiece> piece = stream.next(5'000'000);
    if (!piece) break;
    if (piece->end) {
      all.end = std::move(piece);
      break;
    }
    if (to_valid_utf8(piece->text) != piece->text) all.whole_utf8 = false;
    all.text[piece->choice] += piece->text;
    for (const OutputToken& token : piece->tokens) {
      all.tokens[piece->choice].push_back(token.bytes);
    }
    if (piece->finish) all.finish[piece->choice] = *piece->finish;
  }
  return all;
}

struct Fixture {
  explicit Fixture(MockEngine::Options options) {
    auto owned = std::make_unique<MockEngine>(std::move(options));
    engine = owned.get();
    model = make_mock_model(std::move(owned));
  }
  Collected run(TextRequest request) {
    auto stream = model->generate(std::move(request));
    EXPECT_TRUE(stream.has_value()) << stream.error().message;
    return collect(**stream);
  }
  MockEngine* engine;
  std::unique_ptr<ServedModel> model;
};

TextRequest ask(std::string_view prompt, std::int32_t max_tokens = 100) {
  TextRequest request;
  request.request.prompt = MockEngine::bytes(prompt);
  request.request.max_tokens = max_tokens;
  return request;
}

TEST(ServedModelTest, TextEndsByTheStopTokenThatIsNotShown) {
  Fixture fixture({.scripts = {MockEngine::bytes("hello")}});
  const Collected all = fixture.run(ask("hi"));
  EXPECT_EQ(all.text.at(0), "hello");
  EXPECT_EQ(all.finish.at(0), FinishReason::kStop);
  ASSERT_TRUE(all.end);
  EXPECT_FALSE(all.end->finish);
  EXPECT_EQ(all.end->usage.prompt_tokens, 2);
  EXPECT_EQ(all.end->usage.completion_tokens, 5);
  EXPECT_THAT(fixture.engine->seen()[0].request.stop_tokens, ElementsAre(MockTokenizer::kEos));
}

TEST(ServedModelTest, PiecesAreWholeCharactersAndNothingIsLost) {
  const std::string text =
      "a\xF0\x9F\x98\x80z\xE2\x82";  // an emoji, and half a euro sign at the end
  Fixture fixture({.scripts = {MockEngine::bytes(text)}});
  TextRequest request = ask("hi");
  request.request.logprobs = 0;
  const Collected all = fixture.run(std::move(request));
  EXPECT_TRUE(all.whole_utf8);
  EXPECT_EQ(all.text.at(0), to_valid_utf8(text));
  EXPECT_EQ(all.tokens.at(0).size(), text.size());
}

TEST(ServedModelTest, StopStringAcrossTokensEndsTheChoiceAndCancelsTheEngine) {
  Fixture fixture(
      {.scripts = {MockEngine::bytes("one STOP two three four five six")}, .step_us = 1000});
  TextRequest request = ask("hi");
  request.stop = {"STOP"};
  request.request.logprobs = 0;
  const Collected all = fixture.run(std::move(request));
  EXPECT_EQ(all.text.at(0), "one ");
  EXPECT_EQ(all.finish.at(0), FinishReason::kStop);
  EXPECT_THAT(all.tokens.at(0), ElementsAre("o", "n", "e", " "));
  ASSERT_TRUE(all.end);
  EXPECT_FALSE(all.end->finish);
  EXPECT_EQ(all.end->usage.completion_tokens, 8);
  EXPECT_THAT(fixture.engine->seen()[0].cancelled_choices, ElementsAre(0));
  EXPECT_LE(fixture.engine->seen()[0].tokens, 9);
}

TEST(ServedModelTest, TextHeldBackForAStopStringComesOutAtTheEnd) {
  Fixture fixture({.scripts = {MockEngine::bytes("one STO")}});
  TextRequest request = ask("hi");
  request.stop = {"STOP"};
  const Collected all = fixture.run(std::move(request));
  EXPECT_EQ(all.text.at(0), "one STO");
  Fixture limited({.scripts = {MockEngine::bytes("one STOP")}});
  TextRequest short_request = ask("hi", 6);
  short_request.stop = {"STOP"};
  const Collected cut = limited.run(std::move(short_request));
  EXPECT_EQ(cut.text.at(0), "one ST");
  EXPECT_EQ(cut.finish.at(0), FinishReason::kLength);
}

TEST(ServedModelTest, StopStringsWaitForMinTokens) {
  Fixture fixture({.scripts = {MockEngine::bytes("a.b.c")}});
  TextRequest request = ask("hi");
  request.stop = {"."};
  request.request.min_tokens = 3;
  const Collected all = fixture.run(std::move(request));
  EXPECT_EQ(all.text.at(0), "a.b");
}

TEST(ServedModelTest, ChoicesAreOneRequestAndAStopStringEndsOneAlone) {
  Fixture fixture({.scripts = {MockEngine::bytes("2|xxxxxxxxxx"), MockEngine::bytes("first one")},
                   .step_us = 1000,
                   .cached_tokens = 1});
  TextRequest request = ask("hi");
  request.request.choices = 2;
  request.request.sampling.seed = 7;
  request.stop = {"|"};
  const Collected all = fixture.run(std::move(request));
  EXPECT_EQ(all.text.at(0), "2");
  EXPECT_EQ(all.text.at(1), "first one");
  EXPECT_EQ(all.finish.at(0), FinishReason::kStop);
  ASSERT_TRUE(all.end);
  EXPECT_FALSE(all.end->finish);
  EXPECT_EQ(all.end->usage.prompt_tokens, 2);
  EXPECT_EQ(all.end->usage.cached_tokens, 1);
  EXPECT_EQ(all.end->usage.completion_tokens, 2 + 9);
  const auto seen = fixture.engine->seen();
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].request.choices, 2);
  EXPECT_EQ(*seen[0].request.sampling.seed, 7U);
  EXPECT_FALSE(seen[0].cancelled);
  EXPECT_THAT(seen[0].cancelled_choices, ElementsAre(0));
  EXPECT_LE(seen[0].tokens, 3 + 9);
}

TEST(ServedModelTest, EachChoiceEchoesThePromptThatIsComputedOnce) {
  Fixture fixture({.scripts = {MockEngine::bytes("c"), MockEngine::bytes("d")}});
  TextRequest request = ask("ab");
  request.echo = true;
  request.request.choices = 2;
  request.request.logprobs = 0;
  request.request.prompt_logprobs = true;
  const Collected all = fixture.run(std::move(request));
  EXPECT_THAT(all.tokens.at(0), ElementsAre("a", "b", "c"));
  EXPECT_THAT(all.tokens.at(1), ElementsAre("a", "b", "d"));
}

TEST(ServedModelTest, EchoComesFirstWithTheTokensOfThePrompt) {
  Fixture fixture({.scripts = {MockEngine::bytes("cd")}});
  TextRequest request = ask("ab");
  request.echo = true;
  request.request.logprobs = 0;
  request.request.prompt_logprobs = true;
  request.stop = {"ab"};  // not looked for in the prompt
  const Collected all = fixture.run(std::move(request));
  EXPECT_EQ(all.text.at(0), "abcd");
  EXPECT_THAT(all.tokens.at(0), ElementsAre("a", "b", "c", "d"));
}

TEST(ServedModelTest, NoTokensWantedComputesOnlyWhatIsNeeded) {
  Fixture fixture({.scripts = {MockEngine::bytes("cd")}});
  TextRequest request = ask("ab", 0);
  request.echo = true;
  Collected all = fixture.run(request);
  EXPECT_EQ(all.text.at(0), "ab");
  EXPECT_EQ(all.finish.at(0), FinishReason::kLength);
  EXPECT_EQ(all.end->usage.completion_tokens, 0);
  EXPECT_TRUE(fixture.engine->seen().empty());
  request.request.logprobs = 1;
  request.request.prompt_logprobs = true;
  all = fixture.run(request);
  EXPECT_EQ(all.text.at(0), "ab");
  EXPECT_THAT(all.tokens.at(0), ElementsAre("a", "b"));
  EXPECT_EQ(all.end->usage.completion_tokens, 0);
  EXPECT_EQ(fixture.engine->seen().size(), 1U);
}

TEST(ServedModelTest, ControlTokensAreHiddenUnlessKept) {
  Fixture fixture({.scripts = {{'a', MockTokenizer::kMark, 'b'}}});
  TextRequest request = ask("hi");
  EXPECT_EQ(fixture.run(request).text.at(0), "ab");
  request.keep_special = true;
  EXPECT_EQ(fixture.run(request).text.at(0), "a<|mark|>b");
}

TEST(ServedModelTest, DroppingTheStreamCancelsAllItsChoices) {
  Fixture fixture({.step_us = 1000});
  TextRequest request = ask("hi", 4000);
  request.request.choices = 2;
  auto stream = fixture.model->generate(std::move(request));
  ASSERT_TRUE(stream);
  ASSERT_TRUE((*stream)->next(5'000'000));
  stream->reset();
  EXPECT_TRUE(eventually([&] { return fixture.engine->stats().running == 0; }));
  for (const auto& seen : fixture.engine->seen()) {
    EXPECT_TRUE(seen.cancelled);
    EXPECT_LT(seen.tokens, 4000);
  }
}

TEST(ServedModelTest, AFailedChoiceFailsTheRequest) {
  Fixture fixture({.step_us = 100, .fail_after_tokens = 2});
  const Collected all = fixture.run(ask("hi"));
  EXPECT_EQ(all.text.at(0), "xx");
  ASSERT_TRUE(all.end);
  EXPECT_EQ(all.end->finish, FinishReason::kFailed);
  EXPECT_EQ(all.end->error, "written to fail");
}

TEST(ServedModelTest, StreamsEndWhenTheModelGoesAndMayOutliveIt) {
  std::unique_ptr<OutputStream> stream;
  {
    Fixture fixture({.step_us = 1000});
    stream = std::move(fixture.model->generate(ask("hi", 4000)).value());
  }
  const Collected all = collect(*stream);
  ASSERT_TRUE(all.end);
  EXPECT_EQ(all.end->finish, FinishReason::kCancelled);
  EXPECT_FALSE(stream->next(-1));  // after the end there is nothing to wait for
  stream->cancel();
}

TEST(ServedModelTest, RefusesPromptsThatDoNotFit) {
  Fixture fixture({.scripts = {MockEngine::bytes("0123456789")}, .context_tokens = 10});
  EXPECT_EQ(fixture.model->generate(ask("")).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(fixture.model->generate(ask("0123456789")).error().code, ErrorCode::kInvalidArgument);
  const Collected all = fixture.run(ask("01234567", 1000));  // cut to what is left
  EXPECT_EQ(all.text.at(0), "01");
  EXPECT_EQ(all.finish.at(0), FinishReason::kLength);
}

TEST(ServedModelTest, ARefusedRequestLeavesNothingBehind) {
  Fixture fixture({.step_us = 1000, .max_queue = 1});
  auto first = fixture.model->generate(ask("hi", 4000));
  ASSERT_TRUE(first);
  EXPECT_EQ(fixture.model->generate(ask("hi")).error().code, ErrorCode::kResourceExhausted);
  EXPECT_GE(fixture.model->retry_after_s(), 1);
  first->reset();
  EXPECT_TRUE(eventually([&] { return fixture.engine->stats().running == 0; }));
  EXPECT_TRUE(fixture.model->generate(ask("hi")));
}

TEST(ServedModelTest, SeveralPromptsAreTakenTogetherOrNotAtAll) {
  Fixture fixture({.scripts = {MockEngine::bytes("ab")}, .max_queue = 2});
  const auto several = [](std::initializer_list<std::string_view> prompts) {
    std::vector<TextRequest> requests;
    for (const std::string_view prompt : prompts) requests.push_back(ask(prompt, 2));
    return requests;
  };
  EXPECT_EQ(fixture.model->generate(several({"a", "b", "c"})).error().code,
            ErrorCode::kResourceExhausted);
  EXPECT_EQ(fixture.model->generate(several({"a", ""})).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(fixture.engine->seen().empty());
  // One of them needs no engine: each answer has its place.
  std::vector<TextRequest> requests = several({"one", "four", "three"});
  requests[1].request.max_tokens = 0;
  auto streams = fixture.model->generate(std::move(requests));
  ASSERT_TRUE(streams.has_value()) << streams.error().message;
  ASSERT_EQ(streams->size(), 3U);
  for (const auto& [place, prompt_tokens, tokens] :
       {std::tuple{0U, 3, 2}, std::tuple{1U, 4, 0}, std::tuple{2U, 5, 2}}) {
    const Collected all = collect(*(*streams)[place]);
    ASSERT_TRUE(all.end) << place;
    EXPECT_EQ(all.end->usage.prompt_tokens, prompt_tokens);
    EXPECT_EQ(all.end->usage.completion_tokens, tokens);
  }
  EXPECT_EQ(fixture.engine->seen().size(), 2U);
}

TEST(ServedModelTest, AFailingChoiceEndsTheOthers) {
  Fixture fixture({.step_us = 100, .fail_after_tokens = 2});
  TextRequest request = ask("hi");
  request.request.choices = 2;
  const Collected all = fixture.run(std::move(request));
  ASSERT_TRUE(all.end);
  EXPECT_EQ(all.end->finish, FinishReason::kFailed);
  EXPECT_TRUE(eventually([&] { return fixture.engine->stats().running == 0; }));
}

TEST(ServedModelTest, AThousandStreamsDroppedAtOnceAreGoneAtOnce) {
  constexpr std::size_t kStreams = 1000;
  Fixture fixture({.step_us = 2000});
  std::vector<std::unique_ptr<OutputStream>> streams;
  for (std::size_t i = 0; i < kStreams; ++i) {
    streams.push_back(std::move(fixture.model->generate(ask("hi", 4000)).value()));
  }
  for (const auto& stream : streams) ASSERT_TRUE(stream->next(5'000'000));
  const std::int64_t begin_us = steady_now_us();
  streams.clear();
  const std::int64_t dropped_us = steady_now_us() - begin_us;
  EXPECT_TRUE(eventually([&] { return fixture.engine->stats().running == 0; }));
  EXPECT_LT(dropped_us, 1'000'000);  // milliseconds, but sanitizers and neighbours are slow
  for (const auto& seen : fixture.engine->seen()) EXPECT_TRUE(seen.cancelled);
  const auto& ends = fixture.model->metrics().requests_ended;
  EXPECT_TRUE(eventually(
      [&] { return ends[static_cast<std::size_t>(FinishReason::kCancelled)].load() == kStreams; }));
}

TEST(ServedModelTest, AReaderThatNeverReadsIsCutOff) {
  Fixture fixture({.step_us = 10, .context_tokens = 1 << 30});
  TextRequest request = ask("hi", 1 << 29);
  request.max_waiting_bytes = 12'000;
  auto stream = fixture.model->generate(std::move(request));
  ASSERT_TRUE(stream);
  ASSERT_TRUE(eventually([&] { return fixture.engine->stats().running == 0; }, 20'000));
  EXPECT_TRUE(fixture.engine->seen()[0].cancelled);
  EXPECT_GE(fixture.engine->seen()[0].tokens, 1'000);
  EXPECT_EQ(fixture.model->metrics().slow_readers.load(), 1U);
  const Collected all = collect(**stream);
  EXPECT_TRUE(all.text.empty());  // what waited has been dropped
  ASSERT_TRUE(all.end);
  EXPECT_EQ(all.end->finish, FinishReason::kCancelled);
  EXPECT_THAT(all.end->error, ::testing::HasSubstr("too slow"));
}

TEST(ServedModelTest, AWholeAnswerWakesItsReaderOnce) {
  Fixture fixture({.scripts = {MockEngine::bytes("hello")}, .step_us = 1000});
  TextRequest request = ask("hi");
  request.whole = true;
  request.max_waiting_bytes = 1;  // does not count: nobody is to read before the end
  fixture.engine->freeze(true);
  auto stream = fixture.model->generate(std::move(request));
  ASSERT_TRUE(stream);
  std::atomic<int> woken{0};
  (*stream)->on_ready([&] { ++woken; });
  EXPECT_FALSE((*stream)->next(0));
  EXPECT_EQ(woken.load(), 0);
  fixture.engine->freeze(false);
  ASSERT_TRUE(eventually([&] { return woken.load() > 0; }));
  const auto piece = (*stream)->next(0);
  ASSERT_TRUE(piece);
  EXPECT_EQ(piece->text, "hello");
  EXPECT_EQ(piece->finish, FinishReason::kStop);
  const auto end = (*stream)->next(0);
  ASSERT_TRUE(end && end->end);
  EXPECT_EQ(woken.load(), 1);
}

TEST(ServedModelTest, WarmUpIsNeitherSeenNorCounted) {
  auto owned = std::make_unique<MockEngine>(MockEngine::Options{});
  const auto model = make_cold_mock_model(std::move(owned));
  EXPECT_FALSE(model->has_produced());
  ASSERT_TRUE(model->warm_up());
  EXPECT_TRUE(model->has_produced());
  EXPECT_EQ(model->metrics().time_to_first_token_us.snapshot().total, 0U);
  EXPECT_EQ(model->metrics().requests_ended[0].load(), 0U);
  const auto broken = make_cold_mock_model(
      std::make_unique<MockEngine>(MockEngine::Options{.fail_after_tokens = 0}));
  const Status status = broken->warm_up();
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, ::testing::HasSubstr("written to fail"));
  EXPECT_FALSE(broken->has_produced());
}

TEST(ServedModelTest, ExpiredRequestsSaySo) {
  Fixture fixture({.step_us = 1000, .at_once = 1});
  auto running = fixture.model->generate(ask("hi", 4000));
  TextRequest late = ask("hi", 10);
  late.request.deadline_us = unix_now_us() + 20'000;
  const Collected all = fixture.run(std::move(late));
  EXPECT_TRUE(all.text.empty());
  ASSERT_TRUE(all.end);
  EXPECT_EQ(all.end->finish, FinishReason::kExpired);
  EXPECT_EQ(fixture.engine->seen()[1].tokens, 0);
}

TEST(ChatPromptTest, RendersAndAddsNothingToTheTemplatesText) {
  Fixture fixture({});
  boost::json::object context;
  context["messages"] = boost::json::array{{{"role", "user"}, {"content", "hi<|mark|>"}}};
  const auto prompt = make_chat_prompt(*fixture.model, context);
  ASSERT_TRUE(prompt) << prompt.error().message;
  EXPECT_EQ(prompt->text, "user: hi<|mark|>\nassistant: ");
  EXPECT_EQ(prompt->ids[8], MockTokenizer::kMark);

  const auto with_bos = [&](std::string_view source) {
    const std::vector<ChatTemplateSource> sources{{"default", std::string(source)}};
    ServedModel model("bos", std::make_unique<MockTokenizer>(true),
                      std::move(ChatTemplates::parse(sources).value()),
                      std::make_unique<MockEngine>(MockEngine::Options{}));
    return make_chat_prompt(model, context).value().ids;
  };
  EXPECT_THAT(with_bos("{{ bos_token }}a"), ElementsAre(MockTokenizer::kBos, 'a'));
  EXPECT_THAT(with_bos("a"), ElementsAre('a'));
}

TEST(ChatPromptTest, AModelWithoutATemplateIsRefused) {
  const auto model =
      make_mock_model(std::make_unique<MockEngine>(MockEngine::Options{}), "m", false);
  EXPECT_EQ(make_chat_prompt(*model, {}).error().code, ErrorCode::kUnsupported);
}

TEST(GatewayTest, KnowsItsModelsAndDrainsThem) {
  Gateway gateway;
  auto engine = std::make_unique<MockEngine>(MockEngine::Options{});
  gateway.add(make_mock_model(std::move(engine), "one"));
  ASSERT_TRUE(gateway.find("one"));
  EXPECT_EQ(gateway.find("two").error().code, ErrorCode::kNotFound);
  EXPECT_NE(gateway.find("two").error().message.find("\"one\""), std::string::npos);
  EXPECT_FALSE(gateway.draining());
  gateway.drain();
  EXPECT_TRUE(gateway.draining());
  EXPECT_EQ((*gateway.find("one"))->generate(ask("x")).error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace hangar
