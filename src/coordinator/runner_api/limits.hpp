// Limits: the settings that every call of a runner asks for, kept in memory.
//
// Thread-safe. What an administrator changes counts at once in this process and milliseconds later in the others
// (Events::eligibility_changed), seconds later should that notice be lost.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "coordinator/store.hpp"

namespace coordinator {

class Limits {
 public:
  base::Result<std::int64_t> get(Transaction& tx, std::string_view setting);
  void forget();

 private:
  struct Known {
    std::int64_t value = 0;
    std::chrono::steady_clock::time_point until;
  };
  std::mutex mutex_;
  std::uint64_t forgotten_ = 0; // how often
  std::map<std::string, Known, std::less<>> known_;
};

} // namespace coordinator
