#include "database/row.hpp"

#include <fmt/format.h>

#include <charconv>
#include <stdexcept>

#include "base/strings.hpp"

namespace database {

const std::optional<std::string>& Row::cell(std::string_view column) const {
  for (std::size_t i = 0; i < names_->size(); ++i) {
    if ((*names_)[i] == column) return values_[i];
  }
  throw std::logic_error(fmt::format("the query has no column {}", column));
}

bool Row::has(std::string_view column) const {
  for (const auto& name : *names_) {
    if (name == column) return true;
  }
  return false;
}

std::optional<std::int64_t> Row::optional_integer(std::string_view column) const {
  const auto& value = cell(column);
  if (!value) return std::nullopt;
  if (const auto number = base::parse_int(*value)) return number;
  return static_cast<std::int64_t>(optional_real(column).value_or(0));
}

std::int64_t Row::integer(std::string_view column) const { return optional_integer(column).value_or(0); }

std::optional<double> Row::optional_real(std::string_view column) const {
  const auto& value = cell(column);
  if (!value) return std::nullopt;
  double out = 0;
  std::from_chars(value->data(), value->data() + value->size(), out);
  return out;
}

double Row::real(std::string_view column) const { return optional_real(column).value_or(0); }

std::int64_t Row::first_integer() const { return integer(names_->front()); }

} // namespace database
