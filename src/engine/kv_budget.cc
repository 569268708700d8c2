#include "engine/kv_budget.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

#include "base/units.h"

namespace hangar {
namespace {

constexpr std::uint64_t kUsualBytes = std::uint64_t{1} << 30U;

std::uint64_t blocks_of(std::uint64_t tokens, const KvBudgetInput& in) {
  const auto block = static_cast<std::uint64_t>(in.block_tokens);
  return (tokens + block - 1) / block;
}

}  // namespace

std::uint64_t available_memory_bytes() {
  std::ifstream meminfo("/proc/meminfo");
  std::string key, unit;
  std::uint64_t kib = 0;
  while (meminfo >> key >> kib) {
    if (key == "MemAvailable:") return kib * 1024;
    std::getline(meminfo, unit);
  }
  return 0;
}

Result<KvBudget> plan_kv(const KvBudgetInput& in) {
  if (in.asked_context > in.trained_context) {
    return make_error(ErrorCode::kInvalidArgument,
                      "a context of {} tokens is asked for; the model was trained for {}. Ask for "
                      "at most that",
                      in.asked_context, in.trained_context);
  }
  const std::uint64_t free =
      in.free_bytes == 0 ? std::numeric_limits<std::uint64_t>::max() : in.free_bytes;
  const auto bytes_of = [&](std::int32_t tokens) {
    return blocks_of(static_cast<std::uint64_t>(tokens), in) * in.block_bytes;
  };
  if (in.asked_bytes > free) {
    return make_error(ErrorCode::kResourceExhausted,
                      "{} are asked for keys and values; {} of memory are free. Ask for less with "
                      "--kv-memory",
                      format_bytes(in.asked_bytes), format_bytes(free));
  }
  std::int32_t context = in.asked_context > 0 ? in.asked_context : in.trained_context;
  const std::uint64_t most = in.asked_bytes > 0 ? in.asked_bytes : in.device ? free : free / 2;
  if (in.asked_context > 0) {
    const std::uint64_t limit = in.asked_bytes > 0 ? in.asked_bytes : free;
    if (bytes_of(context) > limit) {
      return make_error(ErrorCode::kResourceExhausted,
                        "a context of {} tokens takes {} of keys and values ({} a block of {} "
                        "tokens); {} are {}. Ask for a smaller --max-context{}",
                        context, format_bytes(bytes_of(context)), format_bytes(in.block_bytes),
                        in.block_tokens, format_bytes(limit),
                        in.asked_bytes > 0 ? "what --kv-memory gives" : "free",
                        in.asked_bytes > 0 ? " or a larger --kv-memory" : "");
    }
  } else if (bytes_of(context) > most) {
    const std::uint64_t fits = most / std::max<std::uint64_t>(1, in.block_bytes);
    if (fits == 0) {
      return make_error(ErrorCode::kResourceExhausted,
                        "a block of {} tokens takes {} of keys and values; {} may be used",
                        in.block_tokens, format_bytes(in.block_bytes), format_bytes(most));
    }
    context = static_cast<std::int32_t>(fits) * in.block_tokens;
    spdlog::warn("context cut from {} to {} tokens to fit keys and values into {}",
                 in.trained_context, context, format_bytes(most));
  }
  const std::uint64_t one_context = blocks_of(static_cast<std::uint64_t>(context), in);
  std::uint64_t blocks = most / std::max<std::uint64_t>(1, in.block_bytes);
  if (in.asked_bytes == 0 && !in.device) {
    const std::uint64_t usual = kUsualBytes / std::max<std::uint64_t>(1, in.block_bytes);
    blocks = std::min({blocks, std::max(usual, one_context),
                       one_context * (static_cast<std::uint64_t>(in.max_sequences) + 1)});
    blocks = std::max(blocks, one_context);
  }
  constexpr std::uint64_t kMostBlocks = std::numeric_limits<std::int32_t>::max() / 2;
  return KvBudget{context, static_cast<std::int32_t>(std::min(blocks, kMostBlocks))};
}

}  // namespace hangar
