// Writer: the building blocks that stage scripts are made of, and the frame around a stage.
//
// Text only. Arguments are data and are escaped here; only line() and the *_raw functions take shell text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "script/build_info.hpp"
#include "script/escape.hpp"

namespace script {

// Below the temporary directory: how git gets at the server.
inline constexpr std::string_view kAccessConfig = ".gitlab-runner.cred.conf";

class Writer {
 public:
  explicit Writer(const BuildInfo& info);

  std::string quote(std::string_view text) const { return escape(text, quoting_); }
  std::string words(const std::vector<std::string>& arguments) const; // quoted, separated by blanks

  void line(std::string_view text); // indented; several lines stay as they are
  void command(const std::vector<std::string>& arguments);
  void check_for_errors();

  void export_variable(std::string_view name, std::string_view value);
  void cd(std::string_view directory) { command({"cd", std::string(directory)}); }
  void make_directory(std::string_view directory); // no process when it is there
  void remove_file(std::string_view path);         // no process when it is not there
  void remove_directory(std::string_view path);    // also one that was made read-only

  void notice(std::string_view text);  // green
  void warning(std::string_view text); // yellow
  void plain(std::string_view text);
  void empty_line() { line("echo"); }

  void begin(std::string_view condition); // if <condition>; then
  void otherwise();
  void end();

  // Items of a user's script, each echoed before it runs.
  void user_commands(const std::vector<std::string>& items, std::string_view prefix);

  // The variables of the job, GITLAB_ENV and what it holds. With `files`, file variables are written too.
  void exports(bool files = true);

  // The whole script; the body runs as one text, with nothing on its stdin.
  std::string finish() const;
  bool empty() const { return body_.empty(); }

 private:
  void echo(std::string_view text);
  void file_variables();
  void git_access();
  void load_environment_file(const std::string& path);

  const BuildInfo& info_;
  Quoting quoting_;
  std::string body_;
  int indent_ = 0;
};

} // namespace script
