#include <stdexcept>

// The library asserts some things that wrong texts make untrue ("[=]"), and assumes them to be true in builds without
// assertions. Here they are errors like any other.
#undef NDEBUG
#define TOML_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : throw std::logic_error("toml++ assertion: " #condition))
#define TOML_EXCEPTIONS 1
#define TOML_ENABLE_FORMATTERS 0
#define TOML_ENABLE_WINDOWS_COMPAT 0
#include "toml/toml.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>

#include "base/duration.hpp"
#include "base/strings.hpp"

namespace toml {

namespace {

Position position_of(const source_region& region) {
  return {static_cast<int>(region.begin.line), static_cast<int>(region.begin.column)};
}

std::int64_t unix_seconds(const date_time& t) {
  const std::chrono::year_month_day day{std::chrono::year(t.date.year), std::chrono::month(t.date.month),
                                        std::chrono::day(t.date.day)};
  const std::int64_t days = std::chrono::sys_days(day).time_since_epoch().count();
  const std::int64_t offset = t.offset ? std::int64_t{t.offset->minutes} * 60 : 0;
  return days * 86400 + t.time.hour * 3600 + t.time.minute * 60 + t.time.second - offset;
}

void set_time(Value& out, const date_time& t) {
  out.type = Type::kTime;
  out.integer = unix_seconds(t);
  out.string = base::format_utc_seconds(out.integer);
}

Value convert(const node& source);

Value convert_table(const table& source) {
  Value out;
  out.type = Type::kTable;
  for (const auto& [key, child] : source) {
    out.table.push_back({std::string(key.str()), position_of(key.source()), convert(child)});
  }
  // The library sorts by name; readers of messages and of order-sensitive lists want the text's order.
  std::stable_sort(out.table.begin(), out.table.end(), [](const Member& a, const Member& b) {
    return std::pair(a.position.line, a.position.column) < std::pair(b.position.line, b.position.column);
  });
  return out;
}

Value convert(const node& source) {
  Value out;
  if (const auto* t = source.as_table()) {
    out = convert_table(*t);
  } else if (const auto* a = source.as_array()) {
    out.type = Type::kArray;
    for (const node& item : *a) out.array.push_back(convert(item));
  } else if (const auto* s = source.as_string()) {
    out.type = Type::kString;
    out.string = s->get();
  } else if (const auto* i = source.as_integer()) {
    out.type = Type::kInteger;
    out.integer = i->get();
  } else if (const auto* f = source.as_floating_point()) {
    out.type = Type::kFloat;
    out.number = f->get();
  } else if (const auto* b = source.as_boolean()) {
    out.type = Type::kBool;
    out.boolean = b->get();
  } else if (const auto* dt = source.as_date_time()) {
    set_time(out, dt->get());
  } else if (const auto* d = source.as_date()) {
    set_time(out, date_time{d->get(), toml::time{}});
  } else if (const auto* tm = source.as_time()) {
    out.type = Type::kTime;
    out.integer = tm->get().hour * 3600 + tm->get().minute * 60 + tm->get().second;
    out.string = fmt::format("{:02}:{:02}:{:02}", tm->get().hour, tm->get().minute, tm->get().second);
  }
  out.position = position_of(source.source());
  return out;
}

// An assertion of the library carries no position: the first line whose end completes a text that trips it.
int line_of_assertion(std::string_view text) {
  int line = 1;
  for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n', end + 1), ++line) {
    try {
      (void)toml::parse(text.substr(0, end), std::string_view{});
    } catch (const parse_error&) {
    } catch (const std::logic_error&) {
      return line;
    }
  }
  return line;
}

bool same_float(double a, double b) { return a == b || (a != a && b != b); }

} // namespace

std::string_view describe(Type type) {
  switch (type) {
    case Type::kString:
      return "a string";
    case Type::kInteger:
      return "an integer";
    case Type::kFloat:
      return "a float";
    case Type::kBool:
      return "a boolean";
    case Type::kTime:
      return "a date or time";
    case Type::kArray:
      return "an array";
    case Type::kTable:
      return "a table";
  }
  return "a value";
}

bool Value::is_table_array() const {
  return type == Type::kArray && std::all_of(array.begin(), array.end(), [](const Value& v) { return v.is_table(); });
}

const Value* Value::find(std::string_view key) const {
  if (!is_table()) return nullptr;
  for (const Member& member : table) {
    if (member.key == key) return &member.value;
  }
  for (const Member& member : table) {
    if (base::equals_ignore_case(member.key, key)) return &member.value;
  }
  return nullptr;
}

bool operator==(const Value& a, const Value& b) {
  if (a.type != b.type) return false;
  switch (a.type) {
    case Type::kString:
      return a.string == b.string;
    case Type::kInteger:
      return a.integer == b.integer;
    case Type::kFloat:
      return same_float(a.number, b.number);
    case Type::kBool:
      return a.boolean == b.boolean;
    case Type::kTime:
      return a.integer == b.integer && a.string == b.string;
    case Type::kArray:
      return a.array == b.array;
    case Type::kTable: {
      // Keys are unique; their order carries no meaning.
      if (a.table.size() != b.table.size()) return false;
      return std::all_of(a.table.begin(), a.table.end(), [&](const Member& member) {
        return std::find(b.table.begin(), b.table.end(), member) != b.table.end();
      });
    }
  }
  return false;
}

bool operator==(const Member& a, const Member& b) { return a.key == b.key && a.value == b.value; }

base::Result<Value> parse_document(std::string_view text, std::string_view source) {
  try {
    return convert_table(toml::parse(text, std::string_view{}));
  } catch (const parse_error& error) {
    const Position at = position_of(error.source());
    return base::fail(base::ErrorKind::kInvalidInput,
                      fmt::format("{}:{}:{}: {}", source, at.line, at.column, error.description()));
  } catch (const std::logic_error&) {
    return base::fail(base::ErrorKind::kInvalidInput,
                      fmt::format("{}:{}:1: a key or a table's name is malformed", source, line_of_assertion(text)));
  }
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\r':
        out += "\\r";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
        } else {
          out += c;
        }
    }
  }
  return out + '"';
}

std::string format_key(std::string_view key) {
  const bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
  });
  return bare ? std::string(key) : quote(key);
}

} // namespace toml
