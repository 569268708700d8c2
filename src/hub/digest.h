// Digest: a SHA-256, or git's name of a file's contents, taken piece by piece.
//
// Promise: hex() of kSha256 is what sha256sum prints; of kGitBlob what `git hash-object` prints: a
//   SHA-1 over "blob SIZE\0" and the bytes, so the size is known from the start. start() begins
//   anew. hex() ends the digest: start() before the next update().
// Errors: none; memory that the crypto library cannot get is std::bad_alloc.
// Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace hangar::hub {

enum class DigestKind : std::uint8_t { kSha256, kGitBlob };

class Digest {
 public:
  // size_bytes: of the whole contents; only kGitBlob asks for it.
  Digest(DigestKind kind, std::uint64_t size_bytes);
  ~Digest();
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;

  void start();
  void update(std::span<const std::byte> bytes);
  std::string hex();

 private:
  struct State;
  DigestKind kind_;
  std::uint64_t size_bytes_;
  std::unique_ptr<State> state_;
};

}  // namespace hangar::hub
