#include "script/writer.hpp"

#include <fmt/format.h>

#include "base/strings.hpp"

namespace script {
namespace {

constexpr std::string_view kGreen = "\x1b[32;1m";
constexpr std::string_view kYellow = "\x1b[0;33m";
constexpr std::string_view kReset = "\x1b[0;m";

// What GITLAB_ENV holds, read by the shell itself (built-ins only): NAME=value a line, blanks around it and "export "
// dropped, values literal. A value in quotes loses them and may span lines; in double quotes \n \r \t \" \\ \$ are
// resolved, as in dotenv files. What is no assignment is named and left out, upstream's stage fails there.
constexpr std::string_view kLoadEnvironment = R"sh(fr_load_env() {
  fr_nl='
'
  fr_cr=$(printf '\r') fr_tab=$(printf '\t')
  fr_rest=
  while IFS= read -r fr_line || [ -n "$fr_line" ]; do fr_rest=$fr_rest$fr_line$fr_nl; fr_line=; done < "$1"
  while [ -n "$fr_rest" ]; do
    fr_line=${fr_rest%%"$fr_nl"*}
    fr_rest=${fr_rest#*"$fr_nl"}
    while :; do
      case $fr_line in
        " "*) fr_line=${fr_line#" "} ;;
        "$fr_tab"*) fr_line=${fr_line#"$fr_tab"} ;;
        *" ") fr_line=${fr_line%" "} ;;
        *"$fr_tab") fr_line=${fr_line%"$fr_tab"} ;;
        *"$fr_cr") fr_line=${fr_line%"$fr_cr"} ;;
        *) break ;;
      esac
    done
    case $fr_line in
      "" | "#"*) continue ;;
      "export "*) fr_line=${fr_line#"export "} ;;
    esac
    fr_name=${fr_line%%=*}
    fr_value=${fr_line#*=}
    case $fr_name in
      "$fr_line" | "" | [0-9]* | *[!A-Za-z0-9_]*)
        fr_warn "$fr_line"
        continue ;;
    esac
    case $fr_value in
      "'"*"'") [ "$fr_value" = "'" ] || { fr_value=${fr_value#"'"}; fr_value=${fr_value%"'"}; } ;;
      '"'*) fr_quoted ;;
    esac
    # Setting a read-only name ends the shell, so a subshell tries.
    if (export "$fr_name=$fr_value") 2>/dev/null; then export "$fr_name=$fr_value"; else fr_warn "$fr_name"; fi
  done
  unset fr_nl fr_cr fr_tab fr_rest fr_line fr_name fr_value fr_left fr_out fr_try fr_head
}
fr_quoted() {
  fr_left=${fr_value#'"'} fr_try=$fr_rest fr_out=
  while :; do
    case $fr_left in
      *[\\\"]*) ;;
      *)
        [ -n "$fr_try" ] || return 0
        fr_left=$fr_left$fr_nl${fr_try%%"$fr_nl"*}
        fr_try=${fr_try#*"$fr_nl"}
        continue ;;
    esac
    fr_head=${fr_left%%[\\\"]*}
    fr_out=$fr_out$fr_head
    fr_left=${fr_left#"$fr_head"}
    case $fr_left in
      '"') break ;;
      '"'*) return 0 ;;
      '\n'*) fr_out=$fr_out$fr_nl fr_left=${fr_left#??} ;;
      '\r'*) fr_out=$fr_out$fr_cr fr_left=${fr_left#??} ;;
      '\t'*) fr_out=$fr_out$fr_tab fr_left=${fr_left#??} ;;
      '\"'*) fr_out=$fr_out'"' fr_left=${fr_left#??} ;;
      '\\'*) fr_out=$fr_out'\' fr_left=${fr_left#??} ;;
      '\$'*) fr_out=$fr_out'$' fr_left=${fr_left#??} ;;
      *) fr_out=$fr_out'\' fr_left=${fr_left#?} ;;
    esac
  done
  fr_value=$fr_out fr_rest=$fr_try
}
)sh";

} // namespace

base::Result<Shell> shell_from_name(std::string_view name) {
  if (name == "bash") return Shell::kBash;
  if (name == "sh") return Shell::kSh;
  if (name == "pwsh" || name == "powershell")
    return base::fail(base::ErrorKind::kInvalidInput, fmt::format("shell {} is not supported yet", name));
  return base::fail(base::ErrorKind::kInvalidInput, fmt::format("shell {} not found", name));
}

Writer::Writer(const BuildInfo& info)
    : info_(info), quoting_(info.shell == Shell::kSh || info.posix_escapes ? Quoting::kPosix : Quoting::kAnsi) {}

std::string Writer::words(const std::vector<std::string>& arguments) const {
  std::string out;
  for (const auto& argument : arguments) {
    if (!out.empty()) out += ' ';
    out += quote(argument);
  }
  return out;
}

void Writer::line(std::string_view text) {
  body_.append(static_cast<std::size_t>(indent_) * 2, ' ');
  body_ += text;
  body_ += '\n';
}

void Writer::command(const std::vector<std::string>& arguments) {
  line(words(arguments));
  check_for_errors();
}

void Writer::check_for_errors() {
  if (info_.exit_code_check)
    line("_runner_exit_code=$?; if [ $_runner_exit_code -ne 0 ]; then exit $_runner_exit_code; fi");
}

void Writer::export_variable(std::string_view name, std::string_view value) {
  line(fmt::format("export {}={}", quote(name), quote(value)));
}

void Writer::make_directory(std::string_view directory) {
  line(fmt::format("[ -d {0} ] || mkdir -p {0}", quote(directory)));
}

void Writer::remove_file(std::string_view path) {
  line(fmt::format("if [ -e {0} ] || [ -L {0} ]; then rm -f {0}; fi", quote(path)));
}

void Writer::remove_directory(std::string_view path) {
  line(fmt::format("if [ -d {0} ] && ! [ -L {0} ]; then chmod -R u+rwX {0}; fi", quote(path)));
  line(fmt::format("rm -rf {}", quote(path)));
}

// dash's echo interprets backslashes.
void Writer::echo(std::string_view text) {
  line(fmt::format("{} {}", info_.shell == Shell::kBash ? "echo" : "printf '%s\\n'", quote(text)));
}

void Writer::notice(std::string_view text) { echo(fmt::format("{}{}{}", kGreen, text, kReset)); }
void Writer::warning(std::string_view text) { echo(fmt::format("{}{}{}", kYellow, text, kReset)); }
void Writer::plain(std::string_view text) { echo(fmt::format("{}{}", kReset, text)); }

void Writer::begin(std::string_view condition) {
  line(fmt::format("if {}; then", condition));
  ++indent_;
}

void Writer::otherwise() {
  --indent_;
  line("else");
  ++indent_;
}

void Writer::end() {
  --indent_;
  line("fi");
}

void Writer::user_commands(const std::vector<std::string>& items, std::string_view prefix) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string_view item = base::trim(items[i]);
    const bool multi_line = item.find('\n') != std::string_view::npos;
    const bool section = multi_line && info_.script_sections;
    const std::string name = fmt::format("section_{}_{}", prefix, i);
    // The seconds come from awk, as date +%s is not POSIX.
    constexpr std::string_view kNow = R"sh("$(awk 'BEGIN{srand(); print srand()}')")sh";
    if (item.empty()) {
      empty_line();
    } else if (section) {
      line(fmt::format(
          "printf '%s\\n' section_start:{}{}", kNow,
          quote(fmt::format(":{}[hide_duration=true,collapsed=true]\r\x1b[0K{}$ {}{}", name, kGreen, item, kReset))));
    } else if (multi_line) {
      notice(fmt::format("$ {} # collapsed multi-line command", item.substr(0, item.find('\n'))));
    } else {
      notice(fmt::format("$ {}", item));
    }
    line(item);
    check_for_errors();
    if (section) line(fmt::format("printf '%s\\n' section_end:{}{}", kNow, quote(fmt::format(":{}\r\x1b[0K", name))));
  }
}

void Writer::exports(bool files) {
  if (files) file_variables();
  for (const auto& variable : info_.variables)
    export_variable(variable.key, variable.file ? info_.temp_file(variable.key) : variable.value);
  const std::string env_file = info_.temp_file("gitlab_runner_env");
  export_variable("GITLAB_ENV", env_file);
  make_directory(info_.temp_dir);
  load_environment_file(env_file);
  git_access();
  if (info_.tokenless_git_everywhere) export_variable("GIT_CONFIG_GLOBAL", info_.temp_file(".glr.gconf"));
}

// Every git of the job reads the access file, those that `git submodule` starts too, which do not look into
// .git/config. Appended to what the job may have put there itself. Git before 2.31 knows only the include in
// .git/config.
void Writer::git_access() {
  const auto strategy = info_.git.strategy;
  if (strategy == GitStrategy::kNone || strategy == GitStrategy::kEmpty) return;
  line("fr_n=${GIT_CONFIG_COUNT:-0}");
  line(
      fmt::format("case $fr_n in *[!0-9]* | 0?*) ;; *) export GIT_CONFIG_COUNT=$((fr_n + 1)) "
                  "\"GIT_CONFIG_KEY_$fr_n=include.path\" \"GIT_CONFIG_VALUE_$fr_n\"={} ;; esac",
                  quote(info_.temp_file(kAccessConfig))));
  line("unset fr_n");
}

void Writer::file_variables() {
  std::vector<std::string> paths;
  std::string text;
  for (const auto& variable : info_.variables) {
    // Such a name makes the stage fail at its export; nothing is written outside of the directory before.
    if (!variable.file || variable.key.find('/') != std::string::npos) continue;
    paths.push_back(info_.temp_file(variable.key));
    text += fmt::format("printf '%s' {} > {}\n", quote(variable.value), quote(paths.back()));
  }
  if (paths.empty()) return;
  make_directory(info_.temp_dir);
  line(fmt::format("rm -f {}", words(paths)));
  line("(umask 077");
  body_ += text;
  line(")");
}

// Jobs may count on the file being there.
void Writer::load_environment_file(const std::string& path) {
  line(fmt::format("[ -e {0} ] || : > {0}", quote(path)));
  line(fmt::format("if [ -s {} ]; then", quote(path)));
  line(fmt::format("fr_warn() {{ printf '%s\\n' {}\"$1\"{} >&2; }}",
                   quote(fmt::format("{}GITLAB_ENV: not a variable that can be set, ignored: ", kYellow)),
                   quote(kReset)));
  body_ += kLoadEnvironment;
  line(fmt::format("fr_load_env {}", quote(path)));
  line("fi");
}

std::string Writer::finish() const {
  const bool bash = info_.shell == Shell::kBash;
  std::string out = fmt::format("#!/usr/bin/env {}\n\ntrap 'exit 1' TERM\n\n", bash ? "bash" : "sh");
  if (info_.debug_trace) out += "set -o xtrace\n";
  out += bash ? "set -o pipefail; set -o errexit\n"
              : "case \"$(set -o)\" in *\"pipefail\"*) set -o pipefail;; esac; set -o errexit\n";
  out += "set +o noclobber\n";
  // The trap is set twice so that a cancelled bash neither dies of the signal nor prints the text it was evaluating.
  if (info_.legacy_eval)
    out += fmt::format(": | eval {}\n", quote(body_));
  else
    out += fmt::format("(trap 'exit 1' TERM; eval {}) < /dev/null\n", quote(body_));
  return out += "exit 0\n";
}

} // namespace script
