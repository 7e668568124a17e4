#include "coordinator/server.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "coordinator/api.hpp"
#include "coordinator/bootstrap.hpp"
#include "coordinator/data_dir.hpp"
#include "coordinator/events.hpp"
#include "coordinator/janitor.hpp"
#include "coordinator/objects/objects.hpp"
#include "coordinator/rest/routes.hpp"
#include "coordinator/runner_api/work.hpp"
#include "coordinator/schema.hpp"
#include "coordinator/web/register.hpp"
#include "sys/files.hpp"

namespace coordinator {

std::string App::path(std::string_view name) const { return sys::join_path(options.data_dir, name); }

namespace {

net::ServerOptions http_options(const Options& options, const DataDir& data_dir, net::TrustedProxies proxies) {
  net::ServerOptions http;
  http.trusted_proxies = std::move(proxies);
  http.slow_threads = 64; // more than git ever takes (git/http.cpp), so that uploads and sign-ins find one
  http.threads = options.threads;
  http.spool_dir = data_dir.spool();
  http.server_name = "forerunner";
  return http;
}

base::Status check_external_url(const std::string& url) {
  if (url.empty() || url.starts_with("http://") || url.starts_with("https://")) return {};
  return base::fail(base::ErrorKind::kInvalidInput,
                    fmt::format("--external-url {} must begin with http:// or https://", url));
}

base::Status check_database(const base::Secret& url) {
  const std::string& text = url.reveal();
  if (text.empty() || text.starts_with("postgresql://") || text.starts_with("postgres://")) return {};
  return base::fail(base::ErrorKind::kInvalidInput,
                    "--database must be postgresql://user:password@host/name; without it the database is a file in the "
                    "data directory");
}

// "0.0.0.0:80" → "http://127.0.0.1:80": an address that can be opened on this machine.
std::string address_url(std::string_view listen, int port) {
  const auto colon = listen.rfind(':');
  std::string host(listen.substr(0, colon));
  if (host.empty() || host == "0.0.0.0" || host == "[::]") host = "127.0.0.1";
  return fmt::format("http://{}:{}", host, port);
}

} // namespace

struct Server::Impl {
  Impl(Options options, net::TrustedProxies proxies, std::unique_ptr<Store> store_in, Vault vault_in,
       DataDir data_dir_in, std::unique_ptr<objects::Objects> objects_in, base::Clock& clock)
      : data_dir(std::move(data_dir_in)),
        store(std::move(store_in)),
        kept(std::move(objects_in)),
        vault(std::move(vault_in)),
        http(http_options(options, data_dir, std::move(proxies))),
        app{.options = std::move(options),
            .url = {},
            .store = *store,
            .vault = vault,
            .clock = clock,
            .limiter = limiter,
            .logs = kept->logs,
            .artifacts = kept->artifacts,
            .events = {}},
        api(app, http) {}

  void register_routes() {
    rest::register_instance(api);
    rest::register_users(api);
    rest::register_access_tokens(api);
    rest::register_groups(api);
    rest::register_group_lists(api);
    rest::register_projects(api);
    rest::register_project_lists(api);
    rest::register_transfer(api);
    rest::register_members(api);
    rest::register_variables(api);
    rest::register_protected_refs(api);
    rest::register_runner_lists(api);
    rest::register_runners(api);
    rest::register_stale_runners(api);
    rest::register_runner_jobs_list(api);
    rest::register_runner_assignment(api);
    rest::register_runner_identity(api);
    work = register_work(api, web::page_handler(app, app.options.pages));
    app.events.project_deleted.add([this](std::int64_t, const std::string&) { kept->sweep_soon(); });
    rest::register_openapi(api);
    api.close();
    web::register_web(api, work);
  }

  DataDir data_dir;
  std::unique_ptr<Store> store;
  std::unique_ptr<objects::Objects> kept;
  Vault vault;
  RateLimiter limiter;
  net::HttpServer http;
  App app;
  Api api;
  std::shared_ptr<Work> work;
  std::string address;
  std::vector<database::Subscription> carried_events;
  std::unique_ptr<Janitor> janitor; // last: it uses all of the above
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
  impl_->http.stop();
  if (impl_->work) impl_->work->queue.stop();
}

base::Result<std::unique_ptr<Server>> Server::create(Options options, base::Clock* given_clock) {
  static base::SystemClock system_clock;
  base::Clock& clock = given_clock ? *given_clock : system_clock;
  FR_CHECK(check_external_url(options.external_url));
  FR_CHECK(check_database(options.database));
  auto proxies = FR_TRY(net::TrustedProxies::parse(options.trusted_proxies));
  auto data_dir = FR_TRY(DataDir::open(options.data_dir, !options.database.empty()));
  auto vault = FR_TRY(Vault::open(options.data_dir));
  auto store = FR_TRY(Store::open(
      {.path = sys::join_path(options.data_dir, kDatabaseFile), .url = options.database, .migrations = migrations()}));
  auto kept = FR_TRY(objects::Objects::open(options, *store, clock));
  auto impl = std::make_unique<Impl>(std::move(options), std::move(proxies), std::move(store), std::move(vault),
                                     std::move(data_dir), std::move(kept), clock);
  FR_CHECK(bootstrap(impl->app));
  impl->data_dir.started();
  impl->register_routes();
  impl->carried_events = carry_events(impl->app);
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

base::Status Server::listen() {
  auto& app = impl_->app;
  const int port = FR_TRY(impl_->http.listen(app.options.listen));
  impl_->address = address_url(app.options.listen, port);
  app.url = app.options.external_url.empty() ? impl_->address : app.options.external_url;
  while (app.url.ends_with('/')) app.url.pop_back();
  if (!impl_->janitor) {
    impl_->janitor = std::make_unique<Janitor>(app);
    impl_->kept->start();
  }
  return {};
}

const std::string& Server::url() const { return impl_->app.url; }
const std::string& Server::address() const { return impl_->address; }
App& Server::app() { return impl_->app; }
Api& Server::api() { return impl_->api; }
Work& Server::work() { return *impl_->work; }
void Server::run() { impl_->http.run(); }
void Server::stop() { impl_->http.stop(); }

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

} // namespace

int run(const Options& given) {
  Options options = given;
  if (options.database.empty()) options.database = base::Secret(environment("FORERUNNER_DATABASE"));
  if (options.root_token.empty()) options.root_token = base::Secret(environment("FORERUNNER_ROOT_TOKEN"));
  if (options.root_password.empty()) options.root_password = base::Secret(environment("FORERUNNER_ROOT_PASSWORD"));
  // Children (git hooks, …) have no use for them.
  ::unsetenv("FORERUNNER_DATABASE");
  ::unsetenv("FORERUNNER_ROOT_TOKEN");
  ::unsetenv("FORERUNNER_ROOT_PASSWORD");

  // Blocked before any thread starts, so that only the waiter below gets them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  auto server = Server::create(std::move(options));
  if (server) {
    if (auto bound = (*server)->listen(); !bound) server = std::unexpected(bound.error());
  }
  if (!server) {
    base::log::fatal("cannot start the coordinator", {{"error", server.error().message()}});
    return 1;
  }
  std::printf("listening on %s\n", (*server)->url().c_str());
  std::fflush(stdout);
  std::jthread waiter([&] {
    int signal = 0;
    sigwait(&signals, &signal);
    base::log::info("stopping", {{"signal", std::to_string(signal)}});
    (*server)->stop();
  });
  (*server)->run();
  // run() may also end by itself; the waiter needs its signal either way.
  pthread_kill(waiter.native_handle(), SIGTERM);
  return 0;
}

} // namespace coordinator
