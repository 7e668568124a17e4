// Lists by offset pages, or by keyset pages in the order of ids, as the request asks. Filters and pages are the
// database's work, so that a list of many thousands stays quick.
#pragma once

#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "coordinator/api.hpp"
#include "coordinator/model/condition.hpp"
#include "json/json.hpp"

namespace coordinator::rest {

struct Listing {
  std::optional<Keyset> keyset;
  Page page;            // when there is no keyset
  std::string order_by; // what the request names, else the first that is allowed; "id" with a keyset
  bool ascending = false;
};
// Reads what `@keyset` of openapi.hpp documents, with these words for order_by; 400 when it is wrong. A keyset goes by
// id only.
Outcome<Listing> read_listing(Params& params, std::initializer_list<std::string_view> orders = {"id"},
                              std::string_view sort = "desc");

// What is listed: "runners r" and the name of its id, "r.id".
struct Source {
  std::string_view table;
  std::string_view id;
  bool counted = true;         // false: offset pages come without totals
  std::string_view query = {}; // instead of the table: a SELECT that " AND …" can follow
  std::string order = {};      // of offset pages, "lower(n.name) ASC"; empty: by id
};
using RowJson = std::function<Outcome<json::Value>(const Row&)>;
Outcome<Reply> list_rows(Transaction& tx, const Call& call, const Listing& listing, const Source& source,
                         model::Condition where, const RowJson& row_json);

} // namespace coordinator::rest
