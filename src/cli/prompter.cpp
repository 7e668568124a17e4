#include "cli/prompter.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/strings.hpp"

namespace cli {

namespace {

// The handler's end and the reader's: a signal that comes just before a wait ends that wait as well.
int interrupt_pipe[2] = {-1, -1};

void on_interrupt(int) {
  const int saved = errno;
  (void)!::write(interrupt_pipe[1], "", 1);
  errno = saved;
}

void print(const std::string& text) {
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
}

// Whether there is something to read (or its end); false: interrupted.
bool wait_for_input() {
  pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = interrupt_pipe[0], .events = POLLIN}};
  while (::poll(fds, 2, -1) < 0 && errno == EINTR) {
  }
  return fds[1].revents == 0;
}

// One line of stdin without white space around it.
base::Result<std::string> read_line() {
  static std::string& pending = *new std::string; // read, but behind the last line
  for (;;) {
    if (const auto end = pending.find('\n'); end != std::string::npos) {
      std::string line(base::trim(std::string_view(pending).substr(0, end)));
      pending.erase(0, end + 1);
      return line;
    }
    if (!wait_for_input()) return base::fail(base::ErrorKind::kCanceled, "RECEIVED SIGNAL: interrupt");
    char chunk[4096];
    const ssize_t length = ::read(STDIN_FILENO, chunk, sizeof chunk);
    if (length < 0 && errno == EINTR) continue;
    if (length > 0) {
      pending.append(chunk, static_cast<std::size_t>(length));
    } else if (pending.empty()) {
      return base::fail(base::ErrorKind::kInvalidInput, "Unexpected EOF. Did you mean to use --non-interactive?");
    } else {
      pending += '\n'; // the last line without its end
    }
  }
}

} // namespace

void Prompter::catch_interrupts() {
  if (interrupt_pipe[0] < 0 && ::pipe2(interrupt_pipe, O_CLOEXEC | O_NONBLOCK) != 0) return; // then it just ends us
  struct sigaction action{};
  action.sa_handler = on_interrupt;
  ::sigaction(SIGINT, &action, nullptr);
}

base::Result<std::string> Prompter::ask(const Question& question, std::string fallback) {
  fallback = std::string(base::trim(fallback));
  if (!interactive_) {
    if (fallback.empty() && !question.may_be_empty) {
      return base::fail(base::ErrorKind::kInvalidInput, fmt::format("The {} needs to be entered", question.key));
    }
    return fallback;
  }
  for (;;) {
    print(fmt::format("{}\n", question.prompt));
    if (!fallback.empty()) print(fmt::format("[{}]: ", question.is_secret ? "hidden" : fallback));
    std::string answer = FR_TRY(read_line());
    if (!answer.empty()) return answer;
    if (question.may_be_empty || !fallback.empty()) return fallback;
  }
}

} // namespace cli
