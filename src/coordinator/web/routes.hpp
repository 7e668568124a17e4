// The addresses of the pages as a table: which name a path has, and what its reader must be allowed. Pure: whether the
// group, project or runner exists is for pages.cpp to find out.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "coordinator/permissions.hpp"

namespace coordinator::web {

enum class Place { kInstance, kGroup, kProject };

struct PageRule {
  std::string_view page;
  Place place = Place::kInstance;
  // Relative to "/", "/groups/<path>/" or "/<path>/". `:runner`, `:pipeline`, `:job` are numbers, `:username` a
  // segment; "*" the rest, also nothing.
  std::string_view pattern;
  // What its reader must be allowed: at the place, or with the runner. None: to be signed in, as for all.
  std::optional<Ability> need = {};
  std::string_view redirect = {}; // not a page: goes on to this pattern of the same place
};
std::span<const PageRule> page_rules();

struct PagePath {
  const PageRule* rule = nullptr;
  std::string full_path; // of the group or project
  std::int64_t id = 0;   // :runner, :pipeline or :job
  std::string id_name;   // which of them; empty: none
  std::string rest;      // of "*", or :username
  // "/a/b" and "/a/-/runners" alone do not tell a group from a project, nor a user from either.
  bool any_namespace = false;
};
// `path` as in a URL, without query, not decoded. nullopt: no page of ours.
std::optional<PagePath> parse_page(std::string_view path);
// The group's page at the same address, for a path that was taken for a project's; nullopt when groups have none.
std::optional<PagePath> as_group(std::string_view path);

} // namespace coordinator::web
