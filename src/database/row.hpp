// Bind and Row: values on their way into and out of a database, the same for every kind of database.
//
// Plain values without a connection behind them. Text may hold any bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace database {

// A parameter: NULL, integer, real or text. A boolean is the integer 0 or 1, as in the schema.
class Bind {
 public:
  Bind(std::nullptr_t) {}
  Bind(bool value) : value_(static_cast<std::int64_t>(value)) {}
  template <class T>
    requires(std::is_integral_v<T> && !std::is_same_v<T, bool>)
  Bind(T value) : value_(static_cast<std::int64_t>(value)) {}
  Bind(double value) : value_(value) {}
  Bind(const char* value) : value_(std::string(value)) {}
  Bind(std::string value) : value_(std::move(value)) {}
  Bind(std::string_view value) : value_(std::string(value)) {}
  template <class T>
  Bind(std::optional<T> value) {
    if (value) *this = Bind(std::move(*value));
  }
  const std::variant<std::monostate, std::int64_t, double, std::string>& value() const { return value_; }

 private:
  std::variant<std::monostate, std::int64_t, double, std::string> value_;
};
using Binds = std::vector<Bind>;

// A result row. Asking for a column that the query has not is a bug of ours and throws std::logic_error; a NULL reads
// as 0, "" or false, or as nullopt through the optional_ functions.
class Row {
 public:
  Row(std::shared_ptr<const std::vector<std::string>> names, std::vector<std::optional<std::string>> values)
      : names_(std::move(names)), values_(std::move(values)) {}

  bool has(std::string_view column) const;
  bool is_null(std::string_view column) const { return !cell(column); }
  std::int64_t integer(std::string_view column) const;
  double real(std::string_view column) const;
  bool boolean(std::string_view column) const { return integer(column) != 0; }
  std::string text(std::string_view column) const { return cell(column).value_or(""); }
  std::optional<std::int64_t> optional_integer(std::string_view column) const;
  std::optional<double> optional_real(std::string_view column) const;
  std::optional<std::string> optional_text(std::string_view column) const { return cell(column); }
  std::int64_t first_integer() const; // of the first column

 private:
  const std::optional<std::string>& cell(std::string_view column) const;
  std::shared_ptr<const std::vector<std::string>> names_;
  std::vector<std::optional<std::string>> values_;
};

} // namespace database
