#include "backend/cuda/product_choices.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <system_error>

namespace hangar::cuda {
namespace {

constexpr std::array<std::int64_t, 21> kBuckets = {
    1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096, 6144, 8192};
constexpr std::string_view kMagic = "hangar products 14";
constexpr std::size_t kWords = std::size(cublasLtMatmulAlgo_t{}.data);

// FNV-1a: a line that was changed or cut is not taken for an algorithm.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  return hash;
}

std::string line_of(const ProductKey& key, const ProductChoice& choice) {
  std::string line = fmt::format(
      "{} {} {} {} {} {} {} {} {} {} {} {} {:.3f} {} {} {} {} {} {} {} {} {} {} {} {} {} {}",
      key.outputs, key.columns, key.bucket, static_cast<int>(key.type),
      static_cast<int>(key.weight_type), static_cast<int>(key.y_type), key.add ? 1 : 0,
      key.gated ? 1 : 0, key.leaves_room ? 1 : 0, key.int4, key.copy, key.fast_sums ? 1 : 0,
      choice.us, choice.tiles.rows, choice.tiles.boxes, choice.tiles.memory_kib,
      choice.tiles.blocks, choice.tiles.split, choice.int4.strips, choice.int4.parts,
      choice.int4.per_slot, choice.int4.memory_kib, choice.int4.split, choice.fp8_direct.strips,
      choice.fp8_direct.parts, choice.fp8_direct.boxes, choice.fp8_direct.memory_kib);
  for (const std::uint64_t word : choice.algorithm.data) line += fmt::format(" {:x}", word);
  return line + fmt::format(" {:x}", hash_of(line));
}

std::optional<std::pair<ProductKey, ProductChoice>> parse(const std::string& line) {
  const std::size_t cut = line.rfind(' ');
  if (cut == std::string::npos) return std::nullopt;
  if (line.substr(cut) != fmt::format(" {:x}", hash_of(line.substr(0, cut)))) return std::nullopt;
  std::istringstream in(line.substr(0, cut));
  ProductKey key;
  ProductChoice choice;
  int type = 0;
  int weight_type = 0;
  int y_type = 0;
  in >> key.outputs >> key.columns >> key.bucket >> type >> weight_type >> y_type >> key.add >>
      key.gated >> key.leaves_room >> key.int4 >> key.copy >> key.fast_sums;
  in >> choice.us >> choice.tiles.rows >> choice.tiles.boxes >> choice.tiles.memory_kib >>
      choice.tiles.blocks >> choice.tiles.split;
  in >> choice.int4.strips >> choice.int4.parts >> choice.int4.per_slot >> choice.int4.memory_kib >>
      choice.int4.split;
  in >> choice.fp8_direct.strips >> choice.fp8_direct.parts >> choice.fp8_direct.boxes >>
      choice.fp8_direct.memory_kib;
  key.type = static_cast<DType>(type);
  key.weight_type = static_cast<DType>(weight_type);
  key.y_type = static_cast<DType>(y_type);
  in >> std::hex;
  for (std::size_t i = 0; i < kWords; ++i) in >> choice.algorithm.data[i];
  if (in.fail()) return std::nullopt;
  return std::pair{key, choice};
}

}  // namespace

ProductKey key_of(const Product& product, std::int64_t bucket) {
  return {product.outputs,
          product.columns,
          bucket,
          product.type,
          product.weight_type,
          product.y_type(),
          product.output == ProductOutput::kAdd,
          product.gate.has_value(),
          product.leaves_room,
          product.int4 ? 1 + static_cast<std::int32_t>(*product.int4) : 0,
          !product.int4 || product.copy.numbers == nullptr ? 0
          : product.copy.row_scales == nullptr             ? 1
                                                           : 2};
}

std::int64_t row_bucket(std::int64_t rows) {
  const auto* at = std::lower_bound(kBuckets.begin(), kBuckets.end(), rows);
  return at == kBuckets.end() ? kBuckets.back() : *at;
}

const ProductChoice* ProductChoices::find(const ProductKey& key) const {
  const auto at = choices_.find(key);
  return at == choices_.end() ? nullptr : &at->second;
}

void ProductChoices::load(const std::filesystem::path& path, const std::string& owner) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line) || line != kMagic) return;
  if (!std::getline(file, line) || line != owner) return;
  while (std::getline(file, line)) {
    if (const auto entry = parse(line)) choices_.insert(*entry);
  }
}

Status ProductChoices::save(const std::filesystem::path& path, const std::string& owner) const {
  std::error_code error;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  const std::filesystem::path written = fmt::format("{}.{}", path.string(), ::getpid());
  {
    std::ofstream file(written, std::ios::trunc);
    file << kMagic << '\n' << owner << '\n';
    for (const auto& [key, choice] : choices_) {
      if (choice.us > 0.0) file << line_of(key, choice) << '\n';
    }
    file.flush();
    if (!file) return make_error(ErrorCode::kIo, "{}: cannot be written", written.string());
  }
  std::filesystem::rename(written, path, error);
  if (error) return make_error(ErrorCode::kIo, "{}: {}", path.string(), error.message());
  return {};
}

}  // namespace hangar::cuda
