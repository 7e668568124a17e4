#include "net/http_connection.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>
#include <ctime>
#include <limits>

#include "base/hash.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "net/url.hpp"
#include "sys/files.hpp"

namespace net {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::size_t kMaxHeader = 64u << 10;
constexpr std::size_t kPiece = 64u << 10;
constexpr std::size_t kReadAhead = 4096;
constexpr std::size_t kFilePiece = 256u << 10;
constexpr std::size_t kMaxLinger = 64u << 20;
// More than a header, a chunk's size line and what is read at once need together.
constexpr std::size_t kMostBuffered = 4 * kMaxHeader;
constexpr std::uint64_t kDiskCheck = 16u << 20; // a spooled body asks for room on the disk as often
constexpr std::chrono::seconds kLingerTime{5};

std::string http_date() {
  std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[parts.tm_wday], parts.tm_mday,
                     kMonths[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

bool has_no_body(int status) { return status / 100 == 1 || status == 204 || status == 304; }

// Proxies send "GET http://host/path"; everybody else the path alone.
std::string_view origin_form(std::string_view target) {
  auto scheme = target.find("://");
  if (target.starts_with('/') || scheme == std::string_view::npos) return target;
  auto slash = target.find('/', scheme + 3);
  return slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
}

} // namespace

std::string_view reason_phrase(int status) {
  auto known = http::int_to_status(static_cast<unsigned>(status));
  if (known == http::status::unknown) return status == 422 ? "Unprocessable Entity" : "Status";
  auto text = http::obsolete_reason(known);
  if (status == 413) return "Request Entity Too Large";
  return {text.data(), text.size()};
}

// ---- receiving ----------------------------------------------------------------------------------------------------

Connection::Connection(std::shared_ptr<ServerCore> core, Socket socket, std::string remote_address)
    : core_(std::move(core)),
      socket_(std::move(socket)),
      remote_address_(std::move(remote_address)),
      buffer_(kMostBuffered) {}

Connection::~Connection() { core_->buffered -= buffered_; }

void Connection::enter(Phase phase) {
  phase_ = phase;
  phase_began_ = Clock::now();
}

void Connection::start() {
  error_code ignored;
  socket_.non_blocking(true, ignored);
  await_request(core_->options.header_timeout);
}

void Connection::close() {
  if (std::exchange(closed_, true)) return;
  error_code ignored;
  socket_.close(ignored);
  if (auto state = state_.lock()) state->lost();
  if (stream_ != nullptr) stream_->cancel();
  forget_body();
  core_->connections.erase(shared_from_this());
}

void Connection::sweep(Clock::time_point now) {
  if (deadline_ && now >= *deadline_) close();
}

void Connection::await_request(std::chrono::milliseconds timeout) {
  arm(timeout);
  enter(Phase::kReceiving);
  idle_ = true;
  if (buffer_.size() > 0) return read_header();
  read_ahead();
}

// Reads what comes next while a handler works: a client that goes away is noticed, a further request is kept. There is
// no room set aside to read into before there is something to read: thousands of connections just wait.
void Connection::read_ahead() {
  if (reading_ahead_) return;
  reading_ahead_ = true;
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](error_code error) {
    self->reading_ahead_ = false;
    if (self->closed_) return;
    if (error) return self->close();
    std::size_t size = self->socket_.read_some(self->buffer_.prepare(kReadAhead), error);
    if (error == asio::error::would_block || error == asio::error::try_again) return self->read_ahead();
    if (error) return self->close();
    self->buffer_.commit(size);
    if (self->idle_) self->read_header();
  });
}

void Connection::read_header() {
  idle_ = false;
  arm(core_->options.header_timeout);
  enter(Phase::kReceiving);
  parser_.emplace();
  parser_->eager(true);
  parser_->header_limit(kMaxHeader);
  // The route's limit is not known yet. "No limit" (boost::none) would refuse every body in Beast 1.81.
  parser_->body_limit(std::numeric_limits<std::uint64_t>::max());
  http::async_read_header(socket_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
    if (self->closed_) return;
    if (error == http::error::header_limit) return self->refuse(431);
    if (error == http::error::end_of_stream || error.category() != make_error_code(http::error::bad_target).category())
      return error ? self->close() : self->begin_request();
    self->refuse(400);
  });
}

void Connection::begin_request() {
  ++serial_;
  keep_alive_ = parser_->get().keep_alive();
  read_request_fields();
  head_only_ = request_.method == "HEAD";

  auto match = core_->router.find(request_.method, request_.path);
  route_ = match.route;
  request_.path_params = std::move(match.path_params);
  if (route_ == nullptr) {
    // The body is not read: what follows on this connection would be taken for a request.
    keep_alive_ = keep_alive_ && parser_->is_done();
    return write_response(core_->fallback(request_, match.other_methods ? 405 : 404));
  }
  slow_ = route_->options.slow && route_->options.slow(request_);
  max_body_ = route_->options.max_body;
  if (auto status = early_refusal()) return refuse(*status);
  if (route_->options.admit) return ask_admission();
  take_body();
}

void Connection::ask_admission() {
  disarm();
  enter(Phase::kWorking);
  bool accepted = pool().try_submit([self = shared_from_this()] {
    Admission admission;
    try {
      admission = self->route_->options.admit(self->request_); // which nobody else touches meanwhile
    } catch (const std::exception& error) {
      base::log::error(std::string("a request's admission failed: ") + error.what());
      admission.refusal = self->core_->error_page(500);
    }
    self->core_->post([self, admission = std::move(admission)]() mutable {
      if (!self->closed_) self->admitted(std::move(admission));
    });
  });
  if (!accepted) refuse(503);
}

void Connection::admitted(Admission admission) {
  enter(Phase::kReceiving);
  if (admission.refusal) {
    keep_alive_ = keep_alive_ && parser_->is_done();
    return write_response(std::move(*admission.refusal));
  }
  max_body_ = std::min(max_body_, admission.max_body.value_or(max_body_));
  if (auto status = early_refusal()) return refuse(*status);
  take_body();
}

void Connection::take_body() {
  parser_->body_limit(max_body_);
  if (parser_->is_done()) return dispatch();
  if (route_->options.spool && !open_spool()) return refuse(500);
  if (!base::equals_ignore_case(request_.headers.get("Expect"), "100-continue")) return start_body();
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  asio::async_write(socket_, asio::buffer(kContinue), [self = shared_from_this()](error_code error, std::size_t) {
    if (self->closed_) return;
    if (error) return self->close();
    self->start_body();
  });
}

void Connection::read_request_fields() {
  const auto& message = parser_->get();
  request_ = Request();
  request_.method = std::string(message.method_string());
  request_.target = std::string(message.target());
  auto target = origin_form(request_.target);
  target = target.substr(0, target.find('#'));
  auto question = target.find('?');
  request_.path = target.substr(0, question);
  if (question != std::string_view::npos) {
    request_.query_string = target.substr(question + 1);
    request_.query = parse_query(request_.query_string);
  }
  for (const auto& field : message) {
    auto name = field.name_string();
    auto value = field.value();
    request_.headers.add({name.data(), name.size()}, {value.data(), value.size()});
  }
  auto client = core_->options.trusted_proxies.client_of(remote_address_, request_.headers);
  request_.remote_address = std::move(client.address);
  request_.https = client.https;
}

std::optional<int> Connection::early_refusal() const {
  auto expect = request_.headers.get("Expect");
  if (!expect.empty() && !base::equals_ignore_case(expect, "100-continue")) return 417;
  auto length = parser_->content_length();
  if (length && *length > max_body_) return 413;
  return std::nullopt;
}

bool Connection::open_spool() {
  const auto& configured = core_->options.spool_dir;
  const char* system = std::getenv("TMPDIR");
  std::string directory = !configured.empty() ? configured : system != nullptr && *system != '\0' ? system : "/tmp";
  std::string path = sys::join_path(directory, "upload-" + base::random_hex(24));
  auto file = sys::open_fd(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (!file) {
    base::log::error("cannot keep a request's body: " + file.error().message());
    return false;
  }
  spool_ = std::move(*file);
  spool_path_ = path;
  return true;
}

void Connection::start_body() {
  body_began_ = Clock::now();
  read_body();
}

void Connection::read_body() {
  const auto& options = core_->options;
  arm(options.body_timeout);
  // Each byte in time is not enough: a body of drips would hold its connection for days.
  std::chrono::seconds earned(request_.body_size / std::max<std::size_t>(options.min_body_rate, 1));
  deadline_ = std::min(*deadline_, body_began_ + options.body_timeout + earned);
  auto left = parser_->content_length_remaining();
  std::size_t room = left ? static_cast<std::size_t>(std::min<std::uint64_t>(*left, kPiece)) : kPiece;
  piece_.resize(std::max<std::size_t>(room, 1));
  auto& body = parser_->get().body();
  body.data = piece_.data();
  body.size = piece_.size();
  http::async_read_some(socket_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
    if (self->closed_) return;
    if (error == http::error::body_limit) return self->refuse(413);
    if (error == http::error::need_buffer) error = {};
    if (error && error.category() == make_error_code(http::error::bad_target).category() &&
        error != http::error::partial_message && error != http::error::end_of_stream)
      return self->refuse(400);
    if (error) return self->close();
    self->body_piece(self->piece_.size() - self->parser_->get().body().size);
  });
}

void Connection::body_piece(std::size_t size) {
  request_.body_size += size;
  std::string_view bytes = std::string_view(piece_).substr(0, size);
  if (request_.body_size > max_body_) return refuse(413);
  if (!keep_piece(bytes)) return;
  if (!parser_->is_done()) return read_body();
  piece_ = std::string(); // "= {}" would keep the room
  dispatch();
}

bool Connection::keep_piece(std::string_view bytes) {
  if (!spool_.valid()) {
    if (!core_->reserve(bytes.size(), *this)) {
      refuse(503);
      return false;
    }
    buffered_ += bytes.size();
    request_.body += bytes;
    return true;
  }
  auto before = request_.body_size - bytes.size();
  if ((before == 0 || before / kDiskCheck != request_.body_size / kDiskCheck) && !disk_has_room()) {
    refuse(503);
    return false;
  }
  if (auto written = sys::write_all(spool_.get(), bytes); !written) {
    base::log::error("cannot keep a request's body: " + written.error().message());
    refuse(503);
    return false;
  }
  return true;
}

bool Connection::disk_has_room() {
  struct statvfs room{};
  if (fstatvfs(spool_.get(), &room) != 0) return true;
  if (room.f_bavail * room.f_frsize >= core_->options.min_free_disk) return true;
  base::log::error("the disk is nearly full: bodies of requests are refused", {{"path", spool_path_}});
  return false;
}

void Connection::dispatch() {
  disarm();
  enter(Phase::kWorking);
  auto state = std::make_shared<Responder::State>(core_, weak_from_this());
  state->serial = serial_;
  state->buffered = std::exchange(buffered_, 0);
  if (spool_.valid()) {
    spool_.reset();
    request_.body_file = spool_path_;
    state->spool_file = std::exchange(spool_path_, {});
  }
  state_ = state;
  awaiting_answer_ = true;
  parser_.reset();
  buffer_.shrink_to_fit();
  read_ahead();
  bool accepted = pool().try_submit(
      [handler = &route_->handler, request = std::move(request_), responder = Responder(std::move(state))]() mutable {
        try {
          (*handler)(std::move(request), std::move(responder)); // the task keeps no part of it
        } catch (const std::exception& error) {
          base::log::error(std::string("a request's handler failed: ") + error.what());
        }
      });
  if (!accepted) refuse(503);
}

// ---- answering ----------------------------------------------------------------------------------------------------

void Connection::forget_body() {
  spool_.reset();
  if (!spool_path_.empty()) unlink(std::exchange(spool_path_, {}).c_str());
  if (buffered_ == 0) return;
  core_->buffered -= std::exchange(buffered_, 0);
  request_.body = std::string();
}

void Connection::refuse(int status) {
  forget_body();
  keep_alive_ = false;
  awaiting_answer_ = false;
  ++serial_;
  write_response(core_->error_page(status));
}

void Connection::respond(std::uint64_t serial, Response response) {
  if (closed_ || !awaiting_answer_ || serial != serial_) return;
  awaiting_answer_ = false;
  write_response(std::move(response));
}

std::string Connection::head_of(const Response& response, std::optional<std::uint64_t> length, bool chunked) const {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_phrase(response.status));
  auto add = [&](std::string_view name, std::string_view value) {
    head.append(name).append(": ");
    for (char c : value) // a line end in a value would be a field of its own
      if (c != '\r' && c != '\n') head += c;
    head += "\r\n";
  };
  for (const auto& [name, value] : response.headers)
    if (!base::equals_ignore_case(name, "Content-Length") && !base::equals_ignore_case(name, "Transfer-Encoding") &&
        !base::equals_ignore_case(name, "Connection"))
      add(name, value);
  if (!core_->options.server_name.empty() && !response.headers.contains("Server"))
    add("Server", core_->options.server_name);
  add("Date", http_date());
  if (length) add("Content-Length", fmt::to_string(*length));
  if (chunked) add("Transfer-Encoding", "chunked");
  if (!keep_alive_) add("Connection", "close");
  return head + "\r\n";
}

void Connection::write_response(Response response) {
  enter(Phase::kSending);
  arm(core_->options.body_timeout);
  bool bodiless = has_no_body(response.status);
  if (response.stream != nullptr && !bodiless) {
    stream_left_ = response.stream->length();
    auto head = head_of(response, stream_left_, !stream_left_);
    return write_stream(std::move(head), std::move(response.stream));
  }
  if (response.file && !bodiless) {
    auto size = sys::file_size(response.file->path);
    if (!size) {
      keep_alive_ = false;
      return write_response(core_->error_page(500));
    }
    auto& file = *response.file;
    file.offset = std::min(file.offset, *size);
    file.length = std::min(file.length.value_or(*size), *size - file.offset);
    auto head = head_of(response, *file.length, false);
    return write_file(std::move(head), std::move(file));
  }
  auto message = head_of(response, bodiless ? std::nullopt : std::optional<std::uint64_t>(response.body.size()), false);
  if (!head_only_ && !bodiless) message += response.body;
  send_piece(std::move(message), &Connection::response_done);
}

void Connection::send_piece(std::string piece, void (Connection::*next)()) {
  arm(core_->options.body_timeout);
  piece_ = std::move(piece);
  asio::async_write(socket_, asio::buffer(piece_), [self = shared_from_this(), next](error_code error, std::size_t) {
    if (self->closed_) return;
    if (error) return self->close();
    ((*self).*next)();
  });
}

void Connection::write_file(std::string head, FileBody file) {
  auto opened = sys::open_fd(file.path, O_RDONLY);
  if (!opened) return close();
  file_ = std::move(*opened);
  file_offset_ = file.offset;
  file_left_ = head_only_ ? 0 : *file.length;
  send_piece(std::move(head), &Connection::file_piece);
}

void Connection::file_piece() {
  if (file_left_ == 0) {
    file_.reset();
    return response_done();
  }
  auto read_next = [self = shared_from_this()] {
    std::string piece(static_cast<std::size_t>(std::min<std::uint64_t>(kFilePiece, self->file_left_)), '\0');
    ssize_t got = pread(self->file_.get(), piece.data(), piece.size(), static_cast<off_t>(self->file_offset_));
    piece.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    self->core_->post([self, data = std::move(piece)]() mutable {
      if (self->closed_) return;
      if (data.empty()) return self->close(); // the file became shorter than was promised
      self->file_offset_ += data.size();
      self->file_left_ -= data.size();
      self->send_piece(std::move(data), &Connection::file_piece);
    });
  };
  if (!pool().try_submit(read_next)) close();
}

void Connection::write_stream(std::string head, std::shared_ptr<StreamBody> stream) {
  if (head_only_) return send_piece(std::move(head), &Connection::response_done);
  stream_ = std::move(stream);
  send_piece(std::move(head), &Connection::stream_piece);
}

void Connection::stream_piece() {
  disarm(); // the producer may take its time
  auto read_next = [self = shared_from_this(), stream = stream_] {
    std::string data(kPiece, '\0');
    ssize_t got = -1;
    try {
      got = stream->read(data.data(), data.size());
    } catch (const std::exception& error) {
      base::log::error(std::string("an answer's stream failed: ") + error.what());
    }
    data.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    self->core_->post([self, got, data = std::move(data)]() mutable {
      if (self->closed_) return;
      if (got < 0) return self->close();
      bool end = data.empty();
      std::string piece;
      if (self->stream_left_) {
        if (end ? *self->stream_left_ > 0 : data.size() > *self->stream_left_) return self->close();
        *self->stream_left_ -= data.size();
        piece = std::move(data);
      } else {
        piece = fmt::format("{:x}\r\n", data.size()) + data + "\r\n";
      }
      if (end) self->stream_.reset();
      if (piece.empty()) return self->response_done();
      self->send_piece(std::move(piece), end ? &Connection::response_done : &Connection::stream_piece);
    });
  };
  if (!pool().try_submit(read_next)) close();
}

void Connection::response_done() {
  piece_ = std::string(); // "= {}" would keep the room
  parser_.reset();
  if (!keep_alive_ || core_->stopping) return linger();
  await_request(core_->options.idle_timeout);
}

// A close with unread bytes resets the connection, and the client would lose the answer it was just sent.
void Connection::linger() {
  if (lingered_ == 0) {
    enter(Phase::kLingering);
    error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
    arm(kLingerTime);
  }
  idle_ = false;
  if (reading_ahead_ || lingered_ > kMaxLinger) return close();
  piece_.resize(kPiece);
  socket_.async_read_some(asio::buffer(piece_), [self = shared_from_this()](error_code error, std::size_t size) {
    if (self->closed_) return;
    if (error) return self->close();
    self->lingered_ += size;
    self->linger();
  });
}

} // namespace net
