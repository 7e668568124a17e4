// Headers: the header fields of a request or answer, in order, found without regard to case. A plain value.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace net {

class Headers {
 public:
  using Field = std::pair<std::string, std::string>;

  Headers() = default;
  Headers(std::initializer_list<Field> fields) : fields_(fields) {}

  // The first field of that name; "" when there is none.
  std::string_view get(std::string_view name) const;
  bool contains(std::string_view name) const;
  void add(std::string_view name, std::string_view value); // beside those of the same name
  void set(std::string_view name, std::string_view value); // instead of them
  void remove(std::string_view name);

  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  std::size_t size() const { return fields_.size(); }
  bool empty() const { return fields_.empty(); }

 private:
  std::vector<Field> fields_;
};

} // namespace net
