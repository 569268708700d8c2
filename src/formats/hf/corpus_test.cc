// The fuzzers start from these files: seeds that are refused at once would teach them nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/hf/checkpoint.h"
#include "formats/hf/test_folder.h"
#include "formats/hf/test_tensors.h"

namespace hangar::hf {
namespace {

namespace fs = std::filesystem;

std::string content_of(const fs::path& path) {
  return read_text_file(path, 1U << 20U).value_or("");
}

TEST(CorpusTest, SafetensorsSeedsAreRightFiles) {
  int seeds = 0;
  for (const auto& entry :
       fs::directory_iterator(HANGAR_SOURCE_DIR "/tests/fuzz/corpus/safetensors")) {
    const std::string text = content_of(entry.path());
    const auto parsed = parse_safetensors(std::as_bytes(std::span(text)), entry.path().string());
    EXPECT_TRUE(parsed) << parsed.error().message;
    ++seeds;
  }
  EXPECT_GE(seeds, 3);
}

TEST(CorpusTest, ConfigSeedsOpen) {
  int opened = 0;
  for (const auto& entry :
       fs::directory_iterator(HANGAR_SOURCE_DIR "/tests/fuzz/corpus/config_json")) {
    const std::string text = content_of(entry.path());
    const std::size_t cut = text.find('\0');
    ModelParts parts;
    parts.folder = entry.path().string();
    parts.config_json = text.substr(0, cut);
    if (cut != std::string::npos) parts.generation_config_json = text.substr(cut + 1);
    parts.tensors = tiny_tensors();
    parts.read_tokenizer = [] { return TokenizerSpec(); };
    const auto checkpoint = make_checkpoint(std::move(parts));
    EXPECT_TRUE(checkpoint) << checkpoint.error().message;
    if (checkpoint && entry.path().filename() == "qwen3_moe.json") {
      EXPECT_NE((*checkpoint)->find("blk.0.ffn_gate.1.weight"), nullptr);
      EXPECT_NE((*checkpoint)->find("blk.1.ffn_gate.weight"), nullptr);
      EXPECT_EQ((*checkpoint)->find("blk.1.ffn_gate.1.weight"), nullptr);
    }
    ++opened;
  }
  EXPECT_GE(opened, 11);
}

}  // namespace
}  // namespace hangar::hf
