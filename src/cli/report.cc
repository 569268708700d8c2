#include "cli/report.h"

#include <cstdio>

namespace hangar {
namespace {

constexpr std::string_view kHintMark = "\nhint: ";

std::string_view usual_hint(const Error& error) {
  if (error.field == "backend") return "`hangar devices` shows what is here to compute on";
  switch (error.code) {
    case ErrorCode::kCorrupt:
      return "the file is damaged or was copied only in part: fetch it again and compare checksums";
    case ErrorCode::kUnsupported:
      return "`hangar models inspect PATH` shows what a model file holds";
    case ErrorCode::kResourceExhausted:
      return "a smaller --max-context takes less memory; `hangar models` shows how much";
    case ErrorCode::kInternal:
      return "this is a fault in hangar: please report it with the command and this message";
    default:
      return "";
  }
}

}  // namespace

Error with_hint(Error error, std::string_view hint) {
  error.message += kHintMark;
  error.message += hint;
  return error;
}

std::string error_report(const Error& error) {
  std::string text = "hangar: error: " + error.message + "\n";
  const std::string_view usual = usual_hint(error);
  if (error.message.find(kHintMark) == std::string::npos && !usual.empty()) {
    text += fmt::format("hint: {}\n", usual);
  }
  return text;
}

void report_error(const Error& error) {
  fmt::print(stderr, "{}", error_report(error));
}

void report_warning(std::string_view text) {
  fmt::print(stderr, "hangar: warning: {}\n", text);
}

void report_note(std::string_view text) {
  fmt::print(stderr, "{}\n", text);
}

}  // namespace hangar
