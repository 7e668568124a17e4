// Lists in the order of ids, by offset pages or by keyset pages, as the request asks.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "coordinator/api.hpp"
#include "coordinator/model/condition.hpp"
#include "json/json.hpp"

namespace coordinator::rest {

struct Listing {
  std::optional<Keyset> keyset;
  Page page; // when there is no keyset
  bool ascending = false;
};
// Reads what `@keyset` of openapi.hpp documents; 400 when it is wrong.
Outcome<Listing> read_listing(Params& params);

// What is listed: "runners r" and the name of its id, "r.id".
struct Source {
  std::string_view table;
  std::string_view id;
  bool counted = true; // false: offset pages come without totals
};
using RowJson = std::function<Outcome<json::Value>(const Row&)>;
Outcome<Reply> list_rows(Transaction& tx, const Call& call, const Listing& listing, const Source& source,
                         model::Condition where, const RowJson& row_json);

} // namespace coordinator::rest
