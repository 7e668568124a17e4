#include "net/headers.hpp"

#include <algorithm>

#include "base/strings.hpp"

namespace net {

std::string_view Headers::get(std::string_view name) const {
  for (const auto& [key, value] : fields_)
    if (base::equals_ignore_case(key, name)) return value;
  return {};
}

bool Headers::contains(std::string_view name) const {
  return std::any_of(fields_.begin(), fields_.end(),
                     [&](const Field& field) { return base::equals_ignore_case(field.first, name); });
}

void Headers::add(std::string_view name, std::string_view value) { fields_.emplace_back(name, value); }

void Headers::set(std::string_view name, std::string_view value) {
  remove(name);
  add(name, value);
}

void Headers::remove(std::string_view name) {
  std::erase_if(fields_, [&](const Field& field) { return base::equals_ignore_case(field.first, name); });
}

} // namespace net
