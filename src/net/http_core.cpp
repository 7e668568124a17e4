// What all connections of a server share: room for new ones and for bodies, and the way of an answer to its connection.

#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <unordered_map>
#include <utility>
#include <vector>

#include "net/http_connection.hpp"

namespace net {

namespace asio = boost::asio;

ServerCore::ServerCore(ServerOptions options_in)
    : options(std::move(options_in)), loop(std::make_unique<asio::io_context>(1)) {}

void ServerCore::post(std::function<void()> work) {
  std::lock_guard lock(loop_mutex);
  if (loop != nullptr) asio::post(*loop, std::move(work));
}

void ServerCore::destroy_loop() {
  std::unique_ptr<asio::io_context> gone;
  std::lock_guard lock(loop_mutex);
  gone = std::move(loop);
}

void ServerCore::stop_pools() {
  slow_pool->stop();
  pool->stop();
}

// At the limit a flood of connections that send nothing must not shut others out: room is made among those that wait,
// where most come from. Some at a time, because looking through all of them costs.
bool ServerCore::make_room() {
  // Who does not read its answer comes after those who do not send their request.
  return make_room([](const Connection& connection) { return connection.waits_for_client(); }) ||
         make_room([](const Connection& connection) { return connection.sends(); });
}

bool ServerCore::make_room(bool (*may_go)(const Connection&)) {
  std::unordered_map<std::string_view, std::vector<Connection*>> waiting;
  for (const auto& connection : connections)
    if (may_go(*connection)) waiting[connection->remote_address()].push_back(connection.get());
  auto most = std::ranges::max_element(waiting, {}, [](const auto& entry) { return entry.second.size(); });
  if (most == waiting.end()) return false;
  auto& candidates = most->second;
  std::size_t some = std::max<std::size_t>(1, std::min(candidates.size() / 2, connections.size() / 100));
  std::ranges::partial_sort(candidates, candidates.begin() + static_cast<std::ptrdiff_t>(some), {},
                            &Connection::phase_began);
  std::vector<std::shared_ptr<Connection>> gone;
  for (std::size_t i = 0; i < some; ++i) gone.push_back(candidates[i]->shared_from_this());
  for (const auto& connection : gone) connection->close();
  return true;
}

bool ServerCore::reserve(std::size_t size, const Connection& asking) {
  while (buffered + size > options.max_buffered) {
    std::shared_ptr<Connection> oldest;
    for (const auto& connection : connections)
      if (connection.get() != &asking && connection->waits_for_client() && connection->buffered() > 0 &&
          (oldest == nullptr || connection->phase_began() < oldest->phase_began()))
        oldest = connection;
    if (oldest == nullptr) return false;
    oldest->close();
  }
  buffered += size;
  return true;
}

// ---- Responder ----------------------------------------------------------------------------------------------------

Responder::State::~State() {
  if (!spool_file.empty()) unlink(spool_file.c_str());
  core->buffered -= buffered;
  if (sent || core->stopping) return;
  core->post([held = core, weak = connection, number = serial] {
    if (auto target = weak.lock()) target->respond(number, held->error_page(500));
  });
}

void Responder::State::deliver(Response response, std::shared_ptr<State> self) {
  {
    std::lock_guard lock(mutex);
    if (sent) return;
    sent = true;
    on_disconnect = nullptr;
  }
  auto held = core;
  auto answer = std::make_shared<Response>(std::move(response));
  // The state (and a spooled body with it) stays until the answer is on its way.
  held->post([self = std::move(self), answer] {
    if (auto target = self->connection.lock()) target->respond(self->serial, std::move(*answer));
  });
}

void Responder::State::lost() {
  std::function<void()> callback;
  {
    std::lock_guard lock(mutex);
    if (disconnected) return;
    disconnected = true;
    callback = std::exchange(on_disconnect, nullptr);
  }
  if (callback) callback();
}

void Responder::send(Response response) const {
  if (state_ != nullptr) state_->deliver(std::move(response), state_);
}

bool Responder::sent() const {
  if (state_ == nullptr) return false;
  std::lock_guard lock(state_->mutex);
  return state_->sent;
}

bool Responder::disconnected() const {
  if (state_ == nullptr) return true;
  std::lock_guard lock(state_->mutex);
  return state_->disconnected;
}

void Responder::on_disconnect(std::function<void()> callback) const {
  if (state_ == nullptr) return;
  {
    std::lock_guard lock(state_->mutex);
    if (state_->sent) return;
    if (!state_->disconnected) {
      state_->on_disconnect = std::move(callback);
      return;
    }
  }
  callback();
}

} // namespace net
