// Calls to the server with upstream's log lines, for the commands that manage runners.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/log.hpp"
#include "config/config.hpp"
#include "gitlab/client.hpp"

namespace cli {

enum class Verified {
  kYes,     // 200; `id` may be 0
  kGone,    // 403
  kUnknown, // could not be found out
};

struct VerifyReply {
  Verified verified = Verified::kUnknown;
  gitlab::RegisterAnswer answer;
};

class ServerCalls {
 public:
  // `config_path`: certificates are looked up beside it.
  ServerCalls(const config::Runner& runner, const std::string& config_path);

  std::optional<gitlab::RegisterAnswer> register_runner(const gitlab::RegisterRequest& request);
  VerifyReply verify(const std::string& system_id);
  // The runner, or for a created one only its manager.
  bool unregister(const std::string& system_id);
  // With `access_token` not empty: in that user's name, by runner id.
  std::optional<gitlab::RegisterAnswer> reset_token(const std::string& access_token);

 private:
  void log(base::log::Level level, const std::string& message, const gitlab::CallResult& result);

  config::Runner runner_;
  gitlab::Client client_;
};

// Seconds since the epoch.
std::int64_t unix_now();

} // namespace cli
