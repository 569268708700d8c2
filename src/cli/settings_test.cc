#include "cli/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cli/config_file.h"

namespace hangar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A config file that is there for one test.
class TemporaryConfig {
 public:
  explicit TemporaryConfig(const std::string& text)
      : path_(std::filesystem::path(::testing::TempDir()) / "settings_test.toml") {
    std::ofstream(path_) << text;
  }
  ~TemporaryConfig() { std::filesystem::remove(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

TEST(SettingTable, RowsStandAtTheirSettingAndDefaultsAreValid) {
  for (std::size_t i = 0; i < setting_table().size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(setting_table()[i].setting), i);
  }
  EXPECT_TRUE(resolve_settings({}).has_value());
  EXPECT_EQ(flag_of(setting_spec(Setting::kMaxContext)), "--max-context");
  EXPECT_EQ(variable_of(setting_spec(Setting::kMaxContext)), "HANGAR_MAX_CONTEXT");
}

TEST(ResolveSettings, FlagThenConfigThenEnvironmentThenDefault) {
  const TemporaryConfig config("# mine\nport = 2\nthreads = 2\n");
  SettingInputs inputs;
  inputs.config_file = config.path();
  inputs.environment = {{"HANGAR_PORT", "3"}, {"HANGAR_THREADS", "3"}, {"HANGAR_MAX_CONTEXT", "3"}};
  inputs.flags = {{Setting::kPort, "1"}};
  const auto settings = resolve_settings(inputs);
  ASSERT_TRUE(settings.has_value()) << settings.error().message;
  EXPECT_EQ(settings->integer(Setting::kPort), 1);
  EXPECT_EQ(settings->integer(Setting::kThreads), 2);
  EXPECT_EQ(settings->integer(Setting::kMaxContext), 3);
  EXPECT_EQ(settings->text(Setting::kHost), "127.0.0.1");
  EXPECT_EQ(settings->value(Setting::kPort).origin, "flag --port");
  EXPECT_THAT(settings->value(Setting::kThreads).origin, HasSubstr("settings_test.toml, line 3"));
  EXPECT_EQ(settings->value(Setting::kMaxContext).origin, "environment HANGAR_MAX_CONTEXT");
  EXPECT_EQ(settings->value(Setting::kHost).origin, "default");
}

TEST(ResolveSettings, ACommandsOwnDefaultIsTheWeakest) {
  SettingInputs inputs;
  inputs.defaults = {{Setting::kLogLevel, "warn"}};
  EXPECT_EQ(resolve_settings(inputs)->text(Setting::kLogLevel), "warn");
  inputs.environment = {{"HANGAR_LOG_LEVEL", "debug"}};
  EXPECT_EQ(resolve_settings(inputs)->text(Setting::kLogLevel), "debug");
}

TEST(ResolveSettings, AWrongValueSaysWhereItCameFrom) {
  const std::map<Setting, std::string> wrong = {{Setting::kPort, "65536"},
                                                {Setting::kThreads, "two"},
                                                {Setting::kMaxContext, "-1"},
                                                {Setting::kBackend, "gpu"},
                                                {Setting::kLogLevel, ""}};
  for (const auto& [setting, text] : wrong) {
    SettingInputs inputs;
    inputs.flags = {{setting, text}};
    const auto settings = resolve_settings(inputs);
    ASSERT_FALSE(settings.has_value()) << text;
    EXPECT_EQ(settings.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(settings.error().message, HasSubstr("flag " + flag_of(setting_spec(setting))));
  }
  SettingInputs inputs;
  inputs.environment = {{"HANGAR_BACKEND", "gpu"}};
  EXPECT_EQ(resolve_settings(inputs).error().message,
            "backend: 'gpu' (environment HANGAR_BACKEND): must be one of auto|cpu|cuda|ref");
}

TEST(ResolveSettings, KubernetesServiceVariablesAreNotOurs) {
  SettingInputs inputs;
  inputs.environment = {{"HANGAR_PORT", "tcp://10.0.0.1:80"}, {"HANGAR_SERVICE_HOST", "10.0.0.1"}};
  EXPECT_EQ(resolve_settings(inputs)->integer(Setting::kPort), 8000);
  EXPECT_THAT(environment_warnings(inputs.environment), IsEmpty());
}

TEST(EnvironmentWarnings, NameTheNearest) {
  EXPECT_THAT(
      environment_warnings(
          {{"HANGAR_PROT", "1"}, {"HANGAR_PORT", "1"}, {"HANGAR_NVML", "x"}, {"PATH", "x"}}),
      ElementsAre("environment variable HANGAR_PROT sets nothing; did you mean "
                  "HANGAR_PORT?"));
}

TEST(ParseConfig, RefusesWhatItDoesNotKnow) {
  const auto unknown = parse_config("host = \"::1\"\nmaxcontext = 5\n", "c.toml");
  ASSERT_FALSE(unknown.has_value());
  EXPECT_THAT(unknown.error().message, HasSubstr("c.toml, line 2: unknown key 'maxcontext'"));
  EXPECT_THAT(unknown.error().message, HasSubstr("did you mean 'max_context'?"));

  const auto type = parse_config("port = \"80\"", "c.toml");
  ASSERT_FALSE(type.has_value());
  EXPECT_THAT(type.error().message, HasSubstr("line 1: port: must be a whole number, not text"));
  EXPECT_FALSE(parse_config("host = 5", "c.toml").has_value());
  EXPECT_FALSE(parse_config("[model]\nx = 1", "c.toml").has_value());

  const auto broken = parse_config("port = 1\nhost = \"x\n", "c.toml");
  ASSERT_FALSE(broken.has_value());
  EXPECT_THAT(broken.error().message, HasSubstr("c.toml, line 2: "));
}

TEST(ResolveSettings, GpuMemoryIsAShareOrASize) {
  SettingInputs inputs;
  for (const bool said : {false, true}) {
    if (said) inputs.flags = {{Setting::kGpuMemory, "auto"}};
    EXPECT_EQ(resolve_settings(inputs)->share(Setting::kGpuMemory), 0.0);
    EXPECT_EQ(resolve_settings(inputs)->bytes(Setting::kGpuMemory), 0U);
  }
  inputs.flags = {{Setting::kGpuMemory, "60GiB"}};
  EXPECT_EQ(resolve_settings(inputs)->share(Setting::kGpuMemory), 0.0);
  EXPECT_EQ(resolve_settings(inputs)->bytes(Setting::kGpuMemory), std::uint64_t{60} << 30U);
  inputs.flags = {{Setting::kGpuMemory, "1"}};
  EXPECT_EQ(resolve_settings(inputs)->share(Setting::kGpuMemory), 1.0);
  EXPECT_EQ(resolve_settings(inputs)->bytes(Setting::kGpuMemory), 0U);
  for (const char* wrong : {"0", "-1", "90%", "much", "1.5", "90"}) {
    inputs.flags = {{Setting::kGpuMemory, wrong}};
    const auto settings = resolve_settings(inputs);
    ASSERT_FALSE(settings.has_value()) << wrong;
    EXPECT_EQ(settings.error().field, "--gpu-memory");
    EXPECT_THAT(settings.error().message, HasSubstr("a share from 0 to 1 such as 0.9"));
  }
}

TEST(PrintedSettings, AreAConfigFileThatSaysTheSame) {
  SettingInputs inputs;
  inputs.flags = {{Setting::kModel, "a \"b\"\\c"}, {Setting::kPort, "81"}};
  const std::string text = resolve_settings(inputs)->print();
  const auto config = parse_config(text, "printed");
  ASSERT_TRUE(config.has_value()) << config.error().message << text;
  EXPECT_EQ(config->size(), kSettingCount);
  EXPECT_EQ(config->at(Setting::kModel).text, "a \"b\"\\c");
  EXPECT_EQ(config->at(Setting::kPort).text, "81");
  EXPECT_THAT(text, HasSubstr("# flag --port"));
}

TEST(ReadConfigFile, AMissingFileIsNotFound) {
  const auto config = read_config_file("/nonexistent/hangar.toml");
  ASSERT_FALSE(config.has_value());
  EXPECT_EQ(config.error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace hangar
