// Prompter: questions on stderr, answers from stdin, as `register` asks them.
//
// Main thread only. After catch_interrupts() a SIGINT ends the question at hand with kCanceled.
#pragma once

#include <string>

#include "base/result.hpp"

namespace cli {

struct Question {
  std::string_view key;    // the option's name, for messages
  std::string_view prompt; // one line
  bool may_be_empty = false;
  bool is_secret = false; // a default is not shown
};

class Prompter {
 public:
  explicit Prompter(bool interactive) : interactive_(interactive) {}

  bool interactive() const { return interactive_; }
  // The answer, or the default when it is empty. Not interactive: the default, kInvalidInput when it is needed.
  base::Result<std::string> ask(const Question& question, std::string fallback);

  static void catch_interrupts();

 private:
  bool interactive_;
};

} // namespace cli
