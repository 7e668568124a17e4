// Git over smart HTTP at /<project path>.git, through git's own http-backend.
//
// The request's body is spooled; the answer is streamed out of the backend (backend.hpp).

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "coordinator/git/backend.hpp"
#include "coordinator/git/hooks.hpp"
#include "coordinator/git/repository.hpp"
#include "coordinator/git/turns.hpp"
#include "coordinator/runner_api/work.hpp"
#include "coordinator/vault.hpp"

namespace coordinator {
namespace {

using git::Backend;
using git::kPushLimit;

constexpr std::size_t kMostProcesses = 48; // each may hold a slow thread

struct Target {
  std::string project_path;
  std::string action; // info/refs, git-upload-pack, git-receive-pack
  bool push = false;
};

// Where git goes on when it was given a URL without ".git", which GitLab allows.
std::optional<std::string> with_suffix(const App& app, const net::Request& request) {
  constexpr std::string_view kRefs = "/info/refs";
  if (request.method == "POST" || !request.path.ends_with(kRefs) || request.path.find(".git/") != std::string::npos ||
      !request.query_value("service").starts_with("git-"))
    return std::nullopt;
  return fmt::format("{}{}.git{}?{}", app.url, request.path.substr(0, request.path.size() - kRefs.size()), kRefs,
                     request.query_string);
}

std::optional<Target> parse_target(const net::Request& request) {
  std::string path = base::percent_decode(request.path);
  std::size_t at = path.find(".git/");
  if (at == std::string::npos || at < 2) return std::nullopt;
  Target target{.project_path = path.substr(1, at - 1), .action = path.substr(at + 5)};
  std::string_view service = request.query_value("service");
  if (target.action == "info/refs" && request.method != "POST") {
    if (service != "git-upload-pack" && service != "git-receive-pack") return std::nullopt;
    target.push = service == "git-receive-pack";
    return target;
  }
  if (request.method != "POST" || (target.action != "git-upload-pack" && target.action != "git-receive-pack"))
    return std::nullopt;
  target.push = target.action == "git-receive-pack";
  return target;
}

Reply ask_for_credentials() {
  return text_reply(401, "HTTP Basic: Access denied. Use a personal access token as the password.\n")
      .header("WWW-Authenticate", "Basic realm=\"GitLab\"");
}

Outcome<Identity> job_identity(App& app, std::string_view token) {
  return app.store.read([&](Transaction& tx) -> Outcome<Identity> {
    auto job = API_TRY(tx.query_one(
        "SELECT j.id, j.project_id, j.user_id, j.status, u.state FROM jobs j JOIN users u ON u.id = j.user_id "
        "WHERE j.token_digest = ?",
        {token_digest(token)}));
    if (!job || (job->text("status") != "running" && job->text("status") != "canceling") ||
        job->text("state") != "active")
      return std::unexpected(ask_for_credentials());
    return Identity{.kind = Identity::Kind::kJob,
                    .user_id = job->integer("user_id"),
                    .job_id = job->integer("id"),
                    .project_id = job->integer("project_id")};
  });
}

Outcome<Identity> identify(App& app, const net::Request& request) {
  std::string_view authorization = request.header("Authorization");
  if (!authorization.starts_with("Basic ") && !authorization.starts_with("basic ")) {
    auto identity = authenticate(app, request, Params());
    if (!identity) return std::unexpected(ask_for_credentials());
    return identity;
  }
  auto decoded = base::base64_decode(base::trim(authorization.substr(6)));
  if (!decoded) return std::unexpected(ask_for_credentials());
  std::size_t colon = decoded->find(':');
  std::string user = decoded->substr(0, colon);
  std::string password = colon == std::string::npos ? "" : decoded->substr(colon + 1);
  if (user == "gitlab-ci-token" || password.starts_with("glcbt-")) return job_identity(app, password);
  auto identity = authenticate_token(app, password.empty() ? user : password);
  if (!identity) return std::unexpected(ask_for_credentials());
  return identity;
}

struct Granted {
  model::Project project;
  Access access;
};

Outcome<Granted> authorize(App& app, const Identity& identity, const Target& target) {
  return app.store.read([&](Transaction& tx) -> Outcome<Granted> {
    auto hidden = [] {
      return text_reply(404,
                        "The project you were looking for could not be found or you don't have permission to "
                        "view it.\n");
    };
    auto project = API_TRY(model::find_project(tx, target.project_path));
    // A path that looks like a number is a path here, not an id.
    if (project && base::to_lower(project->full_path) != base::to_lower(target.project_path)) project.reset();
    if (!project) return std::unexpected(identity.signed_in() ? hidden() : ask_for_credentials());
    auto access = API_TRY(model::access_to(tx, identity, *project, app.now()));
    if (!allowed(Ability::kReadCode, access))
      return std::unexpected(identity.signed_in() ? hidden() : ask_for_credentials());
    if (target.push) {
      if (!identity.signed_in()) return std::unexpected(ask_for_credentials());
      if (identity.kind == Identity::Kind::kJob || !scopes_allow_git(identity.scopes, true) ||
          !allowed(Ability::kPushCode, access))
        return std::unexpected(text_reply(403, "You are not allowed to push code to this project.\n"));
    } else if (identity.kind == Identity::Kind::kUser && !scopes_allow_git(identity.scopes, false)) {
      return std::unexpected(text_reply(403, "The token's scopes do not include reading repositories.\n"));
    }
    return Granted{.project = *project, .access = access};
  });
}

// "version=2", and whatever else may once stand between colons.
bool plain_protocol(std::string_view value) {
  return !value.empty() && value.size() <= 200 && std::ranges::all_of(value, [](unsigned char c) {
    return std::isalnum(c) || c == '=' || c == ':' || c == '.' || c == '-' || c == '_';
  });
}

std::vector<std::string> backend_environment(const App& app, const net::Request& request, const Target& target,
                                             const Granted& granted, const Identity& identity,
                                             const std::string& hooks_directory) {
  auto environment = git::git_environment(app);
  auto set = [&](std::string_view name, std::string_view value) {
    environment.push_back(fmt::format("{}={}", name, value));
  };
  set("GIT_PROJECT_ROOT", app.path("repositories"));
  set("GIT_HTTP_EXPORT_ALL", "1");
  set("PATH_INFO", fmt::format("/{}.git/{}", granted.project.id, target.action));
  set("REQUEST_METHOD", request.method == "HEAD" ? "GET" : request.method);
  // Not what was sent: of a parameter given twice the backend would take the other one than we did.
  if (request.method != "POST")
    set("QUERY_STRING", target.push ? "service=git-receive-pack" : "service=git-upload-pack");
  set("CONTENT_TYPE", request.header("Content-Type"));
  if (!request.body_file.empty()) set("CONTENT_LENGTH", std::to_string(request.body_size));
  if (!request.header("Content-Encoding").empty()) set("HTTP_CONTENT_ENCODING", request.header("Content-Encoding"));
  if (plain_protocol(request.header("Git-Protocol"))) set("GIT_PROTOCOL", request.header("Git-Protocol"));
  set("REMOTE_ADDR", request.remote_address);
  if (identity.signed_in()) set("REMOTE_USER", fmt::format("user-{}", identity.user_id));
  if (!hooks_directory.empty()) set("FORERUNNER_HOOKS", hooks_directory);
  return environment;
}

net::Response parse_cgi(const std::string& head) {
  net::Response response;
  for (std::string_view line : base::split(head, '\n')) {
    line = base::trim(line);
    std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    std::string_view value = base::trim(line.substr(colon + 1));
    if (base::equals_ignore_case(line.substr(0, colon), "Status")) {
      response.status = static_cast<int>(base::parse_int(value.substr(0, 3)).value_or(500));
    } else {
      response.headers.set(line.substr(0, colon), value);
    }
  }
  return response;
}

struct Permitted {
  Target target;
  Identity identity;
  Granted granted;
};

// Who asks for what, and may: out of the request's head alone.
Outcome<Permitted> permit(App& app, const net::Request& request) {
  auto target = parse_target(request);
  if (auto there = with_suffix(app, request)) return std::unexpected(empty_reply(301).header("Location", *there));
  if (!target) return std::unexpected(json_reply(404, json::Value::object({{"error", "404 Not Found"}})));
  auto identity = API_TRY(identify(app, request));
  auto granted = API_TRY(authorize(app, identity, *target));
  return Permitted{.target = std::move(*target), .identity = std::move(identity), .granted = std::move(granted)};
}

Outcome<Reply> serve(const std::shared_ptr<Work>& work, const net::Request& request, Permitted permitted,
                     std::shared_ptr<Backend> backend) {
  App& app = work->service.app();
  const auto& [target, identity, granted] = permitted;
  API_CHECK(git::Repository(app, granted.project.id).create());
  if (target.push && target.action == "git-receive-pack")
    API_CHECK(backend->open_hooks(
        app, {.work = work, .project = granted.project, .identity = identity, .access = granted.access}));
  API_CHECK(backend->start(backend_environment(app, request, target, granted, identity, backend->hooks_directory()),
                           request.body_file));
  auto head = backend->read_head();
  if (!head) return std::unexpected(Reply(std::move(head.error())));
  net::Response response = parse_cgi(*head);
  response.stream = std::move(backend);
  return Reply(std::move(response));
}

// Below ".git" nothing is a page, however wrong the rest: git is answered, not sent to the sign-in page.
bool below_git(const net::Request& request) {
  return base::percent_decode(request.path).find(".git/") != std::string::npos;
}

// Git's answers are no pages either, and nobody but who asked may keep them.
Reply guarded_answer(Reply reply) {
  reply.headers.set("X-Content-Type-Options", "nosniff");
  if (!reply.headers.contains("Cache-Control")) reply.headers.set("Cache-Control", "no-store");
  return reply;
}

} // namespace

void register_git(Api& api, const std::shared_ptr<Work>& work, const net::Handler& otherwise) {
  if (auto installed = git::install_hooks(work->service.app()); !installed)
    base::log::error("cannot write git's hooks", {{"error", installed.error().message()}});
  auto turns = std::make_shared<git::Turns>(api.http().slow_runner(), kMostProcesses);
  auto handler = [work, otherwise, turns, leftovers = git::make_leftovers()](net::Request request,
                                                                             const net::Responder& responder) {
    App& app = work->service.app();
    const bool reading = request.method == "GET" || request.method == "HEAD";
    if (reading && !below_git(request) && !with_suffix(app, request)) return otherwise(std::move(request), responder);
    auto permitted = permit(app, request);
    if (!permitted) return responder.send(guarded_answer(std::move(permitted.error())));
    auto run = [work, leftovers, responder, request = std::move(request),
                permitted = std::move(*permitted)](std::shared_ptr<git::Turns::Turn> turn) {
      auto reply = serve(work, request, permitted, std::make_shared<Backend>(leftovers, std::move(turn)));
      responder.send(guarded_answer(reply ? std::move(*reply) : std::move(reply.error())));
    };
    if (!git::Turns::take(turns, std::move(run))) responder.send(guarded_answer(unavailable("too much git at once")));
  };
  api.http().route("GET", "/*", {.slow = below_git}, handler);
  // Whoever may not push learns that before his five gigabytes lie on our disk.
  auto admit = [work](const net::Request& request) {
    auto permitted = permit(work->service.app(), request);
    if (!permitted) return admission(std::unexpected(guarded_answer(std::move(permitted.error()))));
    return net::Admission{};
  };
  api.http().route("POST", "/*",
                   {.max_body = kPushLimit, .spool = true, .admit = admit, .slow = [](const auto&) { return true; }},
                   handler);
}

} // namespace coordinator
