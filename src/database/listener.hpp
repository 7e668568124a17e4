// Listener: the connection and thread that hear what other processes publish, publish what comes without a
// transaction, and hold this process's duties. For PostgreSQL only.
//
// Thread-safe. When the connection is lost it is made anew, for as long as it takes; the duties are lost meanwhile, and
// Notices::deliver_missed() follows when it is back.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "database/notices.hpp"
#include "database/postgres.hpp"
#include "sys/fd.hpp"

namespace database {

class Listener {
 public:
  // The first connection is made before it returns.
  static base::Result<std::unique_ptr<Listener>> start(PostgresOptions options, Notices& notices);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  void publish(std::string channel, std::string payload);
  // See Store::leads(). The first question waits for the database's answer, later ones do not.
  bool leads(std::string_view duty);

 private:
  Listener(PostgresOptions options, Notices& notices, sys::Fd wake, std::unique_ptr<PostgresConnection> connection);
  void run(const std::stop_token& stop);
  void work(const std::stop_token& stop); // until the connection is lost
  base::Status ask_for_duties();
  base::Status send_notices();
  void wake();
  void forget_duties();

  const PostgresOptions options_;
  Notices& notices_;
  sys::Fd wake_; // an eventfd
  std::unique_ptr<PostgresConnection> connection_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::set<std::pair<std::string, std::string>> outgoing_;
  std::map<std::string, std::optional<bool>, std::less<>> duties_; // nullopt: not asked yet
  std::jthread thread_;                                            // last: it uses the rest
};

} // namespace database
