#include "cli/program.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "base/version.hpp"
#include "cli/command.hpp"
#include "sys/host.hpp"

namespace cli {

namespace {

void print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

std::string version_text() {
  return fmt::format(
      "Version:      {}\nGit revision: {}\nGit branch:   {}\nCompiler:     clang {}.{}.{}\nOS/Arch:      {}/{}\n",
      base::version(), base::revision(), base::branch(), __clang_major__, __clang_minor__, __clang_patchlevel__,
      base::platform(), base::architecture());
}

std::string program_help(const GlobalOptions& global, const Options& options) {
  std::string out = fmt::format(
      "NAME:\n   {0} - a GitLab Runner\n\nUSAGE:\n   {0} [global options] command [command options] [arguments...]\n\n"
      "VERSION:\n   {1} ({2})\n\nCOMMANDS:\n",
      global.program, base::version(), base::revision());
  std::size_t width = 0;
  for (const Command& command : commands()) width = std::max(width, command.name.size());
  for (const Command& command : commands()) {
    if (!command.hidden) out += fmt::format("   {:<{}}  {}\n", command.name, width, command.usage);
  }
  out += fmt::format("   {:<{}}  {}\n", "help, h", width, "Shows a list of commands or help for one command");
  return out + "\nGLOBAL OPTIONS:\n" + options.describe();
}

base::Status set_up_logging(const GlobalOptions& global) {
  if (!global.log_format.empty()) {
    const auto format = base::log::parse_format(global.log_format);
    if (!format) {
      return base::fail(
          base::ErrorKind::kInvalidInput,
          fmt::format("unknown log format \"{}\", expected one of: [runner text json]", global.log_format));
    }
    base::log::set_format(*format);
  }
  if (!global.log_level.empty()) {
    const auto level = base::log::parse_level(global.log_level);
    if (!level) {
      return base::fail(base::ErrorKind::kInvalidInput,
                        fmt::format("failed to parse log level: not a valid level: \"{}\"", global.log_level));
    }
    base::log::set_level(*level);
  }
  if (global.debug) base::log::set_level(base::log::Level::kDebug);
  return {};
}

// Children (git, shells) rely on it as much as we do.
base::Status ensure_home() {
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') return {};
  const std::string home = sys::home_directory();
  if (home.empty()) return base::fail(base::ErrorKind::kSystem, "homedir variable is not set: \"HOME\"");
  ::setenv("HOME", home.c_str(), 1);
  return {};
}

void log_platform() {
  base::log::info("Runtime platform", {{"arch", std::string(base::architecture())},
                                       {"os", std::string(base::platform())},
                                       {"pid", std::to_string(::getpid())},
                                       {"revision", std::string(base::revision())},
                                       {"version", std::string(base::version())}});
}

int run_help(const GlobalOptions& global, const Options& options, const Arguments& arguments) {
  if (arguments.empty()) {
    print(program_help(global, options));
    return 0;
  }
  const Command* command = find_command(arguments.front());
  if (command == nullptr) return fatal(fmt::format("Command {} not found.", arguments.front()));
  return command->run(global, {"--help"});
}

} // namespace

int run_program(int argc, char** argv) {
  GlobalOptions global;
  global.program = argc > 0 ? std::string(argv[0]) : std::string(base::kProgramName);
  if (const std::size_t slash = global.program.rfind('/'); slash != std::string::npos) {
    global.program.erase(0, slash + 1);
  }
  const Arguments arguments(argv + std::min(argc, 1), argv + argc);

  bool version = false;
  bool help = false;
  std::string profile;
  Options options;
  options.text("cpuprofile", "CPU_PROFILE", "not supported yet; a warning says so", &profile);
  options.flag("debug", "RUNNER_DEBUG", "debug mode", &global.debug);
  options.text("log-format", "LOG_FORMAT", "Choose log format (options: runner, text, json)", &global.log_format);
  options.text("l,log-level", "LOG_LEVEL", "Log level (options: debug, info, warn, error, fatal, panic)",
               &global.log_level);
  options.flag("h,help", "", "show help", &help);
  options.flag("v,version", "", "print the version", &version);
  const auto rest = options.parse_leading(arguments);
  if (!rest) {
    print(fmt::format("Incorrect Usage. {}\n\n", rest.error().message()) + program_help(global, options));
    return fatal(rest.error());
  }
  if (version) {
    print(version_text());
    return 0;
  }
  if (help || rest->empty()) {
    print(program_help(global, options));
    return 0;
  }
  if (const auto status = set_up_logging(global); !status) {
    base::log::fatal("Error while setting up logging configuration", {{"error", status.error().message()}});
    return 1;
  }
  if (!profile.empty()) base::log::warning("--cpuprofile is not supported yet; no profile is written");
  const std::string& name = rest->front();
  const Arguments command_arguments(rest->begin() + 1, rest->end());
  if (name == "help" || name == "h") return run_help(global, options, command_arguments);
  const Command* command = find_command(name);
  if (command == nullptr) return fatal(fmt::format("Command {} not found.", name));
  if (const auto status = ensure_home(); !status) return fatal(status.error());

  const auto asks_help = [](const std::string& a) { return a == "--help" || a == "-help" || a == "-h" || a == "--h"; };
  const bool wants_help = std::any_of(command_arguments.begin(), command_arguments.end(), asks_help);
  // What these say is part of a job's log, which is shown in colours.
  if (name.starts_with("artifacts-") || name.starts_with("cache-")) base::log::set_colour_always(true);
  if (!command->quiet && !wants_help) log_platform();
  return command->run(global, command_arguments);
}

} // namespace cli
