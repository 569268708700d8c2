#include "hub/digest.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <new>
#include <string_view>

namespace hangar::hub {

struct Digest::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  State() {
    if (context == nullptr) throw std::bad_alloc();
  }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

Digest::Digest(DigestKind kind, std::uint64_t size_bytes)
    : kind_(kind), size_bytes_(size_bytes), state_(std::make_unique<State>()) {
  start();
}
Digest::~Digest() = default;
Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;

void Digest::start() {
  const EVP_MD* algorithm = kind_ == DigestKind::kSha256 ? EVP_sha256() : EVP_sha1();
  if (EVP_DigestInit_ex(state_->context, algorithm, nullptr) != 1) throw std::bad_alloc();
  if (kind_ == DigestKind::kGitBlob) {
    const std::string head = fmt::format("blob {}", size_bytes_);
    // With the zero at its end.
    update(std::as_bytes(std::span(head.c_str(), head.size() + 1)));
  }
}

void Digest::update(std::span<const std::byte> bytes) {
  if (EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) != 1) throw std::bad_alloc();
}

std::string Digest::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> sum{};
  unsigned int size = 0;
  if (EVP_DigestFinal_ex(state_->context, sum.data(), &size) != 1) throw std::bad_alloc();
  std::string text;
  for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", sum[i]);
  return text;
}

}  // namespace hangar::hub
