#include "sys/cancel.hpp"

#include <poll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <vector>

#include "sys/fd.hpp"

namespace sys {

struct CancelToken::State {
  std::mutex mutex;
  std::atomic<bool> raised = false;
  CancelCause cause;
  std::optional<TimePoint> deadline; // with its message: fixed at construction
  std::string deadline_message;
  Fd timer;
  std::vector<std::weak_ptr<State>> children;

  void arm(TimePoint time) {
    auto since_epoch = std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
    since_epoch = std::max<std::int64_t>(since_epoch, 1); // 0 would disarm
    itimerspec spec{};
    spec.it_value = {.tv_sec = since_epoch / 1'000'000'000, .tv_nsec = since_epoch % 1'000'000'000};
    if (timer.valid()) ::timerfd_settime(timer.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
  }

  void raise(const CancelCause& why) {
    std::vector<std::weak_ptr<State>> below;
    {
      std::lock_guard guard(mutex);
      if (raised.load()) return;
      cause = why;
      raised.store(true);
      arm(TimePoint{});
      below.swap(children);
    }
    for (const auto& child : below) {
      if (auto state = child.lock()) state->raise(why);
    }
  }

  bool check() {
    if (raised.load()) return true;
    if (!deadline || std::chrono::steady_clock::now() < *deadline) return false;
    raise({CancelReason::kTimeout, deadline_message});
    return true;
  }
};

namespace {

// A token whose timerfd could not be made (no descriptors left) is looked at this often instead.
constexpr int kBlindPollMs = 50;

int poll_timeout(std::optional<TimePoint> until, bool blind) {
  int timeout = -1;
  if (until) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - std::chrono::steady_clock::now()).count();
    timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000'000));
  }
  if (blind) timeout = timeout < 0 ? kBlindPollMs : std::min(timeout, kBlindPollMs);
  return timeout;
}

std::shared_ptr<CancelToken::State> make_state() {
  auto state = std::make_shared<CancelToken::State>();
  state->timer = Fd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  return state;
}

} // namespace

bool CancelToken::raised() const { return state_ && state_->check(); }

int CancelToken::fd() const { return state_ ? state_->timer.get() : -1; }

CancelCause CancelToken::cause() const {
  if (!raised()) return {};
  std::lock_guard guard(state_->mutex);
  return state_->cause;
}

base::Error CancelToken::error() const {
  CancelCause why = cause();
  if (why.reason == CancelReason::kTimeout) return {base::ErrorKind::kTimeout, std::move(why.message)};
  return {base::ErrorKind::kCanceled, why.message.empty() ? "canceled" : std::move(why.message)};
}

std::optional<TimePoint> CancelToken::deadline() const { return state_ ? state_->deadline : std::nullopt; }

bool CancelToken::wait_until(TimePoint time) const {
  while (true) {
    auto ready = poll_fd(-1, 0, *this, time);
    if (!ready) return raised();
    if (*ready != Ready::kReady) return *ready == Ready::kCanceled;
  }
}

bool CancelToken::wait_for(std::chrono::nanoseconds time) const {
  return wait_until(std::chrono::steady_clock::now() + time);
}

CancelSource::CancelSource() : state_(make_state()) {}

CancelSource::CancelSource(const CancelToken& parent) : CancelSource(parent, TimePoint::max(), {}) {}

CancelSource::CancelSource(const CancelToken& parent, TimePoint deadline, std::string message) : state_(make_state()) {
  if (deadline != TimePoint::max()) {
    state_->deadline = deadline;
    state_->deadline_message = std::move(message);
  }
  if (parent.state_) {
    CancelToken::State& above = *parent.state_;
    if (above.deadline && (!state_->deadline || *above.deadline < *state_->deadline)) {
      state_->deadline = above.deadline;
      state_->deadline_message = above.deadline_message;
    }
    above.check();
    std::unique_lock guard(above.mutex);
    if (above.raised.load()) {
      CancelCause why = above.cause;
      guard.unlock();
      state_->raise(why);
    } else {
      std::erase_if(above.children, [](const auto& child) { return child.expired(); });
      above.children.push_back(state_);
    }
  }
  if (state_->deadline && !state_->raised.load()) {
    std::lock_guard guard(state_->mutex);
    if (!state_->raised.load()) state_->arm(*state_->deadline);
  }
}

void CancelSource::raise(CancelReason reason, std::string message) { state_->raise({reason, std::move(message)}); }

base::Result<Ready> poll_fd(int fd, short events, const CancelToken& cancel, std::optional<TimePoint> until) {
  while (true) {
    if (cancel.raised()) return Ready::kCanceled;
    bool blind = cancel.can_be_raised() && cancel.fd() < 0;
    pollfd entries[2] = {{.fd = fd, .events = events, .revents = 0},
                         {.fd = cancel.fd(), .events = POLLIN, .revents = 0}};
    int count = ::poll(entries, 2, poll_timeout(until, blind));
    if (count < 0 && errno != EINTR) return base::fail_errno("polling", errno);
    if (count > 0 && entries[1].revents != 0) return Ready::kCanceled;
    if (count > 0 && entries[0].revents != 0) return Ready::kReady;
    if (until && std::chrono::steady_clock::now() >= *until) return Ready::kTimeout;
  }
}

} // namespace sys
