// Registration: `register` from the parsed options to the saved entry.
//
// One object per run, main thread. Whatever fails after the server has the runner takes it off the server again (unless
// leave_runner), so that no half-registered runner stays behind.
#pragma once

#include <optional>
#include <string>

#include "base/result.hpp"
#include "cli/prompter.hpp"
#include "cli/runner_options.hpp"
#include "config/config.hpp"

namespace cli {

struct RegisterOptions {
  std::string config_path;
  std::string template_path;
  std::string tag_list;
  bool non_interactive = false;
  bool leave_runner = false;
  std::string registration_token;
  bool run_untagged = false;
  bool locked = true;
  std::string access_level;
  std::int64_t maximum_timeout = 0;
  bool paused = false;
  std::string maintenance_note;
  RunnerOptions runner;
};

class Registration {
 public:
  explicit Registration(RegisterOptions options)
      : options_(std::move(options)), tree_(std::move(options_.runner.tree)), prompt_(!options_.non_interactive) {}

  // The exit status; everything is logged.
  int run();

 private:
  base::Status prepare();
  base::Status merge_template();
  base::Status ask_and_register();
  base::Status verify_given_token();
  base::Status register_with_registration_token();
  base::Status register_created_runner();
  base::Status check_reserved_options();
  base::Status check_ahead();
  base::Status ask_executor();
  base::Status ask_executor_options();
  base::Status ask_into(std::string_view path, const Question& question);
  void drop_other_executors();
  void add_volume(std::string_view executor);
  base::Status save();
  void undo();
  void warn_about_concurrency(const config::Config& config);
  std::unexpected<base::Error> fatal_error(std::string message, std::string field = {});

  std::string text(std::string_view path) const;
  config::Runner runner() const; // of the tree as it stands

  RegisterOptions options_;
  json::Value tree_;
  Prompter prompt_;
  std::string system_id_;
  bool registered_ = false;
  bool is_fatal_ = false; // how the error that is being returned is to be logged
  std::string error_field_;
};

} // namespace cli
