// Our side of tools/tokenizer_diff.py: a tokenizer.json or a GGUF file is read and built, then
// requests come on stdin and answers go to stdout until stdin ends.
//
//   tokenizer_dump FILE [tokenizer_config.json [special_tokens_map.json]]
//   tokenizer_dump --speed ROUNDS FILE ...   reads and builds ROUNDS times, prints milliseconds
//
// A request: u32 flags (1: special tokens around, 2: ids wanted, 4: decoded text wanted), u32
// count, then count texts, each a u32 length and its bytes. The answer: f64 seconds of this
// thread's time that encoding took; then for each text, where wanted, u32 count and the ids, and
// u32 length and the ids' text without special tokens. Numbers are little-endian.
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "formats/checkpoint.h"
#include "formats/hf/tokenizer_json.h"
#include "text/tokenizer.h"

namespace hangar {
namespace {

using Built = std::unique_ptr<const Tokenizer>;

constexpr std::uint32_t kSpecial = 1, kIds = 2, kText = 4;

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

std::string_view text_of(const MappedFile& file) {
  const std::span<const std::byte> bytes = file.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Result<TokenizerSpec> read_spec(std::span<const std::string_view> files) {
  if (!files[0].ends_with(".json")) {
    HANGAR_TRY(const std::unique_ptr<Checkpoint> checkpoint, open_checkpoint(files[0]));
    return checkpoint->tokenizer();
  }
  std::vector<MappedFile> mapped;
  for (const std::string_view file : files) {
    HANGAR_TRY(MappedFile one, MappedFile::open(file));
    mapped.push_back(std::move(one));
  }
  hf::TokenizerFiles texts;
  texts.tokenizer_json = text_of(mapped[0]);
  if (mapped.size() > 1) texts.tokenizer_config_json = text_of(mapped[1]);
  if (mapped.size() > 2) texts.special_tokens_map_json = text_of(mapped[2]);
  return hf::read_tokenizer_json(texts);
}

Result<Built> build(std::span<const std::string_view> files) {
  HANGAR_TRY(TokenizerSpec spec, read_spec(files));
  return make_tokenizer(std::move(spec));
}

int failed(const Error& error) {
  std::fprintf(stderr, "%s\n", error.message.c_str());
  return exit_code_of(error.code);
}

// The most memory this process has held; getrusage would count what its parent held before exec.
long peak_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::atol(line.c_str() + 6);
  }
  return 0;
}

// One line: the file, and for each round how long reading and building took.
int print_speed(int rounds, std::span<const std::string_view> files) {
  for (int i = 0; i < rounds; ++i) {
    const double begin = thread_seconds();
    Result<TokenizerSpec> spec = read_spec(files);
    if (!spec) return failed(spec.error());
    const double read = thread_seconds();
    const Result<Built> tokenizer = make_tokenizer(std::move(*spec));
    if (!tokenizer) return failed(tokenizer.error());
    const double built = thread_seconds();
    std::printf("%.2f %.2f\n", (read - begin) * 1e3, (built - read) * 1e3);
  }
  std::printf("peak_kib %ld\n", peak_kib());
  return 0;
}

template <typename T>
std::optional<T> take() {
  T value{};
  if (std::fread(&value, sizeof(value), 1, stdin) != 1) return std::nullopt;
  return value;
}

template <typename T>
void give(T value) {
  std::fwrite(&value, sizeof(value), 1, stdout);
}

std::optional<std::vector<std::string>> take_texts() {
  const auto count = take<std::uint32_t>();
  if (!count) return std::nullopt;
  std::vector<std::string> texts;
  for (std::uint32_t i = 0; i < *count; ++i) {
    const auto length = take<std::uint32_t>();
    if (!length) return std::nullopt;
    std::string& text = texts.emplace_back(*length, '\0');
    if (std::fread(text.data(), 1, *length, stdin) != *length) return std::nullopt;
  }
  return texts;
}

void give_text(std::string_view text) {
  give(static_cast<std::uint32_t>(text.size()));
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void answer(const Tokenizer& tokenizer, std::uint32_t flags,
            const std::vector<std::string>& texts) {
  const Tokenizer::EncodeOptions options{.add_special = (flags & kSpecial) != 0};
  std::vector<std::vector<TokenId>> all;
  all.reserve(texts.size());
  const double begin = thread_seconds();
  for (const std::string& text : texts) all.push_back(tokenizer.encode(text, options));
  give(thread_seconds() - begin);
  for (const std::vector<TokenId>& ids : all) {
    if ((flags & kIds) != 0) {
      give(static_cast<std::uint32_t>(ids.size()));
      std::fwrite(ids.data(), sizeof(TokenId), ids.size(), stdout);
    }
    if ((flags & kText) != 0) give_text(tokenizer.decode(ids));
  }
  std::fflush(stdout);
}

int serve(std::span<const std::string_view> files) {
  const Result<Built> tokenizer = build(files);
  if (!tokenizer) return failed(tokenizer.error());
  while (const auto flags = take<std::uint32_t>()) {
    const auto texts = take_texts();
    if (!texts) {
      std::fprintf(stderr, "a request is cut short\n");
      return 1;
    }
    answer(**tokenizer, *flags, *texts);
  }
  return 0;
}

int run(std::span<const std::string_view> arguments) {
  int rounds = 0;
  if (arguments.size() > 2 && arguments[0] == "--speed") {
    std::from_chars(arguments[1].data(), arguments[1].data() + arguments[1].size(), rounds);
    arguments = arguments.subspan(2);
    if (rounds < 1) return std::fprintf(stderr, "--speed wants a number of rounds\n"), 2;
  }
  if (arguments.empty() || arguments.size() > 3) {
    std::fprintf(stderr,
                 "tokenizer_dump [--speed ROUNDS] FILE [tokenizer_config.json "
                 "[special_tokens_map.json]]\n");
    return 2;
  }
  return rounds > 0 ? print_speed(rounds, arguments) : serve(arguments);
}

}  // namespace
}  // namespace hangar

int main(int argc, char** argv) {
  const std::vector<std::string_view> arguments(argv + 1, argv + argc);
  return hangar::run(arguments);
}
