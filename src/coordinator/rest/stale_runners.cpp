// /admin/ci/stale_runners: what the clean-up of stale runners would remove, and removing it now.
#include <algorithm>

#include "coordinator/model/settings.hpp"
#include "coordinator/model/stale_runners.hpp"
#include "coordinator/model/users.hpp"
#include "coordinator/rest/entities.hpp"
#include "coordinator/rest/routes.hpp"

namespace coordinator::rest {
namespace {

constexpr std::int64_t kMostShown = 1000;

// As configured, or as asked: "what if".
Outcome<model::StaleRule> read_rule(Transaction& tx, Params& params) {
  auto rule = API_TRY(model::stale_rule(tx));
  if (const auto types = params.list("types")) {
    rule.types.clear();
    rule.groups_that_opted_in = false;
    for (const auto& word : *types) {
      const auto type = parse_runner_type(word);
      if (type) rule.types.push_back(*type);
      if (!type) params.complain("types does not have a valid value");
    }
  }
  if (const auto days = params.integer("age_days")) {
    if (*days < model::kLeastStaleAgeDays) params.complain("age_days does not have a valid value");
    rule.age_days = *days;
  }
  API_CHECK(params.finish());
  return rule;
}

Outcome<Reply> list_stale_runners(Call& call) {
  return call.app.store.read([&](Transaction& tx) -> Outcome<Reply> {
    const auto rule = API_TRY(read_rule(tx, call.params));
    auto out = json::Value::array();
    for (const auto& runner : API_TRY(model::stale_runners(tx, rule, call.now(), kMostShown))) {
      auto item = API_TRY(runner_json(tx, call, runner));
      item.set("contacted_at", model::time_json(runner.contacted_at));
      out.push_back(std::move(item));
    }
    return json_reply(200, out);
  });
}

Outcome<Reply> prune_now(Call& call) {
  return call.app.store.write([&](Transaction& tx) -> Outcome<Reply> {
    return json_reply(200, json::Value::object({{"removed", API_TRY(model::prune_stale_runners(tx, call.app))}}));
  });
}

} // namespace

void register_stale_runners(Api& api) {
  api.get("/admin/ci/stale_runners", list_stale_runners,
          {.auth = Auth::kAdmin,
           .summary = "Runners that the clean-up would remove, as it is set or as asked",
           .params = "types:list age_days:int",
           .answers = "200:[StaleRunner]"});
  api.remove("/admin/ci/stale_runners", prune_now,
             {.auth = Auth::kAdmin, .summary = "Remove stale runners now, as set", .answers = "200:object"});
}

} // namespace coordinator::rest
