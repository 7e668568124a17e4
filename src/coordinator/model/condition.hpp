// A condition of an SQL query and its values, put together piece by piece.
#pragma once

#include <string>

#include "coordinator/store.hpp"

namespace coordinator::model {

struct Condition {
  std::string sql = "1 = 1";
  Binds binds; // in the order of their question marks

  void add(const std::string& more, const Binds& values = {}) {
    sql += " AND " + more;
    binds.insert(binds.end(), values.begin(), values.end());
  }
};

} // namespace coordinator::model
