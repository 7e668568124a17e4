#include "coordinator/web/throttle.hpp"

#include <fmt/format.h>

#include "base/strings.hpp"

namespace coordinator::web {
namespace {

constexpr std::int64_t kForgottenAfter = 24LL * 3600 * 1000;

} // namespace

std::string throttle_key(std::optional<std::int64_t> user_id, std::string_view login) {
  if (user_id) return fmt::format("user:{}", *user_id);
  return "login:" + token_digest(base::to_lower(login));
}

base::Result<std::int64_t> book_attempt(Transaction& tx, const std::string& key, std::int64_t now) {
  const auto row = FR_TRY(tx.query_one("SELECT * FROM sign_in_attempts WHERE attempt_key = ?", {key}));
  const auto locked_until = row ? row->integer("locked_until") : 0;
  if (locked_until > now) return (locked_until - now + 999) / 1000;
  const bool afresh = !row || locked_until != 0 || row->integer("updated_at") < now - kForgottenAfter;
  const auto count = afresh ? 1 : row->integer("attempts") + 1;
  // The last allowed attempt locks what comes after it; when it is right, forget_attempts() unlocks.
  const auto lock = count >= kMostFailures ? now + kLockSeconds * 1000 : 0;
  FR_CHECK(
      tx.execute("INSERT INTO sign_in_attempts (attempt_key, attempts, locked_until, updated_at) VALUES (?, ?, ?, "
                 "?) ON CONFLICT (attempt_key) DO UPDATE SET attempts = excluded.attempts, locked_until = "
                 "excluded.locked_until, updated_at = excluded.updated_at",
                 {key, count, lock, now}));
  return 0;
}

base::Status forget_attempts(Transaction& tx, const std::string& key) {
  FR_CHECK(tx.execute("DELETE FROM sign_in_attempts WHERE attempt_key = ?", {key}));
  return {};
}

base::Status tidy_attempts(Transaction& tx, std::int64_t now) {
  FR_CHECK(tx.execute("DELETE FROM sign_in_attempts WHERE updated_at < ?", {now - kForgottenAfter}));
  return {};
}

} // namespace coordinator::web
