// Repository: a project's bare repository, and the few questions a coordinator has about one.
//
// Each call runs git and blocks; from pool threads only. git runs without the system's and the user's configuration,
// so nothing but the repository decides. Names and revisions are checked before git sees them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "ci/context.hpp"
#include "coordinator/app.hpp"

namespace coordinator::git {

inline constexpr std::size_t kPushLimit = std::size_t{5} << 30; // bytes of a push, packed
inline constexpr std::string_view kZeroSha = "0000000000000000000000000000000000000000";

// Directory of a project's repository below the data directory; it follows the project's id, so renames move nothing.
std::string repository_path(const App& app, std::int64_t project_id);
// Environment for git processes of the coordinator, with every setting that they obey.
std::vector<std::string> git_environment(const App& app);
// Writes the hooks that all repositories share. Once, when the server is assembled.
base::Status install_hooks(const App& app);

struct Commit {
  std::string sha;
  std::string author; // Name <email>
  std::string author_name;
  std::string author_email;
  std::string timestamp; // ISO 8601
  std::string title;
  std::string message;
};

class Repository {
 public:
  Repository(const App& app, std::int64_t project_id);

  base::Status create() const; // success when it exists
  bool exists() const;
  const std::string& path() const { return path_; }

  // The commit that a branch, tag or sha names; kNotFound.
  base::Result<std::string> resolve(std::string_view ref) const;
  bool branch_exists(std::string_view name) const;
  bool tag_exists(std::string_view name) const;
  // Short names below refs/<kind>: "heads" or "tags", the youngest first.
  base::Result<std::vector<std::string>> names(std::string_view kind) const;
  base::Result<Commit> commit(const std::string& sha) const;
  // kNotFound; kLimit when it is larger.
  base::Result<std::string> read(const std::string& sha, std::string_view path, std::size_t limit) const;
  base::Result<std::vector<std::string>> list(const std::string& sha) const;
  base::Result<std::optional<std::string>> blob_id(const std::string& sha, std::string_view path) const;
  base::Result<std::optional<std::string>> last_commit(const std::string& sha, std::string_view path) const;
  // Paths that differ between two commits; nullopt when there is no base (a new branch, an unknown commit).
  base::Result<std::optional<std::vector<std::string>>> changed(const std::string& from, const std::string& to) const;
  base::Result<std::vector<std::string>> changed_since(std::string_view ref, const std::string& sha) const;
  // Message of an annotated tag, "" for others.
  std::string tag_message(std::string_view name) const;
  // refs/pipelines/<id>: lets runners fetch the commit by that name. refs/keep-around/<sha>, which stays: a retry years
  // later finds the commit even if its branch is gone. Both only inside write transactions, which serialise them.
  base::Status pin(std::int64_t pipeline_id, const std::string& sha) const;
  void unpin(std::int64_t pipeline_id) const;
  base::Status set_head(std::string_view branch) const;

 private:
  static constexpr std::size_t kOutputLimit = 64u << 20;
  base::Result<std::string> run(std::vector<std::string> arguments, std::size_t limit = kOutputLimit) const;
  std::string path_;
  std::vector<std::string> environment_;
};

inline constexpr std::size_t kLargestConfig = 2u << 20; // bytes of a file of the configuration; GitLab's limit

// The tree of one commit, for ci::compile().
class CommitFiles final : public ci::ProjectFiles {
 public:
  CommitFiles(const Repository& repository, std::string sha) : repository_(repository), sha_(std::move(sha)) {}
  base::Result<std::string> read(std::string_view path) override {
    return repository_.read(sha_, path, kLargestConfig);
  }
  base::Result<std::vector<std::string>> list() override { return repository_.list(sha_); }
  base::Result<std::optional<std::string>> blob_id(std::string_view path) override {
    return repository_.blob_id(sha_, path);
  }
  base::Result<std::optional<std::string>> last_commit(std::string_view path) override {
    return repository_.last_commit(sha_, path);
  }
  base::Result<std::vector<std::string>> changed_since(std::string_view ref) override {
    return repository_.changed_since(ref, sha_);
  }

 private:
  const Repository& repository_;
  std::string sha_;
};

} // namespace coordinator::git
