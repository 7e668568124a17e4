// Reading keywords: a Place is a node with the colon-joined location GitLab's messages begin with. Internal to ci.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ci/config.hpp"
#include "ci/problems.hpp"
#include "yaml/yaml.hpp"

namespace ci {

class Place {
 public:
  Place(const yaml::Node& node, std::string location, Problems& problems)
      : node_(&node), location_(std::move(location)), problems_(&problems) {}

  const yaml::Node& node() const { return *node_; }
  const std::string& location() const { return location_; }
  Problems& problems() const { return *problems_; }

  // "<location> <message>" at the node.
  void error(std::string_view message) const { error_at(*node_, message); }
  void error_at(const yaml::Node& node, std::string_view message) const;
  void warning(std::string_view message) const;

  // The value of a key with the location `jobs:x:key`; nullopt when absent or null.
  std::optional<Place> child(std::string_view key) const;
  // Another node under this location (`rules:rule`).
  Place part(const yaml::Node& node, std::string_view name) const;

  // "config contains unknown keys: a, b"; for the known but unsupported "`a` is not supported yet".
  bool check_keys(std::initializer_list<std::string_view> allowed,
                  std::initializer_list<std::string_view> unsupported = {}) const;

  // Values of keys; an absent or null key gives the fallback, a wrong type an error on the attribute ("max should be
  // …").
  std::string string(std::string_view key, std::string_view fallback = {}) const;
  bool boolean(std::string_view key, bool fallback) const;
  std::vector<std::string> strings(std::string_view key, bool one_allowed = false) const;
  std::vector<int> integers(std::string_view key) const;
  // One of the values, else "<key> should be one of: …".
  std::string choice(std::string_view key, std::initializer_list<std::string_view> values,
                     std::string_view fallback) const;

 private:
  const yaml::Node* node_;
  std::string location_;
  Problems* problems_;
};

// script, before_script …: a string or strings nested up to ten deep, flattened.
std::vector<std::string> read_script(const Place& place);
Variables read_variables(const Place& place, std::initializer_list<std::string_view> hash_keys);
Image read_image(const Place& place, bool service);
std::vector<Image> read_services(const Place& place);
Artifacts read_artifacts(const Place& place);
std::vector<CacheConfig> read_caches(const Place& place);
Retry read_retry(const Place& place);
Environment read_environment(const Place& place);
std::vector<RuleConfig> read_rules(const Place& place, bool workflow);
PolicyConfig read_policy(const Place& place);
std::vector<NeedConfig> read_needs(const Place& place);
std::vector<MatrixEntry> read_matrix(const Place& place);
std::optional<std::int64_t> read_duration(const Place& place, std::string_view key, std::int64_t limit);

// The job under `name`, its node already completed with the defaults.
JobConfig read_job(const std::string& name, const yaml::Node& node, Problems& problems);
// Everything under the root.
PipelineConfig read_config(const yaml::Node& root, Problems& problems);

} // namespace ci
