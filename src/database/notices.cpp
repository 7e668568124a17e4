#include "database/notices.hpp"

#include <condition_variable>

namespace database {

struct Subscription::Entry {
  std::function<void(const std::string&)> handler;
  std::function<void()> missed;
  std::mutex mutex;
  std::condition_variable idle;
  int running = 0;
  bool alive = true;

  void call(const std::function<void()>& what) {
    {
      const std::lock_guard lock(mutex);
      if (!alive) return;
      ++running;
    }
    what();
    const std::lock_guard lock(mutex);
    if (--running == 0) idle.notify_all();
  }
  void end() {
    std::unique_lock lock(mutex);
    alive = false;
    idle.wait(lock, [&] { return running == 0; });
  }
};

Subscription& Subscription::operator=(Subscription&& other) noexcept {
  if (entry_) entry_->end();
  entry_ = std::move(other.entry_);
  return *this;
}

Subscription::~Subscription() {
  if (entry_) entry_->end();
}

Subscription Notices::subscribe(std::string channel, std::function<void(const std::string&)> handler,
                                std::function<void()> missed) {
  auto entry = std::make_shared<Subscription::Entry>();
  entry->handler = std::move(handler);
  entry->missed = std::move(missed);
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [](const auto& item) { return item.second.expired(); });
  entries_.emplace(std::move(channel), entry);
  return Subscription(std::move(entry));
}

std::vector<std::shared_ptr<Subscription::Entry>> Notices::subscribers(const std::string* channel) {
  std::vector<std::shared_ptr<Subscription::Entry>> out;
  const std::lock_guard lock(mutex_);
  const auto range = channel != nullptr ? entries_.equal_range(*channel) : std::pair(entries_.begin(), entries_.end());
  for (auto it = range.first; it != range.second; ++it) {
    if (auto entry = it->second.lock()) out.push_back(std::move(entry));
  }
  return out;
}

void Notices::deliver(const std::string& channel, const std::string& payload) {
  for (const auto& entry : subscribers(&channel)) entry->call([&] { entry->handler(payload); });
}

void Notices::deliver_missed() {
  for (const auto& entry : subscribers(nullptr)) {
    if (entry->missed) entry->call(entry->missed);
  }
}

} // namespace database
