#include "cli/runner_options.hpp"

#include "config/schema.hpp"

namespace cli {

namespace {

using config::Key;
using config::Kind;
using json::Value;

bool is_list(Kind kind) { return kind == Kind::kStringList || kind == Kind::kIntegerList; }

// Lists and maps collect; what else has several values replaces.
base::Status store(const Key& key, std::string_view text, RunnerOptions& target) {
  auto parsed = config::parse_flag(key, text);
  if (!parsed) return base::fail(parsed.error());
  const Value& present = config::at_path(target.tree, key.path);
  Value value = std::move(*parsed);
  if (is_list(key.kind) && present.is_array()) {
    Value merged = present;
    for (const Value& item : value.as_array()) merged.push_back(item);
    value = std::move(merged);
  } else if (config::is_map(key.kind) && present.is_object()) {
    Value merged = present;
    for (const auto& [name, item] : value.as_object()) merged.set(name, item);
    value = std::move(merged);
  }
  config::set_path(target.tree, key.path, std::move(value));
  target.given.insert(std::string(key.path));
  return {};
}

} // namespace

void add_runner_options(Options& options, RunnerOptions* target) {
  for (const auto keys : {config::runner_keys(), config::kubernetes_keys()}) {
    for (const Key& key : keys) {
      if (key.flag.empty()) continue;
      std::vector<std::string_view> names;
      if (!key.alias.empty() && key.alias.size() == 1) names.push_back(key.alias);
      names.push_back(key.flag);
      if (key.alias.size() > 1) names.push_back(key.alias);
      const bool is_bool = key.kind == Kind::kBool || key.kind == Kind::kOptionalBool;
      options.custom({.names = std::move(names),
                      .env = key.env,
                      .help = key.path,
                      .is_switch = is_bool,
                      .shows_value = key.kind != Kind::kBool,
                      .set = [&key, target](std::string_view text) { return store(key, text, *target); }});
    }
  }
}

} // namespace cli
