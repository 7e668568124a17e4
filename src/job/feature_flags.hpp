// The feature flags of GitLab Runner 19.4: names and defaults, in upstream's order. Every one becomes a variable.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

namespace job {

struct FeatureFlag {
  std::string_view name;
  bool default_value;
};
std::span<const FeatureFlag> feature_flags();
bool is_feature_flag(std::string_view name);

class FlagSet {
 public:
  // False for unknown names.
  bool on(std::string_view name) const;
  void set(std::string_view name, bool value) { values_.insert_or_assign(std::string(name), value); }
  // "FF_A:true, FF_B:false": those that differ from their default, in table order.
  std::string differences() const;

 private:
  std::map<std::string, bool, std::less<>> values_;
};

} // namespace job
