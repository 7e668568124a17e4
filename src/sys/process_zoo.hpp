// For tests: a binary that includes this in exactly one file is also a zoo of ill-behaved processes. With
// FORERUNNER_ZOO=<animal> in its environment it becomes that animal before main() starts.
//
// Every animal and whatever it breeds carries FORERUNNER_ZOO_ID, by which survivors() finds them.
#pragma once

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.hpp"
#include "base/strings.hpp"
#include "sys/files.hpp"
#include "sys/host.hpp"
#include "sys/process.hpp"

namespace sys::zoo {

inline const std::vector<std::string>& animals() {
  static const std::vector<std::string> all = {"sleeper", "daemon", "session", "deaf",    "stopped", "bomb",
                                               "breeder", "chain",  "nested",  "threads", "escapee", "subreaper"};
  return all;
}

inline std::string new_id() { return base::random_hex(16); }

inline std::vector<std::string> environment(const std::string& animal, const std::string& id) {
  std::vector<std::string> env;
  for (std::string& entry : sys::environment()) {
    if (!entry.starts_with("FORERUNNER_ZOO")) env.push_back(std::move(entry));
  }
  if (!animal.empty()) env.push_back("FORERUNNER_ZOO=" + animal);
  env.push_back("FORERUNNER_ZOO_ID=" + id);
  return env;
}

// Pids of living processes with this id.
inline std::vector<pid_t> survivors(const std::string& id) {
  std::vector<pid_t> found;
  auto names = list_directory("/proc");
  for (const std::string& name : names ? *names : std::vector<std::string>{}) {
    auto pid = base::parse_int(name);
    if (!pid) continue;
    auto env = read_file("/proc/" + name + "/environ");
    if (env && env->find("FORERUNNER_ZOO_ID=" + id) != std::string::npos) found.push_back(static_cast<pid_t>(*pid));
  }
  return found;
}

namespace detail {

inline void say_ready() { (void)!::write(1, "ready\n", 6); }

// An animal that escapes a broken keeper must not eat the machine.
constexpr unsigned kLifetime = 60; // seconds
constexpr int kRunAwaySteps = 5000;

[[noreturn]] inline void sleep_for_ever() {
  for (unsigned left = kLifetime; left > 0;) left = ::sleep(left);
  ::_exit(0);
}

inline void close_stdio() {
  int null = ::open("/dev/null", O_RDWR);
  for (int fd : {0, 1, 2}) ::dup2(null, fd);
}

inline void ignore_all() {
  for (int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) ::signal(number, SIG_IGN);
}

// Twice as many on each of the levels, all deaf.
inline void breed(int levels) {
  ignore_all();
  for (int i = 0; i < levels; ++i) ::fork();
}

// Keeps 60 children alive however many are killed.
[[noreturn]] inline void breed_for_ever() {
  ignore_all();
  int living = 0;
  for (int i = 0; i < 50'000; ++i) {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) --living;
    if (living >= 60) {
      ::usleep(200);
    } else if (pid_t pid = ::fork(); pid == 0) {
      sleep_for_ever();
    } else if (pid > 0) {
      ++living;
    }
  }
  ::_exit(0);
}

// Never the same pid for long.
[[noreturn]] inline void run_away() {
  ::setsid();
  ignore_all();
  for (int i = 0; i < kRunAwaySteps; ++i) {
    pid_t pid = ::fork();
    if (pid > 0) ::_exit(0);
    ::usleep(500);
  }
  ::_exit(0);
}

inline void* sleep_in_thread(void*) { sleep_for_ever(); }

inline void leave_cgroup() {
  for (const char* path : {"/sys/fs/cgroup/unified/cgroup.procs", "/sys/fs/cgroup/cgroup.procs"}) {
    int fd = ::open(path, O_WRONLY);
    if (fd < 0) continue;
    (void)!::write(fd, "0", 1);
    ::close(fd);
  }
}

[[noreturn]] inline void become(std::string_view animal) {
  // Children first where the mother dies: "ready" must mean that they are there.
  if (animal == "daemon") {
    if (::fork() != 0) {
      ::wait(nullptr);
      say_ready();
      ::_exit(0);
    }
    ::setsid();
    if (::fork() != 0) ::_exit(0);
    (void)!::chdir("/");
    close_stdio();
    sleep_for_ever();
  }
  if (animal == "chain") {
    if (::fork() == 0) {
      close_stdio();
      run_away();
    }
    say_ready();
    ::_exit(0);
  }
  if (animal == "session") ::setsid();
  if (animal == "deaf") ignore_all();
  if (animal == "bomb") {
    pid_t mother = ::getpid();
    breed(7);
    if (::getpid() != mother) sleep_for_ever();
  }
  if (animal == "breeder" && ::fork() == 0) breed_for_ever();
  if (animal == "escapee") leave_cgroup();
  if (animal == "subreaper") {
    // Its orphans stay below it.
    if (::fork() == 0) {
      ::setsid();
      if (::fork() != 0) ::_exit(0);
      sleep_for_ever();
    }
  }
  if (animal == "nested" && ::fork() == 0) {
    ::setsid();
    ignore_all();
    if (::fork() == 0) ::raise(SIGSTOP);
    sleep_for_ever();
  }
  if (animal == "threads") {
    pthread_t thread;
    pthread_create(&thread, nullptr, sleep_in_thread, nullptr);
    say_ready();
    ::syscall(SYS_exit, 0); // the first thread alone: a zombie in /proc, the process lives
  }
  say_ready();
  if (animal == "stopped") ::raise(SIGSTOP);
  sleep_for_ever();
}

__attribute__((constructor)) static void maybe_become() {
  if (const char* animal = std::getenv("FORERUNNER_ZOO")) become(animal);
}

} // namespace detail

} // namespace sys::zoo
