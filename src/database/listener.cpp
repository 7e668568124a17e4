#include "database/listener.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.hpp"

namespace database {
namespace {

using namespace std::chrono_literals;

constexpr auto kDutyInterval = 1s; // how long a duty may be nobody's
constexpr auto kDutyAnswer = 3s;
constexpr auto kReconnectFirst = 100ms;
constexpr auto kReconnectLongest = 2s;

} // namespace

base::Result<std::unique_ptr<Listener>> Listener::start(PostgresOptions options, Notices& notices) {
  sys::Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return base::fail_errno("make an eventfd", errno);
  auto connection = FR_TRY(PostgresConnection::open(options));
  FR_CHECK(connection->listen());
  return std::unique_ptr<Listener>(new Listener(std::move(options), notices, std::move(wake), std::move(connection)));
}

Listener::Listener(PostgresOptions options, Notices& notices, sys::Fd wake,
                   std::unique_ptr<PostgresConnection> connection)
    : options_(std::move(options)),
      notices_(notices),
      wake_(std::move(wake)),
      connection_(std::move(connection)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Listener::~Listener() {
  thread_.request_stop();
  changed_.notify_all();
  wake();
}

void Listener::wake() {
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one); // full: it is awake
}

void Listener::publish(std::string channel, std::string payload) {
  {
    const std::lock_guard lock(mutex_);
    outgoing_.emplace(std::move(channel), std::move(payload));
  }
  wake();
}

bool Listener::leads(std::string_view duty) {
  std::unique_lock lock(mutex_);
  auto found = duties_.find(duty);
  if (found == duties_.end()) {
    duties_.emplace(duty, std::nullopt);
    wake();
    changed_.wait_for(lock, kDutyAnswer, [&] { return duties_.find(duty)->second.has_value(); });
    found = duties_.find(duty);
  }
  return found->second.value_or(false);
}

void Listener::forget_duties() {
  const std::lock_guard lock(mutex_);
  for (auto& [name, held] : duties_) held = false;
}

// A lock of this session that is held already is not taken twice.
base::Status Listener::ask_for_duties() {
  std::vector<std::string> wanted;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, held] : duties_) {
      if (!held.value_or(false)) wanted.push_back(name);
    }
  }
  for (const auto& name : wanted) {
    const bool held = FR_TRY(connection_->try_session_lock(name));
    if (held) base::log::info("this coordinator takes over a duty", {{"duty", name}});
    const std::lock_guard lock(mutex_);
    duties_[name] = held;
  }
  changed_.notify_all();
  // Holding something, make sure that we still do.
  if (wanted.empty()) FR_CHECK(connection_->run("SELECT 1", {}, nullptr));
  return {};
}

base::Status Listener::send_notices() {
  std::set<std::pair<std::string, std::string>> batch;
  {
    const std::lock_guard lock(mutex_);
    batch.swap(outgoing_);
  }
  for (const auto& [channel, payload] : batch) {
    auto sent = connection_->notify(channel, payload);
    if (sent) continue;
    if (connection_->usable()) {
      base::log::error("cannot publish a notice", {{"channel", channel}, {"error", sent.error().message()}});
      continue;
    }
    // The others look at everything when their connection is back, but it may be only ours that is gone.
    const std::lock_guard lock(mutex_);
    outgoing_.merge(batch);
    return sent;
  }
  return {};
}

void Listener::work(const std::stop_token& stop) {
  auto next_duties = std::chrono::steady_clock::now();
  while (!stop.stop_requested()) {
    bool unasked = false;
    bool any = false;
    {
      const std::lock_guard lock(mutex_);
      any = !duties_.empty();
      for (const auto& [name, held] : duties_) unasked = unasked || !held;
    }
    const auto now = std::chrono::steady_clock::now();
    if (any && (unasked || now >= next_duties)) {
      if (!ask_for_duties()) return;
      next_duties = now + kDutyInterval;
    }
    if (!send_notices()) return;
    // Answers to our own statements may have brought notices with them: look before sleeping.
    auto notices = connection_->received();
    if (!notices) return;
    for (const auto& notice : *notices) {
      if (notice.instance != options_.instance) notices_.deliver(notice.channel, notice.payload);
    }
    pollfd fds[2] = {{.fd = connection_->socket(), .events = POLLIN, .revents = 0},
                     {.fd = wake_.get(), .events = POLLIN, .revents = 0}};
    ::poll(fds, 2, static_cast<int>(std::chrono::milliseconds(kDutyInterval).count()));
    std::uint64_t drained = 0;
    (void)!::read(wake_.get(), &drained, sizeof drained);
  }
}

void Listener::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    work(stop);
    if (stop.stop_requested()) return;
    base::log::warning("the connection that listens to the database was lost");
    forget_duties();
    connection_.reset();
    for (auto pause = kReconnectFirst; !connection_ && !stop.stop_requested();
         pause = std::min<std::chrono::milliseconds>(pause * 2, kReconnectLongest)) {
      if (auto fresh = PostgresConnection::open(options_); fresh && (*fresh)->listen()) {
        connection_ = std::move(*fresh);
        break;
      }
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, stop, pause, [] { return false; });
    }
    if (!connection_) return;
    base::log::info("listening to the database again");
    notices_.deliver_missed();
  }
}

} // namespace database
