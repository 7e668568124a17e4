#include "job/git_urls.hpp"

#include <algorithm>

#include "base/strings.hpp"
#include "sys/files.hpp"

namespace job {
namespace {

std::string trim_slashes(std::string text) {
  while (text.ends_with('/')) text.pop_back();
  return text;
}

std::string without_suffix(std::string_view text, std::string_view suffix) {
  if (text.ends_with(suffix)) text.remove_suffix(suffix.size());
  return std::string(text);
}

void add_login(GitRemote& remote, const GitUrl& url, const std::string& user, const std::string& password) {
  if (!url.is_http() || url.host.empty() || password.empty()) return;
  const std::string host = url.host_url();
  if (std::ranges::find(remote.logins, host, &GitRemote::Login::host_url) != remote.logins.end()) return;
  remote.logins.push_back({host, user, password});
}

void add_ssh_rewrites(GitRemote& remote, const GitUrlSources& sources, const GitUrl& base_url) {
  if (!sources.force_https || !base_url.is_http()) return;
  const std::string to = trim_slashes(base_url.without_password());
  if (sources.ssh_port.empty() || sources.ssh_port == "22") {
    remote.instead_of.emplace_back(to + "/", "git@" + sources.ssh_host + ":");
    remote.instead_of.emplace_back(to, "ssh://git@" + sources.ssh_host);
  } else {
    remote.instead_of.emplace_back(to, "ssh://git@" + sources.ssh_host + ":" + sources.ssh_port);
  }
}

} // namespace

std::string GitUrl::host_url() const { return scheme.empty() ? std::string() : scheme + "://" + host; }

std::string GitUrl::without_password() const {
  if (scheme.empty()) return path;
  const std::string who = !is_http() && !user.empty() ? user + "@" : "";
  return scheme + "://" + who + host + path;
}

base::Result<GitUrl> parse_git_url(std::string_view text) {
  const auto invalid = [&](std::string why) {
    return base::fail(base::ErrorKind::kInvalidInput, "invalid repository URL: " + std::move(why));
  };
  if (text.empty()) return invalid("it is empty");
  if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
    return invalid("it contains control characters");
  GitUrl url;
  const auto scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) {
    const auto colon = text.find(':');
    if (colon != std::string_view::npos && colon < text.find('/'))
      return invalid("first path segment in URL cannot contain colon");
    url.path = text;
    return url;
  }
  url.scheme = base::to_lower(text.substr(0, scheme_end));
  const std::string_view rest = text.substr(scheme_end + 3);
  const auto authority_end = std::min(rest.find('/'), rest.size());
  std::string_view authority = rest.substr(0, authority_end);
  url.path = rest.substr(authority_end);
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view who = authority.substr(0, at);
    const auto colon = std::min(who.find(':'), who.size());
    url.user = base::percent_decode(who.substr(0, colon));
    if (colon < who.size()) url.password = base::percent_decode(who.substr(colon + 1));
    authority = authority.substr(at + 1);
  }
  url.host = authority;
  return url;
}

base::Result<GitRemote> git_remote(const GitUrlSources& sources) {
  constexpr const char* kJobUser = "gitlab-ci-token";
  GitUrl repo = FR_TRY(parse_git_url(sources.repo_url));
  GitUrl remote_url = repo;
  GitUrl base_url;
  bool cloned_elsewhere = false;
  if (auto clone = parse_git_url(sources.clone_url); clone && !clone->scheme.empty()) {
    cloned_elsewhere = true;
    base_url = *clone;
    remote_url = *clone;
    remote_url.path = sys::clean_path(trim_slashes(clone->path) + "/" + sources.project_path + ".git");
    if (remote_url.scheme == "ssh" && remote_url.user.empty()) remote_url.user = "git";
  } else if (auto runner = parse_git_url(sources.runner_url)) {
    base_url = *runner;
  }

  GitRemote remote;
  remote.url = remote_url.without_password();
  remote.host_url = remote_url.is_http() ? remote_url.host_url() : std::string();
  add_ssh_rewrites(remote, sources, base_url);
  // The URL's own credentials count first: they are what the server gave for this repository. A repository that came
  // without any gets the token only from the host that the runner talks to anyway.
  if (cloned_elsewhere) add_login(remote, remote_url, kJobUser, sources.job_token);
  add_login(remote, repo, repo.user.empty() ? kJobUser : repo.user, repo.password);
  add_login(remote, base_url, kJobUser, sources.job_token);
  return remote;
}

base::Result<std::string> project_slug(std::string_view repo_url) {
  const GitUrl url = FR_TRY(parse_git_url(repo_url));
  if (url.scheme.empty() || url.host.empty())
    return base::fail(base::ErrorKind::kInvalidInput, "only URI reference supported");
  const std::string path = base::percent_decode(url.path.substr(0, url.path.find('?')));
  std::string slug = sys::clean_path(without_suffix(path, ".git"));
  while (slug.starts_with('/')) slug.erase(0, 1);
  if (slug.empty() || slug == "." || slug.find("..") != std::string::npos)
    return base::fail(base::ErrorKind::kInvalidInput, "it doesn't look like a valid path");
  return slug;
}

} // namespace job
