#include "sys/process_tree.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "sys/cgroup.hpp"
#include "sys/process_scan.hpp"
#include "sys/process_zoo.hpp"

namespace sys {
namespace {

TimePoint soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(20); }

// Starts an animal in a tree and waits until it has settled.
Child release(ProcessTree& tree, const std::string& animal, const std::string& id) {
  auto pipe = make_pipe();
  SpawnOptions options;
  options.argv = {*executable_path()};
  options.env = zoo::environment(animal, id);
  options.stdout_fd = pipe->write.get();
  auto child = tree.spawn(std::move(options));
  EXPECT_TRUE(child) << child.error().message();
  pipe->write.reset();
  char buffer[6];
  EXPECT_EQ(*read_some(pipe->read.get(), buffer, sizeof buffer), 6u);
  return std::move(*child);
}

class ProcessTreeZoo : public testing::TestWithParam<std::tuple<std::string, bool>> {};

TEST_P(ProcessTreeZoo, NothingSurvives) {
  const auto& [animal, use_cgroup] = GetParam();
  auto tree = ProcessTree::create({.use_cgroup = use_cgroup});
  ASSERT_TRUE(tree);
  if (use_cgroup && !tree->has_cgroup()) GTEST_SKIP() << "no writable cgroup v2 here";
  std::string id = zoo::new_id();
  Child child = release(*tree, animal, id);
  EXPECT_FALSE(tree->empty());
  auto left = tree->kill_all(soon());
  EXPECT_TRUE(left.empty());
  EXPECT_EQ(zoo::survivors(id), std::vector<pid_t>{});
  EXPECT_TRUE(child.wait());
  EXPECT_TRUE(tree->empty());
}

INSTANTIATE_TEST_SUITE_P(Animals, ProcessTreeZoo, testing::Combine(testing::ValuesIn(zoo::animals()), testing::Bool()),
                         [](const auto& info) {
                           return std::get<0>(info.param) + (std::get<1>(info.param) ? "_cgroup" : "_sweep");
                         });

TEST(ProcessTree, EmptyWithoutChildrenAndUsableAgain) {
  auto tree = ProcessTree::create();
  ASSERT_TRUE(tree);
  EXPECT_TRUE(tree->empty());
  EXPECT_TRUE(tree->kill_all(soon()).empty());
  for (int i = 0; i < 3; ++i) {
    std::string id = zoo::new_id();
    Child child = release(*tree, "deaf", id);
    EXPECT_TRUE(tree->kill_all(soon()).empty());
    auto status = child.wait();
    ASSERT_TRUE(status);
    EXPECT_EQ(status->message(), "signal: killed");
  }
}

TEST(ProcessTree, LeavesChildrenOfOthersAlone) {
  std::string id = zoo::new_id();
  SpawnOptions options;
  options.argv = {"sleep", "600"};
  options.env = zoo::environment("", id);
  auto outsider = spawn(options);
  ASSERT_TRUE(outsider);
  auto tree = ProcessTree::create({.use_cgroup = false});
  ASSERT_TRUE(tree);
  Child child = release(*tree, "nested", zoo::new_id());
  EXPECT_TRUE(tree->kill_all(soon()).empty());
  EXPECT_FALSE(*outsider->wait_until({}));
  outsider->signal(SIGKILL);
  EXPECT_EQ(outsider->wait()->signal, SIGKILL);
  EXPECT_TRUE(child.wait());
}

TEST(ProcessTree, SignalReachesOtherSessionsAndStoppedOnes) {
  auto tree = ProcessTree::create();
  ASSERT_TRUE(tree);
  std::string id = zoo::new_id();
  Child session = release(*tree, "session", id);
  Child stopped = release(*tree, "stopped", id);
  tree->signal_all(SIGTERM);
  EXPECT_EQ(session.wait()->message(), "signal: terminated");
  EXPECT_EQ(stopped.wait()->message(), "signal: terminated");
  EXPECT_TRUE(tree->empty());
}

TEST(ProcessTree, SignalSparesTheGroupThatHadIt) {
  auto tree = ProcessTree::create();
  ASSERT_TRUE(tree);
  Child first = release(*tree, "sleeper", zoo::new_id());
  Child second = release(*tree, "sleeper", zoo::new_id());
  tree->signal_all(SIGTERM, first.pid());
  EXPECT_EQ(second.wait()->signal, SIGTERM);
  EXPECT_FALSE(*first.wait_until({}));
  EXPECT_TRUE(tree->kill_all(soon()).empty());
  EXPECT_EQ(first.wait()->signal, SIGKILL);
}

TEST(ProcessTree, ReapsOrphansThatEnded) {
  auto tree = ProcessTree::create();
  ASSERT_TRUE(tree);
  SpawnOptions options;
  options.argv = {"sh", "-c", "(exit 0 & exit 0) & wait"};
  auto child = tree->spawn(options);
  ASSERT_TRUE(child);
  EXPECT_TRUE(child->wait());
  EXPECT_TRUE(tree->kill_all(soon()).empty());
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
}

TEST(ProcessTree, FailedExecIsReported) {
  for (bool cgroup : {false, true}) {
    auto tree = ProcessTree::create({.use_cgroup = cgroup});
    ASSERT_TRUE(tree);
    auto missing = tree->spawn({.argv = {"/nonexistent/program"}});
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().message(), "fork/exec /nonexistent/program: no such file or directory");
    auto directory = tree->spawn({.argv = {"/bin/true"}, .cwd = "/nonexistent"});
    ASSERT_FALSE(directory);
    EXPECT_EQ(directory.error().message(), "chdir /nonexistent: no such file or directory");
    EXPECT_TRUE(tree->empty());
  }
}

TEST(ProcessTree, RemovesItsGroup) {
  auto directory = cgroup_directory(*read_file("/proc/self/mountinfo"), *read_file("/proc/self/cgroup"));
  std::string prefix = "forerunner-" + std::to_string(::getpid()) + "-";
  {
    auto tree = ProcessTree::create();
    ASSERT_TRUE(tree);
    if (!tree->has_cgroup()) GTEST_SKIP() << "no writable cgroup v2 here";
    Child child = release(*tree, "bomb", zoo::new_id());
    EXPECT_TRUE(tree->kill_all(soon()).empty());
    EXPECT_TRUE(child.wait());
  }
  for (const std::string& name : *list_directory(directory)) EXPECT_FALSE(name.starts_with(prefix)) << name;
}

TEST(Cgroup, StaleGroupsAreRemovedWhenEmpty) {
  // Process 2147483647 cannot exist: the kernel's limit is far below.
  std::string directory = cgroup_directory(*read_file("/proc/self/mountinfo"), *read_file("/proc/self/cgroup"));
  std::string stale = join_path(directory, "forerunner-2147483647-1");
  if (directory.empty() || !make_directories(stale)) GTEST_SKIP() << "no writable cgroup v2 here";
  auto tree = ProcessTree::create();
  ASSERT_TRUE(tree);
  remove_stale_groups();
  EXPECT_FALSE(exists(stale));
  Child child = release(*tree, "sleeper", zoo::new_id());
  EXPECT_TRUE(tree->kill_all(soon()).empty());
}

TEST(Cgroup, DirectoryFromMountinfo) {
  EXPECT_EQ(cgroup_directory("41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n", "0::/\n"),
            "/sys/fs/cgroup/unified");
  EXPECT_EQ(cgroup_directory("30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
                             "0::/system.slice/x.service\n"),
            "/sys/fs/cgroup/system.slice/x.service");
  EXPECT_EQ(cgroup_directory("30 23 0:26 /docker/abc /mnt/a\\040b rw - cgroup2 cgroup2 rw\n", "0::/docker/abc/d\n"),
            "/mnt/a b/d");
  EXPECT_EQ(cgroup_directory("30 23 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n", "1:cpu:/\n0::/\n"), "");
  EXPECT_EQ(cgroup_directory("", ""), "");
}

TEST(ProcessScan, ParsesNamesWithParentheses) {
  auto stat = parse_process_stat(
      "77 (a) b ) S 1 76 75 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 3 0 100 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->pid, 77);
  EXPECT_EQ(stat->name, "a) b ");
  EXPECT_EQ(stat->parent, 1);
  EXPECT_EQ(stat->group, 76);
  EXPECT_EQ(stat->threads, 3);
  EXPECT_EQ(stat->state, 'S');
  EXPECT_FALSE(parse_process_stat(""));
  EXPECT_FALSE(parse_process_stat("1 (x) S 1"));
}

} // namespace
} // namespace sys
