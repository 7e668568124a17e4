// How many times one may guess a password, kept in the store, so that a restart or a second coordinator forgets
// nothing.
//
// Counted twice. Of one account from one address: ten wrong ones and that address waits. Of one account from
// everywhere: a slower cap against guessing from many addresses. It spares the addresses that the account has signed in
// from, so nobody can lock an owner out of where he usually sits. Names that no account has are counted alike, so that
// the answers tell nothing about who exists.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "coordinator/app.hpp"
#include "coordinator/store.hpp"

namespace coordinator::web {

inline constexpr std::int64_t kMostFailures = 10; // of an account from one address
inline constexpr std::int64_t kMostFailuresOverall = 50;
inline constexpr std::int64_t kLockSeconds = 600;

struct Attempt {
  std::string account; // keys of rows
  std::string pair;
  std::string known;
};
// For an account, or for what was typed when there is none.
Attempt attempt_for(std::optional<std::int64_t> user_id, std::string_view login, std::string_view address);

// Books an attempt before it is tried, so that attempts at the same time count each. 0: go on; else the seconds until
// the next may come.
base::Result<std::int64_t> book_attempt(Transaction& tx, const Attempt& attempt, std::int64_t now);
// The attempt was right: it does not count, and the address is known from now on.
base::Status forget_attempt(Transaction& tx, const Attempt& attempt, std::int64_t now);
// Rows that no longer matter.
base::Status tidy_attempts(Transaction& tx, std::int64_t now);

} // namespace coordinator::web
