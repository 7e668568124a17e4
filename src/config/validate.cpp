#include "config/validate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/strings.hpp"
#include "config/executor_names.hpp"
#include "gitlab/wire.hpp"

namespace config {

namespace {

using base::ErrorKind;
using json::Value;

constexpr std::size_t kMaxLabels = 32;
constexpr std::string_view kLabelKeyRule = "^[a-zA-Z0-9_][a-zA-Z0-9._-]{2,64}$";
constexpr std::string_view kLabelValueRule = "^[a-zA-Z0-9._-]{1,256}$";

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool is_label_char(char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; }

bool is_label_key(std::string_view key) {
  return key.size() >= 3 && key.size() <= 65 && (is_alphanumeric(key.front()) || key.front() == '_') &&
         std::all_of(key.begin(), key.end(), is_label_char);
}

bool is_label_value(std::string_view value) {
  return !value.empty() && value.size() <= 256 && std::all_of(value.begin(), value.end(), is_label_char);
}

base::Status check_labels(const Value& labels) {
  if (!labels.is_object()) return {};
  for (const auto& [key, value] : labels.as_object()) {
    if (!is_label_key(key)) {
      return base::fail(ErrorKind::kInvalidInput,
                        fmt::format("invalid label key, doesn't match \"{}\": {}", kLabelKeyRule, key));
    }
    if (!is_label_value(value.string_or(""))) {
      return base::fail(ErrorKind::kInvalidInput, fmt::format("invalid label value, doesn't match \"{}\": {}",
                                                              kLabelValueRule, value.string_or("")));
    }
  }
  return {};
}

std::size_t merged_size(const Value& a, const Value& b) {
  std::set<std::string_view> keys;
  for (const Value* labels : {&a, &b}) {
    if (!labels->is_object()) continue;
    for (const auto& [key, value] : labels->as_object()) keys.insert(key);
  }
  return keys.size();
}

base::Status check_machine_options(const Value& machine) {
  const Value& options = machine["MachineOptionsWithName"];
  if (!options.is_array()) return {};
  for (const Value& option : options.as_array()) {
    if (option.string_or("").contains("%s")) continue;
    return base::fail(ErrorKind::kInvalidInput,
                      fmt::format("machine option with name \"{}\" must contain %s placeholder", option.string_or("")));
  }
  return {};
}

void warn_about(const Runner& runner, const std::string& where, std::vector<std::string>& out) {
  const auto warn = [&](std::string_view text) { out.push_back(fmt::format("{}: {}", where, text)); };
  if (base::trim(runner.token.reveal()).empty()) warn("the token is empty; this runner is not polled");
  if (runner.url.empty()) warn("the url is empty");
  std::string_view url = runner.url;
  while (url.ends_with('/')) url.remove_suffix(1);
  if (url.ends_with("/ci")) {
    warn(
        "the url ends in \"/ci\", which GitLab gave up long ago: requests work, but submodules over HTTP do not get "
        "their credentials; remove it");
  }
  constexpr std::array<std::string_view, 6> kShells = {"", "bash", "sh", "cmd", "pwsh", "powershell"};
  if (std::find(kShells.begin(), kShells.end(), runner.shell) == kShells.end()) {
    warn(fmt::format("unknown shell \"{}\"", runner.shell));
  }
  if (!is_known_executor(runner.executor)) warn(fmt::format("unknown executor \"{}\"", runner.executor));
  if (runner.limit < 0) warn("limit is negative");
}

} // namespace

base::Status validate_runner_tree(const Value& tree, const Value& global_labels) {
  const auto wrap = [&](base::Status status, const std::string& what) -> base::Status {
    if (status) return status;
    return base::fail_context("invalid config: " + what, status.error());
  };
  const std::string who = fmt::format("validating runner {}: ", tree["name"].string_or(""));
  FR_CHECK(wrap(check_labels(global_labels), "validating global labels"));
  FR_CHECK(wrap(check_labels(tree["labels"]), who + "validating labels"));
  if (merged_size(global_labels, tree["labels"]) > kMaxLabels) {
    return wrap(
        base::fail(ErrorKind::kInvalidInput, fmt::format("exceeded maximum computed labels number of {}", kMaxLabels)),
        who + "validating computed labels");
  }
  return wrap(check_machine_options(tree["machine"]), who + "validating machine options with name");
}

void append_warnings(Config& config, const std::string& path) {
  std::set<std::string> seen;
  for (const Runner& runner : config.runners) {
    const std::string where = fmt::format("{}:{}: runner \"{}\"", path, runner.line, runner.name);
    warn_about(runner, where, config.warnings);
    const std::string key = runner.url + '\n' + runner.token.reveal();
    if (!runner.token.empty() && !seen.insert(key).second) {
      config.warnings.push_back(where + ": another entry has the same url and token; they share limit and health");
    }
  }
}

} // namespace config
