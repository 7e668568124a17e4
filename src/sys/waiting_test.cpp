// Cancel tokens, locks, signals, the thread pool and unix sockets: what others wait on.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "sys/cancel.hpp"
#include "sys/files.hpp"
#include "sys/host.hpp"
#include "sys/lock.hpp"
#include "sys/signals.hpp"
#include "sys/thread_pool.hpp"
#include "sys/unix_socket.hpp"

namespace sys {
namespace {

using namespace std::chrono_literals;

TimePoint now() { return std::chrono::steady_clock::now(); }

TEST(Cancel, DefaultTokenIsNeverRaised) {
  CancelToken token;
  EXPECT_FALSE(token.raised());
  EXPECT_EQ(token.fd(), -1);
  EXPECT_FALSE(token.wait_until(now()));
  EXPECT_EQ(token.cause().reason, CancelReason::kNone);
}

TEST(Cancel, FirstCauseStaysAndReachesChildren) {
  CancelSource parent;
  CancelSource child(parent.token());
  CancelSource grandchild(child.token(), now() + 1h, "late");
  EXPECT_FALSE(grandchild.token().raised());
  parent.raise(CancelReason::kAborted, "gone");
  parent.raise(CancelReason::kCanceled, "again");
  EXPECT_TRUE(grandchild.token().raised());
  EXPECT_EQ(grandchild.token().cause().reason, CancelReason::kAborted);
  EXPECT_EQ(grandchild.token().cause().message, "gone");
  pollfd entry{grandchild.token().fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&entry, 1, 10'000), 1);
  EXPECT_TRUE(CancelSource(child.token()).token().raised());
}

TEST(Cancel, ChildDoesNotRaiseItsParent) {
  CancelSource parent;
  CancelSource child(parent.token());
  child.raise(CancelReason::kCanceled, "x");
  EXPECT_TRUE(child.token().raised());
  EXPECT_FALSE(parent.token().raised());
}

TEST(Cancel, DeadlineMakesTheDescriptorReadable) {
  CancelSource source(CancelToken{}, now() + 10ms, "took too long");
  CancelSource below(source.token(), now() + 1h, "other");
  pollfd entry{below.token().fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&entry, 1, 10'000), 1);
  EXPECT_TRUE(below.token().raised());
  EXPECT_EQ(below.token().error().kind(), base::ErrorKind::kTimeout);
  EXPECT_EQ(below.token().error().message(), "took too long");
  EXPECT_TRUE(source.token().raised());
}

TEST(Cancel, PastDeadlineIsRaisedAtOnce) {
  CancelSource source(CancelToken{}, now() - 1s, "late");
  EXPECT_TRUE(source.token().raised());
}

TEST(Cancel, WakesAWaitInAnotherThread) {
  CancelSource source;
  std::jthread thread([&] { source.raise(CancelReason::kInterrupted, "terminated"); });
  EXPECT_TRUE(source.token().wait_for(1h));
}

TEST(Cancel, ParentMayGoFirst) {
  auto parent = std::make_unique<CancelSource>();
  CancelSource child(parent->token());
  parent.reset();
  EXPECT_FALSE(child.token().raised());
}

TEST(Lock, ExcludesAndEnds) {
  auto dir = TempDir::create();
  std::string path = dir->path("lock");
  EXPECT_FALSE(*FileLock::is_held(path));
  auto first = FileLock::try_acquire(path);
  ASSERT_TRUE(first && *first);
  EXPECT_FALSE(*FileLock::try_acquire(path));
  EXPECT_TRUE(*FileLock::is_held(path));
  CancelSource late(CancelToken{}, now() + 20ms, "waited long enough");
  EXPECT_EQ(FileLock::acquire(path, late.token()).error().kind(), base::ErrorKind::kTimeout);
  std::jthread thread([&] { first->reset(); });
  EXPECT_TRUE(FileLock::acquire(path, {}));
  EXPECT_FALSE(*FileLock::is_held(path));
  auto shared = FileLock::try_acquire(path, FileLock::Mode::kShared);
  ASSERT_TRUE(shared && *shared);
  EXPECT_TRUE(*FileLock::try_acquire(path, FileLock::Mode::kShared));
  EXPECT_FALSE(*FileLock::try_acquire(path));
}

TEST(Signals, ArriveThroughTheDescriptor) {
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  {
    auto signals = SignalFd::create({SIGUSR1, SIGUSR2});
    ASSERT_TRUE(signals);
    EXPECT_FALSE(signals->next());
    ::raise(SIGUSR2);
    EXPECT_EQ(signals->next(), SIGUSR2);
    EXPECT_FALSE(signals->next());
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  EXPECT_EQ(signal_name(SIGTERM), "terminated");
  EXPECT_EQ(signal_name(64), "signal 64");
}

TEST(ThreadPool, RunsEverythingWithinBounds) {
  std::atomic<int> done = 0;
  std::atomic<int> running = 0;
  std::atomic<int> most = 0;
  ThreadPool pool(3, 4);
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(pool.submit([&] {
      int count = ++running;
      for (int seen = most; count > seen && !most.compare_exchange_weak(seen, count);) {
      }
      ++done;
      --running;
    }));
  }
  pool.wait_idle();
  EXPECT_EQ(done, 200);
  EXPECT_LE(most, 3);
  pool.stop();
  EXPECT_FALSE(pool.submit([] {}));
  EXPECT_FALSE(pool.try_submit([] {}));
}

TEST(ThreadPool, FullQueueRefuses) {
  CancelSource gate;
  ThreadPool pool(1, 1);
  ASSERT_TRUE(pool.submit([&] { (void)gate.token().wait_for(1h); }));
  ASSERT_TRUE(pool.submit([] {})); // waits until the first has been taken
  EXPECT_FALSE(pool.try_submit([] {}));
  gate.raise(CancelReason::kCanceled, "");
  pool.wait_idle();
}

TEST(UnixSocket, LinesBothWaysUnderALongPath) {
  auto dir = TempDir::create();
  std::string deep = dir->path(std::string(120, 'd') + "/" + std::string(120, 'e'));
  ASSERT_TRUE(make_directories(deep));
  EXPECT_EQ(connect_unix(deep, "control.sock").error().kind(), base::ErrorKind::kNotFound);
  {
    auto stale = listen_unix(deep, "control.sock");
    ASSERT_TRUE(stale);
  }
  EXPECT_EQ(connect_unix(deep, "control.sock").error().kind(), base::ErrorKind::kUnavailable);
  auto listener = listen_unix(deep, "control.sock");
  ASSERT_TRUE(listener) << listener.error().message();
  LineChannel client(std::move(*connect_unix(deep, "control.sock")));
  LineChannel server(std::move(*accept_unix(listener->get(), {})));
  EXPECT_FALSE(*server.try_receive());
  ASSERT_TRUE(client.send("hello", {}));
  ASSERT_TRUE(client.send("", {}));
  EXPECT_EQ(**server.receive({}), "hello");
  EXPECT_EQ(**server.receive({}), "");
  std::string big(600'000, 'x');
  std::jthread writer([&] { EXPECT_TRUE(server.send(big, {})); });
  EXPECT_EQ(**client.receive({}), big);
  writer.join();
  client.close();
  EXPECT_FALSE(*server.receive({}));
  EXPECT_TRUE(server.ended());
  ::signal(SIGPIPE, SIG_DFL);
  while (server.send("x", {})) {
  }
}

TEST(UnixSocket, WaitsAreCancelled) {
  auto dir = TempDir::create();
  auto listener = listen_unix(dir->path(), "s");
  ASSERT_TRUE(listener);
  CancelSource source(CancelToken{}, now() + 10ms, "enough");
  EXPECT_EQ(accept_unix(listener->get(), source.token()).error().kind(), base::ErrorKind::kTimeout);
  LineChannel client(std::move(*connect_unix(dir->path(), "s")));
  EXPECT_EQ(client.receive(source.token()).error().kind(), base::ErrorKind::kTimeout);
  EXPECT_FALSE(listen_unix(dir->path(), "a/b"));
}

TEST(Host, Facts) {
  EXPECT_FALSE(hostname().empty());
  EXPECT_TRUE(executable_path()->ends_with("sys_test"));
  EXPECT_GE(cpu_count(), 1u);
  EXPECT_EQ(find_user("root")->uid, 0u);
  EXPECT_EQ(find_user("no such user").error().kind(), base::ErrorKind::kNotFound);
  EXPECT_FALSE(home_directory().empty());
  EXPECT_FALSE(cpu_architecture().empty());
}

} // namespace
} // namespace sys
