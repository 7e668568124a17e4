#include "ci/variable.hpp"

#include <fmt/format.h>

#include <unordered_map>

#include "base/strings.hpp"

namespace ci {
namespace {
bool is_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name(char c) { return is_start(c) || (c >= '0' && c <= '9'); }

// A piece of text: literal, or a reference to a variable.
struct Piece {
  std::string_view text; // as written
  std::string_view name; // empty: literal
};

// Length of $NAME, ${NAME} or %NAME% at the start of the text, 0 if there is none.
std::size_t reference_at(std::string_view text, std::string_view& name) {
  std::size_t start = text.starts_with("${") ? 2 : 1;
  if (text.size() <= start || !is_start(text[start])) return 0;
  std::size_t end = start;
  while (end < text.size() && is_name(text[end])) ++end;
  name = text.substr(start, end - start);
  if (start == 1 && text.front() == '$') return end;
  char closing = text.front() == '%' ? '%' : '}';
  return end < text.size() && text[end] == closing ? end + 1 : 0;
}

// `doubled`: `$$` and `%%` are literals of their own.
std::vector<Piece> pieces_of(std::string_view text, bool doubled) {
  std::vector<Piece> pieces;
  std::size_t literal = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    char c = text[at];
    if (c != '$' && c != '%') {
      ++at;
      continue;
    }
    if (doubled && at + 1 < text.size() && text[at + 1] == c) {
      at += 2;
      continue;
    }
    std::string_view name;
    std::size_t length = reference_at(text.substr(at), name);
    if (length == 0) {
      ++at;
      continue;
    }
    if (at > literal) pieces.push_back({text.substr(literal, at - literal), {}});
    pieces.push_back({text.substr(at, length), name});
    at += length;
    literal = at;
  }
  if (text.size() > literal) pieces.push_back({text.substr(literal), {}});
  return pieces;
}

// A value may double with every reference; what nobody would write on purpose is refused.
constexpr std::size_t kMaxExpanded = 1024 * 1024;

class CollectionExpander {
 public:
  explicit CollectionExpander(Variables& variables) : variables_(variables), state_(variables.size()) {
    for (std::size_t i = 0; i < variables.size(); ++i) last_[variables[i].key] = i;
  }

  base::Status run() {
    for (std::size_t i = 0; i < variables_.size(); ++i) FR_CHECK(expand(i, 0));
    return {};
  }

 private:
  base::Status expand(std::size_t index, std::size_t depth) {
    if (state_[index] == 2) return {};
    Variable& variable = variables_[index];
    state_[index] = 1;
    path_.push_back(index);
    if (!variable.raw) {
      if (depth > 200)
        return base::fail(base::ErrorKind::kLimit, "variables refer to each other more than 200 levels deep");
      std::string value;
      std::string text = variable.value;
      for (const Piece& piece : pieces_of(text, true)) {
        value += FR_TRY(value_of(piece, index, depth));
        if (value.size() > kMaxExpanded)
          return base::fail(base::ErrorKind::kLimit, fmt::format("the value of {} becomes too long", variable.key));
      }
      variable.value = std::move(value);
    }
    path_.pop_back();
    state_[index] = 2;
    return {};
  }

  base::Result<std::string> value_of(const Piece& piece, std::size_t reader, std::size_t depth) {
    std::string as_written(piece.text);
    if (piece.name.empty()) return as_written;
    auto found = last_.find(std::string(piece.name));
    if (found == last_.end() || variables_[found->second].key == variables_[reader].key) return as_written;
    const Variable& target = variables_[found->second];
    if (target.raw || target.file) return as_written;
    if (state_[found->second] == 1) return cycle(found->second);
    FR_CHECK(expand(found->second, depth + 1));
    return target.value;
  }

  base::Result<std::string> cycle(std::size_t start) const {
    std::vector<std::string> names;
    bool on = false;
    for (std::size_t index : path_) {
      on = on || index == start;
      if (on) names.push_back("\"" + variables_[index].key + "\"");
    }
    return base::fail(base::ErrorKind::kInvalidInput,
                      fmt::format("circular variable reference detected: [{}]", base::join(names, ", ")));
  }

  Variables& variables_;
  std::vector<int> state_; // 0 untouched, 1 being expanded, 2 done
  std::unordered_map<std::string, std::size_t> last_;
  std::vector<std::size_t> path_;
};
} // namespace

const Variable* find(const Variables& variables, std::string_view key) {
  for (auto variable = variables.rbegin(); variable != variables.rend(); ++variable)
    if (variable->key == key) return &*variable;
  return nullptr;
}

base::Result<Variables> expand_collection(Variables variables) {
  FR_CHECK(CollectionExpander(variables).run());
  return variables;
}

std::string expand_text(std::string_view text, const Variables& variables, bool keep_unknown) {
  std::string out;
  for (const Piece& piece : pieces_of(text, false)) {
    const Variable* variable = piece.name.empty() ? nullptr : find(variables, piece.name);
    if (variable != nullptr) {
      out += variable->value;
    } else if (piece.name.empty() || keep_unknown) {
      out += piece.text;
    }
  }
  return out;
}

json::Value variables_json(const Variables& variables) {
  json::Array list;
  for (const Variable& variable : variables) {
    json::Value item = json::Value::object({{"key", variable.key},
                                            {"value", variable.value},
                                            {"public", variable.is_public},
                                            {"masked", variable.masked}});
    if (variable.file) item.set("file", true);
    if (variable.raw) item.set("raw", true);
    list.push_back(std::move(item));
  }
  return list;
}

Variables variables_from_json(const json::Value& list) {
  Variables variables;
  if (!list.is_array()) return variables;
  for (const json::Value& item : list.as_array()) {
    variables.push_back({.key = item["key"].string_or(""),
                         .value = item["value"].string_or(""),
                         .is_public = item["public"].bool_or(false),
                         .masked = item["masked"].bool_or(false),
                         .raw = item["raw"].bool_or(false),
                         .file = item["file"].bool_or(false)});
  }
  return variables;
}

bool can_be_masked(std::string_view value, bool raw) {
  if (value.size() < 8) return false;
  for (char c : value) {
    bool blank = c == ' ' || (c >= '\t' && c <= '\r');
    bool allowed = is_name(c) || std::string_view("+=/@:.~-").find(c) != std::string_view::npos;
    if (raw ? blank : !allowed) return false;
  }
  return true;
}

} // namespace ci
