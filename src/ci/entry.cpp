#include "ci/entry.hpp"

#include <fmt/format.h>

#include "base/strings.hpp"
#include "ci/duration.hpp"

namespace ci {
namespace {
using yaml::Node;

// "expire_in" → "expire in", as attribute names stand in messages.
std::string words(std::string_view key) { return base::replace_all(key, "_", " "); }

bool flatten_script(const Node& node, int depth, std::vector<std::string>& out) {
  constexpr int kMaxNesting = 10;
  if (node.is_string()) {
    out.push_back(node.text());
    return true;
  }
  if (!node.is_sequence() || depth > kMaxNesting) return false;
  for (const Node& item : node.items())
    if (!flatten_script(item, depth + 1, out)) return false;
  return true;
}
} // namespace

void Place::error_at(const Node& node, std::string_view message) const {
  problems_->error(node.mark().line > 0 ? node.mark() : node_->mark(), fmt::format("{} {}", location_, message));
}

void Place::warning(std::string_view message) const {
  problems_->warning(node_->mark(), fmt::format("{} {}", location_, message));
}

std::optional<Place> Place::child(std::string_view key) const {
  const Node* value = node_->find(key);
  if (value == nullptr || value->is_null()) return std::nullopt;
  return part(*value, key);
}

Place Place::part(const Node& node, std::string_view name) const {
  return Place(node, fmt::format("{}:{}", location_, name), *problems_);
}

bool Place::check_keys(std::initializer_list<std::string_view> allowed,
                       std::initializer_list<std::string_view> unsupported) const {
  auto in = [](std::initializer_list<std::string_view> list, const std::string& key) {
    return std::find(list.begin(), list.end(), key) != list.end();
  };
  std::vector<std::string> unknown;
  const Node* first_unknown = nullptr;
  bool ok = true;
  for (const yaml::Entry& entry : node_->entries()) {
    const std::string& key = entry.key.text();
    if (entry.key.is_string() && in(allowed, key)) continue;
    ok = false;
    if (entry.key.is_string() && in(unsupported, key)) {
      error_at(entry.key, fmt::format("`{}` is not supported yet", key));
    } else {
      unknown.push_back(key);
      if (first_unknown == nullptr) first_unknown = &entry.key;
    }
  }
  if (first_unknown != nullptr)
    error_at(*first_unknown, fmt::format("config contains unknown keys: {}", base::join(unknown, ", ")));
  return ok;
}

std::string Place::string(std::string_view key, std::string_view fallback) const {
  auto value = child(key);
  if (!value) return std::string(fallback);
  if (value->node().is_string()) return value->node().text();
  error_at(value->node(), fmt::format("{} should be a string", words(key)));
  return std::string(fallback);
}

bool Place::boolean(std::string_view key, bool fallback) const {
  auto value = child(key);
  if (!value) return fallback;
  if (value->node().is_bool()) return value->node().as_bool();
  error_at(value->node(), fmt::format("{} should be a boolean value", words(key)));
  return fallback;
}

std::vector<std::string> Place::strings(std::string_view key, bool one_allowed) const {
  auto value = child(key);
  if (!value) return {};
  if (one_allowed && value->node().is_string()) return {value->node().text()};
  std::vector<std::string> out;
  bool ok = value->node().is_sequence();
  for (const Node& item : value->node().items()) {
    // A !reference in a list leaves a list in the list.
    std::size_t before = out.size();
    ok = ok && flatten_script(item, 1, out);
    if (!ok) out.resize(before);
  }
  if (!ok)
    error_at(value->node(),
             fmt::format("{} should be an array of strings{}", words(key), one_allowed ? " or a string" : ""));
  return out;
}

std::vector<int> Place::integers(std::string_view key) const {
  auto value = child(key);
  if (!value) return {};
  std::vector<int> out;
  bool ok = value->node().is_integer() || value->node().is_sequence();
  if (value->node().is_integer()) out.push_back(static_cast<int>(value->node().as_integer()));
  for (const Node& item : value->node().items()) {
    ok = ok && item.is_integer();
    out.push_back(static_cast<int>(item.as_integer()));
  }
  if (!ok) error_at(value->node(), fmt::format("{} should be an array of integers or an integer", words(key)));
  return out;
}

std::string Place::choice(std::string_view key, std::initializer_list<std::string_view> values,
                          std::string_view fallback) const {
  auto value = child(key);
  if (!value) return std::string(fallback);
  if (value->node().is_string() && std::find(values.begin(), values.end(), value->node().text()) != values.end())
    return value->node().text();
  error_at(value->node(), fmt::format("{} should be one of: {}", words(key), fmt::join(values, ", ")));
  return std::string(fallback);
}

std::vector<std::string> read_script(const Place& place) {
  std::vector<std::string> lines;
  if (!flatten_script(place.node(), 0, lines)) {
    place.error("config should be a string or a nested array of strings up to 10 levels deep");
    return {};
  }
  return lines;
}

std::optional<std::int64_t> read_duration(const Place& place, std::string_view key, std::int64_t limit) {
  auto value = place.child(key);
  if (!value) return std::nullopt;
  auto seconds = value->node().is_string() ? parse_duration(value->node().text()) : std::nullopt;
  if (!seconds) {
    place.error_at(value->node(), fmt::format("{} should be a duration", words(key)));
  } else if (*seconds > limit) {
    place.error_at(value->node(), fmt::format("{} should not exceed the limit", words(key)));
  }
  return seconds;
}

Variables read_variables(const Place& place, std::initializer_list<std::string_view> hash_keys) {
  Variables variables;
  if (!place.node().is_mapping()) {
    place.error("config should be a hash of key value pairs");
    return variables;
  }
  for (const yaml::Entry& entry : place.node().entries()) {
    Place at = place.part(entry.value, entry.key.text());
    Variable variable{.key = entry.key.text(), .is_public = true};
    const Node* value = &entry.value;
    if (value->is_mapping() && hash_keys.size() == 0) {
      at.error("config must be a string");
    } else if (value->is_mapping()) {
      std::vector<std::string> wrong;
      for (const yaml::Entry& member : value->entries())
        if (std::find(hash_keys.begin(), hash_keys.end(), member.key.text()) == hash_keys.end())
          wrong.push_back(member.key.text());
      if (!wrong.empty()) at.error(fmt::format("config uses invalid data keys: {}", base::join(wrong, ", ")));
      variable.raw = !at.boolean("expand", true);
      at.string("description");
      auto options = at.strings("options");
      value = entry.value.find("value");
      if (!options.empty() &&
          (value == nullptr || std::find(options.begin(), options.end(), value->text()) == options.end()))
        at.error("config value must be present in options");
    }
    if (value != nullptr && value->is_scalar()) {
      variable.value = value->text();
      if (value->changed_by_resolution() && !value->is_null())
        place.problems().warning(value->mark(), fmt::format("{}: YAML takes {} for {}; quote it to keep it as written",
                                                            at.location(), value->source_text(), value->text()));
    } else if (value != nullptr && !value->is_mapping()) {
      at.error("config variable definition must be either a string or a hash");
    } else if (value != nullptr && value != &entry.value) {
      at.error("config value should be a string");
    }
    variables.push_back(std::move(variable));
  }
  return variables;
}

} // namespace ci
