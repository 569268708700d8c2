#include "base/result.h"

namespace hangar {

std::string_view error_code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "invalid argument";
    case ErrorCode::kNotFound:
      return "not found";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kCorrupt:
      return "corrupt";
    case ErrorCode::kIo:
      return "I/O error";
    case ErrorCode::kResourceExhausted:
      return "resource exhausted";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kDeadlineExceeded:
      return "deadline exceeded";
    case ErrorCode::kInternal:
      return "internal error";
  }
  return "internal error";
}

int exit_code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return 2;
    case ErrorCode::kNotFound:
      return 3;
    case ErrorCode::kUnsupported:
      return 4;
    case ErrorCode::kCorrupt:
      return 5;
    case ErrorCode::kIo:
      return 6;
    case ErrorCode::kResourceExhausted:
      return 7;
    case ErrorCode::kUnavailable:
      return 8;
    case ErrorCode::kCancelled:
      return 9;
    case ErrorCode::kDeadlineExceeded:
      return 10;
    case ErrorCode::kInternal:
      return 70;
  }
  return 70;
}

}  // namespace hangar
