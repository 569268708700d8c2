#include "sched/testing/simulated_device.h"

#include <algorithm>
#include <utility>

namespace hangar {
namespace {

std::uint64_t mix(std::uint64_t x) {  // the finaliser of splitmix64
  x += 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31);
}

std::string breach(const char* what, SequenceId sequence, std::int64_t where) {
  return std::string(what) + ": sequence " + std::to_string(sequence) + ", at " +
         std::to_string(where);
}

}  // namespace

std::uint64_t SimulatedModel::begin(std::uint64_t salt) {
  return mix(salt + 1);
}

std::uint64_t SimulatedModel::extend(std::uint64_t before, std::int32_t token) {
  return mix(before ^ (static_cast<std::uint64_t>(token) * 0xD6E8FEB86659FD93U));
}

std::int32_t SimulatedModel::next_token(std::uint64_t prefix) {
  const std::uint64_t drawn = mix(prefix ^ 0xA5A5A5A5U);
  if (drawn % 41 == 0) return kEndToken;
  return 1 + static_cast<std::int32_t>((drawn >> 20) % (kVocabulary - 1));
}

std::vector<std::int32_t> SimulatedModel::output(std::span<const std::int32_t> prompt,
                                                 std::uint64_t salt, std::int32_t max_tokens) {
  std::uint64_t prefix = begin(salt);
  for (const std::int32_t token : prompt) prefix = extend(prefix, token);
  std::vector<std::int32_t> output;
  while (std::cmp_less(output.size(), max_tokens)) {
    output.push_back(next_token(prefix));
    if (output.back() == kEndToken) break;
    prefix = extend(prefix, output.back());
  }
  return output;
}

SimulatedDevice::SimulatedDevice(std::int32_t blocks, std::int32_t block_tokens)
    : block_tokens_(block_tokens),
      slots_(static_cast<std::size_t>(blocks) * static_cast<std::size_t>(block_tokens)) {}

std::uint64_t& SimulatedDevice::slot(std::span<const BlockId> blocks, std::int32_t position) {
  const BlockId block = blocks[static_cast<std::size_t>(position / block_tokens_)];
  return slots_[static_cast<std::size_t>(block) * static_cast<std::size_t>(block_tokens_) +
                static_cast<std::size_t>(position % block_tokens_)];
}

void SimulatedDevice::copy(std::span<const BlockCopy> copies) {
  const auto size = static_cast<std::ptrdiff_t>(block_tokens_);
  for (const BlockCopy& one : copies) {
    std::copy_n(slots_.begin() + one.from * size, size, slots_.begin() + one.to * size);
  }
}

std::string SimulatedDevice::write(const Row& row) {
  const StepItem& item = row.item;
  const std::int32_t end = item.first_token + item.tokens;
  if (std::cmp_greater(end, row.blocks.size() * static_cast<std::size_t>(block_tokens_))) {
    return breach("no block for a token", item.sequence, end - 1);
  }
  for (std::int32_t at = item.first_token; at < end; ++at) {
    const BlockId block = row.blocks[static_cast<std::size_t>(at / block_tokens_)];
    if (writers_.try_emplace(block, item.sequence).first->second != item.sequence) {
      return breach("a block has two writers", item.sequence, block);
    }
    const std::uint64_t before =
        at == 0 ? SimulatedModel::begin(row.salt) : slot(row.blocks, at - 1);
    slot(row.blocks, at) = SimulatedModel::extend(before, row.tokens[static_cast<std::size_t>(at)]);
  }
  return {};
}

std::string SimulatedDevice::attend(const Row& row, std::vector<std::int32_t>& next) {
  const StepItem& item = row.item;
  const std::int32_t end = item.first_token + item.tokens;
  const std::int32_t first_choosing = item.samples ? end - 1 - item.drafts : end;
  std::uint64_t prefix = SimulatedModel::begin(row.salt);
  for (std::int32_t at = 0; at < end; ++at) {
    prefix = SimulatedModel::extend(prefix, row.tokens[static_cast<std::size_t>(at)]);
    if (slot(row.blocks, at) != prefix) {
      return breach("the cache holds something else", item.sequence, at);
    }
    if (at >= first_choosing) next.push_back(SimulatedModel::next_token(prefix));
  }
  return {};
}

std::string SimulatedDevice::run(std::span<const BlockCopy> copies, std::span<const Row> rows,
                                 std::vector<std::vector<std::int32_t>>& next) {
  writers_.clear();
  next.assign(rows.size(), {});
  copy(copies);
  for (const Row& row : rows) {
    if (std::string error = write(row); !error.empty()) return error;
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (std::string error = attend(rows[i], next[i]); !error.empty()) return error;
  }
  return {};
}

}  // namespace hangar
