// run_ordered: work done by several threads, its results consumed in the order in which it was planned.
//
// Private to the writers. The calling thread plans and consumes, so neither needs a lock; at most `depth` tasks exist,
// which bounds memory and is the brake when the consumer is slower than the workers.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.hpp"

namespace archive {

// Task: default-constructible and reusable. Scratch: one per thread, made by `make_scratch`.
//   plan(Task&) -> bool      fills the next task; false when there is none
//   work(Task&, Scratch&)    on any thread; keeps its errors in the task
//   consume(Task&) -> Status in order; an error ends the run
template <class Task, class MakeScratch, class Plan, class Work, class Consume>
base::Status run_ordered(unsigned threads, MakeScratch make_scratch, Plan plan, Work work, Consume consume) {
  if (threads <= 1) {
    auto scratch = make_scratch();
    Task task;
    while (plan(task)) {
      work(task, *scratch);
      FR_CHECK(consume(task));
    }
    return {};
  }

  struct Slot {
    Task task;
    bool done = false;
  };
  std::mutex mutex;
  std::condition_variable work_ready, task_done;
  std::deque<Slot*> queue;
  bool stop = false;
  const std::size_t depth = 2 * threads + 2;
  std::vector<std::unique_ptr<Slot>> slots;
  std::deque<Slot*> in_flight;
  std::vector<Slot*> idle;

  auto thread_main = [&] {
    auto scratch = make_scratch();
    std::unique_lock lock(mutex);
    while (true) {
      work_ready.wait(lock, [&] { return stop || !queue.empty(); });
      if (stop) return;
      Slot* slot = queue.front();
      queue.pop_front();
      lock.unlock();
      work(slot->task, *scratch);
      lock.lock();
      slot->done = true;
      task_done.notify_one();
    }
  };
  std::vector<std::jthread> workers;
  struct Stopper { // before the workers are joined, however this function is left
    std::mutex& mutex;
    std::condition_variable& ready;
    bool& stop;
    ~Stopper() {
      std::lock_guard lock(mutex);
      stop = true;
      ready.notify_all();
    }
  } stopper{mutex, work_ready, stop};
  (void)stopper;

  bool more = true;
  while (true) {
    while (more && in_flight.size() < depth) {
      Slot* slot;
      if (idle.empty()) {
        slots.push_back(std::make_unique<Slot>());
        slot = slots.back().get();
      } else {
        slot = idle.back();
        idle.pop_back();
      }
      slot->done = false;
      more = plan(slot->task);
      if (!more) break;
      in_flight.push_back(slot);
      std::lock_guard lock(mutex);
      queue.push_back(slot);
      work_ready.notify_one();
      if (workers.size() < threads && workers.size() < in_flight.size()) workers.emplace_back(thread_main);
    }
    if (in_flight.empty()) return {};
    Slot* front = in_flight.front();
    {
      std::unique_lock lock(mutex);
      task_done.wait(lock, [&] { return front->done; });
    }
    in_flight.pop_front();
    FR_CHECK(consume(front->task));
    idle.push_back(front);
  }
}

// The processors that this process may use, at least 1.
unsigned available_processors();

} // namespace archive
