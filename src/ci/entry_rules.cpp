// Keywords that decide: rules, only and except; and those that connect jobs: needs, parallel.
#include <fmt/format.h>

#include "base/strings.hpp"
#include "ci/entry.hpp"

namespace ci {
namespace {
using yaml::Node;

constexpr std::int64_t kWeek = 604800;
constexpr std::size_t kMaxPaths = 50;

PathsConfig read_paths(const Place& place, bool changes) {
  PathsConfig config;
  const char* items = changes ? "changes" : "exists";
  auto check = [&](const std::vector<std::string>& paths) {
    if (paths.size() > kMaxPaths) place.error(fmt::format("config has too many entries (maximum {})", kMaxPaths));
  };
  if (place.node().is_sequence() || place.node().is_string()) {
    if (place.node().is_string()) {
      place.error("config should be an array or a hash");
      return config;
    }
    for (const Node& item : place.node().items()) {
      if (item.is_string()) {
        config.paths.push_back(item.text());
      } else if (item.is_sequence()) {
        for (std::string& path : read_paths(place.part(item, items), changes).paths)
          config.paths.push_back(std::move(path));
      } else {
        place.error("config should be an array of strings");
      }
    }
    check(config.paths);
    return config;
  }
  if (!place.node().is_mapping()) {
    place.error("config should be an array or a hash");
    return config;
  }
  if (changes) {
    place.check_keys({"paths", "regexp", "compare_to"});
    config.compare_to = place.string("compare_to");
  } else {
    place.check_keys({"paths", "regexp"}, {"project", "ref"});
  }
  config.paths = place.strings("paths");
  config.regexp = place.string("regexp");
  if (config.regexp.size() > 255 || !compile_regex(config.regexp))
    place.error("regexp must be a valid regular expression");
  if (config.paths.empty() == config.regexp.empty()) place.error("paths can't be blank");
  check(config.paths);
  return config;
}

std::optional<When> read_when(const Place& place, std::initializer_list<std::string_view> values) {
  auto value = place.child("when");
  if (!value) return std::nullopt;
  return parse_when(place.choice("when", values, "on_success"));
}

RuleConfig read_rule(const Place& place, bool workflow) {
  RuleConfig rule;
  rule.mark = place.node().mark();
  if (workflow) {
    place.check_keys({"if", "changes", "exists", "when", "variables"}, {"auto_cancel"});
    rule.when = read_when(place, {"always", "never"});
  } else {
    place.check_keys(
        {"if", "changes", "exists", "when", "start_in", "allow_failure", "variables", "needs", "interruptible"});
    rule.when = read_when(place, {"on_success", "on_failure", "always", "never", "manual", "delayed"});
    rule.start_in = read_duration(place, "start_in", kWeek);
    if (rule.when == When::kDelayed && !place.child("start_in")) place.error("start in should be a duration");
    if (rule.when != When::kDelayed && place.child("start_in")) place.error("start in must be blank");
    if (place.child("allow_failure")) rule.allow_failure = place.boolean("allow_failure", false);
    if (place.child("interruptible")) rule.interruptible = place.boolean("interruptible", false);
    if (auto needs = place.child("needs")) rule.needs = read_needs(*needs);
  }
  if (auto condition = place.child("if")) {
    auto expression = condition->node().is_string() ? Expression::parse(condition->node().text())
                                                    : base::fail(base::ErrorKind::kInvalidInput, "not a string");
    rule.condition_text = condition->node().text();
    if (expression) {
      rule.condition = std::move(*expression);
    } else {
      place.error_at(condition->node(), "if invalid expression syntax");
    }
  }
  if (auto changes = place.child("changes")) rule.changes = read_paths(*changes, true);
  if (auto exists = place.child("exists")) rule.exists = read_paths(*exists, false);
  if (auto variables = place.child("variables")) rule.variables = read_variables(*variables, {});
  return rule;
}

void collect_rules(const Place& place, const Node& list, int depth, bool workflow, std::vector<RuleConfig>& out) {
  constexpr int kMaxNesting = 10;
  for (const Node& item : list.items()) {
    if (item.is_mapping()) {
      out.push_back(read_rule(place.part(item, "rule"), workflow));
    } else if (item.is_sequence() && depth < kMaxNesting) {
      collect_rules(place, item, depth + 1, workflow, out);
    } else {
      place.error_at(item, "config should be an array containing hashes and arrays of hashes");
    }
  }
}

std::vector<std::string> matrix_values(const Place& place, const Node& node) {
  std::vector<std::string> values;
  const Node* first = &node;
  const Node* last = first + 1;
  if (node.is_sequence()) {
    first = node.items().data();
    last = first + node.items().size();
  }
  bool ok = !node.is_mapping() && !node.is_reference();
  for (const Node* item = first; ok && item != last; ++item) {
    ok = item->is_scalar();
    if (ok && !item->is_null()) values.push_back(item->text());
  }
  if (!ok) place.error_at(node, "config should be an array of hashes with scalar or array values");
  return values;
}

NeedConfig read_need(const Place& place) {
  NeedConfig need;
  need.mark = place.node().mark();
  if (place.node().is_string()) {
    need.job = place.node().text();
    if (need.job.empty()) place.error("config can't be blank");
    return need;
  }
  if (!place.node().is_mapping()) {
    place.error("config should be a hash or a string");
    return need;
  }
  for (const char* key : {"pipeline", "project", "ref"}) {
    if (place.node().find(key) == nullptr) continue;
    place.error_at(*place.node().find(key), fmt::format("`needs:{}` is not supported yet", key));
    return need;
  }
  place.check_keys({"job", "artifacts", "optional", "parallel"});
  need.job = place.string("job");
  if (need.job.empty()) place.error("job can't be blank");
  need.artifacts = place.boolean("artifacts", true);
  need.optional = place.boolean("optional", false);
  if (auto parallel = place.child("parallel")) {
    if (!parallel->node().is_mapping()) {
      parallel->error("config should be a hash");
      return need;
    }
    parallel->check_keys({"matrix"});
    if (auto matrix = parallel->child("matrix")) need.matrix = read_matrix(*matrix);
  }
  return need;
}

void collect_needs(const Place& place, const Node& list, int depth, std::vector<NeedConfig>& out) {
  for (const Node& item : list.items()) {
    // A !reference leaves a list in the list.
    if (item.is_sequence() && depth < 10) {
      collect_needs(place, item, depth + 1, out);
    } else {
      out.push_back(read_need(place.part(item, "need")));
    }
  }
}

bool is_ref_pattern(const std::string& ref) {
  std::string pattern = ref.substr(0, ref.rfind('@'));
  bool slashed = pattern.size() > 1 && pattern.front() == '/' && pattern.find('/', 1) != std::string::npos;
  return !slashed || compile_slashed_regex(pattern) != nullptr || compile_slashed_regex(ref) != nullptr;
}
} // namespace

std::vector<RuleConfig> read_rules(const Place& place, bool workflow) {
  std::vector<RuleConfig> rules;
  if (!place.node().is_sequence()) {
    place.error("config should be an array containing hashes and arrays of hashes");
    return rules;
  }
  collect_rules(place, place.node(), 0, workflow, rules);
  if (place.node().size() == 0) place.error("config can't be blank");
  return rules;
}

std::vector<NeedConfig> read_needs(const Place& place) {
  std::vector<NeedConfig> needs;
  if (place.node().is_mapping()) {
    needs.push_back(read_need(place));
  } else if (place.node().is_sequence()) {
    collect_needs(place, place.node(), 0, needs);
  } else {
    place.error("config can only be a hash or an array");
  }
  return needs;
}

std::vector<MatrixEntry> read_matrix(const Place& place) {
  std::vector<MatrixEntry> matrix;
  if (!place.node().is_sequence()) {
    place.error("config should be an array of hashes");
    return matrix;
  }
  std::size_t total = 0;
  for (const Node& item : place.node().items()) {
    if (!item.is_mapping()) {
      place.error_at(item, "config should be an array of hashes");
      continue;
    }
    if (item.size() == 0) place.error_at(item, "config requires at least 1 item");
    MatrixEntry entry;
    std::size_t product = 1;
    for (const yaml::Entry& member : item.entries()) {
      entry.emplace_back(member.key.text(), matrix_values(place, member.value));
      product = std::min<std::size_t>(product * std::max<std::size_t>(entry.back().second.size(), 1), 100'000);
    }
    total += product;
    matrix.push_back(std::move(entry));
  }
  if (total > 200) place.error("config generates too many jobs (maximum is 200)");
  if (total == 0) place.error("config can't be blank");
  return matrix;
}

PolicyConfig read_policy(const Place& place) {
  PolicyConfig policy;
  auto check_refs = [&](const std::vector<std::string>& refs) {
    for (const std::string& ref : refs)
      if (!is_ref_pattern(ref))
        place.error("config should be an array of strings or regular expressions using re2 syntax");
  };
  if (place.node().is_string()) {
    policy.refs = {{place.node().text()}};
    check_refs(*policy.refs);
    return policy;
  }
  if (place.node().is_sequence()) {
    policy.refs.emplace();
    for (const Node& item : place.node().items()) {
      if (!item.is_string()) {
        place.error_at(item, "config should be an array of strings or regular expressions using re2 syntax");
        continue;
      }
      policy.refs->push_back(item.text());
    }
    check_refs(*policy.refs);
    return policy;
  }
  if (!place.node().is_mapping()) {
    place.error("has to be either an array of conditions or a hash");
    return policy;
  }
  place.check_keys({"refs", "variables", "changes"}, {"kubernetes"});
  if (place.child("refs")) {
    policy.refs = place.strings("refs", true);
    check_refs(*policy.refs);
  }
  if (place.child("variables")) {
    policy.variables.emplace();
    for (const std::string& text : place.strings("variables")) {
      auto expression = Expression::parse(text);
      if (expression) {
        policy.variables->push_back(std::move(*expression));
      } else {
        place.error("variables invalid expression syntax");
      }
    }
  }
  if (place.child("changes")) policy.changes = place.strings("changes");
  return policy;
}

} // namespace ci
