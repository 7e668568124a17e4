// Where git fetches from, and which hosts may get the job's token. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "script/build_info.hpp"

namespace job {

struct GitUrl {
  std::string scheme; // lower case; empty: a path on this host
  std::string user;
  std::string password; // decoded
  std::string host;     // with port
  std::string path;     // as written, with query

  bool is_http() const { return scheme == "http" || scheme == "https"; }
  std::string host_url() const;         // scheme://host; empty for paths
  std::string without_password() const; // http: no user either; ssh keeps its user
};
// kInvalidInput for what git would read as `user@host:path` and for control characters.
base::Result<GitUrl> parse_git_url(std::string_view text);

struct GitUrlSources {
  std::string repo_url;  // of the payload
  std::string clone_url; // of config.toml
  std::string runner_url;
  std::string project_path; // CI_PROJECT_PATH
  std::string job_token;
  bool force_https = false; // GIT_SUBMODULE_FORCE_HTTPS
  std::string ssh_host;     // CI_SERVER_SHELL_SSH_HOST, else CI_SERVER_HOST
  std::string ssh_port;
};

struct GitRemote {
  std::string url; // of origin, without credentials
  std::string host_url;
  // {to, from} for insteadOf.
  std::vector<std::pair<std::string, std::string>> instead_of;
  // Hosts with the user to name there and the password that goes with it.
  struct Login {
    std::string host_url;
    std::string user;
    std::string password;
  };
  std::vector<Login> logins;
};
base::Result<GitRemote> git_remote(const GitUrlSources& sources);

// The path of the repository's URL without ".git": "group/project". kInvalidInput for a URL that has no such path.
base::Result<std::string> project_slug(std::string_view repo_url);

} // namespace job
