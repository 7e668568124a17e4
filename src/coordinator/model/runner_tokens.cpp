// Runner authentication: issuing, looking up and rotating authentication tokens, and the deprecated registration
// tokens.
#include <fmt/format.h>

#include <algorithm>

#include "base/hash.hpp"
#include "base/strings.hpp"
#include "coordinator/model/audit.hpp"
#include "coordinator/model/runners.hpp"
#include "coordinator/model/settings.hpp"
#include "coordinator/model/users.hpp"

namespace coordinator::model {
namespace {

constexpr std::int64_t kGrace = 24LL * 3600 * 1000; // of a replaced token that never expires
constexpr std::string_view kNeedsWriting = "a registration token has to be made first";
constexpr std::int64_t kEphemeralLife = 3600LL * 1000;

struct FreshToken {
  std::string plain;
  std::string digest;
  std::string shown; // the first 8 characters after prefix and type marker
};

FreshToken fresh_token(RunnerType type, bool by_user) {
  const auto secret = base::random_token(20);
  // The type marker is upstream's enum value; the client looks at the literal prefix "glrt-" only.
  auto plain = by_user ? fmt::format("glrt-t{}_{}", static_cast<int>(type) + 1, secret) : "glrtr-" + secret;
  auto digest = token_digest(plain);
  return {std::move(plain), std::move(digest), secret.substr(0, 8)};
}

void lower(std::optional<std::int64_t>& least, std::optional<std::int64_t> candidate) {
  if (candidate && *candidate > 0) least = least ? std::min(*least, *candidate) : *candidate;
}

std::optional<std::int64_t> seconds(const json::Value& value) {
  return value.is_integer() ? std::optional(value.as_integer()) : std::nullopt;
}

// The shortest life that any level prescribes.
base::Result<std::optional<std::int64_t>> token_life(Transaction& tx, RunnerType type,
                                                     std::optional<std::int64_t> namespace_id,
                                                     const std::vector<std::int64_t>& projects) {
  std::optional<std::int64_t> least;
  if (type == RunnerType::kInstance) {
    lower(least, seconds(FR_TRY(setting(tx, "runner_token_expiration_interval"))));
  } else if (type == RunnerType::kGroup) {
    lower(least, seconds(FR_TRY(setting(tx, "group_runner_token_expiration_interval"))));
    const auto group = namespace_id ? FR_TRY(find_namespace(tx, *namespace_id)) : std::nullopt;
    for (const auto id : group ? group->chain : std::vector<std::int64_t>{}) {
      const auto space = FR_TRY(find_namespace(tx, id));
      if (!space) continue;
      lower(least, id == group->id ? space->runner_token_expiration_interval
                                   : space->subgroup_runner_token_expiration_interval);
    }
  } else {
    lower(least, seconds(FR_TRY(setting(tx, "project_runner_token_expiration_interval"))));
    for (const auto project_id : projects) {
      const auto project = FR_TRY(find_project(tx, project_id));
      if (!project) continue;
      lower(least, project->runner_token_expiration_interval);
      const auto space = FR_TRY(find_namespace(tx, project->namespace_id));
      for (const auto id : space ? space->chain : std::vector<std::int64_t>{}) {
        const auto group = FR_TRY(find_namespace(tx, id));
        if (group) lower(least, group->project_runner_token_expiration_interval);
      }
    }
  }
  return least;
}

base::Result<std::optional<std::int64_t>> new_expiry(Transaction& tx, const Runner& runner, std::int64_t now) {
  const auto projects = FR_TRY(runner_project_ids(tx, runner.id));
  const auto life = FR_TRY(token_life(tx, runner.type, runner.namespace_id, projects));
  return life ? std::optional(now + *life * 1000) : std::nullopt;
}

base::Result<std::optional<Authenticated>> find_by_digest(Transaction& tx, const std::string& digest,
                                                          std::int64_t now) {
  if (const auto row = FR_TRY(tx.query_one("SELECT * FROM runners WHERE token_digest = ?", {digest}))) {
    auto runner = runner_from(*row);
    if (!base::constant_time_equal(row->text("token_digest"), digest)) return std::nullopt;
    if (runner.token_expires_at && *runner.token_expires_at <= now) return std::nullopt;
    return Authenticated{std::move(runner), std::nullopt, digest};
  }
  if (const auto row = FR_TRY(
          tx.query_one("SELECT r.*, t.replaced_at FROM replaced_tokens t JOIN runners r ON r.id = t.runner_id WHERE "
                       "t.digest = ? AND t.valid_until > ?",
                       {digest, now}))) {
    return Authenticated{runner_from(*row), row->integer("replaced_at"), digest};
  }
  return std::nullopt;
}

} // namespace

base::Result<bool> is_known_place(Transaction& tx, const Call& call, const Authenticated& known) {
  if (!known.replaced()) return true;
  return FR_TRY(tx.count("SELECT count(*) FROM runner_managers WHERE runner_id = ? AND created_at <= ? AND "
                         "(ip_address = ? OR system_id = ?)",
                         {known.runner.id, *known.replaced_at, call.request.remote_address,
                          call.params.raw("system_id").string_or("")})) > 0;
}

base::Result<std::optional<Authenticated>> find_runner_by_token(Transaction& tx, std::string_view token,
                                                                std::int64_t now) {
  if (token.empty()) return std::nullopt;
  return find_by_digest(tx, token_digest(token), now);
}

Outcome<Authenticated> authenticate_runner(Transaction& tx, Call& call) {
  auto token = call.params.text("token").value_or("");
  const auto header = call.header("RUNNER-TOKEN");
  if (!token.empty() && !header.empty() && !base::constant_time_equal(token, header)) {
    return std::unexpected(forbidden());
  }
  if (token.empty()) token = header;
  if (token.empty() && !call.params.has("token")) return std::unexpected(invalid_parameters({"token is missing"}));
  auto found = API_TRY(find_runner_by_token(tx, token, call.now()));
  if (!found) return std::unexpected(forbidden());
  const auto& runner = found->runner;
  // For a day anybody may still use it, after that the hosts that have not fetched the new one yet.
  const bool old = found->replaced() && call.now() >= *found->replaced_at + kGrace;
  if (old && !API_TRY(is_known_place(tx, call, *found))) {
    return std::unexpected(forbidden());
  }
  bool orphaned = false;
  if (runner.type == RunnerType::kGroup) {
    orphaned = !runner.namespace_id || !API_TRY(find_namespace(tx, *runner.namespace_id));
  } else if (runner.type == RunnerType::kProject) {
    orphaned = API_TRY(runner_project_ids(tx, runner.id)).empty();
  }
  if (orphaned) return std::unexpected(unprocessable("Runner is orphaned"));
  return std::move(*found);
}

base::Result<IssuedRunner> create_runner(Transaction& tx, const App& app, const NewRunner& runner) {
  const auto now = app.now();
  const auto& a = runner.attributes;
  const bool by_user = runner.creator_id.has_value();
  const auto token = fresh_token(runner.type, by_user);
  std::vector<std::int64_t> projects;
  if (runner.project_id) projects.push_back(*runner.project_id);
  const auto life = FR_TRY(token_life(tx, runner.type, runner.namespace_id, projects));
  const auto expires_at = life ? std::optional(now + *life * 1000) : std::nullopt;
  const auto id = FR_TRY(tx.insert(
      "INSERT INTO runners (type, token_digest, token_short, token_expires_at, registration_type, creation_state, "
      "creator_id, namespace_id, owner_project_id, name, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {to_string(runner.type), token.digest, token.shown, expires_at,
       by_user ? "authenticated_user" : "registration_token", by_user ? "started" : "finished", runner.creator_id,
       runner.namespace_id, runner.project_id, runner.name, now}));
  FR_CHECK(update_runner(tx, id, a, now));
  if (runner.project_id) {
    FR_CHECK(tx.execute("INSERT INTO runner_projects (runner_id, project_id, created_at) VALUES (?, ?, ?)",
                        {id, *runner.project_id, now}));
  }
  if (by_user) {
    FR_CHECK(tx.execute("INSERT INTO ephemeral_tokens (runner_id, token_sealed, expires_at) VALUES (?, ?, ?)",
                        {id, app.vault.seal(token.plain), now + kEphemeralLife}));
  }
  auto made = FR_TRY(find_runner(tx, id));
  return IssuedRunner{std::move(*made), token.plain};
}

base::Result<IssuedToken> reset_token(Transaction& tx, const App& app, const Runner& runner) {
  const auto token = fresh_token(runner.type, runner.by_user);
  const auto expires_at = FR_TRY(new_expiry(tx, runner, app.now()));
  FR_CHECK(
      tx.execute("UPDATE runners SET token_digest = ?, token_short = ?, token_expires_at = ?, successor_sealed = NULL "
                 "WHERE id = ?",
                 {token.digest, token.shown, expires_at, runner.id}));
  FR_CHECK(tx.execute("DELETE FROM replaced_tokens WHERE runner_id = ?", {runner.id}));
  FR_CHECK(tx.execute("DELETE FROM ephemeral_tokens WHERE runner_id = ?", {runner.id}));
  return IssuedToken{token.plain, expires_at};
}

Outcome<IssuedToken> rotate_token(Transaction& tx, const Call& call, const Authenticated& known) {
  const App& app = call.app;
  const auto& runner = known.runner;
  const auto now = app.now();
  API_CHECK(tx.execute("UPDATE runners SET contacted_at = ? WHERE id = ?", {now, runner.id}));
  if (known.replaced()) {
    if (!API_TRY(is_known_place(tx, call, known))) return std::unexpected(forbidden());
    const auto row = API_TRY(tx.query_one("SELECT successor_sealed FROM runners WHERE id = ?", {runner.id}));
    return IssuedToken{API_TRY(app.vault.unseal(row->text("successor_sealed"))), runner.token_expires_at};
  }
  const auto token = fresh_token(runner.type, runner.by_user);
  const auto expires_at = API_TRY(new_expiry(tx, runner, now));
  const auto changed = API_TRY(
      tx.execute("UPDATE runners SET token_digest = ?, token_short = ?, token_expires_at = ?, successor_sealed = ? "
                 "WHERE id = ? AND token_digest = ?",
                 {token.digest, token.shown, expires_at, app.vault.seal(token.plain), runner.id, known.digest}));
  if (changed == 0) {
    // Another manager was faster, through another process: its token is the successor of this one too.
    const auto again = API_TRY(find_by_digest(tx, known.digest, now));
    if (!again || !again->replaced()) return std::unexpected(forbidden());
    return rotate_token(tx, call, *again);
  }
  // Its own expiry is what whoever holds it waits for; without one it has a day.
  API_CHECK(tx.execute("INSERT INTO replaced_tokens (runner_id, digest, replaced_at, valid_until) VALUES (?, ?, ?, ?)",
                       {runner.id, known.digest, now, runner.token_expires_at.value_or(now + kGrace)}));
  API_CHECK(tx.execute("DELETE FROM ephemeral_tokens WHERE runner_id = ?", {runner.id}));
  API_CHECK(audit(tx, call, "ci_runner_token_reset", subject_of(runner),
                  json::Value::object({{"rotated_by", "runner"}}), &runner));
  return IssuedToken{token.plain, expires_at};
}

base::Result<std::optional<std::string>> ephemeral_token(Transaction& tx, const App& app, const Runner& runner,
                                                         std::int64_t user_id) {
  if (!runner.by_user || runner.creator_id != user_id) return std::nullopt;
  const auto row = FR_TRY(
      tx.query_one("SELECT token_sealed FROM ephemeral_tokens e WHERE runner_id = ? AND expires_at > ? AND NOT EXISTS "
                   "(SELECT 1 FROM runner_managers m WHERE m.runner_id = e.runner_id)",
                   {runner.id, app.now()}));
  if (!row) return std::nullopt;
  return FR_TRY(app.vault.unseal(row->text("token_sealed")));
}

base::Result<std::string> reset_registration_token(Transaction& tx, const Vault& vault, std::string_view scope,
                                                   std::int64_t scope_id) {
  auto plain = "GR1348941" + base::random_token(20);
  FR_CHECK(tx.execute(
      "INSERT INTO registration_tokens (scope, scope_id, token_sealed, digest) VALUES (?, ?, ?, ?) ON CONFLICT (scope, "
      "scope_id) DO UPDATE SET token_sealed = excluded.token_sealed, digest = excluded.digest",
      {scope, scope_id, vault.seal(plain), token_digest(plain)}));
  return plain;
}

base::Result<std::string> registration_token(Transaction& tx, const Vault& vault, std::string_view scope,
                                             std::int64_t scope_id) {
  const auto row = FR_TRY(
      tx.query_one("SELECT token_sealed FROM registration_tokens WHERE scope = ? AND scope_id = ?", {scope, scope_id}));
  if (row) return vault.unseal(row->text("token_sealed"));
  if (!tx.writing()) return base::fail(base::ErrorKind::kConflict, std::string(kNeedsWriting));
  return reset_registration_token(tx, vault, scope, scope_id);
}

base::Result<std::optional<RegistrationScope>> find_registration_token(Transaction& tx, std::string_view token) {
  const auto digest = token_digest(token);
  const auto row =
      FR_TRY(tx.query_one("SELECT scope, scope_id, digest FROM registration_tokens WHERE digest = ?", {digest}));
  if (!row || !base::constant_time_equal(row->text("digest"), digest)) return std::nullopt;
  return RegistrationScope{row->text("scope"), row->integer("scope_id")};
}

base::Result<RegistrationRules> registration_rules(Transaction& tx, RunnerType type, const Namespace* space) {
  RegistrationRules rules;
  rules.tokens_allowed = FR_TRY(setting_flag(tx, "allow_runner_registration_token"));
  rules.workflow_enabled =
      FR_TRY(feature_enabled(tx, type == RunnerType::kInstance ? kCreateRunnerForAdmin : kCreateRunnerForNamespace));
  if (type == RunnerType::kInstance) return rules;
  const auto registrars = FR_TRY(setting(tx, "valid_runner_registrars"));
  rules.registrar_allowed = false;
  for (const auto& item : registrars.is_array() ? registrars.as_array() : json::Array{}) {
    if (item.string_or("") == (type == RunnerType::kGroup ? "group" : "project")) rules.registrar_allowed = true;
  }
  for (const auto id : space && space->is_group() ? space->chain : std::vector<std::int64_t>{}) {
    const auto group = FR_TRY(find_namespace(tx, id));
    if (!group) continue;
    if (!group->runner_registration_enabled) rules.registrar_allowed = false;
    if (!group->parent_id && !group->allow_runner_registration_token) rules.tokens_allowed = false;
  }
  return rules;
}

} // namespace coordinator::model
