// The small files of a model folder: generation_config.json, templates, README.md.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/hf/folder_templates.h"
#include "formats/hf/generation_config.h"
#include "formats/hf/model_card.h"
#include "formats/hf/strict_json.h"
#include "formats/hf/test_folder.h"

namespace hangar::hf {
namespace {

using ::testing::ElementsAre;
using testing::FieldsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Result<GenerationDefaults> read(const std::string& text) {
  const auto object = parse_object(text, "generation_config.json");
  if (!object) return tl::unexpected<Error>(object.error());
  return read_generation_config(Fields(*object, "generation_config.json"), 100);
}

TEST(GenerationConfigTest, ReadsWhatIsSampledBy) {
  const auto defaults = read(R"({"do_sample": true, "temperature": 0.7, "top_p": 0.8, "top_k": 20,
      "min_p": 0.05, "repetition_penalty": 1.1, "eos_token_id": [5, 7, 5, 100],
      "transformers_version": "5"})");
  ASSERT_TRUE(defaults) << defaults.error().message;
  EXPECT_EQ(defaults->sample, true);
  EXPECT_FLOAT_EQ(defaults->temperature.value(), 0.7F);
  EXPECT_FLOAT_EQ(defaults->top_p.value(), 0.8F);
  EXPECT_EQ(defaults->top_k, 20);
  EXPECT_FLOAT_EQ(defaults->min_p.value(), 0.05F);
  EXPECT_FLOAT_EQ(defaults->repetition_penalty.value(), 1.1F);
  EXPECT_THAT(defaults->end_of_generation, ElementsAre(5, 7));
}

TEST(GenerationConfigTest, SaysNothingWhereTheFileDoesNot) {
  const auto defaults = read(R"({"eos_token_id": null, "temperature": null})");
  ASSERT_TRUE(defaults);
  EXPECT_FALSE(defaults->sample || defaults->temperature || defaults->top_p || defaults->top_k ||
               defaults->min_p || defaults->repetition_penalty);
  EXPECT_THAT(defaults->end_of_generation, IsEmpty());
  EXPECT_THAT(read(R"({"eos_token_id": 3})")->end_of_generation, ElementsAre(3));
}

TEST(GenerationConfigTest, RefusesNonsense) {
  EXPECT_THAT(read(R"({"temperature": "hot"})").error().message,
              HasSubstr("'temperature': hot found"));
  EXPECT_THAT(read(R"({"top_p": 1.5})").error().message, HasSubstr("'top_p': 1.5 found"));
  EXPECT_THAT(read(R"({"top_k": 1.5})").error().message, HasSubstr("'top_k'"));
  EXPECT_THAT(read(R"({"do_sample": 1})").error().message, HasSubstr("true or false"));
  EXPECT_THAT(read(R"({"eos_token_id": [1, "x"]})").error().message, HasSubstr("'eos_token_id'"));
  EXPECT_EQ(read(R"({"top_k": 1, "top_k": 2})").error().code, ErrorCode::kCorrupt);
}

Result<std::vector<ChatTemplateSource>> templates_of(const TestFolder& folder) {
  return read_chat_templates(FolderFiles::open(folder.path()).value());
}

TEST(FolderTemplatesTest, NoneIsFine) {
  const TestFolder folder;
  EXPECT_THAT(templates_of(folder).value(), IsEmpty());
  write_file(folder / "tokenizer_config.json", R"({"chat_template": null})");
  EXPECT_THAT(templates_of(folder).value(), IsEmpty());
}

TEST(FolderTemplatesTest, TheOneInside) {
  const TestFolder folder;
  write_file(folder / "tokenizer_config.json", R"({"chat_template": "in\nside"})");
  EXPECT_THAT(templates_of(folder).value(), ElementsAre(FieldsAre("default", "in\nside")));
}

TEST(FolderTemplatesTest, NamedOnesDefaultFirst) {
  const TestFolder folder;
  write_file(folder / "tokenizer_config.json",
             R"({"chat_template": [{"name": "rag", "template": "R"},
                 {"name": "default", "template": "D"}, {"name": "tool_use", "template": "T"}]})");
  EXPECT_THAT(
      templates_of(folder).value(),
      ElementsAre(FieldsAre("default", "D"), FieldsAre("rag", "R"), FieldsAre("tool_use", "T")));
}

TEST(FolderTemplatesTest, FilesWin) {
  const TestFolder folder;
  write_file(folder / "tokenizer_config.json",
             R"({"chat_template": [{"name": "tool_use", "template": "old"},
                 {"name": "default", "template": "old"}, {"name": "rag", "template": "R"}]})");
  write_file(folder / "chat_template.jinja", "new");
  write_file(folder / "additional_chat_templates/tool_use.jinja", "new tools");
  EXPECT_THAT(templates_of(folder).value(),
              ElementsAre(FieldsAre("default", "new"), FieldsAre("tool_use", "new tools"),
                          FieldsAre("rag", "R")));
}

TEST(FolderTemplatesTest, AProcessorsFile) {
  const TestFolder folder;
  write_file(folder / "chat_template.json", R"({"chat_template": "P"})");
  EXPECT_THAT(templates_of(folder).value(), ElementsAre(FieldsAre("default", "P")));
}

TEST(FolderTemplatesTest, RefusesOtherShapes) {
  const TestFolder folder;
  for (const std::string text : {R"({"chat_template": 3})", R"({"chat_template": [3]})",
                                 R"({"chat_template": [{"name": "x"}]})",
                                 R"({"chat_template": "a", "chat_template": "b"})"}) {
    write_file(folder / "tokenizer_config.json", text);
    const auto templates = templates_of(folder);
    ASSERT_FALSE(templates) << text;
    EXPECT_EQ(templates.error().code, ErrorCode::kCorrupt);
    EXPECT_THAT(templates.error().message, HasSubstr("chat_template"));
  }
}

TEST(ModelCardTest, FindsTheLicense) {
  EXPECT_EQ(license_of("---\nlanguage:\n- en\nlicense: apache-2.0\n---\n# Title\n"), "apache-2.0");
  EXPECT_EQ(license_of("---\r\nlicense: \"mit\"\r\n---\r\n"), "mit");
  EXPECT_EQ(license_of("---\nlicense: other\nlicense_name: qwen\nlicense_link: x\n---\n"), "qwen");
  EXPECT_EQ(license_of("---\nlicense:\n- mit\n---\n"), "");
  EXPECT_EQ(license_of("# no front matter\nlicense: mit\n"), "");
  EXPECT_EQ(license_of("---\ntags: x\n---\nlicense: mit\n"), "");
  EXPECT_EQ(license_of(""), "");
  EXPECT_EQ(license_of("---"), "");
}

}  // namespace
}  // namespace hangar::hf
