// ThreadPool: a fixed number of threads and a bounded queue, which is the brake on whoever submits.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace sys {

class ThreadPool {
 public:
  ThreadPool(std::size_t threads, std::size_t queue_limit);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool(); // stop()

  // Blocks while the queue is full. False after stop(). The task must not throw.
  bool submit(std::function<void()> task);
  // False when the queue is full or the pool stopped.
  bool try_submit(std::function<void()> task);
  // Until nothing is queued or running.
  void wait_idle();
  // Takes no more tasks, runs those queued, joins the threads.
  void stop();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable room_;
  std::condition_variable idle_;
  std::deque<std::function<void()>> queue_;
  std::size_t queue_limit_;
  std::size_t running_ = 0;
  bool stopped_ = false;
  std::vector<std::jthread> threads_;
};

} // namespace sys
