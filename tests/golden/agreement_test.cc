#include "golden/agreement.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "golden/figures_file.h"

namespace hangar::golden {
namespace {

using Row = std::vector<float>;

float log_of(double probability) {
  return static_cast<float>(std::log(probability));
}

TEST(WholeKlDivergence, IsThatOfTheDistributions) {
  const Row fair{log_of(0.5), log_of(0.5)};
  const Row skewed{log_of(0.9), log_of(0.1)};
  // 0.5 ln(0.5 / 0.9) + 0.5 ln(0.5 / 0.1), and the other way round.
  EXPECT_NEAR(whole_kl_divergence(fair, skewed), 0.5108256, 1e-6);
  EXPECT_NEAR(whole_kl_divergence(skewed, fair), 0.3680642, 1e-6);
  EXPECT_NEAR(whole_kl_divergence(skewed, skewed), 0.0, 1e-12);
}

TEST(WholeKlDivergence, DoesNotSeeWhatIsAddedToAllLogits) {
  const Row one{1.0F, 2.0F, 3.0F, -4.0F};
  Row other{1.5F, 2.0F, 2.5F, -3.0F};
  const double kl = whole_kl_divergence(one, other);
  EXPECT_GT(kl, 0.05);
  for (float& logit : other) logit += 64.0F;
  EXPECT_NEAR(whole_kl_divergence(one, other), kl, 1e-6);
}

TEST(WholeKlDivergence, TakesLogitsFarApartAndImpossibleTokens) {
  const float never = -std::numeric_limits<float>::infinity();
  EXPECT_NEAR(whole_kl_divergence(Row{300.0F, -300.0F}, Row{300.0F, -300.0F}), 0.0, 1e-12);
  EXPECT_NEAR(whole_kl_divergence(Row{0.0F, 0.0F, never}, Row{0.0F, 0.0F, 0.0F}), std::log(1.5),
              1e-6);
  EXPECT_TRUE(std::isinf(whole_kl_divergence(Row{0.0F, 0.0F}, Row{0.0F, never})));
}

class AgreementTest : public ::testing::Test {
 protected:
  // Two sequences, of one and of two positions.
  static Logits logits(const std::vector<Row>& rows) {
    const std::vector<std::int32_t> lengths{1, 2};
    Logits made(3, lengths);
    made.set(0, 0, rows[0]);
    made.set(1, 0, rows[1]);
    made.set(1, 1, rows[2]);
    return made;
  }
};

TEST_F(AgreementTest, OfTheSameIsFull) {
  const Logits one = logits({{1, 2, 3}, {3, 2, 1}, {0, 5, 0}});
  const Agreement found = agreement(one, one);
  EXPECT_EQ(found.positions, 3U);
  EXPECT_NEAR(found.kl_mean, 0.0, 1e-12);
  EXPECT_EQ(found.differ, 0U);
  EXPECT_EQ(found.gap_error, 0.0F);
  EXPECT_EQ(found.same_choice(), 1.0);
}

TEST_F(AgreementTest, FindsTheWorstPositionAndTakesTheMeanOverAll) {
  const Logits one = logits({{1, 2, 3}, {3, 2, 1}, {0, 5, 0}});
  const Logits other = logits({{1, 2, 3.25F}, {3, 2, 1}, {0, 3, 0}});
  const Agreement found = agreement(one, other);
  const double first = whole_kl_divergence(one.at(0, 0), other.at(0, 0));
  const double last = whole_kl_divergence(one.at(1, 1), other.at(1, 1));
  EXPECT_GT(last, first);
  EXPECT_NEAR(found.kl_mean, (first + last) / 3, 1e-12);
  EXPECT_EQ(found.kl_max, last);
  EXPECT_EQ(found.worst_sequence, 1U);
  EXPECT_EQ(found.worst_position, 1U);
  EXPECT_EQ(found.gap_error, 2.0F);  // 5 over the next became 3
}

TEST_F(AgreementTest, CountsOtherChoicesAndWhichAreNearTies) {
  // Gaps of 1, 0.25 and 8; where both choose the same, a gap is off by 0.5.
  const Logits one = logits({{0, 1, -5}, {0.25F, 0, -5}, {8, 0, -5}});
  const Agreement near = agreement(one, logits({{0, 1.5F, -5}, {0, 0.25F, -5}, {8, 0, -5}}));
  EXPECT_EQ(near.gap_error, 0.5F);
  EXPECT_EQ(near.differ, 1U);
  EXPECT_EQ(near.near_ties, 1U);
  EXPECT_EQ(near.widest_differing, 0.25F);
  EXPECT_NEAR(near.same_choice(), 2.0 / 3.0, 1e-12);

  const Agreement far = agreement(one, logits({{0, 1.5F, -5}, {0, 0.25F, -5}, {0, 0, 1}}));
  EXPECT_EQ(far.differ, 2U);
  EXPECT_EQ(far.near_ties, 1U);
  EXPECT_EQ(far.widest_differing, 8.0F);
}

TEST_F(AgreementTest, SeesANumberThatIsNone) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Logits one = logits({{1, 2, 3}, {3, 2, 1}, {0, 5, 0}});
  const Agreement found = agreement(one, logits({{1, 2, 4}, {3, nan, 1}, {0, 1, 0}}));
  EXPECT_TRUE(std::isnan(found.kl_mean));
  EXPECT_TRUE(std::isnan(found.kl_max));
  EXPECT_EQ(found.worst_sequence, 1U);
  EXPECT_EQ(found.worst_position, 0U);

  const std::vector<std::int32_t> lengths{1, 2};
  EXPECT_TRUE(std::isnan(agreement(one, Logits(3, lengths)).kl_mean)) << "never set";
}

TEST(FiguresFile, KeepsWhatOthersPutThere) {
  const std::string path = ::testing::TempDir() + "/hangar_figures_test.json";
  std::ofstream(path) << "no json";
  const char* before = std::getenv("HANGAR_GOLDEN_JSON");
  const std::string kept = before == nullptr ? "" : before;
  ASSERT_EQ(setenv("HANGAR_GOLDEN_JSON", path.c_str(), 1), 0);
  keep_figures("one", {1, 2});
  keep_figures("two", "b");
  keep_figures("one", 3);
  ASSERT_EQ(setenv("HANGAR_GOLDEN_JSON", kept.c_str(), 1), 0);
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), "{\"one\":3,\"two\":\"b\"}\n");
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace hangar::golden
