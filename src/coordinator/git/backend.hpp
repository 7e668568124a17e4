// Backend: one run of git's http-backend, its standard output as the body of an answer. The hooks of a push are served
// by whoever reads, over two FIFOs in a private directory.
//
// One thread at a time, but for cancel(). A run whose answer nobody reads any more is ended, or, once its push is
// taken, run to its end, by the thread of the Leftovers.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "coordinator/git/hooks.hpp"
#include "coordinator/git/turns.hpp"
#include "net/http_server.hpp"

namespace coordinator::git {

struct Session;
class Leftovers;
std::shared_ptr<Leftovers> make_leftovers(); // one for all runs

class Backend final : public net::StreamBody {
 public:
  Backend(std::shared_ptr<Leftovers> leftovers, std::shared_ptr<Turns::Turn> turn);
  ~Backend() override;

  base::Status open_hooks(const App& app, Push push); // before start(), for a push
  const std::string& hooks_directory() const;         // empty without hooks
  // `input`: the file with the request's body, empty for none.
  base::Status start(std::vector<std::string> environment, const std::string& input);
  // Up to the empty line after the CGI header; what was read beyond it comes first out of read().
  base::Result<std::string> read_head();
  ssize_t read(char* buffer, std::size_t size) override;
  void cancel() override;

 private:
  std::shared_ptr<Leftovers> leftovers_;
  std::unique_ptr<Session> session_;
  std::atomic<pid_t> pid_{-1};
  std::string rest_;
};

} // namespace coordinator::git
