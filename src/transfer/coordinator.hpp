// Talking to the coordinator about one job's artifacts. Private to the commands.
//
// Every request has the job's token in a header, never in its address. "Later" answers (429) are waited for here, other
// retries are the commands' own. One thread.
#pragma once

#include <optional>
#include <string>

#include "base/result.hpp"
#include "gitlab/wire.hpp"
#include "net/http_client.hpp"
#include "transfer/commands.hpp"
#include "transfer/messages.hpp"

namespace transfer {

struct Reply {
  gitlab::Answer answer;
  std::string method;
  std::string url;
  std::string host;     // that answered, after redirects
  std::string location; // of a redirect that was not followed
  std::string correlation_id;
  std::vector<std::pair<std::string, std::string>> headers;

  std::string status_line() const; // "403 Forbidden"
  // For success the status line, else what the server says in JSON (or, from an object store, XML).
  std::string text() const;
};

class JobClient {
 public:
  explicit JobClient(const JobCredentials& credentials);

  // `path` is below api/v4/jobs/<id>/. The token goes to wherever the coordinator redirects an upload to, because a
  // secondary site hands uploads to the primary one; elsewhere it stays with the coordinator's host.
  base::Result<Reply> send(net::HttpRequest request, const std::string& path);

  // Fields of every line about a request: id, short token, correlation id and status.
  Fields fields(const Reply* reply) const;

 private:
  base::Result<Reply> send_once(net::HttpRequest& request);

  const JobCredentials& credentials_;
  net::HttpClient http_;
};

} // namespace transfer
