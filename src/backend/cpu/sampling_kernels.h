// The passes over a row of logits that sampling is made of, with vectors.
//
// Promise: a logit that is not finite counts as minus infinity, with the weight 0. A token's weight
//   is e^((logit - largest) * inverse_temperature) in float, the same bits wherever the token
//   stands; sums of weights are in double, in an order that the vectors' width fixes.
// Shapes: n elements are seen as token_blocks(n) blocks of kTokenBlock, the last one shorter.
// Memory: arrays that tokens are collected or kept in have room for kTokenPadding more than n.
// Threads: pure functions.
#pragma once

#include <cstdint>

namespace hangar::cpu {

inline constexpr std::int64_t kTokenBlock = 256;
inline constexpr std::int64_t kTokenPadding = 16;

constexpr std::int64_t token_blocks(std::int64_t n) {
  return (n + kTokenBlock - 1) / kTokenBlock;
}

// The largest logit of each block.
void block_maxima(const float* logits, std::int64_t n, float* maxima);
// The first place of `value`, which is there.
std::int64_t first_equal(const float* logits, std::int64_t n, float value);

struct Weighing {
  float largest = 0.0F;
  float inverse_temperature = 1.0F;
  float least = 0.0F;  // weights below become 0
};
void weigh_logits(const float* logits, std::int64_t n, const Weighing& weighing, float* weights);
// The sum of each block's weights.
void sum_weighed(const float* logits, std::int64_t n, const Weighing& weighing, double* sums);
// The same where the weights are there already; those below `least` count as 0.
void sum_weights(const float* weights, std::int64_t n, float least, double* sums);

// Some tokens of a row, ids ascending.
struct TokenList {
  std::int32_t* ids = nullptr;
  float* logits = nullptr;
  float* weights = nullptr;
  std::int64_t count = 0;
};
// Appends the tokens of a finite logit of at least `least`, without weights; the first of the n
// has the id `first_id`.
void collect_tokens(const float* logits, std::int64_t n, float least, std::int32_t first_id,
                    TokenList& list);

// The front of a list in order of value, the earlier first among equals: all that is above
// `threshold` and the first `ties` of those equal to it.
struct TokenCut {
  float threshold = 0.0F;
  std::int64_t ties = 0;
};
// Keeps the front, in the list's order.
void keep_front(TokenList& list, TokenCut cut);

// What lies above and at `pivot` among values: the sums of weights, or the numbers of values where
// weights is null.
struct ValueSplit {
  double above = 0.0;
  double at = 0.0;
};
ValueSplit split_values(const float* values, const float* weights, std::int64_t n, float pivot);
// Keeps the values above the pivot (or below it), and their weights where there are any, in place.
// Gives their number.
std::int64_t keep_side(float* values, float* weights, std::int64_t n, float pivot, bool above);

}  // namespace hangar::cpu
