// Turns: how many git processes work at once. Who comes later waits in a line that holds no thread.
//
// Thread-safe. A Turn may end on any thread; the next one's work begins where the given runner takes it.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

namespace coordinator::git {

class Turns {
 public:
  using Runner = std::function<bool(std::function<void()>)>;
  // `run` starts whoever waited; false: it is not to be started any more.
  Turns(Runner run, std::size_t at_once) : run_(std::move(run)), free_(at_once) {}

  // Held by whoever has a turn; its end is the next one's beginning.
  class Turn {
   public:
    explicit Turn(std::shared_ptr<Turns> turns) : turns_(std::move(turns)) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() { turns_->next(turns_); }

   private:
    std::shared_ptr<Turns> turns_;
  };
  using Work = std::function<void(std::shared_ptr<Turn>)>;

  // Calls `work` at once or when its turn has come; false: too many wait already.
  static bool take(const std::shared_ptr<Turns>& turns, Work work);

 private:
  void next(const std::shared_ptr<Turns>& self);

  Runner run_;
  std::mutex mutex_;
  std::size_t free_;
  std::deque<Work> waiting_;
};

} // namespace coordinator::git
