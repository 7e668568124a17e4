// Secret: a string that cannot be printed by accident. Formatting or streaming one does not compile; reveal() is the
// one way out and easy to search for. The memory is wiped on destruction as far as the string's own buffer goes.
#pragma once

#include <ostream>
#include <string>
#include <string_view>

namespace base {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  Secret(const Secret&) = default;
  Secret(Secret&&) noexcept = default;
  Secret& operator=(const Secret&) = default;
  Secret& operator=(Secret&&) noexcept = default;
  ~Secret();

  const std::string& reveal() const { return value_; }
  bool empty() const { return value_.empty(); }
  friend bool operator==(const Secret&, const Secret&) = default;

 private:
  std::string value_;
};

std::ostream& operator<<(std::ostream&, const Secret&) = delete;

} // namespace base
