#include "serve/served_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/chat_prompt.h"
#include "serve/gateway.h"
#include "serve/output_queue.h"
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
  EXPECT_TRUE(fixture.engine->seen()[0].cancelled);
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

TEST(ServedModelTest, ChoicesAreRequestsOfTheirOwnWithSeedsThatCountUp) {
  Fixture fixture({.scripts = {MockEngine::bytes("first"), MockEngine::bytes("2|xxxxxxxxxx")}});
  TextRequest request = ask("hi");
  request.request.choices = 2;
  request.request.sampling.seed = ~std::uint64_t{0};
  request.stop = {"|"};
  const Collected all = fixture.run(std::move(request));
  EXPECT_EQ(all.text.at(0), "first");
  EXPECT_EQ(all.text.at(1), "2");
  ASSERT_TRUE(all.end);
  EXPECT_EQ(all.end->usage.prompt_tokens, 2);
  EXPECT_EQ(all.end->usage.completion_tokens, 5 + 2);
  const auto seen = fixture.engine->seen();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(*seen[0].request.sampling.seed, ~std::uint64_t{0});
  EXPECT_EQ(*seen[1].request.sampling.seed, 0U);
  EXPECT_EQ(seen[0].request.choices, 1);
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

TEST(ServedModelTest, ARefusedChoiceLeavesNothingRunning) {
  Fixture fixture({.step_us = 1000, .max_running = 2});
  TextRequest request = ask("hi", 4000);
  request.request.choices = 3;
  EXPECT_EQ(fixture.model->generate(std::move(request)).error().code,
            ErrorCode::kResourceExhausted);
  EXPECT_TRUE(eventually([&] { return fixture.engine->stats().running == 0; }));
}

TEST(OutputQueueTest, ASlowReaderHoldsFewPiecesAndLosesNoText) {
  OutputQueue queue;
  std::string all;
  for (int i = 0; i < 10'000; ++i) {
    OutputPiece piece;
    piece.choice = i % 2;
    piece.text = std::to_string(i);
    if (piece.choice == 0) all += piece.text;
    queue.push(std::move(piece));
  }
  EXPECT_LE(queue.waiting(), OutputQueue::kMergeAfter + 2);
  OutputPiece end;
  end.end = true;
  queue.push(end);
  std::string text;
  for (auto piece = queue.pop(0); piece && !piece->end; piece = queue.pop(0)) {
    if (piece->choice == 0) text += piece->text;
  }
  EXPECT_EQ(text, all);
  EXPECT_FALSE(queue.pop(-1));
}

TEST(OutputQueueTest, CallbackComesOnceAnArming) {
  OutputQueue queue;
  int called = 0;
  queue.on_ready([&] { ++called; });
  EXPECT_EQ(called, 0);
  queue.push({});
  queue.push({});
  EXPECT_EQ(called, 1);
  queue.on_ready([&] { ++called; });  // one waits already
  EXPECT_EQ(called, 2);
  queue.abandon();
  queue.on_ready([&] { ++called; });
  queue.push({});
  EXPECT_EQ(called, 2);
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
