#include <algorithm>

#include "executor/executor.hpp"
#include "executor/shell/shell_executor.hpp"

namespace executor {

namespace {

struct Entry {
  std::string_view name;
  std::unique_ptr<Executor> (*make)(); // nullptr: known, not built yet
};

template <class T>
std::unique_ptr<Executor> make() {
  return std::make_unique<T>();
}

// The names that upstream registers (docs/executors), in its order.
constexpr Entry kExecutors[] = {
    {"custom", nullptr},
    {"shell", make<shell::ShellExecutor>},
    {"ssh", nullptr},
    {"virtualbox", nullptr},
    {"parallels", nullptr},
    {"docker", nullptr},
    {"docker-windows", nullptr},
    {"docker+machine", nullptr},
    {"docker-autoscaler", nullptr},
    {"instance", nullptr},
    {"kubernetes", nullptr},
};

const Entry* find(std::string_view name) {
  const auto* entry = std::ranges::find(kExecutors, name, &Entry::name);
  return entry == std::end(kExecutors) ? nullptr : entry;
}

} // namespace

base::Result<std::unique_ptr<Executor>> create(std::string_view name) {
  const Entry* entry = find(name);
  if (entry == nullptr) {
    return base::fail(base::ErrorKind::kInvalidInput, "executor not found: \"" + std::string(name) + "\"");
  }
  if (entry->make == nullptr) {
    return base::fail(base::ErrorKind::kInvalidInput,
                      "executor \"" + std::string(name) + "\" is not supported by this version of forerunner yet");
  }
  return entry->make();
}

bool available(std::string_view name) {
  const Entry* entry = find(name);
  return entry != nullptr && entry->make != nullptr;
}

const std::vector<std::string_view>& known_names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const Entry& entry : kExecutors) all.push_back(entry.name);
    return all;
  }();
  return names;
}

} // namespace executor
