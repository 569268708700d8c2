#include "serve/output_queue.h"

#include <gtest/gtest.h>

#include <string>

namespace hangar {
namespace {

OutputPiece text_piece(std::string text) {
  OutputPiece piece;
  piece.text = std::move(text);
  return piece;
}

TEST(OutputQueueTest, ASlowReaderHoldsFewPiecesAndLosesNoText) {
  OutputQueue queue;
  std::string all;
  for (int i = 0; i < 10'000; ++i) {
    OutputPiece piece;
    piece.choice = i % 2;
    piece.text = std::to_string(i);
    if (piece.choice == 0) all += piece.text;
    EXPECT_TRUE(queue.push(std::move(piece)));
  }
  EXPECT_LE(queue.waiting(), OutputQueue::kMergeAfter + 2);
  OutputPiece end;
  end.end = true;
  EXPECT_TRUE(queue.push(end));
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
  EXPECT_TRUE(queue.push({}));
  EXPECT_TRUE(queue.push({}));
  EXPECT_EQ(called, 1);
  queue.on_ready([&] { ++called; });  // one waits already
  EXPECT_EQ(called, 2);
  queue.abandon();
  queue.on_ready([&] { ++called; });
  EXPECT_TRUE(queue.push({}));
  EXPECT_EQ(called, 2);
}

TEST(OutputQueueTest, PastItsLimitWhatWaitsIsDroppedAndOnlyTheEndIsTaken) {
  OutputQueue queue({.max_waiting_bytes = 1000});
  // One piece may be larger than the limit: it is not the reader's fault.
  ASSERT_TRUE(queue.push(text_piece(std::string(5000, 'x'))));
  EXPECT_GE(queue.waiting_bytes(), 5000U);
  EXPECT_FALSE(queue.push(text_piece("y")));
  EXPECT_EQ(queue.waiting_bytes(), 0U);
  OutputPiece end;
  end.end = true;
  EXPECT_TRUE(queue.push(end));
  const auto piece = queue.pop(0);
  ASSERT_TRUE(piece);
  EXPECT_TRUE(piece->end);
}

TEST(OutputQueueTest, BytesAreCountedInAndOut) {
  OutputQueue queue;
  for (int i = 0; i < 300; ++i) {
    OutputPiece piece = text_piece("word");
    OutputToken token;
    token.bytes = "word";
    token.top.push_back({1, "other", -1.0F});
    piece.tokens.push_back(token);
    EXPECT_TRUE(queue.push(std::move(piece)));
  }
  EXPECT_GE(queue.waiting_bytes(), 300 * (sizeof(OutputToken) + sizeof(TokenAlternative) + 13));
  while (queue.pop(0)) {
  }
  EXPECT_EQ(queue.waiting_bytes(), 0U);
}

TEST(OutputQueueTest, AReaderThatKeepsUpIsNeverCutOff) {
  OutputQueue queue({.max_waiting_bytes = 1000});
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(queue.push(text_piece("0123456789")));
    ASSERT_TRUE(queue.pop(0));
  }
}

TEST(OutputQueueTest, WholeAnswersAreOnePieceAChoice) {
  OutputQueue queue({.max_waiting_bytes = 1, .whole = true});
  int called = 0;
  queue.on_ready([&] { ++called; });
  for (int i = 0; i < 1000; ++i) {
    OutputPiece piece = text_piece("x");
    piece.choice = i % 2;
    ASSERT_TRUE(queue.push(std::move(piece)));
  }
  EXPECT_EQ(queue.waiting(), 2U);
  EXPECT_FALSE(queue.pop(0));
  EXPECT_EQ(called, 0);
  OutputPiece end;
  end.end = true;
  ASSERT_TRUE(queue.push(end));
  EXPECT_EQ(called, 1);
  EXPECT_EQ(queue.pop(0)->text.size(), 500U);
  EXPECT_EQ(queue.pop(0)->text.size(), 500U);
  EXPECT_TRUE(queue.pop(0)->end);
}

}  // namespace
}  // namespace hangar
