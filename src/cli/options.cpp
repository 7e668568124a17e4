#include "cli/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <cstdlib>

#include "base/duration.hpp"
#include "base/strings.hpp"
#include "config/schema.hpp"

namespace cli {

namespace {

using base::ErrorKind;

std::unexpected<base::Error> expected(std::string_view what) {
  return base::fail(ErrorKind::kInvalidInput, fmt::format("expected {}", what));
}

base::Result<std::int64_t> parse_integer(std::string_view value) {
  // The same notation as for the keys of config.toml.
  static constexpr config::Key kInteger{"", config::Kind::kInteger, config::Write::kAlways};
  return FR_TRY(config::parse_flag(kInteger, value)).as_integer();
}

} // namespace

std::vector<std::string_view> split_names(std::string_view names) {
  std::vector<std::string_view> out;
  while (!names.empty()) {
    const std::size_t comma = names.find(',');
    out.push_back(names.substr(0, comma));
    names = comma == std::string_view::npos ? std::string_view() : names.substr(comma + 1);
  }
  return out;
}

void Options::custom(Option option) { options_.push_back(std::move(option)); }

void Options::text(std::string_view names, std::string_view env, std::string_view help, std::string* out) {
  custom({.names = split_names(names),
          .env = env,
          .help = help,
          .default_text = out->empty() ? "" : "\"" + *out + "\"",
          .set = [out](std::string_view value) -> base::Status {
            *out = value;
            return {};
          }});
}

void Options::secret(std::string_view names, std::string_view env, std::string_view help, base::Secret* out) {
  custom({.names = split_names(names), .env = env, .help = help, .set = [out](std::string_view value) -> base::Status {
            *out = base::Secret(std::string(value));
            return {};
          }});
}

void Options::flag(std::string_view names, std::string_view env, std::string_view help, bool* out) {
  custom({.names = split_names(names),
          .env = env,
          .help = help,
          .is_switch = true,
          .shows_value = false,
          .set = [out](std::string_view value) -> base::Status {
            const auto parsed = base::parse_go_bool(value);
            if (!parsed) return expected("true or false");
            *out = *parsed;
            return {};
          }});
}

void Options::integer(std::string_view names, std::string_view env, std::string_view help, std::int64_t* out) {
  custom({.names = split_names(names),
          .env = env,
          .help = help,
          .default_text = fmt::format("\"{}\"", *out),
          .set = [out](std::string_view value) -> base::Status {
            *out = FR_TRY(parse_integer(value));
            return {};
          }});
}

void Options::integer(std::string_view names, std::string_view env, std::string_view help, int* out) {
  custom({.names = split_names(names),
          .env = env,
          .help = help,
          .default_text = fmt::format("\"{}\"", *out),
          .set = [out](std::string_view value) -> base::Status {
            const std::int64_t parsed = FR_TRY(parse_integer(value));
            if (parsed < INT_MIN || parsed > INT_MAX) return expected("a smaller number");
            *out = static_cast<int>(parsed);
            return {};
          }});
}

void Options::duration(std::string_view names, std::string_view env, std::string_view help,
                       std::chrono::nanoseconds* out) {
  custom({.names = split_names(names),
          .env = env,
          .help = help,
          .default_text = base::format_go_duration(*out),
          .set = [out](std::string_view value) -> base::Status {
            const auto parsed = base::parse_go_duration(value);
            if (!parsed) return expected("a duration like 1h30m");
            *out = *parsed;
            return {};
          }});
}

void Options::list(std::string_view names, std::string_view env, std::string_view help, std::vector<std::string>* out) {
  custom({.names = split_names(names), .env = env, .help = help, .set = [out](std::string_view value) -> base::Status {
            out->emplace_back(value);
            return {};
          }});
}

const Options::Option* Options::find(std::string_view name) const {
  for (const Option& option : options_) {
    if (std::find(option.names.begin(), option.names.end(), name) != option.names.end()) return &option;
  }
  return nullptr;
}

base::Status Options::apply_environment() {
  for (const Option& option : options_) {
    if (option.env.empty()) continue;
    const char* value = std::getenv(std::string(option.env).c_str());
    if (value == nullptr || *value == '\0') continue;
    if (const auto status = option.set(value); !status) {
      return base::fail(ErrorKind::kInvalidInput,
                        fmt::format("invalid value \"{}\" of {} for flag -{}: {}", value, option.env,
                                    option.names.front(), status.error().message()));
    }
  }
  return {};
}

// One option at `at`, which is moved past it and its value.
base::Status Options::apply(const std::vector<std::string>& arguments, std::size_t& at) {
  const std::string_view argument = arguments[at];
  const std::string_view body = argument.substr(argument.starts_with("--") ? 2 : 1);
  const std::size_t equals = body.find('=');
  const std::string_view name = body.substr(0, equals);
  ++at;
  if (name.empty() || name.starts_with('-')) {
    return base::fail(ErrorKind::kInvalidInput, fmt::format("bad flag syntax: {}", argument));
  }
  const Option* option = find(name);
  if (option == nullptr && (name == "help" || name == "h")) return base::fail(ErrorKind::kCanceled, "help requested");
  if (option == nullptr) {
    return base::fail(ErrorKind::kInvalidInput, fmt::format("flag provided but not defined: -{}", name));
  }
  std::string_view value;
  if (equals != std::string_view::npos) {
    value = body.substr(equals + 1);
  } else if (option->is_switch) {
    const bool word_follows = at < arguments.size() && (arguments[at] == "true" || arguments[at] == "false");
    value = word_follows ? std::string_view(arguments[at++]) : "true";
  } else if (at < arguments.size()) {
    value = arguments[at++];
  } else {
    return base::fail(ErrorKind::kInvalidInput, fmt::format("flag needs an argument: -{}", name));
  }
  if (const auto status = option->set(value); !status) {
    return base::fail(ErrorKind::kInvalidInput,
                      fmt::format("invalid value \"{}\" for flag -{}: {}", value, name, status.error().message()));
  }
  return {};
}

base::Result<std::vector<std::string>> Options::run(const std::vector<std::string>& arguments, bool leading_only) {
  FR_CHECK(apply_environment());
  std::vector<std::string> rest;
  std::size_t at = 0;
  while (at < arguments.size()) {
    const std::string& argument = arguments[at];
    if (argument == "--") {
      ++at;
      break;
    }
    if (argument.size() > 1 && argument.starts_with('-')) {
      FR_CHECK(apply(arguments, at));
      continue;
    }
    if (leading_only) break;
    rest.push_back(argument);
    ++at;
  }
  rest.insert(rest.end(), arguments.begin() + static_cast<std::ptrdiff_t>(at), arguments.end());
  return rest;
}

base::Result<std::vector<std::string>> Options::parse(const std::vector<std::string>& arguments) {
  return run(arguments, false);
}

base::Result<std::vector<std::string>> Options::parse_leading(const std::vector<std::string>& arguments) {
  return run(arguments, true);
}

std::string Options::describe() const {
  std::vector<std::string> left;
  std::size_t width = 0;
  for (const Option& option : options_) {
    std::vector<std::string> names;
    for (const std::string_view name : option.names) {
      names.push_back(fmt::format("{}{}{}", name.size() == 1 ? "-" : "--", name, option.shows_value ? " value" : ""));
    }
    left.push_back(base::join(names, ", "));
    width = std::max(width, left.back().size());
  }
  std::string out;
  for (std::size_t i = 0; i < options_.size(); ++i) {
    const Option& option = options_[i];
    std::string line = fmt::format("   {:<{}}  {}", left[i], width, option.help);
    if (!option.default_text.empty()) line += fmt::format(" (default: {})", option.default_text);
    if (!option.env.empty()) line += fmt::format(" [${}]", option.env);
    while (line.ends_with(' ')) line.pop_back();
    out += line + "\n";
  }
  return out;
}

} // namespace cli
