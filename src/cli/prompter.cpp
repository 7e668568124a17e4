#include "cli/prompter.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "base/strings.hpp"

namespace cli {

namespace {

volatile sig_atomic_t interrupted = 0;

void on_interrupt(int) { interrupted = 1; }

void print(const std::string& text) {
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
}

// One line of stdin without white space around it.
base::Result<std::string> read_line() {
  char* line = nullptr;
  std::size_t capacity = 0;
  const ssize_t length = ::getline(&line, &capacity, stdin);
  const std::string text(line == nullptr ? "" : line, length > 0 ? static_cast<std::size_t>(length) : 0);
  std::free(line);
  if (interrupted != 0) return base::fail(base::ErrorKind::kCanceled, "RECEIVED SIGNAL: interrupt");
  if (length < 0) {
    return base::fail(base::ErrorKind::kInvalidInput, "Unexpected EOF. Did you mean to use --non-interactive?");
  }
  return std::string(base::trim(text));
}

} // namespace

void Prompter::catch_interrupts() {
  struct sigaction action{};
  action.sa_handler = on_interrupt; // no SA_RESTART: the read must end
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
