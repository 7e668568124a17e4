// What a browser gets for an address: the page's document, a file of the front end, or a plain word.
#include <fmt/format.h>

#include <memory>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "coordinator/web/assets.hpp"
#include "coordinator/web/headers.hpp"
#include "coordinator/web/pages.hpp"
#include "coordinator/web/register.hpp"
#include "coordinator/web/sessions.hpp"
#include "sys/host.hpp"

namespace coordinator::web {
namespace {

constexpr std::string_view kAssetRoot = "/-/assets/";
constexpr std::string_view kCsrfMeta = "<meta name=\"csrf-token\" content=\"";
// Files that browsers and crawlers ask for at the root.
constexpr std::string_view kRootFiles[] = {"/favicon.ico", "/favicon.svg", "/robots.txt", "/manifest.webmanifest"};

constexpr std::string_view kNoPages =
    "This build of Forerunner has no pages: it was made without its front end.\n"
    "The REST API under /api/v4, git and the runners work.\n"
    "For the pages, build it again with Node.js 18 or newer and npm installed (Debian: apt-get install nodejs npm)\n"
    "and without FORERUNNER_WEB=OFF.\n";

// This program itself, for the hosts that are to become runners. Anybody may have it.
Reply program(std::string_view name) {
  if (name != program_name()) return text_reply(404, "404 Not Found\n");
  Reply reply = text_reply(200, "", "application/octet-stream");
  reply.file = net::FileBody{.path = "/proc/self/exe", .offset = 0, .length = std::nullopt};
  reply.headers.set("Content-Disposition", fmt::format("attachment; filename=\"{}\"", name));
  return reply;
}

class Pages {
 public:
  Pages(App& app, Assets assets) : app_(app), assets_(std::move(assets)) {
    if (const auto* index = assets_.find("index.html")) {
      document_ = index->plain;
      const auto meta = document_.find(kCsrfMeta);
      csrf_at_ = meta == std::string_view::npos ? meta : meta + kCsrfMeta.size();
    }
  }

  net::Response answer(const net::Request& request) const {
    if (request.path.starts_with(kAssetRoot)) return asset(request.path.substr(kAssetRoot.size()), request);
    if (std::ranges::find(kRootFiles, request.path) != std::end(kRootFiles)) {
      return asset(request.path.substr(1), request);
    }
    if (request.path.starts_with(kDownloadRoot)) return program(request.path.substr(kDownloadRoot.size()));
    if (request.path.starts_with("/api/") || request.path.starts_with("/-/web/")) {
      return json_reply(404, json::Value::object({{"error", "404 Not Found"}}));
    }
    auto reply = page(request);
    return reply ? std::move(*reply) : std::move(reply.error());
  }

 private:
  // Names are looked up as they are: none leads anywhere but into the table.
  net::Response asset(std::string_view name, const net::Request& request) const {
    const auto* file = assets_.find(name);
    if (!file || name == "index.html") return text_reply(404, "404 Not Found\n");
    return asset_response(*file, name, request);
  }

  Outcome<Reply> page(const net::Request& request) const {
    Call call(app_, request);
    call.identity = API_TRY(session_identity(app_, request, Params()));
    const auto decision = API_TRY(app_.store.read([&](Transaction& tx) { return decide(tx, call, request.target); }));
    if (decision.status == 302) {
      Reply reply = text_reply(302, "");
      reply.headers.set("Location", decision.location);
      return reply;
    }
    if (document_.empty()) return text_reply(decision.status == 404 ? 404 : 503, std::string(kNoPages));
    return document(decision.status, request);
  }

  // The same document for every page; the front end asks for the rest.
  Reply document(int status, const net::Request& request) const {
    auto secret = session_secret(app_, request);
    Reply reply = text_reply(status, "", "text/html; charset=utf-8");
    if (secret.empty()) {
      secret = new_session_secret();
      reply.headers.set("Set-Cookie", session_cookie(app_, request, secret));
    }
    reply.body = document_;
    if (csrf_at_ != std::string_view::npos) reply.body.insert(csrf_at_, csrf_token(secret));
    return reply;
  }

  App& app_;
  Assets assets_;
  std::string_view document_;
  std::size_t csrf_at_ = std::string_view::npos;
};

} // namespace

std::string program_name() { return "gitlab-runner-linux-" + sys::cpu_architecture(); }

net::Handler page_handler(App& app, std::string_view pack) {
  auto assets = Assets::open(pack);
  if (!assets) base::log::error("cannot show pages", {{"error", assets.error().message()}});
  const auto pages = std::make_shared<Pages>(app, assets ? std::move(*assets) : Assets());
  return [&app, pages](const net::Request& request, const net::Responder& responder) {
    auto response = pages->answer(request);
    add_security_headers(reached_by_https(app, request), response.headers);
    if (!response.headers.contains("Cache-Control")) response.headers.set("Cache-Control", "no-store");
    responder.send(std::move(response));
  };
}

} // namespace coordinator::web
