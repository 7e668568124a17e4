#include "sys/thread_pool.hpp"

#include <algorithm>

namespace sys {

ThreadPool::ThreadPool(std::size_t threads, std::size_t queue_limit)
    : queue_limit_(std::max<std::size_t>(queue_limit, 1)) {
  threads_.reserve(std::max<std::size_t>(threads, 1));
  for (std::size_t i = 0; i < std::max<std::size_t>(threads, 1); ++i) threads_.emplace_back([this] { run(); });
}

ThreadPool::~ThreadPool() { stop(); }

bool ThreadPool::submit(std::function<void()> task) {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [this] { return stopped_ || queue_.size() < queue_limit_; });
  if (stopped_) return false;
  queue_.push_back(std::move(task));
  work_.notify_one();
  return true;
}

bool ThreadPool::try_submit(std::function<void()> task) {
  std::lock_guard lock(mutex_);
  if (stopped_ || queue_.size() >= queue_limit_) return false;
  queue_.push_back(std::move(task));
  work_.notify_one();
  return true;
}

void ThreadPool::wait_idle() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return queue_.empty() && running_ == 0; });
}

void ThreadPool::stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  work_.notify_all();
  room_.notify_all();
  threads_.clear(); // joins
}

void ThreadPool::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
    if (queue_.empty()) return;
    auto task = std::move(queue_.front());
    queue_.pop_front();
    ++running_;
    room_.notify_one();
    lock.unlock();
    task();
    task = nullptr; // what it holds is gone before anybody hears that it is done
    lock.lock();
    --running_;
    if (queue_.empty() && running_ == 0) idle_.notify_all();
  }
}

} // namespace sys
