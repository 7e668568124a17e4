// An address for each rule of the page table. For tests only.
#pragma once

#include <string>

#include "base/strings.hpp"
#include "coordinator/web/routes.hpp"

namespace coordinator::web {

inline std::string example_of(const PageRule& rule, const std::string& full_path, std::int64_t id,
                              const std::string& username = "ann", const std::string& rest = "a") {
  std::string pattern(rule.pattern);
  for (const auto name : {":runner", ":pipeline", ":job"})
    pattern = base::replace_all(pattern, name, std::to_string(id));
  pattern = base::replace_all(pattern, ":username", username);
  pattern = base::replace_all(pattern, "*", rest);
  const std::string tail = pattern.empty() ? "" : "/" + pattern;
  switch (rule.place) {
    case Place::kInstance:
      return pattern.empty() ? "/" : tail;
    case Place::kGroup:
      return "/groups/" + full_path + tail;
    case Place::kProject:
      return "/" + full_path + tail;
  }
  return "";
}

} // namespace coordinator::web
