// Jobs and the root of the configuration.
#include <fmt/format.h>

#include "base/strings.hpp"
#include "ci/entry.hpp"
#include "ci/tree.hpp"

namespace ci {
namespace {
using yaml::Node;

constexpr std::int64_t kWeek = 604800;
constexpr std::int64_t kMonth = 2592000;
constexpr std::size_t kMaxTags = 50;
constexpr std::size_t kMaxName = 255;

// What `default:` may hold, and what may still stand at the root in its stead.
constexpr std::string_view kDefaults[] = {"after_script",  "artifacts", "before_script", "hooks", "cache",  "image",
                                          "interruptible", "retry",     "services",      "tags",  "timeout"};
constexpr std::string_view kRootDefaults[] = {"image", "services", "cache", "before_script", "after_script"};
constexpr std::string_view kRootKeys[] = {"default",      "include",   "before_script", "image", "services",
                                          "after_script", "variables", "stages",        "cache", "workflow"};

template <class List>
bool in(const List& list, std::string_view key) {
  return std::find(std::begin(list), std::end(list), key) != std::end(list);
}

InheritConfig read_inherit(const Place& place, std::string_view key) {
  InheritConfig inherit;
  auto value = place.child(key);
  if (!value) return inherit;
  if (value->node().is_bool()) {
    inherit.all = value->node().as_bool();
  } else if (value->node().is_sequence()) {
    inherit.only = place.strings(key);
    inherit.all = false;
  } else {
    value->error("config should be a bool or an array of strings");
  }
  return inherit;
}

void read_hooks(const Place& place, Job& job) {
  if (!place.node().is_mapping()) return place.error("config should be a hash");
  place.check_keys({"pre_get_sources_script"});
  if (auto script = place.child("pre_get_sources_script")) job.pre_get_sources_script = read_script(*script);
}

// Keywords that a job shares with `default:`.
void read_shared(const Place& place, JobConfig& config) {
  Job& job = config.job;
  if (auto script = place.child("before_script")) job.before_script = read_script(*script);
  if (auto script = place.child("after_script")) job.after_script = read_script(*script);
  if (auto hooks = place.child("hooks")) read_hooks(*hooks, job);
  if (auto image = place.child("image"); image && !(image->node().is_string() && image->node().text().empty()))
    job.image = read_image(*image, false);
  if (auto services = place.child("services")) job.services = read_services(*services);
  if (place.child("tags")) {
    job.tags = place.strings("tags");
    if (job.tags.size() > kMaxTags)
      place.child("tags")->error(fmt::format("config must be less than the limit of {} tags", kMaxTags));
  }
  if (auto artifacts = place.child("artifacts")) job.artifacts = read_artifacts(*artifacts);
  if (auto cache = place.child("cache"); cache && cache->node().size() > 0) config.caches = read_caches(*cache);
  if (auto cache = place.child("cache"); cache && cache->node().is_scalar()) cache->error("config should be a hash");
  if (auto retry = place.child("retry")) job.retry = read_retry(*retry);
  job.timeout_seconds = read_duration(place, "timeout", kMonth);
  job.interruptible = place.boolean("interruptible", false);
}

void read_allow_failure(const Place& place, JobConfig& config) {
  auto value = place.child("allow_failure");
  if (!value) return;
  config.allow_failure_given = true;
  if (value->node().is_mapping()) {
    value->check_keys({"exit_codes"});
    config.job.allow_failure_exit_codes = value->integers("exit_codes");
  } else {
    config.job.allow_failure = place.boolean("allow_failure", false);
  }
}

void read_when(const Place& place, JobConfig& config) {
  Job& job = config.job;
  std::string when = place.choice("when", {"on_success", "on_failure", "always", "manual", "delayed"}, "on_success");
  job.when = parse_when(when).value_or(When::kOnSuccess);
  if (!config.allow_failure_given && job.when == When::kManual) job.allow_failure = true;
  auto start_in = read_duration(place, "start_in", kWeek);
  job.start_in_seconds = start_in.value_or(0);
  if (job.when == When::kDelayed && !place.child("start_in")) place.error("start in should be a duration");
  if (job.when != When::kDelayed && place.child("start_in")) place.error("start in must be blank");
}

void read_parallel(const Place& place, JobConfig& config) {
  auto value = place.child("parallel");
  if (!value) return;
  const Node& node = value->node();
  if (node.is_integer()) {
    if (node.as_integer() > 200) return value->error("config must be less than or equal to 200");
    if (node.as_integer() < 1) return value->error("config must be greater than or equal to 1");
    config.parallel = static_cast<int>(node.as_integer());
  } else if (node.is_mapping()) {
    value->check_keys({"matrix"});
    if (auto matrix = value->child("matrix")) {
      config.matrix = read_matrix(*matrix);
    } else {
      value->error("config matrix can't be blank");
    }
  } else {
    place.error_at(node, "parallel should be an integer or a hash");
  }
}

void read_coverage(const Place& place, Job& job) {
  auto value = place.child("coverage");
  if (!value) return;
  const Node& node = value->node();
  const std::string& text = node.text();
  bool slashed = node.is_string() && text.size() >= 2 && text.front() == '/' && text.back() == '/';
  if (slashed) job.coverage = text.substr(1, text.size() - 2);
  if (!slashed || !compile_regex(job.coverage)) value->error("config must be a regular expression");
}

void read_connections(const Place& place, JobConfig& config) {
  if (auto needs = place.child("needs")) config.needs = read_needs(*needs);
  if (place.child("dependencies")) config.dependencies = place.strings("dependencies");
  if (auto rules = place.child("rules")) config.rules = read_rules(*rules, false);
  if (config.rules) {
    for (const char* key : {"only", "except", "start_in"})
      if (place.child(key)) place.error(fmt::format("config key may not be used with `rules`: {}", key));
  }
  if (auto only = place.child("only")) config.only = read_policy(*only);
  if (auto except = place.child("except")) config.except = read_policy(*except);
}

void read_stages(const Node& root, PipelineConfig& config, Problems& problems) {
  Place place(root, "root", problems);
  config.stages = {"build", "test", "deploy"};
  if (auto stages = place.child("stages")) {
    Place at(stages->node(), "stages", problems);
    std::vector<std::string> names;
    bool ok = stages->node().is_sequence();
    for (const Node& item : stages->node().items()) {
      if (item.is_sequence()) {
        for (const Node& inner : item.items()) {
          ok = ok && inner.is_string();
          names.push_back(inner.text());
        }
      } else {
        ok = ok && item.is_string();
        names.push_back(item.text());
      }
    }
    if (!ok) at.error("config should be an array of strings or a nested array of strings up to 10 levels deep");
    config.stages.clear();
    for (std::string& name : names)
      if (!in(config.stages, name)) config.stages.push_back(std::move(name));
  }
  std::erase(config.stages, ".pre");
  std::erase(config.stages, ".post");
  config.stages.insert(config.stages.begin(), ".pre");
  config.stages.emplace_back(".post");
}

void read_workflow(const Node& root, PipelineConfig& config, Problems& problems) {
  const Node* node = root.find("workflow");
  if (node == nullptr || node->is_null()) return;
  Place place(*node, "workflow", problems);
  if (!node->is_mapping()) return place.error("config should be a hash");
  place.check_keys({"name", "rules"}, {"auto_cancel"});
  config.workflow.name = place.string("name");
  if (config.workflow.name.size() > kMaxName) place.error("name is too long (maximum is 255 characters)");
  if (auto rules = place.child("rules")) config.workflow.rules = read_rules(*rules, true);
}

// `default:` joined with what old files still write at the root; checked once, so that a mistake shows once.
Node read_defaults(const Node& root, Problems& problems) {
  Node defaults = Node::mapping();
  if (const Node* node = root.find("default"); node != nullptr && !node->is_null()) {
    Place place(*node, "default", problems);
    if (!node->is_mapping()) {
      place.error("config should be a hash");
      return defaults;
    }
    place.check_keys({"after_script", "artifacts", "before_script", "hooks", "cache", "image", "interruptible", "retry",
                      "services", "tags", "timeout"},
                     {"id_tokens", "identity"});
    defaults = *node;
  }
  for (std::string_view key : kRootDefaults) {
    const Node* node = root.find(key);
    if (node == nullptr || node->is_null()) continue;
    if (defaults.find(key) != nullptr)
      problems.error(node->mark(), fmt::format("default {} is defined in top-level and `default:` entry", key));
    defaults.set(key, *node);
  }
  JobConfig ignored;
  read_shared(Place(defaults, "default", problems), ignored);
  return defaults;
}

bool is_job(const Node& name, const Node& value, Problems& problems) {
  std::string location = fmt::format("jobs:{}", name.text());
  if (!name.is_string()) {
    problems.error(name.mark(), location + " name should be a symbol");
    return false;
  }
  if (name.text().empty()) {
    problems.error(name.mark(), "jobs name can't be blank");
    return false;
  }
  if (name.text().size() > kMaxName)
    problems.error(name.mark(), location + " name is too long (maximum is 255 characters)");
  bool works = value.find("script") != nullptr || value.find("trigger") != nullptr || value.find("run") != nullptr;
  if (!value.is_mapping() || !works) {
    problems.error(name.mark(),
                   fmt::format("jobs {} config should implement the script:, run:, or trigger: keyword", name.text()));
    return false;
  }
  return true;
}

// The job's node with every default it does not set itself (null counts as not set) and does inherit.
Node with_defaults(const Node& value, const Node& defaults, const InheritConfig& inherit) {
  Node job = value;
  for (std::string_view key : kDefaults) {
    const Node* own = job.find(key);
    const Node* common = defaults.find(key);
    if (common == nullptr || !inherit.takes(key) || (own != nullptr && !own->is_null())) continue;
    job.set(key, *common);
  }
  return job;
}
} // namespace

JobConfig read_job(const std::string& name, const Node& node, Problems& problems) {
  JobConfig config;
  config.mark = node.mark();
  Job& job = config.job;
  job.name = name;
  job.line = node.mark().line;
  job.file = problems.file(node.mark());
  Place place(node, "jobs:" + name, problems);
  place.check_keys({"script",    "before_script", "after_script", "image",   "services", "stage",         "tags",
                    "needs",     "dependencies",  "rules",        "only",    "except",   "when",          "start_in",
                    "artifacts", "cache",         "retry",        "timeout", "parallel", "allow_failure", "environment",
                    "coverage",  "extends",       "variables",    "inherit", "hooks",    "interruptible"},
                   {"trigger", "run", "release", "id_tokens", "secrets", "identity", "resource_group", "inputs",
                    "pages", "publish", "manual_confirmation", "dast_configuration", "type"});
  if (auto script = place.child("script")) {
    job.script = read_script(*script);
    if (job.script.empty() && (script->node().size() == 0)) place.error("script can't be blank");
  } else if (node.find("script") != nullptr) {
    place.error("script can't be blank");
  }
  read_shared(place, config);
  job.stage = place.string("stage", "test");
  read_allow_failure(place, config);
  read_when(place, config);
  read_parallel(place, config);
  read_coverage(place, job);
  read_connections(place, config);
  if (auto environment = place.child("environment")) config.environment = read_environment(*environment);
  if (auto variables = place.child("variables")) job.variables = read_variables(*variables, {"value", "expand"});
  if (auto inherit = place.child("inherit")) {
    if (inherit->node().is_mapping()) {
      inherit->check_keys({"default", "variables"});
      config.inherit_variables = read_inherit(*inherit, "variables");
    } else {
      inherit->error("config should be a hash");
    }
  }
  return config;
}

PipelineConfig read_config(const Node& root, Problems& problems) {
  PipelineConfig config;
  read_stages(root, config, problems);
  if (const Node* variables = root.find("variables"); variables != nullptr && !variables->is_null())
    config.variables =
        read_variables(Place(*variables, "variables", problems), {"value", "description", "options", "expand"});
  read_workflow(root, config, problems);
  Node defaults = read_defaults(root, problems);
  if (problems.failed()) defaults = Node::mapping(); // each mistake once
  std::size_t visible = 0;
  std::size_t copied = 0;
  const std::size_t shared = weight(defaults);
  for (const yaml::Entry& entry : root.entries()) {
    const std::string& name = entry.key.text();
    if (entry.key.is_string() && (name.starts_with('.') || in(kRootKeys, name))) continue;
    if (entry.key.is_string() && name == "spec") {
      problems.error(entry.key.mark(), "`spec` is not supported yet");
      continue;
    }
    ++visible;
    if (!is_job(entry.key, entry.value, problems)) continue;
    InheritConfig inherit;
    if (const Node* node = entry.value.find("inherit"); node != nullptr && node->is_mapping())
      inherit = read_inherit(Place(*node, fmt::format("jobs:{}:inherit", name), problems), "default");
    copied += shared;
    if (copied > kMaxWeight) {
      problems.error(entry.key.mark(), "The parsed YAML is too big");
      break;
    }
    Node complete = with_defaults(entry.value, defaults, inherit);
    complete.set_mark(entry.key.mark());
    config.jobs.push_back(read_job(name, complete, problems));
  }
  if (visible == 0) problems.error(root.mark(), "jobs config should contain at least one visible job");
  return config;
}

} // namespace ci
