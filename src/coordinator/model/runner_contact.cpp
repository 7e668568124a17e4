// Contact: what runners and their managers say about themselves, and when.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "coordinator/model/clone_watch.hpp"
#include "coordinator/model/runners.hpp"

namespace coordinator::model {
namespace {

constexpr std::int64_t kFreshContact = 5LL * 60 * 1000; // long polls come every minute

std::string limited(const json::Value& info, std::string_view name, std::size_t limit) {
  auto text = info[name].string_or("");
  if (text.size() > limit) text.clear();
  return text;
}

std::string executor_name(const json::Value& info) {
  static constexpr std::string_view known[] = {
      "custom",    "shell",      "docker",         "docker-windows",     "docker-ssh", "ssh",
      "parallels", "virtualbox", "docker+machine", "docker-ssh+machine", "kubernetes", "docker-autoscaler",
      "instance"};
  const auto name = info["executor"].string_or("");
  if (name.empty()) return name;
  return std::ranges::find(known, name) != std::end(known) ? name : "unknown";
}

// Some thirty features, or as many labels as a runner may have; whoever holds a token must not fill the database.
constexpr std::size_t kLargestObject = 16u << 10;
constexpr std::int64_t kMostManagers = 20'000; // of a runner

std::string object_text(const json::Value& value) {
  auto text = value.is_object() ? value.dump() : std::string("{}");
  return text.size() <= kLargestObject ? text : "{}";
}

constexpr std::array<std::string_view, 8> kDetails = {"version",  "revision", "platform", "architecture",
                                                      "executor", "config",   "features", "labels"};

// What a manager's row keeps of `info`, in the order of kDetails.
std::array<std::string, 8> details_of(const json::Value& info) {
  return {limited(info, "version", 2048),
          limited(info, "revision", 255),
          limited(info, "platform", 255),
          limited(info, "architecture", 255),
          executor_name(info),
          json::Value::object({{"gpus", limited(info["config"], "gpus", 255)}}).dump(),
          object_text(info["features"]),
          object_text(info["labels"])};
}

// The grace of replaced tokens ends when every manager seen lately has come with the new one.
base::Status end_grace(Transaction& tx, const Runner& runner, std::string_view digest, std::int64_t now) {
  const auto behind = FR_TRY(
      tx.count("SELECT (SELECT count(*) FROM runners WHERE id = ? AND token_digest <> ?) + (SELECT count(*) FROM "
               "runner_managers WHERE runner_id = ? AND contacted_at > ? AND coalesce(last_digest, '') <> ?)",
               {runner.id, digest, runner.id, now - kStaleAfter, digest}));
  if (behind > 0) return {};
  FR_CHECK(tx.execute("DELETE FROM replaced_tokens WHERE runner_id = ?", {runner.id}));
  FR_CHECK(tx.execute("UPDATE runners SET successor_sealed = NULL WHERE id = ?", {runner.id}));
  return {};
}

// Two hosts with one system ID, as copies of a machine image have, take turns at one manager.
base::Status note_sighting(Transaction& tx, const std::optional<Row>& before, std::int64_t runner_id,
                           std::string_view system_id, const Contact& contact, std::int64_t now) {
  if (!contact.system_id) return {}; // <legacy> is many hosts by its nature
  const auto known = before ? before->text("sightings") : std::string();
  const auto seen = watch_for_clones(known, contact.ip_address, contact.info["version"].string_or(""), now);
  if (seen.sightings == known) return {};
  FR_CHECK(
      tx.execute("UPDATE runner_managers SET sightings = ?, clone_seen_at = coalesce(?, clone_seen_at) WHERE "
                 "runner_id = ? AND system_id = ?",
                 {seen.sightings, seen.is_clone ? Bind(now) : Bind(nullptr), runner_id, system_id}));
  return {};
}

} // namespace

Contact contact_from(const Call& call, const Authenticated& authenticated, bool polling) {
  Contact contact;
  const auto& system_id = call.params.raw("system_id");
  if (system_id.is_string() && !system_id.as_string().empty()) contact.system_id = system_id.as_string();
  if (system_id.is_integer()) contact.system_id = system_id.dump();
  contact.info = call.params.raw("info");
  contact.ip_address = call.request.remote_address;
  contact.digest = authenticated.digest;
  contact.polling = polling;
  return contact;
}

Outcome<Manager> record_contact(Transaction& tx, const App& app, const Runner& runner, const Contact& contact) {
  const auto now = app.now();
  const std::string system_id = contact.system_id.value_or(std::string(kLegacySystemId));
  if (system_id.size() > 64) {
    Violations violations;
    violations.add("system_xid", "is too long (maximum is 64 characters)");
    return std::unexpected(violations.as_object());
  }
  const auto known =
      API_TRY(tx.execute("UPDATE runners SET contacted_at = ?, creation_state = CASE WHEN ? THEN 'finished' ELSE "
                         "creation_state END WHERE id = ?",
                         {now, contact.polling, runner.id}));
  if (known == 0) return std::unexpected(forbidden()); // deleted since it was authenticated
  auto row = API_TRY(
      tx.query_one("SELECT * FROM runner_managers WHERE runner_id = ? AND system_id = ?", {runner.id, system_id}));
  if (!row) {
    if (API_TRY(tx.count("SELECT count(*) FROM runner_managers WHERE runner_id = ?", {runner.id})) >= kMostManagers) {
      Violations violations;
      violations.add("base", fmt::format("Maximum number of runner managers ({}) exceeded", kMostManagers));
      return std::unexpected(violations.as_object());
    }
    API_CHECK(
        tx.execute("INSERT INTO runner_managers (runner_id, system_id, created_at) VALUES (?, ?, ?) ON CONFLICT "
                   "(runner_id, system_id) DO NOTHING",
                   {runner.id, system_id, now}));
    API_CHECK(tx.execute("DELETE FROM ephemeral_tokens WHERE runner_id = ?", {runner.id}));
  }
  API_CHECK(note_sighting(tx, row, runner.id, system_id, contact, now));
  API_CHECK(
      tx.execute("UPDATE runner_managers SET contacted_at = ?, ip_address = ?, last_digest = coalesce(?, last_digest), "
                 "creation_state = "
                 "CASE WHEN ? THEN 'finished' ELSE creation_state END WHERE runner_id = ? AND system_id = ?",
                 {now, contact.ip_address, contact.digest.empty() ? Bind(nullptr) : Bind(contact.digest),
                  contact.polling, runner.id, system_id}));
  if (contact.info.is_object()) {
    Binds binds;
    for (auto& detail : details_of(contact.info)) binds.emplace_back(std::move(detail));
    binds.emplace_back(runner.id);
    binds.emplace_back(system_id);
    API_CHECK(tx.execute(
        "UPDATE runner_managers SET version = ?, revision = ?, platform = ?, architecture = ?, executor = ?, "
        "config = ?, features = ?, labels = ? WHERE runner_id = ? AND system_id = ?",
        binds));
  }
  if (!contact.digest.empty() && runner.rotating) API_CHECK(end_grace(tx, runner, contact.digest, now));
  row = API_TRY(
      tx.query_one("SELECT * FROM runner_managers WHERE runner_id = ? AND system_id = ?", {runner.id, system_id}));
  return manager_from(*row);
}

base::Result<std::optional<std::int64_t>> unchanged_manager(Transaction& tx, const Runner& runner,
                                                            const Contact& contact, std::int64_t now) {
  if (runner.rotating || !runner.creation_finished || runner.contacted_at.value_or(0) < now - kFreshContact) {
    return std::nullopt;
  }
  const auto row = FR_TRY(tx.query_one("SELECT * FROM runner_managers WHERE runner_id = ? AND system_id = ?",
                                       {runner.id, contact.system_id.value_or(std::string(kLegacySystemId))}));
  if (!row || row->text("creation_state") != "finished" || row->integer("contacted_at") < now - kFreshContact ||
      row->text("ip_address") != contact.ip_address || row->text("last_digest") != contact.digest) {
    return std::nullopt;
  }
  if (contact.info.is_object()) {
    const auto details = details_of(contact.info);
    for (std::size_t i = 0; i < details.size(); ++i) {
      if (row->text(kDetails[i]) != details[i]) return std::nullopt;
    }
  }
  return row->integer("id");
}

} // namespace coordinator::model
