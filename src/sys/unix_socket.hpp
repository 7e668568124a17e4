// Unix sockets named by directory and file, free of sun_path's 108 characters, and messages of one line over them.
//
// A LineChannel is used by one thread for reading and one for writing at most.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "sys/cancel.hpp"
#include "sys/fd.hpp"

namespace sys {

// A stale socket file of that name is replaced; the new one has mode 0600.
base::Result<Fd> listen_unix(const std::string& directory, const std::string& name, int backlog = 8);
// kNotFound: no such file; kUnavailable: nobody listens.
base::Result<Fd> connect_unix(const std::string& directory, const std::string& name);
// Waits for a peer; kCanceled/kTimeout when the token is raised.
base::Result<Fd> accept_unix(int listener, const CancelToken& cancel);

class LineChannel {
 public:
  LineChannel() = default;
  explicit LineChannel(Fd socket);

  int fd() const { return socket_.get(); }
  bool open() const { return socket_.valid(); }
  void close() { socket_.reset(); }

  // The line without its newline; it must not contain one. Waits for room; kUnavailable when the peer is gone.
  base::Status send(std::string_view line, const CancelToken& cancel);
  // The next line without its newline; nullopt at the end of the stream. kLimit for a line over kMaxLine.
  base::Result<std::optional<std::string>> receive(const CancelToken& cancel);
  // What has arrived, without blocking: a line, or nullopt when none is complete. Sets ended() at the end of the
  // stream.
  base::Result<std::optional<std::string>> try_receive();
  bool ended() const { return ended_; }
  static constexpr std::size_t kMaxLine = 1u << 20;

 private:
  std::optional<std::string> take_line();

  Fd socket_;
  std::string buffer_;
  bool ended_ = false;
};

} // namespace sys
