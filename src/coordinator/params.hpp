// Params: what a request brings along, from query, JSON, form or multipart body alike, with GitLab's coercions.
//
// Reading never fails at once: complaints collect and finish() answers them all in one 400. Belongs to one request.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/reply.hpp"
#include "json/json.hpp"
#include "net/http_server.hpp"

namespace coordinator {

enum class Presence { kOptional, kRequired };

class Params {
 public:
  Params() = default;
  explicit Params(json::Object values) : values_(json::Value(std::move(values))) {}
  // Query and body. 415 for an unknown media type, 400 for a broken body, NUL bytes or bad UTF-8.
  static Outcome<Params> parse(const net::Request& request);

  // Given at all, be it null.
  bool has(std::string_view name) const;
  bool is_null(std::string_view name) const;
  const json::Value& raw(std::string_view name) const;

  // nullopt when absent or null; a wrong value is a complaint "<name> is invalid", absence of a required one
  // "<name> is missing".
  std::optional<std::string> text(std::string_view name, Presence presence = Presence::kOptional);
  std::optional<std::int64_t> integer(std::string_view name, Presence presence = Presence::kOptional);
  std::optional<bool> boolean(std::string_view name, Presence presence = Presence::kOptional);
  // An array of texts or one text with commas (elements may hold commas too); trimmed, without empty ones, unique.
  std::optional<std::vector<std::string>> list(std::string_view name, Presence presence = Presence::kOptional);
  // One of these, else "<name> does not have a valid value" (added to "is missing", as GitLab does).
  std::optional<std::string> one_of(std::string_view name, std::initializer_list<std::string_view> allowed,
                                    Presence presence = Presence::kOptional);
  std::optional<std::string> date(std::string_view name); // YYYY-MM-DD
  void exclusive(std::string_view a, std::string_view b); // "a, b are mutually exclusive"
  void at_least_one(std::initializer_list<std::string_view> names);
  void complain(std::string complaint) { complaints_.push_back(std::move(complaint)); }

  // 400 with every complaint, if there is one.
  Outcome<std::monostate> finish() const;
  // Names that nobody asked for, and those that the handler did ask for.
  std::vector<std::string> unread() const;
  const std::set<std::string, std::less<>>& asked() const { return read_; }

 private:
  const json::Value* look(std::string_view name, Presence presence);

  json::Value values_ = json::Value::object();
  std::vector<std::string> complaints_;
  mutable std::set<std::string, std::less<>> read_;
};

// page, per_page (default 20, at most 100) and what they answer with.
struct Page {
  std::int64_t page = 1;
  std::int64_t per_page = 20;
  std::int64_t offset() const { return (page - 1) * per_page; }
};
// 400 for per_page=0 and the like.
Outcome<Page> read_page(Params& params);

// pagination=keyset: pages by id, each going on after the last one's id, which the opaque cursor holds.
struct Keyset {
  std::int64_t per_page = 20;
  bool ascending = false;
  std::optional<std::int64_t> after;
};
// nullopt when the request does not ask for keyset paging; 400 for another order than by id or a broken cursor.
Outcome<std::optional<Keyset>> read_keyset(Params& params);
std::string make_cursor(std::int64_t id);

} // namespace coordinator
