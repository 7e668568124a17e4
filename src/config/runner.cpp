// A Runner from a normalized tree, and back for the job directory's snapshot.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/duration.hpp"
#include "base/strings.hpp"
#include "config/config.hpp"
#include "config/internal.hpp"
#include "config/runner_fields.hpp"
#include "gitlab/wire.hpp"

namespace config {

namespace {

using json::Value;

// Tables that Runner has fields for; all others go to Runner::tables.
constexpr std::array<std::string_view, 5> kTypedTables = {"cache", "artifact", "custom_build_dir", "labels",
                                                          "feature_flags"};

class Reader {
 public:
  explicit Reader(const Value& tree) : tree_(tree) {}

  void operator()(std::string_view key, std::string& out) { out = tree_[key].string_or(out); }
  void operator()(std::string_view key, base::Secret& out) { out = base::Secret(tree_[key].string_or("")); }
  void operator()(std::string_view key, std::int64_t& out) { out = tree_[key].integer_or(out); }
  void operator()(std::string_view key, bool& out) { out = tree_[key].bool_or(out); }
  void operator()(std::string_view key, std::optional<bool>& out) {
    if (tree_[key].is_bool()) out = tree_[key].as_bool();
  }
  void operator()(std::string_view key, std::chrono::nanoseconds& out) {
    out = base::parse_go_duration(tree_[key].string_or("")).value_or(out);
  }
  void operator()(std::string_view key, std::vector<std::string>& out) {
    if (!tree_[key].is_array()) return;
    for (const Value& item : tree_[key].as_array()) out.push_back(item.string_or(""));
  }
  void operator()(std::string_view key, std::map<std::string, std::string>& out) {
    if (!tree_[key].is_object()) return;
    for (const auto& [name, value] : tree_[key].as_object()) out[name] = value.string_or("");
  }
  void operator()(std::string_view key, std::map<std::string, bool>& out) {
    if (!tree_[key].is_object()) return;
    for (const auto& [name, value] : tree_[key].as_object()) out[name] = value.bool_or(false);
  }
  template <class Body>
  void table(std::string_view key, Body&& body) {
    Reader below(tree_[key]);
    body(below);
  }

 private:
  const Value& tree_;
};

class Writer {
 public:
  Value take() { return std::move(tree_); }

  void operator()(std::string_view key, const std::string& in) { tree_.set(key, in); }
  void operator()(std::string_view key, const base::Secret& in) { tree_.set(key, in.reveal()); }
  void operator()(std::string_view key, std::int64_t in) { tree_.set(key, in); }
  void operator()(std::string_view key, bool in) { tree_.set(key, in); }
  void operator()(std::string_view key, const std::optional<bool>& in) {
    if (in) tree_.set(key, *in);
  }
  void operator()(std::string_view key, std::chrono::nanoseconds in) {
    if (in.count() != 0) tree_.set(key, base::format_go_duration(in));
  }
  void operator()(std::string_view key, const std::vector<std::string>& in) {
    Value list = Value::array();
    for (const std::string& item : in) list.push_back(item);
    tree_.set(key, std::move(list));
  }
  template <class T>
  void operator()(std::string_view key, const std::map<std::string, T>& in) {
    Value object = Value::object();
    for (const auto& [name, value] : in) object.set(name, value);
    tree_.set(key, std::move(object));
  }
  template <class Body>
  void table(std::string_view key, Body&& body) {
    Writer below;
    body(below);
    tree_.set(key, below.take());
  }

 private:
  Value tree_ = Value::object();
};

constexpr std::int64_t kNever = -62135596800; // 0001-01-01T00:00:00Z, upstream's "no time"

std::optional<std::int64_t> time_of(const Value& value) {
  const auto time = base::parse_rfc3339(value.string_or(""));
  return time && *time != kNever ? time : std::nullopt;
}

} // namespace

Runner runner_from_tree(const Value& tree) {
  Runner runner;
  Reader reader(tree);
  visit_runner(reader, runner);
  runner.token_obtained_at = time_of(tree["token_obtained_at"]).value_or(0);
  runner.token_expires_at = time_of(tree["token_expires_at"]);
  runner.tables = Value::object();
  if (tree.is_object()) {
    for (const auto& [key, value] : tree.as_object()) {
      const bool typed = std::find(kTypedTables.begin(), kTypedTables.end(), key) != kTypedTables.end();
      if (value.is_object() && !typed) runner.tables.set(key, value);
    }
  }
  return runner;
}

Value to_json(const Runner& runner) {
  Writer writer;
  visit_runner(writer, runner);
  Value tree = writer.take();
  tree.set("token", gitlab::short_token(runner.token.reveal()));
  if (runner.token_obtained_at != 0) tree.set("token_obtained_at", base::format_utc_seconds(runner.token_obtained_at));
  if (runner.token_expires_at) tree.set("token_expires_at", base::format_utc_seconds(*runner.token_expires_at));
  if (runner.tables.is_object()) {
    for (const auto& [key, value] : runner.tables.as_object()) tree.set(key, value);
  }
  return tree;
}

base::Result<Runner> runner_from_json(const Value& value) {
  if (!value.is_object()) return base::fail(base::ErrorKind::kInvalidInput, "a runner's snapshot must be an object");
  return runner_from_tree(value);
}

std::int64_t Runner::output_limit_bytes() const {
  constexpr std::int64_t kDefaultKilobytes = 4096;
  const std::int64_t kilobytes = output_limit > 0 ? output_limit : kDefaultKilobytes;
  return std::min<std::int64_t>(kilobytes, std::int64_t{1} << 40) * 1024;
}

std::int64_t Runner::effective_request_concurrency() const { return std::max<std::int64_t>(1, request_concurrency); }

std::int64_t Runner::effective_unhealthy_requests_limit() const {
  return unhealthy_requests_limit < 1 ? 3 : unhealthy_requests_limit;
}

std::chrono::nanoseconds Runner::effective_unhealthy_interval() const {
  return unhealthy_interval.count() > 0 ? unhealthy_interval : std::chrono::hours(1);
}

std::int64_t Runner::effective_final_update_retry_limit() const {
  return job_status_final_update_retry_limit < 1 ? 10 : job_status_final_update_retry_limit;
}

std::optional<bool> Runner::feature_flag(std::string_view flag) const {
  const auto it = feature_flags.find(std::string(flag));
  return it == feature_flags.end() ? std::nullopt : std::optional(it->second);
}

} // namespace config
