// Server: the coordinator assembled: store, vault, API, HTTP. And run(), the command's entry.
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"
#include "coordinator/app.hpp"

namespace coordinator {

class Api;
struct Work;

class Server {
 public:
  // Opens the data directory (one server at a time, several with a PostgreSQL database), migrates, makes the
  // administrator on the first start, registers all routes.
  static base::Result<std::unique_ptr<Server>> create(Options options, base::Clock* clock = nullptr);
  ~Server();

  base::Status listen();              // binds; url() is final after this
  const std::string& url() const;     // external URL
  const std::string& address() const; // http://127.0.0.1:<port> as bound
  App& app();
  Api& api();
  Work& work(); // for tests
  void run();   // serves until stop()
  void stop();  // from any thread

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// `forerunner coordinator`: serves until SIGTERM or SIGINT. Returns the exit status.
int run(const Options& options);

} // namespace coordinator
