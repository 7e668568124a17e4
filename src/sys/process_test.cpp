#include "sys/process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/files.hpp"

namespace sys {
namespace {

std::size_t open_descriptors() { return list_directory("/proc/self/fd")->size(); }

TEST(Process, ExitStatusAndMessages) {
  EXPECT_TRUE(spawn({.argv = {"true"}})->wait()->success());
  auto failed = spawn({.argv = {"sh", "-c", "exit 3"}})->wait();
  EXPECT_EQ(failed->code, 3);
  EXPECT_EQ(failed->message(), "exit status 3");
  auto killed = spawn({.argv = {"sh", "-c", "kill -9 $$"}})->wait();
  EXPECT_EQ(killed->code, -1);
  EXPECT_EQ(killed->message(), "signal: killed");
  EXPECT_EQ((ExitStatus{.code = -1, .signal = SIGSEGV, .core_dumped = true}.message()),
            "signal: segmentation fault (core dumped)");
}

TEST(Process, FailedExecLeavesNeitherZombieNorDescriptor) {
  auto dir = TempDir::create();
  ASSERT_TRUE(write_file(dir->path("plain"), "x", 0644));
  std::size_t before = open_descriptors();
  EXPECT_EQ(spawn({.argv = {"no-such-program-here"}}).error().message(),
            "exec: \"no-such-program-here\": executable file not found in $PATH");
  EXPECT_EQ(spawn({.argv = {"/no/such/program"}}).error().kind(), base::ErrorKind::kNotFound);
  auto forbidden = spawn({.argv = {dir->path("plain")}});
  ASSERT_FALSE(forbidden);
  auto huge = spawn({.argv = {"true", std::string(3u << 20, 'x')}});
  ASSERT_FALSE(huge);
  EXPECT_EQ(huge.error().kind(), base::ErrorKind::kLimit);
  EXPECT_EQ(spawn({.argv = {}}).error().kind(), base::ErrorKind::kInvalidInput);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
  EXPECT_EQ(open_descriptors(), before);
}

TEST(Process, OutOfDescriptors) {
  std::size_t before = open_descriptors();
  {
    rlimit old{};
    ::getrlimit(RLIMIT_NOFILE, &old);
    std::vector<Fd> hoard;
    while (auto fd = open_fd("/dev/null", O_RDONLY)) {
      hoard.push_back(std::move(*fd));
      if (hoard.size() == 64) {
        rlimit tight = old;
        tight.rlim_cur = 70;
        ::setrlimit(RLIMIT_NOFILE, &tight);
      }
    }
    auto child = spawn({.argv = {"true"}});
    ::setrlimit(RLIMIT_NOFILE, &old);
    EXPECT_FALSE(child);
  }
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(open_descriptors(), before);
}

TEST(Process, ChildHasOnlyStdioAndDefaultSignals) {
  ::signal(SIGPIPE, SIG_IGN);
  Fd leak(::open("/dev/null", O_RDONLY)); // without CLOEXEC
  auto listing = run_command({.argv = {"sh", "-c", "ls /proc/self/fd; grep -E 'Sig(Ign|Blk)' /proc/self/status"}});
  ASSERT_TRUE(listing);
  // 3 is ls's own descriptor of the directory; posix_spawn leaves glibc's own two signals, 32 and 33, ignored.
  EXPECT_EQ(listing->out, "0\n1\n2\n3\nSigBlk:\t0000000000000000\nSigIgn:\t0000000180000000\n");
}

TEST(Process, EnvironmentAndDirectory) {
  auto dir = TempDir::create();
  auto result = run_command({.argv = {"/bin/sh", "-c", "pwd; env"}, .env = {{"A=1 2", "B="}}, .cwd = dir->path()});
  ASSERT_TRUE(result);
  EXPECT_NE(result->out.find(dir->path() + "\n"), std::string::npos);
  EXPECT_NE(result->out.find("A=1 2\n"), std::string::npos);
  EXPECT_EQ(result->out.find("PATH=/"), std::string::npos);
}

TEST(Process, CommandGetsInputAndIsCapped) {
  std::string text(300'000, 'z');
  auto result = run_command({.argv = {"cat"}}, {}, text);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->out, text);
  auto capped = run_command({.argv = {"sh", "-c", "yes | head -c 500000; echo oops >&2; exit 4"}}, {}, {}, 1000);
  ASSERT_TRUE(capped);
  EXPECT_EQ(capped->out.size(), 1000u);
  EXPECT_EQ(capped->err, "oops\n");
  EXPECT_EQ(capped->status.code, 4);
}

TEST(Process, CommandIsKilledOnCancel) {
  CancelSource source(CancelToken{}, std::chrono::steady_clock::now() + std::chrono::milliseconds(50), "too long");
  auto result = run_command({.argv = {"sleep", "600"}}, source.token());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind(), base::ErrorKind::kTimeout);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
}

TEST(Process, StdioFromLowDescriptors) {
  // stdout and stderr swapped: the sources are in each other's place.
  auto pipe = make_pipe();
  Fd saved = *duplicate(1);
  ::dup2(pipe->write.get(), 1);
  auto child = spawn({.argv = {"sh", "-c", "echo out; echo err >&2"}, .stdout_fd = 2, .stderr_fd = 1});
  ::dup2(saved.get(), 1);
  pipe->write.reset();
  ASSERT_TRUE(child);
  EXPECT_TRUE(child->wait()->success());
  EXPECT_EQ(*read_to_end(pipe->read.get(), 100), "err\n");
}

TEST(Process, SignalAfterTheEndReachesNobody) {
  auto child = spawn({.argv = {"sleep", "600"}, .new_process_group = true});
  ASSERT_TRUE(child);
  EXPECT_FALSE(*child->wait_until(std::chrono::steady_clock::now()));
  EXPECT_TRUE(child->signal(SIGTERM, true));
  EXPECT_EQ(child->wait()->message(), "signal: terminated");
  EXPECT_FALSE(child->signal(SIGTERM));
  EXPECT_FALSE(child->signal(SIGTERM, true));
  EXPECT_FALSE(Child().wait());
}

} // namespace
} // namespace sys
