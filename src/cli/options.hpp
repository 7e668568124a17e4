// Options: a command's flags as a table, parsed with the rules of upstream's command line library.
//
// `-name` and `--name` are the same; values come as `--name=value` or `--name value`; options may follow positional
// arguments; `--` ends them; lists collect, of other options the last wins. A variable of the environment is applied
// first and counts as one occurrence; empty ones do not count (upstream: an empty one makes a boolean true). A boolean
// may be followed by the word true or false (upstream stops parsing there). No general library has these rules.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/secret.hpp"

namespace cli {

class Options {
 public:
  using Setter = std::function<base::Status(std::string_view value)>;

  struct Option {
    std::vector<std::string_view> names; // without dashes
    std::string_view env;                // empty: none
    std::string_view help;
    std::string default_text; // shown in the help
    bool is_switch = false;   // may stand without a value, which means "true"
    bool shows_value = true;  // "--name value" in the help
    Setter set;
  };

  // `names`: comma separated, short ones first: "c,config". The string must outlive this object (a literal).
  void text(std::string_view names, std::string_view env, std::string_view help, std::string* out);
  void secret(std::string_view names, std::string_view env, std::string_view help, base::Secret* out);
  void flag(std::string_view names, std::string_view env, std::string_view help, bool* out);
  void integer(std::string_view names, std::string_view env, std::string_view help, std::int64_t* out);
  void integer(std::string_view names, std::string_view env, std::string_view help, int* out);
  void duration(std::string_view names, std::string_view env, std::string_view help, std::chrono::nanoseconds* out);
  void list(std::string_view names, std::string_view env, std::string_view help, std::vector<std::string>* out);
  void custom(Option option);

  // The positional arguments. kInvalidInput with upstream's words; kCanceled when help was asked for.
  base::Result<std::vector<std::string>> parse(const std::vector<std::string>& arguments);
  // Only what stands before the first positional argument is parsed; the rest is returned (for the global options).
  base::Result<std::vector<std::string>> parse_leading(const std::vector<std::string>& arguments);

  // The lines of the help's OPTIONS section.
  std::string describe() const;

 private:
  base::Status apply_environment();
  base::Status apply(const std::vector<std::string>& arguments, std::size_t& at);
  base::Result<std::vector<std::string>> run(const std::vector<std::string>& arguments, bool leading_only);
  const Option* find(std::string_view name) const;

  std::vector<Option> options_;
};

std::vector<std::string_view> split_names(std::string_view names);

} // namespace cli
