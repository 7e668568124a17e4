// The server's inside: what all connections share, and one connection with the request it is working on.
//
// Internal to net. A Connection lives on the I/O thread alone; what other threads have to say reaches it by post().
// Deadlines are plain time points that one sweep looks at, so that thousands of idle connections cost no timers.
#pragma once

#include <atomic>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>

#include "net/http_router.hpp"
#include "net/http_server.hpp"
#include "sys/fd.hpp"
#include "sys/thread_pool.hpp"

namespace net {

class Connection;

struct ServerCore {
  explicit ServerCore(ServerOptions options_in);

  // From any thread; nothing happens when the server is gone.
  void post(std::function<void()> work);
  // Ends the loop for good: waiting operations hold this core, which holds the loop.
  void destroy_loop();
  void stop_pools();
  // Closes connections that only wait, of the address that has most of them; false when there are none. I/O thread.
  bool make_room();
  bool make_room(bool (*may_go)(const Connection&));
  // Bodies in memory; false: this one has no room, though the oldest unfinished ones were given up for it. I/O thread.
  bool reserve(std::size_t size, const Connection& asking);

  ServerOptions options;
  std::unique_ptr<boost::asio::io_context> loop;
  std::mutex loop_mutex; // guards the pointer against posts from other threads
  Router router;
  std::function<Response(const Request&, int)> fallback;
  std::function<Response(int)> error_page;
  std::unique_ptr<sys::ThreadPool> pool;
  std::unique_ptr<sys::ThreadPool> slow_pool;
  std::atomic<std::size_t> buffered = 0;                       // bytes of bodies in memory
  std::unordered_set<std::shared_ptr<Connection>> connections; // I/O thread
  std::atomic<bool> stopping = false;
};

// One request's answer on its way: made on the I/O thread, given to the handler.
struct Responder::State {
  State(std::shared_ptr<ServerCore> core_in, std::weak_ptr<Connection> connection_in)
      : core(std::move(core_in)), connection(std::move(connection_in)) {}
  ~State();

  void deliver(Response response, std::shared_ptr<State> self);
  void lost(); // the client went away; I/O thread

  std::shared_ptr<ServerCore> core;
  std::weak_ptr<Connection> connection;
  std::uint64_t serial = 0; // of the request on its connection
  std::string spool_file;
  std::size_t buffered = 0; // of the body, given back at the end

  std::mutex mutex;
  bool sent = false;
  bool disconnected = false;
  std::function<void()> on_disconnect;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;
  using Clock = std::chrono::steady_clock;

  Connection(std::shared_ptr<ServerCore> core, Socket socket, std::string remote_address);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();
  void start();
  void respond(std::uint64_t serial, Response response); // I/O thread
  void close();
  void sweep(Clock::time_point now);

  // The client has the word: nothing of ours is lost when this is closed.
  bool waits_for_client() const { return phase_ == Phase::kReceiving || phase_ == Phase::kLingering; }
  bool sends() const { return phase_ == Phase::kSending; }
  Clock::time_point phase_began() const { return phase_began_; }
  const std::string& remote_address() const { return remote_address_; }
  std::size_t buffered() const { return buffered_; }

 private:
  enum class Phase { kReceiving, kWorking, kSending, kLingering };
  using Parser = boost::beast::http::request_parser<boost::beast::http::buffer_body>;

  void await_request(std::chrono::milliseconds timeout);
  void read_header();
  void begin_request();
  void read_request_fields();
  std::optional<int> early_refusal() const;
  void ask_admission();
  void admitted(Admission admission);
  void take_body();
  void start_body();
  void read_body();
  bool keep_piece(std::string_view bytes); // false: refused
  bool disk_has_room();
  void forget_body();
  void enter(Phase phase);
  sys::ThreadPool& pool() const { return slow_ ? *core_->slow_pool : *core_->pool; }
  void body_piece(std::size_t size);
  bool open_spool();
  void dispatch();
  void read_ahead();

  void refuse(int status); // answers and closes
  void write_response(Response response);
  std::string head_of(const Response& response, std::optional<std::uint64_t> length, bool chunked) const;
  void write_file(std::string head, FileBody file);
  void file_piece();
  void write_stream(std::string head, std::shared_ptr<StreamBody> stream);
  void stream_piece();
  void send_piece(std::string piece, void (Connection::*next)());
  void response_done();
  void linger();
  void arm(std::chrono::milliseconds timeout) { deadline_ = Clock::now() + timeout; }
  void disarm() { deadline_.reset(); }

  std::shared_ptr<ServerCore> core_;
  Socket socket_;
  std::string remote_address_;
  boost::beast::flat_buffer buffer_; // bounded, so that no endless line fills it
  Phase phase_ = Phase::kReceiving;
  Clock::time_point phase_began_ = Clock::now();
  std::optional<Clock::time_point> deadline_;
  bool closed_ = false;

  // The request in work.
  std::optional<Parser> parser_;
  Request request_;
  const Route* route_ = nullptr;
  bool slow_ = false;
  std::size_t max_body_ = 0;
  std::size_t buffered_ = 0; // counted in core_->buffered
  std::string spool_path_;
  sys::Fd spool_;
  std::string piece_;
  Clock::time_point body_began_;
  std::uint64_t serial_ = 0;
  std::weak_ptr<Responder::State> state_;
  bool awaiting_answer_ = false;
  bool reading_ahead_ = false;
  bool idle_ = false; // between requests

  // The answer in work.
  bool keep_alive_ = false;
  bool head_only_ = false;
  sys::Fd file_;
  std::uint64_t file_offset_ = 0;
  std::uint64_t file_left_ = 0;
  std::shared_ptr<StreamBody> stream_;
  std::optional<std::uint64_t> stream_left_; // of its announced length
  std::size_t lingered_ = 0;
};

std::string_view reason_phrase(int status);

} // namespace net
