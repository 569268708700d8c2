#include "formats/strangers.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace hangar {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kPickleWords =
    "is a PyTorch checkpoint (pickle): it has code inside that loading it would run, so it is "
    "refused; convert it to safetensors: in Python, load it with transformers' from_pretrained and "
    "write it with save_pretrained, or take a version in safetensors or GGUF";

struct KnownMagic {
  std::string_view magic;
  ErrorCode code;
  std::string_view words;
};
constexpr std::array kMagics = {
    KnownMagic{"PK\x03\x04"sv, ErrorCode::kUnsupported, kPickleWords},
    KnownMagic{"\x80\x02"sv, ErrorCode::kUnsupported, kPickleWords},
    KnownMagic{"\x80\x03"sv, ErrorCode::kUnsupported, kPickleWords},
    KnownMagic{"\x80\x04"sv, ErrorCode::kUnsupported, kPickleWords},
    KnownMagic{"\x80\x05"sv, ErrorCode::kUnsupported, kPickleWords},
    KnownMagic{"\x89HDF"sv, ErrorCode::kUnsupported,
               "is an HDF5 file (Keras, TensorFlow), which is not supported; convert the model to "
               "safetensors or GGUF"},
    KnownMagic{"lmgg"sv, ErrorCode::kUnsupported,
               "is a GGML file from before GGUF, which is not supported; convert it to GGUF"},
    KnownMagic{"fmgg"sv, ErrorCode::kUnsupported,
               "is a GGML file from before GGUF, which is not supported; convert it to GGUF"},
    KnownMagic{"tjgg"sv, ErrorCode::kUnsupported,
               "is a GGML file from before GGUF, which is not supported; convert it to GGUF"},
    KnownMagic{"algg"sv, ErrorCode::kUnsupported,
               "is a GGML adapter from before GGUF, which is not supported"},
    KnownMagic{"version https://git-lfs"sv, ErrorCode::kCorrupt,
               "is a Git LFS pointer, not the model itself; fetch it with `git lfs pull`"},
    KnownMagic{"<!DOCTYPE"sv, ErrorCode::kCorrupt,
               "is a web page, not a model; was the download refused?"},
};

struct KnownEnding {
  std::string_view ending;
  std::string_view words;
};
constexpr std::array kEndings = {
    KnownEnding{".bin", kPickleWords},
    KnownEnding{".pt", kPickleWords},
    KnownEnding{".pth", kPickleWords},
    KnownEnding{".pkl", kPickleWords},
    KnownEnding{".ckpt", kPickleWords},
    KnownEnding{".h5",
                "is an HDF5 file (Keras, TensorFlow), which is not supported; convert the model to "
                "safetensors or GGUF"},
    KnownEnding{".msgpack",
                "is a Flax (msgpack) checkpoint, which is not supported; convert the model to "
                "safetensors or GGUF"},
    KnownEnding{".onnx",
                "is an ONNX graph, which is not supported; take the model's safetensors or GGUF "
                "version"},
    KnownEnding{".npz",
                "is a NumPy archive, which is not supported; convert the model to safetensors or "
                "GGUF"},
    KnownEnding{".pb",
                "is a TensorFlow graph, which is not supported; convert the model to safetensors "
                "or GGUF"},
    KnownEnding{".tflite",
                "is a TensorFlow Lite model, which is not supported; take the model's safetensors "
                "or GGUF version"},
};

std::string with_path(const std::filesystem::path& path, std::string_view words) {
  return fmt::format("{}: {}", path.string(), words);
}

}  // namespace

std::optional<Error> stranger_by_content(std::span<const std::byte> bytes,
                                         const std::filesystem::path& path) {
  if (bytes.empty()) return Error{ErrorCode::kCorrupt, with_path(path, "is empty (0 bytes)")};
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()),
                              std::min<std::size_t>(bytes.size(), 64));
  for (const KnownMagic& known : kMagics) {
    if (head.starts_with(known.magic)) return Error{known.code, with_path(path, known.words)};
  }
  return std::nullopt;
}

std::optional<Error> stranger_by_name(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  for (const KnownEnding& known : kEndings) {
    if (name.ends_with(known.ending)) {
      return Error{ErrorCode::kUnsupported, with_path(path, known.words)};
    }
  }
  return std::nullopt;
}

}  // namespace hangar
