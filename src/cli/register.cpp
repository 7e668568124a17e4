// `register`: options; the work is in registration.cpp.
#include "cli/command.hpp"
#include "cli/registration.hpp"

namespace cli {

int run_register(const GlobalOptions& global, const Arguments& arguments) {
  RegisterOptions o;
  o.config_path = default_config_path();
  Options options;
  options.text("template-config", "TEMPLATE_CONFIG_FILE", "Path to the configuration template file", &o.template_path);
  options.text("c,config", "CONFIG_FILE", "Config file", &o.config_path);
  options.text("tag-list", "RUNNER_TAG_LIST", "Tag list", &o.tag_list);
  options.flag("n,non-interactive", "REGISTER_NON_INTERACTIVE", "Run registration unattended", &o.non_interactive);
  options.flag("leave-runner", "REGISTER_LEAVE_RUNNER", "Don't remove runner if registration fails", &o.leave_runner);
  options.text("r,registration-token", "REGISTRATION_TOKEN", "Runner's registration token (deprecated, use --token)",
               &o.registration_token);
  options.flag("run-untagged", "REGISTER_RUN_UNTAGGED", "Run untagged jobs; true when the tag list is empty",
               &o.run_untagged);
  options.flag("locked", "REGISTER_LOCKED", "Lock the runner to its project, true by default", &o.locked);
  options.text("access-level", "REGISTER_ACCESS_LEVEL", "not_protected (default) or ref_protected", &o.access_level);
  options.integer("maximum-timeout", "REGISTER_MAXIMUM_TIMEOUT", "Longest timeout of a job on this runner, in seconds",
                  &o.maximum_timeout);
  options.flag("paused", "REGISTER_PAUSED", "Register the runner paused", &o.paused);
  options.text("maintenance-note", "REGISTER_MAINTENANCE_NOTE", "Runner's maintenance note", &o.maintenance_note);
  add_runner_options(options, &o.runner);
  if (const Parsed parsed = parse_options(global, "register", options, arguments); parsed.leave) return parsed.status;

  print_mode_banner(true);
  return Registration(std::move(o)).run();
}

} // namespace cli
