#include "coordinator/params.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "base/strings.hpp"
#include "base/utf8.hpp"
#include "net/multipart.hpp"

namespace coordinator {
namespace {

bool clean(const std::string& text) { return text.find('\0') == std::string::npos && base::is_valid_utf8(text); }

bool clean(const json::Value& value) {
  if (value.is_string()) return clean(value.as_string());
  if (value.is_array()) return std::ranges::all_of(value.as_array(), [](const auto& item) { return clean(item); });
  if (value.is_object()) {
    return std::ranges::all_of(value.as_object(),
                               [](const auto& member) { return clean(member.first) && clean(member.second); });
  }
  return true;
}

// As many as upstream takes: a body of a megabyte could name a hundred thousand, and nest them as deep.
constexpr std::size_t kMostParameters = 4096;
constexpr std::size_t kDeepest = 32;

Reply too_many() { return invalid_parameters({fmt::format("there are more than {} parameters", kMostParameters)}); }

// A form's parameters, one by one, in Rails' notation: a[b]=1 makes an object, a[]=1 an array.
class Form {
 public:
  explicit Form(json::Value& object) : object_(object) {}

  Outcome<std::monostate> put(std::string_view key, std::string value) {
    if (++count_ > kMostParameters) return std::unexpected(too_many());
    json::Value* at = &object_;
    auto open = key.find('[');
    if (open == std::string_view::npos || open == 0 || !key.ends_with(']')) {
      at->set(key, std::move(value));
      return {};
    }
    at = &member(*at, key.substr(0, open));
    for (std::size_t depth = 0;; ++depth) {
      if (depth == kDeepest) return std::unexpected(invalid_parameters({"a parameter is nested too deeply"}));
      const auto close = key.find(']', open);
      const auto inner = key.substr(open + 1, close - open - 1);
      if (inner.empty()) {
        if (!at->is_array()) *at = json::Value::array();
        at->push_back(std::move(value));
        return {};
      }
      if (!at->is_object()) *at = json::Value::object();
      open = key.find('[', close);
      if (open == std::string_view::npos) {
        at->set(inner, std::move(value));
        return {};
      }
      at = &member(*at, inner);
    }
  }

 private:
  static json::Value& member(json::Value& object, std::string_view name) {
    for (auto& [key, value] : object.as_object())
      if (key == name) return value;
    return object.as_object().emplace_back(std::string(name), json::Value()).second;
  }

  json::Value& object_;
  std::size_t count_ = 0;
};

Outcome<std::monostate> put_urlencoded(Form& form, std::string_view body) {
  for (const auto& pair : base::split(body, '&')) {
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    auto key = base::percent_decode(std::string_view(pair).substr(0, equals), true);
    auto value =
        equals == std::string::npos ? "" : base::percent_decode(std::string_view(pair).substr(equals + 1), true);
    API_CHECK(form.put(key, std::move(value)));
  }
  return {};
}

// Files are no parameters of the management API; their parts are left out.
Outcome<std::monostate> put_multipart(Form& form, std::string_view content_type, std::string_view body) {
  auto parts = net::parse_multipart(body, content_type);
  if (!parts) return std::unexpected(invalid_parameters({parts.error().message()}));
  for (auto& part : *parts) {
    if (!part.header.has_filename) API_CHECK(form.put(part.header.name, std::move(part.value)));
  }
  return {};
}

Outcome<std::monostate> put_body(json::Value& object, Form& form, const net::Request& request) {
  const auto& body = request.body;
  if (base::trim(body).empty()) return {};
  const std::string content_type(request.header("Content-Type"));
  const auto type = base::to_lower(base::trim(std::string_view(content_type).substr(0, content_type.find(';'))));
  if (type == "application/json" || type.ends_with("+json") || (type.empty() && base::trim(body).starts_with('{'))) {
    auto value = json::parse(body);
    if (!value) {
      return std::unexpected(
          invalid_parameters({fmt::format("the body is not valid JSON: {}", value.error().message())}));
    }
    if (value->is_null()) return {}; // what the stock runner sends with a token reset by id
    if (!value->is_object()) return std::unexpected(invalid_parameters({"the body must be a JSON object"}));
    if (value->size() > kMostParameters) return std::unexpected(too_many());
    for (auto& [key, member] : value->as_object()) object.set(key, std::move(member));
  } else if (type == "application/x-www-form-urlencoded" || type.empty()) {
    return put_urlencoded(form, body);
  } else if (type == "multipart/form-data") {
    return put_multipart(form, content_type, body);
  } else {
    return std::unexpected(Reply(
        415, json::Value::object({{"error", fmt::format("The provided content-type '{}' is not supported.", type)}})));
  }
  return {};
}

} // namespace

Outcome<Params> Params::parse(const net::Request& request) {
  auto object = json::Value::object();
  Form form(object);
  for (const auto& [key, value] : request.query) API_CHECK(form.put(key, value));
  API_CHECK(put_body(object, form, request));
  if (!clean(object)) {
    return std::unexpected(invalid_parameters({"parameters must be valid UTF-8 without NUL characters"}));
  }
  // The published migration example spells tag-list with a dash.
  json::Object aliases;
  for (const auto& [key, value] : object.as_object()) {
    const auto name = base::replace_all(key, "-", "_");
    if (name != key && !object.find(name)) aliases.emplace_back(name, value);
  }
  std::erase_if(object.as_object(), [&](const json::Member& member) {
    const auto name = base::replace_all(member.first, "-", "_");
    return name != member.first && std::ranges::any_of(aliases, [&](const auto& alias) { return alias.first == name; });
  });
  for (auto& [name, value] : aliases) object.set(name, std::move(value));
  return Params(std::move(object.as_object()));
}

const json::Value* Params::look(std::string_view name, Presence presence) {
  read_.emplace(name);
  const auto* value = values_.find(name);
  if (!value) {
    if (presence == Presence::kRequired) complain(fmt::format("{} is missing", name));
    return nullptr;
  }
  return value->is_null() ? nullptr : value;
}

bool Params::has(std::string_view name) const {
  read_.emplace(name);
  return values_.find(name) != nullptr;
}

bool Params::is_null(std::string_view name) const {
  const auto* value = values_.find(name);
  return value && (value->is_null() || (value->is_string() && value->as_string().empty()));
}

const json::Value& Params::raw(std::string_view name) const {
  read_.emplace(name);
  return values_[name];
}

std::optional<std::string> Params::text(std::string_view name, Presence presence) {
  const auto* value = look(name, presence);
  if (!value) return std::nullopt;
  if (value->is_string()) return value->as_string();
  if (value->is_integer() || value->is_number() || value->is_bool()) return value->dump();
  complain(fmt::format("{} is invalid", name));
  return std::nullopt;
}

std::optional<std::int64_t> Params::integer(std::string_view name, Presence presence) {
  const auto* value = look(name, presence);
  if (!value) return std::nullopt;
  if (value->is_integer()) return value->as_integer();
  if (value->is_number() && std::floor(value->as_number()) == value->as_number() &&
      std::abs(value->as_number()) < 9e15) {
    return static_cast<std::int64_t>(value->as_number());
  }
  if (value->is_string()) {
    const auto trimmed = base::trim(value->as_string());
    if (trimmed.empty()) return std::nullopt;
    if (const auto number = base::parse_int(trimmed)) return number;
  }
  complain(fmt::format("{} is invalid", name));
  return std::nullopt;
}

std::optional<bool> Params::boolean(std::string_view name, Presence presence) {
  const auto* value = look(name, presence);
  if (!value) return std::nullopt;
  if (value->is_bool()) return value->as_bool();
  const auto word = base::to_lower(value->is_string() ? value->as_string() : value->dump());
  if (word.empty()) return std::nullopt;
  for (const auto yes : {"true", "t", "1", "on", "yes"}) {
    if (word == yes) return true;
  }
  for (const auto no : {"false", "f", "0", "off", "no"}) {
    if (word == no) return false;
  }
  complain(fmt::format("{} is invalid", name));
  return std::nullopt;
}

std::optional<std::vector<std::string>> Params::list(std::string_view name, Presence presence) {
  const auto* value = look(name, presence);
  if (!value) return std::nullopt;
  std::vector<std::string> out;
  std::unordered_set<std::string> seen;
  const auto take = [&](const json::Value& item) {
    if (item.is_object() || item.is_array()) {
      complain(fmt::format("{} is invalid", name));
      return;
    }
    if (item.is_null()) return;
    for (const auto& part : base::split(item.is_string() ? item.as_string() : item.dump(), ',')) {
      std::string trimmed(base::trim(part));
      if (!trimmed.empty() && seen.insert(trimmed).second) out.push_back(std::move(trimmed));
    }
  };
  if (value->is_array()) {
    for (const auto& item : value->as_array()) take(item);
  } else {
    take(*value);
  }
  return out;
}

std::optional<std::string> Params::one_of(std::string_view name, std::initializer_list<std::string_view> allowed,
                                          Presence presence) {
  const auto* value = look(name, presence);
  const bool given = values_.find(name) != nullptr;
  if (!value && (presence == Presence::kOptional || given)) {
    if (given && presence == Presence::kRequired) complain(fmt::format("{} does not have a valid value", name));
    return std::nullopt;
  }
  if (value && value->is_string()) {
    for (const auto word : allowed) {
      if (value->as_string() == word) return std::string(word);
    }
  }
  complain(fmt::format("{} does not have a valid value", name));
  return std::nullopt;
}

std::optional<std::string> Params::date(std::string_view name) {
  const auto value = text(name);
  if (!value || value->empty()) return std::nullopt;
  const auto digits = [&](std::size_t from, std::size_t count) {
    return base::parse_int(std::string_view(*value).substr(from, count));
  };
  // A time after the date is accepted and ignored, as upstream does.
  if (value->size() >= 10 && (*value)[4] == '-' && (*value)[7] == '-' &&
      (value->size() == 10 || (*value)[10] == 'T' || (*value)[10] == ' ')) {
    const auto year = digits(0, 4);
    const auto month = digits(5, 2);
    const auto day = digits(8, 2);
    if (year && month && day && *year >= 1970 &&
        std::chrono::year_month_day(std::chrono::year(static_cast<int>(*year)),
                                    std::chrono::month(static_cast<unsigned>(*month)),
                                    std::chrono::day(static_cast<unsigned>(*day)))
            .ok()) {
      return value->substr(0, 10);
    }
  }
  complain(fmt::format("{} is invalid", name));
  return std::nullopt;
}

void Params::exclusive(std::string_view a, std::string_view b) {
  if (has(a) && has(b)) complain(fmt::format("{}, {} are mutually exclusive", a, b));
}

void Params::at_least_one(std::initializer_list<std::string_view> names) {
  bool any = false;
  for (const auto name : names) any = has(name) || any;
  if (!any) {
    complain(fmt::format("{} are missing, at least one parameter must be provided",
                         base::join({names.begin(), names.end()}, ", ")));
  }
}

Outcome<std::monostate> Params::finish() const {
  if (!complaints_.empty()) return std::unexpected(invalid_parameters(complaints_));
  return {};
}

std::vector<std::string> Params::unread() const {
  static constexpr std::string_view generic[] = {
      "private_token", "access_token", "job_token", "page", "per_page", "id", "sudo", "pagination", "sort", "order_by"};
  std::vector<std::string> out;
  for (const auto& [name, value] : values_.as_object()) {
    if (!read_.contains(name) && std::ranges::find(generic, name) == std::end(generic)) out.push_back(name);
  }
  return out;
}

Outcome<Page> read_page(Params& params) {
  Page page;
  page.page = params.integer("page").value_or(1);
  page.per_page = params.integer("per_page").value_or(20);
  if (page.page < 1) params.complain("page does not have a valid value");
  if (page.per_page < 1) params.complain("per_page does not have a valid value");
  API_CHECK(params.finish());
  page.per_page = std::min<std::int64_t>(page.per_page, 100);
  // Beyond this there are no rows, and the product must not overflow.
  page.page = std::min<std::int64_t>(page.page, 1'000'000'000);
  return page;
}

std::string make_cursor(std::int64_t id) {
  return base::base64url_encode(json::Value::object({{"id", std::to_string(id)}, {"_kd", "n"}}).dump());
}

Outcome<std::optional<Keyset>> read_keyset(Params& params) {
  const auto mode = params.one_of("pagination", {"keyset", "legacy"});
  const auto cursor = params.text("cursor");
  if (mode != "keyset") return std::optional<Keyset>();
  Keyset keyset;
  keyset.per_page = params.integer("per_page").value_or(20);
  if (keyset.per_page < 1) params.complain("per_page does not have a valid value");
  params.one_of("order_by", {"id"});
  keyset.ascending = params.one_of("sort", {"asc", "desc"}) == "asc";
  if (cursor && !cursor->empty()) {
    const auto text = base::base64_decode(*cursor);
    const auto value = text ? json::parse(*text) : base::Result<json::Value>(json::Value());
    keyset.after = value ? base::parse_int((*value)["id"].string_or("")) : std::nullopt;
    if (!keyset.after) params.complain("cursor is invalid");
  }
  API_CHECK(params.finish());
  keyset.per_page = std::min<std::int64_t>(keyset.per_page, 100);
  return std::optional(keyset);
}

} // namespace coordinator
