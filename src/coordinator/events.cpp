#include "coordinator/events.hpp"

#include "base/strings.hpp"

namespace coordinator {
namespace {

database::Subscription carry(Store& store, std::string channel, Event<std::int64_t>& event) {
  event.carry([&store, channel](std::int64_t id) { store.publish(channel, std::to_string(id)); });
  return store.subscribe(channel, [&event](const std::string& payload) {
    if (const auto id = base::parse_int(payload)) event.deliver(*id);
  });
}

database::Subscription carry(Store& store, std::string channel, Event<>& event, std::function<void()> missed = {}) {
  event.carry([&store, channel] { store.publish(channel); });
  return store.subscribe(channel, [&event](const std::string&) { event.deliver(); }, std::move(missed));
}

} // namespace

std::vector<database::Subscription> carry_events(App& app) {
  auto& events = app.events;
  std::vector<database::Subscription> out;
  out.push_back(carry(app.store, "runner_changed", events.runner_changed));
  out.push_back(carry(app.store, "runner_deleted", events.runner_deleted));
  out.push_back(carry(app.store, "eligibility_changed", events.eligibility_changed,
                      [&events] { events.eligibility_changed.deliver(); }));
  return out;
}

} // namespace coordinator
