// Git over smart HTTP at /<project path>.git, through git's own http-backend.
//
// The request's body is spooled; the answer is streamed out of the backend. The hooks of a push talk to the same thread
// over two FIFOs in a private directory (see repository.cpp), so a push can never wait for a second thread.

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "coordinator/git/hooks.hpp"
#include "coordinator/git/repository.hpp"
#include "coordinator/git/turns.hpp"
#include "coordinator/runner_api/work.hpp"
#include "coordinator/vault.hpp"
#include "sys/fd.hpp"
#include "sys/files.hpp"
#include "sys/process.hpp"

namespace coordinator {
namespace {

using git::kPushLimit;
using git::Push;

constexpr std::size_t kMostRefs = 10'000;  // of one push, its options included
constexpr std::size_t kMostProcesses = 48; // each may hold a slow thread

// The coordinator's side of the hooks: collects what a hook sends until "end", answers, is ready for the next.
class HookChannel {
 public:
  HookChannel() = default;
  HookChannel(const HookChannel&) = delete;
  HookChannel& operator=(const HookChannel&) = delete;
  ~HookChannel() {
    if (!directory_.empty()) (void)sys::remove_tree(directory_);
  }

  base::Status open(const App& app, Push push) {
    push_ = std::move(push);
    std::string pattern = sys::absolute_path(app.path("tmp/push.XXXXXX"));
    FR_CHECK(sys::make_directories(sys::parent_path(pattern), 0700));
    if (::mkdtemp(pattern.data()) == nullptr) return base::fail_errno("make " + pattern, errno);
    directory_ = pattern;
    for (auto [name, fd] : {std::pair{"/up", &up_}, {"/down", &down_}}) {
      std::string path = directory_ + name;
      if (::mkfifo(path.c_str(), 0600) != 0) return base::fail_errno("make " + path, errno);
      // Both ends, so that neither side ever waits for the other to open.
      *fd = sys::Fd(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
      if (!*fd) return base::fail_errno("open " + path, errno);
    }
    return {};
  }
  bool active() const { return !directory_.empty(); }
  // The push is taken: what is left of it must happen, whether somebody listens or not.
  bool accepted() const { return accepted_; }
  const std::string& directory() const { return directory_; }
  int fd() const { return up_.get(); }

  void readable() {
    char buffer[16384];
    ssize_t got = ::read(up_.get(), buffer, sizeof buffer);
    if (got <= 0) return;
    pending_.append(buffer, static_cast<std::size_t>(got));
    while (true) {
      std::size_t end = pending_.find('\n');
      if (end == std::string::npos) return;
      std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      if (line == "end") {
        answer();
      } else if (lines_.size() <= kMostRefs) {
        lines_.push_back(std::move(line));
      } else {
        unchecked_ = true;
      }
    }
  }

 private:
  void answer() {
    std::vector<git::RefUpdate> updates;
    std::vector<std::string> options;
    for (std::size_t i = 1; i < lines_.size(); ++i) {
      if (lines_[i].starts_with("option ")) {
        options.push_back(lines_[i].substr(7));
        continue;
      }
      auto fields = base::split_fields(lines_[i]);
      if (fields.size() != 4) {
        unchecked_ = true;
        break;
      }
      updates.push_back({.before = fields[0], .after = fields[1], .ref = fields[2], .forced = fields[3] == "forced"});
    }
    bool before = !lines_.empty() && lines_.front() == "pre-receive";
    lines_.clear();
    git::HookAnswer result;
    if (unchecked_) { // and so not allowed
      result = {.allowed = false, .lines = {fmt::format("GitLab: at most {} references at once, please.", kMostRefs)}};
    } else {
      result = before ? git::pre_receive(push_, updates) : git::post_receive(push_, updates, options);
    }
    if (before && result.allowed) accepted_ = true;
    std::string text;
    for (const auto& line : result.lines) {
      if (text.size() > kMostAnswer) {
        text += "|…\n";
        break;
      }
      text += "|" + base::replace_all(line.substr(0, kLongestLine), "\n", " ") + "\n";
    }
    text += result.allowed ? "ok\n" : "deny\n";
    ssize_t written = ::write(down_.get(), text.data(), text.size());
    if (written != static_cast<ssize_t>(text.size())) base::log::warning("a git hook did not get its answer");
  }

  // Together below a pipe's 64 KiB, so that the answer is written in one go.
  static constexpr std::size_t kMostAnswer = 40'000;
  static constexpr std::size_t kLongestLine = 2'000;

  Push push_;
  std::string directory_;
  sys::Fd up_;
  sys::Fd down_;
  std::string pending_;
  std::vector<std::string> lines_;
  bool unchecked_ = false; // an update was not kept
  std::atomic<bool> accepted_ = false;
};

// One run of http-backend and its hooks, which are served while its output is read.
struct Session {
  std::shared_ptr<git::Turns::Turn> turn; // goes on to the next when the process has ended
  HookChannel hooks;
  sys::Child child;
  sys::Fd out;

  ssize_t read(char* buffer, std::size_t size) {
    while (true) {
      pollfd fds[2] = {{.fd = out.get(), .events = POLLIN, .revents = 0},
                       {.fd = hooks.active() ? hooks.fd() : -1, .events = POLLIN, .revents = 0}};
      if (::poll(fds, 2, -1) < 0) {
        if (errno == EINTR) continue;
        return -1;
      }
      if (fds[1].revents & POLLIN) hooks.readable();
      if (fds[0].revents != 0) return ::read(out.get(), buffer, size);
    }
  }
  // Nobody reads the answer any more: an accepted push runs to its end (its pipelines are still made), others end now.
  void finish() {
    char buffer[16384];
    while (hooks.accepted() && read(buffer, sizeof buffer) > 0) {
    }
    if (!hooks.accepted()) child.signal(SIGTERM, true);
    (void)child.wait();
  }
};

// Finishes what clients walked away from, on a thread of its own, because answers may be dropped on the I/O thread.
class Leftovers {
 public:
  Leftovers() : thread_([this](const std::stop_token& stop) { run(stop); }) {}
  void take(std::unique_ptr<Session> session) {
    std::lock_guard lock(mutex_);
    sessions_.push_back(std::move(session));
    changed_.notify_one();
  }

 private:
  void run(const std::stop_token& stop) {
    while (true) {
      std::unique_ptr<Session> session;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, stop, [&] { return !sessions_.empty(); });
        if (sessions_.empty()) return;
        session = std::move(sessions_.front());
        sessions_.pop_front();
      }
      session->finish();
    }
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::unique_ptr<Session>> sessions_;
  std::jthread thread_;
};

// http-backend's standard output as the body of the answer.
class Backend final : public net::StreamBody {
 public:
  Backend(std::shared_ptr<Leftovers> leftovers, std::shared_ptr<git::Turns::Turn> turn)
      : leftovers_(std::move(leftovers)) {
    session_->turn = std::move(turn);
  }
  ~Backend() override {
    if (session_->child.running()) leftovers_->take(std::move(session_));
  }

  base::Status start(std::vector<std::string> environment, const std::string& input) {
    sys::Fd in;
    if (!input.empty()) {
      in = sys::Fd(::open(input.c_str(), O_RDONLY | O_CLOEXEC));
      if (!in) return base::fail_errno("open the request's body", errno);
    }
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return base::fail_errno("make a pipe", errno);
    session_->out = sys::Fd(ends[0]);
    sys::Fd child_end(ends[1]);
    sys::SpawnOptions options;
    options.argv = {"git", "http-backend"};
    options.env = std::move(environment);
    options.stdin_fd = in ? in.get() : sys::kStdioNull;
    options.stdout_fd = child_end.get();
    options.new_process_group = true;
    session_->child = FR_TRY(sys::spawn(options));
    pid_ = session_->child.pid();
    return {};
  }

  // Up to the empty line after the CGI header; what was read beyond it comes first out of read().
  base::Result<std::string> read_head() {
    std::string text;
    char buffer[4096];
    while (true) {
      std::size_t end = text.find("\r\n\r\n");
      if (end != std::string::npos) {
        rest_ = text.substr(end + 4);
        text.resize(end);
        return text;
      }
      ssize_t got = session_->read(buffer, sizeof buffer);
      if (got <= 0 || text.size() > 65536) return base::fail(base::ErrorKind::kChildFailed, "git http-backend failed");
      text.append(buffer, static_cast<std::size_t>(got));
    }
  }

  ssize_t read(char* buffer, std::size_t size) override {
    if (!rest_.empty()) {
      std::size_t count = std::min(size, rest_.size());
      std::memcpy(buffer, rest_.data(), count);
      rest_.erase(0, count);
      return static_cast<ssize_t>(count);
    }
    ssize_t got = session_->read(buffer, size);
    if (got == 0) {
      pid_ = -1;
      (void)session_->child.wait();
    }
    return got;
  }

  void cancel() override {
    pid_t pid = pid_;
    if (pid > 0 && !session_->hooks.accepted()) ::kill(-pid, SIGTERM);
  }

  HookChannel& hooks() { return session_->hooks; }

 private:
  std::shared_ptr<Leftovers> leftovers_;
  std::unique_ptr<Session> session_ = std::make_unique<Session>();
  std::atomic<pid_t> pid_{-1};
  std::string rest_;
};

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
                                             const HookChannel& hooks) {
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
  if (hooks.active()) set("FORERUNNER_HOOKS", hooks.directory());
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
    API_CHECK(backend->hooks().open(
        app, {.work = work, .project = granted.project, .identity = identity, .access = granted.access}));
  API_CHECK(backend->start(backend_environment(app, request, target, granted, identity, backend->hooks()),
                           request.body_file));
  auto head = backend->read_head();
  if (!head) return std::unexpected(Reply(std::move(head.error())));
  net::Response response = parse_cgi(*head);
  response.stream = std::move(backend);
  return Reply(std::move(response));
}

} // namespace

namespace {

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
  auto handler = [work, otherwise, turns, leftovers = std::make_shared<Leftovers>()](net::Request request,
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
