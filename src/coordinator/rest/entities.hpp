// JSON of records that several resources show.
#pragma once

#include "coordinator/api.hpp"
#include "coordinator/model/projects.hpp"
#include "coordinator/model/runners.hpp"
#include "json/json.hpp"

namespace coordinator::rest {

// Runs the body in a reading transaction, and once more in a writing one when it says kConflict: for answers that
// almost never have to make a registration token.
template <class Body>
Outcome<Reply> read_else_write(App& app, Body&& body) {
  auto outcome = app.store.read(
      [&](Transaction& tx) -> std::expected<Outcome<Reply>, base::Error> { return Outcome<Reply>(body(tx)); });
  if (outcome && (*outcome || outcome->error().status != 409)) return std::move(*outcome);
  return app.store.write([&](Transaction& tx) -> Outcome<Reply> { return body(tx); });
}

// One project in full; settings and tokens as far as the caller's role goes. May make the registration token.
Outcome<json::Value> project_json(Transaction& tx, const Call& call, const model::ProjectAccess& found);

// A runner as lists show it.
Outcome<json::Value> runner_json(Transaction& tx, const Call& call, const model::Runner& runner);
// The same with everything that the caller may know of one.
Outcome<json::Value> runner_details_json(Transaction& tx, const Call& call, const model::Runner& runner,
                                         bool with_projects);
Outcome<json::Value> manager_json(Transaction& tx, const model::Manager& manager, std::int64_t now);

} // namespace coordinator::rest
