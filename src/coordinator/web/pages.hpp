// Which page an address is, for whom it exists, and what the page needs to know to begin with. Inside a transaction.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "coordinator/api.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/model/runners.hpp"
#include "coordinator/model/users.hpp"
#include "coordinator/web/routes.hpp"
#include "json/json.hpp"

namespace coordinator::web {

struct PageDecision {
  int status = 404; // 200, 302 with `location`, 404: not there or not for this caller, which look alike
  std::string page = "not_found";
  std::string location;
  std::optional<PagePath> path;
  std::optional<model::User> user; // a personal namespace, or the user of an administrator's page
  std::optional<model::GroupAccess> group;
  std::optional<model::ProjectAccess> project;
  std::optional<model::Runner> runner;
};

// `target`: path and query as in a URL. The caller is call.identity.
Outcome<PageDecision> decide(Transaction& tx, const Call& call, std::string_view target);

Outcome<json::Value> decision_json(Transaction& tx, const Call& call, const PageDecision& decision);

} // namespace coordinator::web
