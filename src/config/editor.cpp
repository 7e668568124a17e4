#include "config/editor.hpp"

#include <fmt/format.h>

#include "base/duration.hpp"
#include "base/log.hpp"
#include "config/schema.hpp"
#include "sys/cancel.hpp"
#include "sys/files.hpp"
#include "sys/lock.hpp"
#include "toml/editor.hpp"
#include "toml/toml.hpp"

namespace config {

namespace {

constexpr std::string_view kNever = "0001-01-01T00:00:00Z";

// What upstream writes above the first runner. The connection age appears only when there was a file (its loader puts
// the default in).
std::string initial_globals(bool existed) {
  return fmt::format(
      "concurrent = 1\ncheck_interval = 0\n{}shutdown_timeout = 0\n\n[session_server]\n  session_timeout = 1800\n",
      existed ? "connection_max_age = \"15m0s\"\n" : "");
}

std::string lock_path(const std::string& path) {
  return sys::join_path(sys::parent_path(path), "." + sys::base_name(path) + ".lock");
}

} // namespace

struct Editor::State {
  std::string path;
  bool existed = false;
  toml::TextEditor text;
  Config config;
  std::optional<sys::FileLock> lock;
};

Editor::Editor(std::unique_ptr<State> state) : state_(std::move(state)) {}
Editor::Editor(Editor&&) noexcept = default;
Editor& Editor::operator=(Editor&&) noexcept = default;
Editor::~Editor() = default;

base::Result<Editor> Editor::open(const std::string& path) {
  std::optional<sys::FileLock> lock;
  const sys::CancelSource deadline(sys::CancelToken(), std::chrono::steady_clock::now() + std::chrono::seconds(10),
                                   "its lock was not released within 10 s");
  auto acquired = sys::FileLock::acquire(lock_path(path), deadline.token());
  if (acquired) {
    lock = std::move(*acquired);
  } else if (acquired.error().kind() == base::ErrorKind::kTimeout) {
    return base::fail_context(fmt::format("another process is changing {}", path), acquired.error());
  } else {
    // No directory yet, or one that we may not write to: the file itself may still be writable (a bind mount).
    base::log::debug("Configuration file is edited without a lock", {{"error", acquired.error().message()}});
  }
  auto content = sys::read_file(path);
  if (!content && content.error().kind() != base::ErrorKind::kNotFound) return base::fail(content.error());
  auto config = FR_TRY(load(path));
  auto text = FR_TRY(toml::TextEditor::open(content ? std::move(*content) : "", path));
  return Editor(
      std::make_unique<State>(State{path, content.has_value(), std::move(text), std::move(config), std::move(lock)}));
}

const Config& Editor::config() const { return state_->config; }
const std::string& Editor::text() const { return state_->text.text(); }
bool Editor::existed() const { return state_->existed; }

base::Status Editor::reparse() {
  state_->config = FR_TRY(parse(state_->text.text(), state_->path));
  return {};
}

base::Status Editor::append_runner(const json::Value& tree) {
  const auto document = FR_TRY(toml::parse_document(text(), state_->path));
  if (document.table.empty()) FR_CHECK(state_->text.append(initial_globals(state_->existed)));
  FR_CHECK(state_->text.append(render_runner(tree)));
  return reparse();
}

base::Status Editor::remove_runner(std::size_t index) {
  FR_CHECK(state_->text.remove_element("runners", index));
  return reparse();
}

base::Status Editor::set_runner_key(std::size_t index, std::string_view key, std::string_view toml_literal) {
  FR_CHECK(state_->text.set({{"runners", index}}, key, toml_literal));
  return reparse();
}

base::Status Editor::set_token(std::size_t index, const NewToken& successor) {
  const auto expires = successor.expires_at ? base::format_utc_seconds(*successor.expires_at) : std::string(kNever);
  const toml::TablePath runner = {{"runners", index}};
  FR_CHECK(state_->text.set(runner, "token", toml::quote(successor.token)));
  FR_CHECK(state_->text.set(runner, "token_obtained_at", base::format_utc_seconds(successor.obtained_at)));
  FR_CHECK(state_->text.set(runner, "token_expires_at", expires));
  return reparse();
}

base::Result<std::size_t> Editor::replace_token(std::string_view url, std::string_view token,
                                                const NewToken& successor) {
  std::size_t changed = 0;
  for (std::size_t i = 0; i < config().runners.size(); ++i) {
    const Runner& runner = config().runners[i];
    if (runner.url != url || runner.token.reveal() != token) continue;
    FR_CHECK(set_token(i, successor));
    ++changed;
  }
  return changed;
}

base::Status Editor::save() {
  FR_CHECK(sys::make_directories(sys::parent_path(state_->path), 0700));
  return sys::atomic_write_file(state_->path, text(), 0600);
}

} // namespace config
