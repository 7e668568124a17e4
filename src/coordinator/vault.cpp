#include "coordinator/vault.hpp"

#include <fmt/format.h>
#include <sodium.h>

#include "base/hash.hpp"
#include "base/strings.hpp"
#include "sys/files.hpp"

namespace coordinator {
namespace {

const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

// Thread-safe and cheap after the first call.
bool sodium_ready() { return sodium_init() >= 0; }

} // namespace

base::Result<Vault> Vault::open(const std::string& data_dir) {
  if (!sodium_ready()) return base::fail(base::ErrorKind::kInternal, "cannot initialise libsodium");
  const auto path = sys::join_path(data_dir, "secret.key");
  if (!sys::exists(path)) {
    FR_CHECK(sys::atomic_write_file(path, base::base64_encode(base::random_bytes(crypto_secretbox_KEYBYTES)) + "\n"));
  }
  const auto text = FR_TRY(sys::read_file(path, 4096));
  auto key = base::base64_decode(base::trim(text));
  if (!key || key->size() != crypto_secretbox_KEYBYTES) {
    return base::fail(
        base::ErrorKind::kInvalidInput,
        fmt::format("{} is not a key: restore it from a backup, sealed values cannot be read without it", path));
  }
  return Vault(base::Secret(std::move(*key)));
}

std::string Vault::seal(std::string_view plain) const {
  const std::string nonce = base::random_bytes(crypto_secretbox_NONCEBYTES);
  std::string box(crypto_secretbox_MACBYTES + plain.size(), '\0');
  crypto_secretbox_easy(bytes(box), bytes(plain), plain.size(), bytes(nonce), bytes(key_.reveal()));
  return base::base64_encode(nonce + box);
}

base::Result<std::string> Vault::unseal(std::string_view sealed) const {
  const auto raw = base::base64_decode(sealed);
  if (!raw || raw->size() < crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES) {
    return base::fail(base::ErrorKind::kInternal, "a sealed value is damaged");
  }
  const auto nonce = raw->substr(0, crypto_secretbox_NONCEBYTES);
  const auto box = raw->substr(crypto_secretbox_NONCEBYTES);
  std::string plain(box.size() - crypto_secretbox_MACBYTES, '\0');
  if (crypto_secretbox_open_easy(bytes(plain), bytes(box), box.size(), bytes(nonce), bytes(key_.reveal())) != 0) {
    return base::fail(base::ErrorKind::kInternal, "a sealed value does not belong to this key (secret.key changed?)");
  }
  return plain;
}

std::string token_digest(std::string_view token) { return base::sha256_hex(token); }

base::Result<std::string> hash_password(std::string_view password) {
  if (!sodium_ready()) return base::fail(base::ErrorKind::kInternal, "cannot initialise libsodium");
  char out[crypto_pwhash_STRBYTES];
  if (crypto_pwhash_argon2id_str(out, password.data(), password.size(), crypto_pwhash_argon2id_OPSLIMIT_INTERACTIVE,
                                 crypto_pwhash_argon2id_MEMLIMIT_INTERACTIVE) != 0) {
    return base::fail(base::ErrorKind::kLimit, "not enough memory to hash a password");
  }
  return std::string(out);
}

bool verify_password(std::string_view hash, std::string_view password) {
  if (!sodium_ready() || hash.size() >= crypto_pwhash_STRBYTES) return false;
  return crypto_pwhash_str_verify(std::string(hash).c_str(), password.data(), password.size()) == 0;
}

} // namespace coordinator
