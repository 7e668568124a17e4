// Vault: what the coordinator does with secrets: password hashes (argon2id), token digests (SHA-256), and sealing of
// values that must be shown or sent again (XSalsa20-Poly1305 with the key file of the data directory).
//
// Thread-safe. hash_password and verify_password take tens of milliseconds and 64 MiB on purpose.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/secret.hpp"

namespace coordinator {

class Vault {
 public:
  // Reads `<data_dir>/secret.key`, or makes it (0600).
  static base::Result<Vault> open(const std::string& data_dir);
  explicit Vault(base::Secret key) : key_(std::move(key)) {} // 32 bytes

  std::string seal(std::string_view plain) const; // base64
  base::Result<std::string> unseal(std::string_view sealed) const;

 private:
  base::Secret key_;
};

// SHA-256, hex: how tokens are kept and looked up.
std::string token_digest(std::string_view token);

base::Result<std::string> hash_password(std::string_view password);
bool verify_password(std::string_view hash, std::string_view password);
// A hash that no password has: verifying against it takes as long as against a real one.
inline constexpr std::string_view kNobodysPassword =
    "$argon2id$v=19$m=65536,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

} // namespace coordinator
