// What the host tells the card about the rows to be sampled, and what the sampling kernels keep.
//
// Promise: plain structs. The plan is words of 32 bits: RowParams for each row of the launch, then
//   the rows' lists, whose places (in words) RowParams names. It lies in the card's memory, as all
//   else but the results: these are written once, where the host reads them.
// Shapes: a row's vocabulary is cut into chunks of kSampleChunk tokens, these into blocks of
//   kSampleBlock: fixed, so that sums are the same however many rows there are.
// Threads: values.
#pragma once

#include <cstdint>

#include "tensor/token_logprob.h"

namespace hangar::cuda {

inline constexpr std::int32_t kSampleChunk = 4096;
inline constexpr std::int32_t kSampleBlock = 64;
inline constexpr std::int32_t kMostVocabulary = 1 << 19;
inline constexpr std::int32_t kMostTops = 1024;  // log-probabilities beside a token

enum RowFlags : std::uint32_t {
  kRowActive = 1,        // else padding: nothing is done
  kRowForced = 2,        // the token is known
  kRowGreedy = 4,        // the likeliest token
  kRowFront = 8,         // not all tokens may be drawn: top_k, top_p or min_p
  kRowAdjusts = 16,      // bias, penalties, bans
  kRowScored = 32,       // log-probabilities are wanted
  kRowPendingKept = 64,  // `pending` is an index into the kept tokens of the step before
};

struct WordList {
  std::int32_t first = 0;
  std::int32_t count = 0;
};

struct RowParams {
  std::uint32_t flags = 0;
  std::int32_t row = 0;    // of the logits
  std::int32_t place = 0;  // where the token goes among those of the step
  std::int32_t forced = -1;
  std::int32_t tops = 0;
  std::int32_t first_top = 0;
  std::int32_t top_k = 0;  // 0: off
  std::int32_t pending = -1;
  float top_p = 1.0F;
  float min_p = 0.0F;
  float temperature = 1.0F;
  float inverse_temperature = 1.0F;
  float repetition = 1.0F;
  float presence = 0.0F;
  float frequency = 0.0F;
  std::uint32_t unused = 0;
  double uniform = 0.0;
  WordList bias;    // of pairs: token, bits of a float
  WordList seen;    // of tokens
  WordList counts;  // of pairs: token, count
  WordList banned;  // of tokens
};
static_assert(sizeof(RowParams) % 8 == 0);

// Of the tokens of one chunk: the largest logit, its lowest token, and the sum of
// e^((logit - largest) / T).
struct ChunkSum {
  double sum = 0.0;
  float largest = 0.0F;
  std::int32_t at = 0;
};

// A pending token's logit as it was.
struct PendingLogit {
  std::int32_t token = -1;
  float logit = 0.0F;
};

struct SampledRow {
  std::int32_t token = 0;
  float logprob = 0.0F;
  std::int32_t tops = 0;
  std::int32_t unused = 0;
};

struct SamplerArrays {
  const std::uint32_t* plan = nullptr;
  float* saved = nullptr;                     // of each word of the plan that is a token: its logit
  ChunkSum* sums = nullptr;                   // [rows][chunks]
  ChunkSum* raw_sums = nullptr;               // the same of logits as they came, at T = 1
  float* maxima = nullptr;                    // [rows][blocks]
  float* raw_maxima = nullptr;                //
  PendingLogit* pending = nullptr;            // [rows]
  std::uint64_t* best = nullptr;              // [rows], 0 between launches
  std::uint32_t* arrived = nullptr;           // [rows], 0 between launches
  std::int32_t* tokens = nullptr;             // of the step
  const std::int32_t* kept_tokens = nullptr;  // of the step before, where tokens are overwritten
  SampledRow* results = nullptr;              // [rows], the host's, pinned
  TokenLogprob* tops = nullptr;               // the same
  std::int32_t vocabulary = 0;

  constexpr std::int32_t chunks() const { return (vocabulary + kSampleChunk - 1) / kSampleChunk; }
  constexpr std::int32_t blocks() const { return (vocabulary + kSampleBlock - 1) / kSampleBlock; }
};

}  // namespace hangar::cuda
