// How many times one may guess a password: per account (kept in the store, so that a restart or a second coordinator
// forgets nothing) and per address (in memory). Names that no account has are counted alike, so that the answers tell
// nothing about who exists.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "coordinator/app.hpp"
#include "coordinator/store.hpp"

namespace coordinator::web {

inline constexpr std::int64_t kMostFailures = 10;
inline constexpr std::int64_t kLockSeconds = 600;

// Of an account, or of what was typed when there is none.
std::string throttle_key(std::optional<std::int64_t> user_id, std::string_view login);

// Books an attempt before it is tried, so that attempts at the same time count each. 0: go on; else the seconds until
// the next may come.
base::Result<std::int64_t> book_attempt(Transaction& tx, const std::string& key, std::int64_t now);
// The attempt was right.
base::Status forget_attempts(Transaction& tx, const std::string& key);
// Rows that no longer matter.
base::Status tidy_attempts(Transaction& tx, std::int64_t now);

} // namespace coordinator::web
