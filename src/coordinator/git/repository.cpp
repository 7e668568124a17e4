#include "coordinator/git/repository.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.hpp"
#include "base/utf8.hpp"
#include "sys/files.hpp"
#include "sys/process.hpp"

namespace coordinator::git {
namespace {

// Both hooks speak with the request's thread over two FIFOs: name, push options, the ref lines, "end"; answered by
// lines to print (after '|') and a verdict. No socket, no credentials, nothing to find at run time. Whether an update
// rewinds its branch is asked here, because only a hook sees the pushed objects before they are taken.
constexpr std::string_view kHook = R"sh(#!/bin/sh
[ -n "$FORERUNNER_HOOKS" ] || exit 0
{
  echo "NAME"
  i=0
  while [ "$i" -lt "${GIT_PUSH_OPTION_COUNT:-0}" ]; do
    eval "option=\$GIT_PUSH_OPTION_$i"
    printf 'option %s\n' "$(printf '%s' "$option" | tr '\n' ' ')"
    i=$((i + 1))
  done
  while read -r before after ref; do
    kind=plain
    case "NAME $ref" in
      "pre-receive refs/heads/"*)
        case $before in *[!0]*)
          case $after in *[!0]*)
            git merge-base --is-ancestor "$before" "$after" 2>/dev/null || kind=forced
          ;; esac
        ;; esac
      ;;
    esac
    printf '%s %s %s %s\n' "$before" "$after" "$ref" "$kind"
  done
  echo end
} > "$FORERUNNER_HOOKS/up"
verdict=deny
while IFS= read -r line; do
  case $line in
    '|'*) printf '%s\n' "${line#?}" ;;
    *) verdict=$line; break ;;
  esac
done < "$FORERUNNER_HOOKS/down"
[ "$verdict" = ok ]
)sh";

bool safe_revision(std::string_view text) {
  return !text.empty() && text.front() != '-' && text.size() < 1024 &&
         std::none_of(
             text.begin(), text.end(),
             [](unsigned char c) {
               return c <= ' ' || c == 0x7f || c == '~' || c == '^' || c == ':' || c == '?' || c == '*' || c == '[' ||
                      c == '\\';
             }) &&
         text.find("..") == std::string_view::npos && text.find("@{") == std::string_view::npos;
}

std::string hooks_path(const App& app) { return sys::absolute_path(app.path("hooks")); }

bool is_sha(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::vector<std::string> zero_separated(std::string_view text) {
  std::vector<std::string> items = base::split(text, '\0');
  if (!items.empty() && items.back().empty()) items.pop_back();
  return items;
}

} // namespace

std::string repository_path(const App& app, std::int64_t project_id) {
  return sys::absolute_path(app.path(fmt::format("repositories/{}.git", project_id)));
}

std::vector<std::string> git_environment(const App& app) {
  std::vector<std::string> environment = {"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "LC_ALL=C",
                                          "GIT_TERMINAL_PROMPT=0", "HOME=/nonexistent"};
  environment.push_back("PATH=" + sys::get_env("PATH").value_or("/usr/local/bin:/usr/bin:/bin"));
  // All settings come from here and none from the repositories, so that a newer program changes old repositories, too.
  const std::pair<std::string, std::string> settings[] = {
      {"safe.directory", "*"}, // the data directory may belong to another user (a mounted volume)
      {"core.hooksPath", hooks_path(app)},
      {"http.receivepack", "true"},
      {"uploadpack.allowAnySHA1InWant", "true"},
      {"uploadpack.allowFilter", "true"},
      {"uploadpack.hideRefs", "refs/keep-around"},
      {"receive.hideRefs", "refs/pipelines"},
      {"receive.hideRefs", "refs/keep-around"},
      {"receive.advertisePushOptions", "true"},
      {"receive.fsckObjects", "true"},
      // A compressed request may hold a thousand times its size; larger blobs are streamed, not held in memory.
      {"receive.maxInputSize", std::to_string(kPushLimit)},
      {"core.bigFileThreshold", "32m"},
      {"pack.windowMemory", "128m"},
      // Old but harmless flaws of real histories; GitLab lets the same ones in.
      {"receive.fsck.badTimezone", "ignore"},
      {"receive.fsck.missingSpaceBeforeDate", "ignore"},
      {"receive.fsck.zeroPaddedFilemode", "ignore"},
  };
  environment.push_back(fmt::format("GIT_CONFIG_COUNT={}", std::size(settings)));
  for (std::size_t i = 0; i < std::size(settings); ++i) {
    environment.push_back(fmt::format("GIT_CONFIG_KEY_{}={}", i, settings[i].first));
    environment.push_back(fmt::format("GIT_CONFIG_VALUE_{}={}", i, settings[i].second));
  }
  return environment;
}

base::Status install_hooks(const App& app) {
  FR_CHECK(sys::make_directories(hooks_path(app), 0700));
  for (std::string_view hook : {"pre-receive", "post-receive"})
    FR_CHECK(
        sys::atomic_write_file(sys::join_path(hooks_path(app), hook), base::replace_all(kHook, "NAME", hook), 0700));
  return {};
}

Repository::Repository(const App& app, std::int64_t project_id)
    : path_(repository_path(app, project_id)), environment_(git_environment(app)) {}

bool Repository::exists() const { return sys::is_regular_file(path_ + "/HEAD"); }

base::Result<std::string> Repository::run(std::vector<std::string> arguments, std::size_t limit) const {
  std::string name = arguments.front();
  sys::SpawnOptions options;
  options.argv = {"git", "--git-dir=" + path_};
  options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
  options.env = environment_;
  auto output = FR_TRY(sys::run_command(options, {}, {}, limit + 1));
  if (!output.status.success())
    return base::fail(base::ErrorKind::kChildFailed,
                      fmt::format("git {}: {}", name, std::string(base::trim(output.err))));
  if (output.out.size() > limit)
    return base::fail(base::ErrorKind::kLimit, fmt::format("git {}: more than {} bytes", name, limit));
  return std::move(output.out);
}

base::Status Repository::create() const {
  if (exists()) return {};
  FR_CHECK(sys::make_directories(sys::parent_path(path_), 0700));
  FR_CHECK(run({"init", "--quiet", "--bare", "--initial-branch=main", path_}));
  return {};
}

base::Result<std::string> Repository::resolve(std::string_view ref) const {
  if (!safe_revision(ref)) return base::fail(base::ErrorKind::kNotFound, "no such reference");
  std::string text(ref);
  for (const std::string& name : {"refs/heads/" + text, "refs/tags/" + text, text}) {
    if (name == text && !is_sha(text) && !text.starts_with("refs/")) continue;
    auto sha = run({"rev-parse", "--verify", "--quiet", "--end-of-options", name + "^{commit}"});
    if (sha) return std::string(base::trim(*sha));
  }
  return base::fail(base::ErrorKind::kNotFound, fmt::format("reference \"{}\" does not exist", text));
}

bool Repository::branch_exists(std::string_view name) const {
  return safe_revision(name) && run({"show-ref", "--verify", "--quiet", "refs/heads/" + std::string(name)}).has_value();
}

bool Repository::tag_exists(std::string_view name) const {
  return safe_revision(name) && run({"show-ref", "--verify", "--quiet", "refs/tags/" + std::string(name)}).has_value();
}

base::Result<std::vector<std::string>> Repository::names(std::string_view kind) const {
  constexpr std::string_view kCount = "--count=10000";
  const auto text = FR_TRY(run({"for-each-ref", "--sort=-creatordate", std::string(kCount), "--format=%(refname)",
                                fmt::format("refs/{}/", kind)}));
  const auto prefix = kind.size() + 6; // "refs/" and "/"
  std::vector<std::string> out;
  for (const auto& line : base::split(text, '\n')) {
    if (line.size() > prefix) out.push_back(line.substr(prefix));
  }
  return out;
}

base::Result<Commit> Repository::commit(const std::string& sha) const {
  if (!is_sha(sha)) return base::fail(base::ErrorKind::kInvalidInput, "not a commit id");
  auto out = FR_TRY(run({"log", "-1", "--format=%H%x00%an%x00%ae%x00%cI%x00%s%x00%B%x00", sha}));
  auto parts = base::split(out, '\0');
  if (parts.size() < 6) return base::fail(base::ErrorKind::kInternal, "git log gave no commit");
  // Whoever pushes writes these, of any size, and they are kept with every pipeline.
  constexpr std::size_t kLongestName = 500;
  constexpr std::size_t kLongestMessage = 200'000;
  auto cut = [&](std::size_t part, std::size_t most) {
    return parts[part].size() <= most ? parts[part] : base::repair_utf8(parts[part].substr(0, most));
  };
  Commit commit{.sha = parts[0],
                .author = {},
                .author_name = cut(1, kLongestName),
                .author_email = cut(2, kLongestName),
                .timestamp = parts[3],
                .title = cut(4, kLongestName),
                .message = cut(5, kLongestMessage)};
  commit.author = fmt::format("{} <{}>", commit.author_name, commit.author_email);
  return commit;
}

base::Result<std::string> Repository::read(const std::string& sha, std::string_view path, std::size_t limit) const {
  while (!path.empty() && path.front() == '/') path.remove_prefix(1);
  auto id = FR_TRY(blob_id(sha, path));
  if (!id) return base::fail(base::ErrorKind::kNotFound, fmt::format("no file {}", path));
  auto content = run({"cat-file", "blob", *id}, limit);
  if (!content && content.error().kind() == base::ErrorKind::kLimit)
    return base::fail(base::ErrorKind::kLimit, fmt::format("{} is larger than {} bytes", path, limit));
  return content;
}

base::Result<std::vector<std::string>> Repository::list(const std::string& sha) const {
  return zero_separated(FR_TRY(run({"ls-tree", "-r", "-z", "--name-only", "--full-tree", sha})));
}

base::Result<std::optional<std::string>> Repository::blob_id(const std::string& sha, std::string_view path) const {
  if (path.empty() || path.find('\0') != std::string_view::npos) return std::optional<std::string>();
  auto out = FR_TRY(run({"--literal-pathspecs", "ls-tree", "-z", "--full-tree", sha, "--", std::string(path)}));
  // "100644 blob <id>\t<name>"
  auto fields = base::split_fields(out.substr(0, out.find('\t')));
  if (fields.size() != 3 || fields[1] != "blob") return std::optional<std::string>();
  return std::optional(fields[2]);
}

base::Result<std::optional<std::string>> Repository::last_commit(const std::string& sha, std::string_view path) const {
  auto out = FR_TRY(run({"--literal-pathspecs", "log", "-1", "--format=%H", sha, "--", std::string(path)}));
  std::string id(base::trim(out));
  return id.empty() ? std::optional<std::string>() : std::optional(id);
}

base::Result<std::optional<std::vector<std::string>>> Repository::changed(const std::string& from,
                                                                          const std::string& to) const {
  using Paths = std::optional<std::vector<std::string>>;
  if (!is_sha(from) || from == kZeroSha || !run({"cat-file", "-e", from + "^{commit}"})) return Paths();
  auto paths = run({"diff-tree", "-r", "-z", "--name-only", "--no-renames", from, to});
  if (!paths && paths.error().kind() == base::ErrorKind::kLimit) return Paths(); // anything may have changed
  return Paths(zero_separated(FR_TRY(std::move(paths))));
}

base::Result<std::vector<std::string>> Repository::changed_since(std::string_view ref, const std::string& sha) const {
  std::string other = FR_TRY(resolve(ref));
  auto merge_base = FR_TRY(run({"merge-base", other, sha}));
  return zero_separated(
      FR_TRY(run({"diff-tree", "-r", "-z", "--name-only", "--no-renames", std::string(base::trim(merge_base)), sha})));
}

std::string Repository::tag_message(std::string_view name) const {
  if (!safe_revision(name)) return "";
  auto out = run({"for-each-ref", "--format=%(objecttype)%00%(contents)", "refs/tags/" + std::string(name)});
  if (!out || !out->starts_with("tag")) return "";
  return std::string(base::trim(std::string_view(*out).substr(std::min<std::size_t>(4, out->size()))));
}

// Written as loose refs, without git: this runs inside a database transaction, where a process would hold up everybody.
base::Status Repository::pin(std::int64_t pipeline_id, const std::string& sha) const {
  if (!is_sha(sha)) return base::fail(base::ErrorKind::kInvalidInput, "not a commit id");
  for (const std::string& name : {fmt::format("refs/pipelines/{}", pipeline_id), "refs/keep-around/" + sha}) {
    std::string file = sys::join_path(path_, name);
    FR_CHECK(sys::make_directories(sys::parent_path(file), 0700));
    FR_CHECK(sys::write_file(file + ".lock", sha + "\n", 0600));
    FR_CHECK(sys::rename_file(file + ".lock", file));
  }
  return {};
}

void Repository::unpin(std::int64_t pipeline_id) const {
  std::string name = fmt::format("refs/pipelines/{}", pipeline_id);
  auto packed = sys::read_file(path_ + "/packed-refs", kOutputLimit);
  if (packed && packed->find(" " + name + "\n") != std::string::npos) {
    (void)run({"update-ref", "-d", name});
  } else {
    (void)sys::remove_file(sys::join_path(path_, name));
  }
}

base::Status Repository::set_head(std::string_view branch) const {
  if (!safe_revision(branch)) return base::fail(base::ErrorKind::kInvalidInput, "not a branch name");
  FR_CHECK(run({"symbolic-ref", "HEAD", "refs/heads/" + std::string(branch)}));
  return {};
}

} // namespace coordinator::git
