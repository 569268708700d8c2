#include "engine/prepared_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>

#include "backend/registry.h"
#include "engine/local_engine.h"
#include "model/model.h"

namespace hangar {
namespace {

namespace fs = std::filesystem;

class PreparedModelTest : public ::testing::TestWithParam<const char*> {
 protected:
  PreparedModelTest() {
    fs::create_directories(folder_);
    const fs::path from = fs::path(HANGAR_SOURCE_DIR) / "tests/data/models" / GetParam();
    fs::copy(from, model_, fs::copy_options::recursive);
  }
  ~PreparedModelTest() override { fs::remove_all(folder_); }

  std::unique_ptr<Checkpoint> open() const { return open_checkpoint(model_).value(); }
  void prepare() const {
    const auto checkpoint = open();
    const auto writer = start_preparing(cache_, *checkpoint, "cpu", {}).value();
    const Status loaded = load_into(*writer, *checkpoint, "cpu", 1);
    ASSERT_TRUE(loaded) << loaded.error().message;
    ASSERT_TRUE(writer->finish());
  }
  fs::path prepared() const { return prepared_path(cache_, open()->files().front(), "cpu"); }
  // Greedy tokens.
  std::vector<std::int32_t> answer(const LocalEngineOptions& options) const {
    auto engine = make_local_engine(open(), options).value();
    Request request;
    request.id = 1;
    request.prompt = {3, 17, 5, 90, 41, 8};
    request.max_tokens = 12;
    request.ignore_eos = true;
    request.sampling.temperature = 0.0F;
    EXPECT_TRUE(engine->submit(request));
    std::vector<std::int32_t> tokens;
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < give_up) {
      for (const Event& event : engine->next_events(100'000)) {
        if (event.kind == EventKind::kToken) tokens.push_back(event.token);
        if (event.kind == EventKind::kFinished) return tokens;
      }
    }
    ADD_FAILURE() << "the request never ended";
    return tokens;
  }
  LocalEngineOptions options() const {
    LocalEngineOptions options;
    options.threads = 1;
    options.kv_bytes = 1 << 20;
    options.prepared_folder = cache_;
    return options;
  }

  const fs::path folder_ =
      fs::temp_directory_path() / ("hangar_prepared_model_" + std::to_string(::getpid()));
  const fs::path cache_ = folder_ / "cache" / "prepared";
  const fs::path model_ = folder_ / GetParam();
};

TEST_P(PreparedModelTest, AnswersAreTheSame) {
  LocalEngineOptions plain = options();
  plain.prepared_folder.clear();
  const auto expected = answer(plain);
  ASSERT_EQ(expected.size(), 12U);
  EXPECT_EQ(use_prepared(cache_, *open(), "cpu"), nullptr);
  prepare();
  EXPECT_NE(use_prepared(cache_, *open(), "cpu"), nullptr);
  EXPECT_EQ(answer(options()), expected);
}

// Every matrix comes from the prepared file: the backend is never asked to lay one out.
TEST_P(PreparedModelTest, NothingIsLaidOutTwice) {
  prepare();
  class Refusing final : public PreparedSink {
   public:
    Status add(const PreparedId& id, std::string_view, std::span<const std::byte>) override {
      return make_error(ErrorCode::kInternal, "{} was laid out", id.name);
    }
  } refusing;
  const auto checkpoint = open();
  const auto backend =
      make_backend("cpu", BackendOptions{.threads = 1,
                                         .prepared = use_prepared(cache_, *checkpoint, "cpu"),
                                         .prepare_into = &refusing})
          .value();
  const auto model = make_model(*checkpoint, *backend, {});
  EXPECT_TRUE(model.has_value()) << model.error().message;
}

TEST_P(PreparedModelTest, AChangedModelIsNotAnsweredFromTheOldWeights) {
  prepare();
  const fs::path file = open()->files().front();
  fs::last_write_time(file, fs::last_write_time(file) + std::chrono::seconds(5));
  EXPECT_EQ(use_prepared(cache_, *open(), "cpu"), nullptr);
  prepare();
  EXPECT_NE(use_prepared(cache_, *open(), "cpu"), nullptr);
}

TEST_P(PreparedModelTest, ADamagedFileIsLeftAside) {
  prepare();
  fs::resize_file(prepared(), fs::file_size(prepared()) / 2);
  EXPECT_EQ(use_prepared(cache_, *open(), "cpu"), nullptr);
  LocalEngineOptions plain = options();
  plain.prepared_folder.clear();
  EXPECT_EQ(answer(options()), answer(plain));
}

TEST_P(PreparedModelTest, MadeAtTheFirstStartOnlyWhereThatIsAskedFor) {
  (void)answer(options());
  EXPECT_FALSE(fs::exists(prepared()));
  LocalEngineOptions make = options();
  make.make_prepared = true;
  const auto first = answer(make);
  ASSERT_TRUE(fs::exists(prepared()));
  const auto time = fs::last_write_time(prepared());
  EXPECT_EQ(answer(make), first);
  EXPECT_EQ(fs::last_write_time(prepared()), time);
}

TEST_P(PreparedModelTest, AModelWithoutItsWeightsIsNotAnsweredFromThem) {
  if (!fs::is_directory(model_)) GTEST_SKIP() << "only a folder has a config.json";
  prepare();
  const auto dummy = open_dummy(model_, {});
  ASSERT_TRUE(dummy) << dummy.error().message;
  EXPECT_EQ((*dummy)->files().front(), open()->files().front()) << "they share a name";
  EXPECT_EQ(use_prepared(cache_, **dummy, "cpu"), nullptr);
  const auto writer = start_preparing(cache_, **dummy, "cpu", {});
  ASSERT_FALSE(writer.has_value());
  EXPECT_EQ(writer.error().code, ErrorCode::kUnsupported);
}

TEST_P(PreparedModelTest, TheReferenceBackendPreparesNothing) {
  const auto writer = start_preparing(cache_, *open(), "ref", {});
  ASSERT_FALSE(writer.has_value());
  EXPECT_EQ(writer.error().code, ErrorCode::kUnsupported);
  EXPECT_FALSE(fs::exists(cache_));
}

// A fused projection, experts (stacked, and one by one), and a folder with a config beside it.
INSTANTIATE_TEST_SUITE_P(Models, PreparedModelTest,
                         ::testing::Values("llama3.gguf", "phi3.gguf", "mixtral.gguf",
                                           "qwen3moe_mixed", "llama3"));

TEST(PreparedPath, IsOneForEachModelAndBackend) {
  const fs::path one = prepared_path("/c", "/nowhere/a/m.gguf", "cpu");
  EXPECT_EQ(one.parent_path(), "/c");
  EXPECT_THAT(one.filename().string(), ::testing::StartsWith("m-"));
  EXPECT_EQ(one, prepared_path("/c", "/nowhere/a/m.gguf", "cpu"));
  EXPECT_NE(one, prepared_path("/c", "/nowhere/b/m.gguf", "cpu"));
  EXPECT_NE(one, prepared_path("/c", "/nowhere/a/m.gguf", "cuda"));
}

}  // namespace
}  // namespace hangar
