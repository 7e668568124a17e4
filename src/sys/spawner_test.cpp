#include "sys/spawner.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/strings.hpp"
#include "sys/files.hpp"
#include "sys/process_scan.hpp"
#include "sys/process_tree.hpp"
#include "sys/process_zoo.hpp"

namespace sys {
namespace {

constexpr int kPatience = 20'000; // milliseconds; only a broken program waits that long

WorkerExit next_exit(Spawner& spawner) {
  while (true) {
    pollfd entry{spawner.events_fd(), POLLIN, 0};
    if (::poll(&entry, 1, kPatience) <= 0) {
      ADD_FAILURE() << "no worker ended";
      return {};
    }
    auto event = spawner.next_exit();
    if (!event) {
      ADD_FAILURE() << event.error().message();
      return {};
    }
    if (*event) return **event;
  }
}

// Reads from a FIFO, which waits for the other side however slow it is.
std::string read_fifo(const std::string& path) { return read_file(path).value_or("unreadable"); }

bool gone(pid_t pid) {
  // Reparented to whoever reaps for us; a pidfd that cannot be opened means that nothing is left of it.
  for (int i = 0; i < 2000; ++i) {
    auto stat = ProcessScan::open()->stat(pid);
    if (!stat || stat->zombie()) return true;
    ::usleep(5000);
  }
  return false;
}

bool all_gone(const std::string& id) {
  for (int i = 0; i < 1000; ++i) {
    if (zoo::survivors(id).empty()) return true;
    ::usleep(10'000);
  }
  return false;
}

TEST(Spawner, ReportsHowWorkersEnd) {
  auto spawner = Spawner::start(
      [](const std::string& argument) {
        if (argument == "throw") throw std::runtime_error("as asked");
        if (argument == "kill") ::raise(SIGKILL);
        return static_cast<int>(argument.size());
      },
      {.keep_stderr = false});
  ASSERT_TRUE(spawner);
  for (const auto& [argument, message] : std::vector<std::pair<std::string, std::string>>{
           {"", "exit status 0"}, {"abc", "exit status 3"}, {"throw", "exit status 70"}, {"kill", "signal: killed"}}) {
    auto pid = spawner->spawn_worker(argument);
    ASSERT_TRUE(pid) << pid.error().message();
    WorkerExit event = next_exit(*spawner);
    EXPECT_EQ(event.pid, *pid);
    EXPECT_EQ(event.status.message(), message);
  }
  EXPECT_FALSE(*spawner->next_exit());
  EXPECT_EQ(spawner->spawn_worker(std::string(Spawner::kMaxArgument, 'x')).error().kind(),
            base::ErrorKind::kInvalidInput);
}

TEST(Spawner, WorkerStartsClean) {
  auto dir = TempDir::create();
  ::signal(SIGTERM, SIG_IGN);
  Fd leak(::open("/dev/null", O_RDONLY));
  auto spawner = Spawner::start(
      [](const std::string& path) {
        char name[16] = {};
        ::prctl(PR_GET_NAME, name);
        std::string report = name;
        for (const std::string& fd : *list_directory("/proc/self/fd")) report += " " + fd;
        report += ::getsid(0) == ::getpid() ? " own session" : " shared session";
        struct sigaction action{};
        ::sigaction(SIGTERM, nullptr, &action);
        report += action.sa_handler == SIG_DFL ? " default" : " changed";
        return write_file(path, report) ? 0 : 1;
      },
      {.worker_name = "fr-test"});
  ::signal(SIGTERM, SIG_DFL);
  ASSERT_TRUE(spawner);
  ASSERT_TRUE(spawner->spawn_worker(dir->path("report")));
  EXPECT_TRUE(next_exit(*spawner).status.success());
  // 3 is the listing's own descriptor.
  EXPECT_EQ(*read_file(dir->path("report")), "fr-test 0 1 2 3 own session default");
}

TEST(Spawner, KilledWorkerLeavesNothingBehind) {
  auto dir = TempDir::create();
  std::string fifo = dir->path("ready");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  std::string id = zoo::new_id();
  auto spawner = Spawner::start(
      [&](const std::string&) {
        auto tree = ProcessTree::create();
        for (const char* animal : {"nested", "daemon", "deaf", "chain"}) {
          auto pipe = make_pipe();
          SpawnOptions options{.argv = {*executable_path()}, .env = zoo::environment(animal, id)};
          options.stdout_fd = pipe->write.get();
          auto child = tree->spawn(options);
          char buffer[6];
          (void)read_some(pipe->read.get(), buffer, sizeof buffer);
          (void)new Child(std::move(*child));
        }
        (void)write_file(fifo, "ready");
        ::pause();
        return 0;
      },
      {});
  ASSERT_TRUE(spawner);
  auto pid = spawner->spawn_worker("");
  ASSERT_TRUE(pid);
  ASSERT_EQ(read_fifo(fifo), "ready");
  auto animals = zoo::survivors(id);
  EXPECT_GE(animals.size(), 4u);
  ::kill(*pid, SIGKILL);
  EXPECT_EQ(next_exit(*spawner).status.message(), "signal: killed");
  for (pid_t animal : animals) EXPECT_TRUE(gone(animal)) << animal;
  EXPECT_TRUE(all_gone(id)); // also those that are never the same for long
  // The spawner goes on.
  auto another = spawner->spawn_worker("");
  ASSERT_TRUE(another);
  ASSERT_EQ(read_fifo(fifo), "ready");
  ::kill(*another, SIGKILL);
  EXPECT_EQ(next_exit(*spawner).pid, *another);
}

TEST(Spawner, WorkerThatEndsInOrderLeavesNothingBehind) {
  std::string id = zoo::new_id();
  auto spawner = Spawner::start(
      [&](const std::string&) {
        auto child = spawn({.argv = {"sleep", "600"}, .env = zoo::environment("", id), .new_session = true});
        return child ? 5 : 1;
      },
      {});
  ASSERT_TRUE(spawner);
  ASSERT_TRUE(spawner->spawn_worker(""));
  EXPECT_EQ(next_exit(*spawner).status.code, 5);
  EXPECT_EQ(zoo::survivors(id), std::vector<pid_t>{});
}

TEST(Spawner, WorkerOutlivesAKilledParent) {
  auto dir = TempDir::create();
  std::string started = dir->path("started");
  std::string go = dir->path("go");
  std::string result = dir->path("result");
  for (const std::string& path : {started, go, result}) ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  pid_t parent = ::fork();
  ASSERT_GE(parent, 0);
  if (parent == 0) {
    auto spawner = Spawner::start(
        [&](const std::string& argument) {
          (void)write_file(started, std::to_string(::getppid()));
          std::string word = read_fifo(go);
          (void)write_file(result, argument + " " + word);
          return 0;
        },
        {});
    if (!spawner || !spawner->spawn_worker("worker")) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  pid_t spawner_pid = static_cast<pid_t>(*base::parse_int(read_fifo(started)));
  ::kill(parent, SIGKILL);
  ASSERT_EQ(::waitpid(parent, nullptr, 0), parent);
  EXPECT_TRUE(ProcessScan::open()->stat(spawner_pid));
  ASSERT_TRUE(write_file(go, "went on"));
  EXPECT_EQ(read_fifo(result), "worker went on");
  EXPECT_TRUE(gone(spawner_pid));
}

TEST(Spawner, DeathOfTheSpawnerIsReported) {
  auto spawner = Spawner::start([](const std::string&) { return 0; }, {});
  ASSERT_TRUE(spawner);
  ::kill(spawner->pid(), SIGKILL);
  pollfd entry{spawner->events_fd(), POLLIN, 0};
  ASSERT_EQ(::poll(&entry, 1, kPatience), 1);
  auto event = spawner->next_exit();
  ASSERT_FALSE(event);
  EXPECT_EQ(event.error().kind(), base::ErrorKind::kUnavailable);
  EXPECT_EQ(spawner->spawn_worker("x").error().kind(), base::ErrorKind::kUnavailable);
}

TEST(Spawner, ManyAtOnceFromSeveralThreads) {
  auto spawner = Spawner::start([](const std::string& argument) { return std::atoi(argument.c_str()); }, {});
  ASSERT_TRUE(spawner);
  std::atomic<int> failures = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 25; ++i) {
          if (!spawner->spawn_worker("7")) ++failures;
        }
      });
    }
  }
  EXPECT_EQ(failures, 0);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(next_exit(*spawner).status.code, 7);
  EXPECT_FALSE(*spawner->next_exit());
}

} // namespace
} // namespace sys
