#include "coordinator/rest/listing.hpp"

#include <fmt/format.h>

namespace coordinator::rest {
namespace {

Outcome<json::Value> rows_json(const std::vector<Row>& rows, const RowJson& row_json) {
  auto out = json::Value::array();
  for (const auto& row : rows) out.push_back(API_TRY(row_json(row)));
  return out;
}

} // namespace

Outcome<Listing> read_listing(Params& params, std::initializer_list<std::string_view> orders, std::string_view sort) {
  Listing listing;
  listing.keyset = API_TRY(read_keyset(params));
  if (!listing.keyset) listing.page = API_TRY(read_page(params));
  listing.order_by = params.one_of("order_by", orders).value_or(std::string(*orders.begin()));
  if (listing.keyset) listing.order_by = "id";
  const auto given = params.one_of("sort", {"asc", "desc"});
  listing.ascending = listing.keyset ? listing.keyset->ascending : given.value_or(std::string(sort)) == "asc";
  API_CHECK(params.finish());
  return listing;
}

Outcome<Reply> list_rows(Transaction& tx, const Call& call, const Listing& listing, const Source& source,
                         model::Condition where, const RowJson& row_json) {
  const auto& keyset = listing.keyset;
  const std::string_view direction = listing.ascending ? "ASC" : "DESC";
  if (keyset && keyset->after) {
    where.add(fmt::format("{} {} ?", source.id, listing.ascending ? ">" : "<"), {*keyset->after});
  }
  const auto query = source.query.empty() ? fmt::format("SELECT * FROM {} WHERE {}", source.table, where.sql)
                                          : fmt::format("{} AND {}", source.query, where.sql);
  std::optional<std::int64_t> total;
  if (!keyset && source.counted) {
    total = API_TRY(tx.count(fmt::format("SELECT count(*) FROM ({}) AS found", query), where.binds));
  }
  auto order = fmt::format("{} {}", source.id, direction);
  if (!keyset && !source.order.empty()) order = source.order + ", " + order;
  // One more than shown tells whether there is a next page.
  where.binds.emplace_back(keyset ? keyset->per_page + 1 : listing.page.per_page);
  where.binds.emplace_back(keyset ? 0 : listing.page.offset());
  auto rows = API_TRY(tx.query(fmt::format("{} ORDER BY {} LIMIT ? OFFSET ?", query, order), where.binds));
  if (!keyset) return call.page_reply(API_TRY(rows_json(rows, row_json)), listing.page, total);
  std::optional<std::int64_t> next;
  if (static_cast<std::int64_t>(rows.size()) > keyset->per_page) {
    rows.pop_back();
    next = rows.back().integer("id");
  }
  return call.keyset_reply(API_TRY(rows_json(rows, row_json)), *keyset, next);
}

} // namespace coordinator::rest
