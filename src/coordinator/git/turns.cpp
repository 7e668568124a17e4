#include "coordinator/git/turns.hpp"

namespace coordinator::git {
namespace {

constexpr std::size_t kMostWaiting = 1000;

} // namespace

bool Turns::take(const std::shared_ptr<Turns>& turns, Work work) {
  {
    std::lock_guard lock(turns->mutex_);
    if (turns->free_ == 0) {
      if (turns->waiting_.size() >= kMostWaiting) return false;
      turns->waiting_.push_back(std::move(work));
      return true;
    }
    --turns->free_;
  }
  work(std::make_shared<Turn>(turns));
  return true;
}

void Turns::next(const std::shared_ptr<Turns>& self) {
  Work work;
  {
    std::lock_guard lock(mutex_);
    if (waiting_.empty()) {
      ++free_;
      return;
    }
    work = std::move(waiting_.front());
    waiting_.pop_front();
  }
  auto turn = std::make_shared<Turn>(self);
  // Not taken: the server stops. The turn then ends here and is the next one's, until nobody waits.
  (void)run_([turn, work = std::move(work)] { work(turn); });
}

} // namespace coordinator::git
