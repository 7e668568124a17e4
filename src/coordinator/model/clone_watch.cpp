#include "coordinator/model/clone_watch.hpp"

#include "json/json.hpp"

namespace coordinator::model {
namespace {

constexpr std::int64_t kTurn = 10LL * 60 * 1000;
constexpr std::int64_t kTurns = 3;

} // namespace

CloneWatch watch_for_clones(std::string_view sightings, std::string_view ip_address, std::string_view version,
                            std::int64_t now) {
  auto parsed = json::parse(sightings);
  json::Value state = parsed && parsed->is_object() ? std::move(*parsed) : json::Value::object();
  const auto place = std::string(ip_address) + " " + std::string(version);
  const auto last = state["last"].string_or("");
  if (last == place) return {std::string(sightings), false};
  if (last.empty()) return {json::Value::object({{"last", place}}).dump(), false};
  const bool back = state["other"].string_or("") == place && now - state["at"].integer_or(0) <= kTurn;
  const auto turns = back ? state["turns"].integer_or(0) + 1 : 1;
  return {json::Value::object({{"last", place}, {"other", last}, {"at", now}, {"turns", turns}}).dump(),
          turns >= kTurns};
}

} // namespace coordinator::model
