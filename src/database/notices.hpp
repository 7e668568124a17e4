// Notices: who wants to hear of what inside this process. The part of publish and subscribe that needs no database.
//
// Thread-safe. Handlers run on the delivering thread, without a lock held; they may deliver and subscribe themselves.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace database {

class Notices;

// One handler's place; destroying it waits for a call that is under way (so a handler must not destroy its own).
class Subscription {
 public:
  Subscription() = default;
  Subscription(Subscription&&) noexcept = default;
  Subscription& operator=(Subscription&& other) noexcept;
  ~Subscription();

 private:
  friend class Notices;
  struct Entry;
  explicit Subscription(std::shared_ptr<Entry> entry) : entry_(std::move(entry)) {}
  std::shared_ptr<Entry> entry_;
};

class Notices {
 public:
  Subscription subscribe(std::string channel, std::function<void(const std::string&)> handler,
                         std::function<void()> missed);
  void deliver(const std::string& channel, const std::string& payload);
  void deliver_missed(); // to everybody

 private:
  std::vector<std::shared_ptr<Subscription::Entry>> subscribers(const std::string* channel);
  std::mutex mutex_;
  std::multimap<std::string, std::weak_ptr<Subscription::Entry>> entries_;
};

} // namespace database
