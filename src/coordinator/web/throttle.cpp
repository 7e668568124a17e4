#include "coordinator/web/throttle.hpp"

#include <fmt/format.h>

#include "base/strings.hpp"
#include "net/address.hpp"

namespace coordinator::web {
namespace {

constexpr std::int64_t kForgottenAfter = 24LL * 3600 * 1000;
constexpr std::int64_t kKnownFor = 90LL * 24 * 3600 * 1000; // since the last sign-in from there

base::Status put(Transaction& tx, const std::string& key, std::int64_t attempts, std::int64_t locked_until,
                 std::int64_t now) {
  FR_CHECK(
      tx.execute("INSERT INTO sign_in_attempts (attempt_key, attempts, locked_until, updated_at) VALUES (?, ?, ?, "
                 "?) ON CONFLICT (attempt_key) DO UPDATE SET attempts = excluded.attempts, locked_until = "
                 "excluded.locked_until, updated_at = excluded.updated_at",
                 {key, attempts, locked_until, now}));
  return {};
}

struct Counter {
  std::string key;
  std::int64_t most = 0;
  std::int64_t attempts = 0; // with this one
  std::int64_t wait = 0;     // seconds that it is locked for
};

base::Result<Counter> look(Transaction& tx, const std::string& key, std::int64_t most, std::int64_t now) {
  const auto row = FR_TRY(tx.query_one("SELECT * FROM sign_in_attempts WHERE attempt_key = ?", {key}));
  const auto locked_until = row ? row->integer("locked_until") : 0;
  Counter out{.key = key, .most = most};
  if (locked_until > now) out.wait = (locked_until - now + 999) / 1000;
  const bool afresh = !row || locked_until != 0 || row->integer("updated_at") < now - kForgottenAfter;
  out.attempts = afresh ? 1 : row->integer("attempts") + 1;
  return out;
}

} // namespace

Attempt attempt_for(std::optional<std::int64_t> user_id, std::string_view login, std::string_view address) {
  Attempt out;
  out.account = user_id ? fmt::format("user:{}", *user_id) : "login:" + token_digest(base::to_lower(login));
  const auto from = fmt::format("{}@{}", out.account, net::address_block(address));
  out.pair = "pair:" + from;
  out.known = "known:" + from;
  return out;
}

base::Result<std::int64_t> book_attempt(Transaction& tx, const Attempt& attempt, std::int64_t now) {
  std::vector<Counter> counters = {FR_TRY(look(tx, attempt.pair, kMostFailures, now))};
  const bool known =
      FR_TRY(tx.count("SELECT count(*) FROM sign_in_attempts WHERE attempt_key = ?", {attempt.known})) > 0;
  if (!known) counters.push_back(FR_TRY(look(tx, attempt.account, kMostFailuresOverall, now)));
  for (const auto& counter : counters) {
    if (counter.wait > 0) return counter.wait;
  }
  for (const auto& counter : counters) {
    // The last allowed attempt locks what comes after it; when it is right, forget_attempt() unlocks.
    const auto lock = counter.attempts >= counter.most ? now + kLockSeconds * 1000 : 0;
    FR_CHECK(put(tx, counter.key, counter.attempts, lock, now));
  }
  return 0;
}

base::Status forget_attempt(Transaction& tx, const Attempt& attempt, std::int64_t now) {
  FR_CHECK(tx.execute("DELETE FROM sign_in_attempts WHERE attempt_key = ?", {attempt.pair}));
  FR_CHECK(
      tx.execute("UPDATE sign_in_attempts SET attempts = attempts - 1, locked_until = 0 WHERE attempt_key = ? AND "
                 "attempts > 0",
                 {attempt.account}));
  return put(tx, attempt.known, 0, 0, now);
}

base::Status tidy_attempts(Transaction& tx, std::int64_t now) {
  FR_CHECK(
      tx.execute("DELETE FROM sign_in_attempts WHERE updated_at < ? OR (updated_at < ? AND attempt_key NOT LIKE "
                 "'known:%')",
                 {now - kKnownFor, now - kForgottenAfter}));
  return {};
}

} // namespace coordinator::web
