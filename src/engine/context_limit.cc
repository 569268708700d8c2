#include "engine/context_limit.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "plan/memory.h"

namespace hangar {

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

Result<std::int32_t> choose_context(const ModelConfig& config, const Checkpoint& checkpoint,
                                    const LocalEngineOptions& options) {
  const std::int32_t trained = config.context_tokens;
  if (options.context_tokens > trained) {
    return make_error(ErrorCode::kInvalidArgument,
                      "a context of {} tokens is asked for; the model was trained for {}. Ask for "
                      "at most that",
                      options.context_tokens, trained);
  }
  const std::uint32_t element_bytes = options.backend == "ref" ? 4 : 2;
  const auto kv_bytes = [&](std::int32_t tokens) {
    return plan_memory(config, checkpoint.file_bytes(), tokens, options.prefill_chunk_tokens,
                       element_bytes)
        .kv_bytes;
  };
  const std::uint64_t available = available_memory_bytes();
  if (available == 0) return options.context_tokens > 0 ? options.context_tokens : trained;
  if (options.context_tokens > 0) {
    const std::uint64_t bytes = kv_bytes(options.context_tokens);
    if (bytes > available) {
      return make_error(ErrorCode::kResourceExhausted,
                        "a context of {} tokens takes {} MB of KV cache; {} MB of memory are "
                        "free. Ask for a smaller --max-context",
                        options.context_tokens, bytes / 1'000'000, available / 1'000'000);
    }
    return options.context_tokens;
  }
  std::int32_t tokens = trained;
  while (tokens > 16 && kv_bytes(tokens) > available / 2) tokens /= 2;
  if (tokens < trained) {
    spdlog::warn("context cut from {} to {} tokens to fit the KV cache into half of {} MB", trained,
                 tokens, available / 1'000'000);
  }
  return tokens;
}

}  // namespace hangar
