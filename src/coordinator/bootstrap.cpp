#include "coordinator/bootstrap.hpp"

#include <fmt/format.h>

#include "base/hash.hpp"
#include "base/log.hpp"
#include "coordinator/model/users.hpp"
#include "sys/files.hpp"

namespace coordinator {
namespace {

constexpr std::size_t kMinimumToken = 20;
constexpr std::size_t kMinimumPassword = 8;
constexpr std::string_view kTokenName = "initial administrator token";

std::vector<std::string> root_scopes() {
  return {"api",  "read_api",  "read_user", "create_runner", "manage_runner", "read_repository", "write_repository",
          "sudo", "admin_mode"};
}

base::Status check(const Options& options) {
  const auto& token = options.root_token.reveal();
  if (!token.empty() && token.size() < kMinimumToken) {
    return base::fail(
        base::ErrorKind::kInvalidInput,
        fmt::format("FORERUNNER_ROOT_TOKEN has {} characters: give at least {}", token.size(), kMinimumToken));
  }
  const auto& password = options.root_password.reveal();
  if (!password.empty() && password.size() < kMinimumPassword) {
    return base::fail(
        base::ErrorKind::kInvalidInput,
        fmt::format("FORERUNNER_ROOT_PASSWORD has {} characters: give at least {}", password.size(), kMinimumPassword));
  }
  return {};
}

// The given token becomes root's, whatever it was before.
base::Status establish_token(Transaction& tx, std::int64_t root, const std::string& token, std::int64_t now) {
  const auto digest = token_digest(token);
  if (const auto row = FR_TRY(tx.query_one("SELECT id, user_id FROM access_tokens WHERE digest = ?", {digest}))) {
    if (row->integer("user_id") != root) {
      return base::fail(base::ErrorKind::kConflict, "FORERUNNER_ROOT_TOKEN is the token of another user");
    }
    FR_CHECK(tx.execute("UPDATE access_tokens SET revoked = 0, expires_at = NULL WHERE id = ?", {row->integer("id")}));
    return {};
  }
  const model::NewAccessToken access{.user_id = root, .name = std::string(kTokenName), .scopes = root_scopes()};
  FR_CHECK(model::create_access_token(tx, access, token, now));
  return {};
}

// All processes on a database must have the key that its sealed values were made with.
base::Status check_key(App& app) {
  constexpr std::string_view kName = "secret_key_check";
  const auto sealed = FR_TRY(app.store.write([&](Transaction& tx) -> base::Result<std::string> {
    if (const auto row = FR_TRY(tx.query_one("SELECT value FROM settings WHERE name = ?", {kName}))) {
      return row->text("value");
    }
    auto fresh = app.vault.seal(kName);
    FR_CHECK(tx.execute("INSERT INTO settings (name, value) VALUES (?, ?)", {kName, fresh}));
    return fresh;
  }));
  if (app.vault.unseal(sealed)) return {};
  return base::fail(base::ErrorKind::kConflict,
                    fmt::format("{} is not the key that the database was made with: every coordinator of a database "
                                "needs the same one (share the data directory, or restore the file from a backup)",
                                app.path("secret.key")));
}

base::Status first_start(App& app) {
  auto token = app.options.root_token.reveal();
  auto password = app.options.root_password.reveal();
  std::string credentials;
  if (password.empty()) {
    password = base::random_alphanumeric(24);
    credentials += "password: " + password + "\n";
  }
  if (token.empty()) {
    token = model::make_access_token();
    credentials += "token: " + token + "\n";
  }
  const auto hash = FR_TRY(hash_password(password));
  // Before the account exists: a start that dies in between leaves a file that the next one overwrites.
  const auto file = app.path("root-credentials");
  if (!credentials.empty()) {
    FR_CHECK(sys::atomic_write_file(file, "# administrator of this coordinator\nusername: root\n" + credentials));
  }
  const bool created = FR_TRY(app.store.write([&](Transaction& tx) -> base::Result<bool> {
    // On a data directory of its own another process may have been first.
    if (FR_TRY(model::find_user_by_name(tx, "root"))) return false;
    const model::NewUser user{.username = "root",
                              .name = "Administrator",
                              .email = "admin@example.com",
                              .password_hash = hash,
                              .admin = true};
    const auto root = FR_TRY(model::create_user(tx, user, app.now()));
    FR_CHECK(establish_token(tx, root.id, token, app.now()));
    return true;
  }));
  if (!created) return sys::remove_file(file);
  if (!credentials.empty()) {
    base::log::info("created administrator root, generated credentials are in a file", {{"file", file}});
  }
  return {};
}

} // namespace

base::Status bootstrap(App& app) {
  FR_CHECK(check(app.options));
  FR_CHECK(check_key(app));
  const auto root = FR_TRY(app.store.read([](Transaction& tx) { return model::find_user_by_name(tx, "root"); }));
  if (!root) return first_start(app);
  const auto& token = app.options.root_token.reveal();
  if (token.empty()) return {};
  FR_CHECK(app.store.write([&](Transaction& tx) -> base::Result<bool> {
    FR_CHECK(establish_token(tx, root->id, token, app.now()));
    return true;
  }));
  return {};
}

} // namespace coordinator
