// Tiny models of every architecture against transformers, from Hugging Face folders and from GGUF.
//
// Each model answers its prompts four ways: one prompt a step; all prompts in one ragged batch; in
// chunks, the sequences mixed; a token a step through the KV cache. Blocks are dealt out in a
// scattered order. The logits are 3 to 4 on average and up to 18; on backend/ref none may be off by
// more than 1e-4. backend/cpu keeps keys and values in half precision: kCpuTolerance; where the
// processor multiplies bf16 it rounds activations to it as well, and is tried both ways.
// backend/cuda rounds weights and activations to 16 bits of one kind or the other; it is skipped
// without a card.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "backend/backend_options.h"
#include "backend/cpu/instruction_set.h"
#include "backend/registry.h"
#include "formats/checkpoint.h"
#include "golden/architecture_cases.h"
#include "model/arch/list.h"
#include "model/model.h"

namespace hangar::golden {
namespace {

constexpr float kRefTolerance = 1e-4F;
constexpr float kCpuTolerance = 0.05F;
constexpr float kCpuBf16Tolerance = 0.25F;  // the largest seen: 0.16
constexpr float kCudaF16Tolerance = 0.1F;
constexpr float kCudaBf16Tolerance = 0.8F;
constexpr std::int32_t kBlockTokens = 16;
constexpr std::int32_t kBlocksASequence = 5;

// "ref", "cpu", "cuda_f16", "cuda_bf16".
Result<std::unique_ptr<Backend>> make_rig_backend(const std::string& name) {
  BackendOptions options{.threads = 1};
  if (!name.starts_with("cuda")) return make_backend(name, options);
  options.device_memory_bytes = 1ULL << 30U;
  options.work_type = name == "cuda_f16" ? DType::kF16 : DType::kBF16;
  return make_backend("cuda", options);
}

bool multiplies_bf16(const cpu::InstructionSet& set) {
  return set.extension == cpu::Extension::kAvxBf16 || set.extension == cpu::Extension::kAmx;
}

float tolerance_of(const std::string& backend) {
  if (backend == "ref") return kRefTolerance;
  if (backend == "cuda_f16") return kCudaF16Tolerance;
  if (backend == "cuda_bf16") return kCudaBf16Tolerance;
  return multiplies_bf16(cpu::instruction_set_in_use()) ? kCpuBf16Tolerance : kCpuTolerance;
}

// A model with a KV cache in which each prompt of a case has a sequence of its own.
class Rig {
 public:
  static std::unique_ptr<Rig> open(const ArchitectureCase& test, bool gguf,
                                   const std::string& backend) {
    auto rig = std::make_unique<Rig>();
    rig->backend_ = make_rig_backend(backend).value();
    auto checkpoint = open_checkpoint(test.path(gguf));
    if (!checkpoint) ADD_FAILURE() << checkpoint.error().message;
    if (!checkpoint) return nullptr;
    rig->checkpoint_ = std::move(*checkpoint);
    ModelLimits limits{256, 256};
    limits.context_tokens = test.context_tokens;
    auto model = make_model(*rig->checkpoint_, *rig->backend_, limits);
    if (!model) ADD_FAILURE() << model.error().message;
    if (!model) return nullptr;
    rig->model_ = std::move(*model);
    rig->sequences_ = static_cast<std::int32_t>(test.prompts.size());
    const KvShape shape = rig->model_->kv_shape(rig->sequences_ * kBlocksASequence, kBlockTokens);
    rig->cache_ = rig->backend_->make_kv_cache(shape).value();
    return rig;
  }

  struct Part {
    std::size_t sequence = 0;
    std::int32_t first = 0;
    std::int32_t count = 0;
  };

  // One step over parts of prompts; gives the largest error among the positions that are known.
  float step(const ArchitectureCase& test, const std::vector<Part>& parts) {
    RaggedBatch batch;
    batch.block_tokens = kBlockTokens;
    std::vector<const std::vector<float>*> expected;
    for (const Part& part : parts) {
      const ArchitecturePrompt& prompt = test.prompts[part.sequence];
      batch.sequences.push_back({batch.rows(), part.count, part.first,
                                 static_cast<std::int32_t>(batch.block_tables.size()),
                                 kBlocksASequence});
      // Sequences' blocks lie among each other, last one first.
      for (std::int32_t b = kBlocksASequence; b-- > 0;) {
        batch.block_tables.push_back(b * sequences_ + static_cast<std::int32_t>(part.sequence));
      }
      for (std::int32_t p = part.first; p < part.first + part.count; ++p) {
        const auto known = std::ranges::find(prompt.positions, p);
        if (known != prompt.positions.end()) {
          batch.logit_rows.push_back(batch.rows());
          expected.push_back(
              &prompt.logits[static_cast<std::size_t>(known - prompt.positions.begin())]);
        }
        batch.token_ids.push_back(prompt.ids[static_cast<std::size_t>(p)]);
        batch.positions.push_back(p);
      }
    }
    const Activation logits = model_->forward(batch, *cache_);
    EXPECT_EQ(logits.rows, std::ssize(expected));
    std::vector<float> host(static_cast<std::size_t>(logits.rows * logits.columns));
    backend_->read(logits, host);
    float worst = 0.0F;
    for (std::size_t r = 0; r < expected.size(); ++r) {
      const std::vector<float>& right = *expected[r];
      EXPECT_EQ(std::ssize(right), logits.columns);
      for (std::size_t i = 0; i < right.size(); ++i) {
        const float error = std::abs(host[r * right.size() + i] - right[i]);
        worst = error <= worst ? worst : error;  // a NaN stays
        if (std::isnan(error)) return error;
      }
    }
    compared_ += expected.size();
    return worst;
  }

  std::size_t compared() const { return compared_; }

 private:
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Checkpoint> checkpoint_;
  std::unique_ptr<Model> model_;
  KvCachePtr cache_;
  std::int32_t sequences_ = 0;
  std::size_t compared_ = 0;
};

std::int32_t length(const ArchitecturePrompt& prompt) {
  return static_cast<std::int32_t>(prompt.ids.size());
}

// All prompts side by side, at most `chunk` tokens of each a step.
float run_in_chunks(Rig& rig, const ArchitectureCase& test, std::int32_t chunk) {
  float worst = 0.0F;
  for (std::int32_t at = 0;; at += chunk) {
    std::vector<Rig::Part> parts;
    for (std::size_t s = 0; s < test.prompts.size(); ++s) {
      const std::int32_t left = length(test.prompts[s]) - at;
      if (left > 0) parts.push_back({s, at, std::min(chunk, left)});
    }
    if (parts.empty()) return worst;
    const float error = rig.step(test, parts);
    worst = error <= worst ? worst : error;
  }
}

float run_one_by_one(Rig& rig, const ArchitectureCase& test) {
  float worst = 0.0F;
  for (std::size_t s = 0; s < test.prompts.size(); ++s) {
    const float error = rig.step(test, {{s, 0, length(test.prompts[s])}});
    worst = error <= worst ? worst : error;
  }
  return worst;
}

struct Setting {
  ArchitectureCase test;
  bool gguf = false;
  std::string backend;
};

void PrintTo(const Setting& setting, std::ostream* out) {
  *out << setting.test.name;
}

class ArchitectureTest : public ::testing::TestWithParam<Setting> {};

void expect_logits(const Setting& setting) {
  const auto& [test, gguf, backend] = setting;
  const float tolerance = tolerance_of(backend);
  std::size_t known = 0;
  for (const ArchitecturePrompt& prompt : test.prompts) known += prompt.positions.size();
  ASSERT_GT(known, 20U);
  const auto run = [&](const auto& way) {
    const auto rig = Rig::open(test, gguf, backend);
    if (rig == nullptr) return NAN;
    const float error = way(*rig);
    EXPECT_EQ(rig->compared(), known);
    return error;
  };
  const float alone = run([&](Rig& rig) { return run_one_by_one(rig, test); });
  const float together = run([&](Rig& rig) { return run_in_chunks(rig, test, 1000); });
  const float chunks = run([&](Rig& rig) { return run_in_chunks(rig, test, 5); });
  const float tokens = run([&](Rig& rig) { return run_in_chunks(rig, test, 1); });
  std::cout << test.name << (gguf ? " gguf " : " hf ") << backend << ": largest error "
            << std::max({alone, together, chunks, tokens}) << "\n";
  EXPECT_LT(alone, tolerance);
  EXPECT_LT(together, tolerance);
  EXPECT_LT(chunks, tolerance);
  EXPECT_LT(tokens, tolerance);
}

TEST_P(ArchitectureTest, LogitsEqualTransformers) {
  const std::string& backend = GetParam().backend;
  if (backend.starts_with("cuda")) {
    const auto made = make_rig_backend(backend);
    if (!made) GTEST_SKIP() << "skipped: " << made.error().message;
  }
  expect_logits(GetParam());
  if (backend != "cpu" || !multiplies_bf16(cpu::instruction_set_in_use())) return;
  for (const cpu::InstructionSet& set : cpu::supported_instruction_sets()) {
    if (multiplies_bf16(set)) continue;
    cpu::force_instruction_set(set);
    expect_logits(GetParam());
    cpu::force_instruction_set(std::nullopt);
    return;
  }
}

std::vector<Setting> settings() {
  std::vector<Setting> made;
  for (const ArchitectureCase& test : read_architecture_cases()) {
    for (const std::string backend : {"ref", "cpu", "cuda_f16", "cuda_bf16"}) {
      // Its router has two scores closer than bf16 tells apart: another expert is taken.
      if (backend == "cuda_bf16" && test.name == "mixtral") continue;
      made.push_back({test, false, backend});
      if (test.gguf) made.push_back({test, true, backend});
    }
  }
  return made;
}

INSTANTIATE_TEST_SUITE_P(All, ArchitectureTest, ::testing::ValuesIn(settings()),
                         [](const auto& test) {
                           const Setting& setting = test.param;
                           return setting.test.name + (setting.gguf ? "_gguf_" : "_hf_") +
                                  setting.backend;
                         });

TEST(ArchitectureList, EachHasAGolden) {
  std::set<std::string> covered;
  for (const ArchitectureCase& test : read_architecture_cases()) {
    for (const bool gguf : {false, true}) {
      if (gguf && !test.gguf) continue;
      const auto checkpoint = open_checkpoint(test.path(gguf));
      ASSERT_TRUE(checkpoint) << checkpoint.error().message;
      const auto config = (*checkpoint)->config();
      ASSERT_TRUE(config) << config.error().message;
      covered.insert(config->architecture);
    }
  }
  for (const Architecture& architecture : architectures()) {
    EXPECT_TRUE(covered.contains(std::string(architecture.name))) << architecture.name;
  }
}

}  // namespace
}  // namespace hangar::golden
