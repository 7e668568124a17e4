// Hashes and random text. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace base {

std::string sha256(std::string_view bytes);     // 32 raw bytes
std::string sha256_hex(std::string_view bytes); // 64 lower-case hex digits
// 40 lower-case hex digits. For names that others define by it (git objects, GitLab's cache keys), never for security.
std::string sha1_hex(std::string_view bytes);
std::string hmac_sha256(std::string_view key, std::string_view message); // 32 raw bytes

class Sha256 { // incremental
 public:
  Sha256();
  void update(std::string_view bytes);
  std::string hex(); // ends the computation

 private:
  alignas(8) unsigned char state_[128];
};

// IEEE CRC-32 (zip, GitLab's trace checksum); feed the previous value to continue.
std::uint32_t crc32(std::string_view bytes, std::uint32_t previous = 0);

std::string random_bytes(std::size_t count);
std::string random_hex(std::size_t digits);
// Letters and digits only.
std::string random_alphanumeric(std::size_t count);
// `count` characters of [A-Za-z0-9_-] without the look-alikes l I O 0 (GitLab's friendly tokens).
std::string random_token(std::size_t count);
// 32 lower-case hex digits: a version 4 UUID without dashes (GitLab's X-Request-Id).
std::string random_request_id();

} // namespace base
