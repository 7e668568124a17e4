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

Outcome<Listing> read_listing(Params& params) {
  Listing listing;
  listing.keyset = API_TRY(read_keyset(params));
  if (!listing.keyset) listing.page = API_TRY(read_page(params));
  params.one_of("order_by", {"id"});
  listing.ascending = params.one_of("sort", {"asc", "desc"}) == "asc";
  API_CHECK(params.finish());
  return listing;
}

Outcome<Reply> list_rows(Transaction& tx, const Call& call, const Listing& listing, const Source& source,
                         model::Condition where, const RowJson& row_json) {
  const auto& keyset = listing.keyset;
  if (keyset && keyset->after) {
    where.add(fmt::format("{} {} ?", source.id, listing.ascending ? ">" : "<"), {*keyset->after});
  }
  std::optional<std::int64_t> total;
  if (!keyset && source.counted) {
    total = API_TRY(tx.count(fmt::format("SELECT count(*) FROM {} WHERE {}", source.table, where.sql), where.binds));
  }
  // One more than shown tells whether there is a next page.
  where.binds.emplace_back(keyset ? keyset->per_page + 1 : listing.page.per_page);
  where.binds.emplace_back(keyset ? 0 : listing.page.offset());
  auto rows = API_TRY(tx.query(fmt::format("SELECT * FROM {} WHERE {} ORDER BY {} {} LIMIT ? OFFSET ?", source.table,
                                           where.sql, source.id, listing.ascending ? "ASC" : "DESC"),
                               where.binds));
  if (!keyset) return call.page_reply(API_TRY(rows_json(rows, row_json)), listing.page, total);
  std::optional<std::int64_t> next;
  if (static_cast<std::int64_t>(rows.size()) > keyset->per_page) {
    rows.pop_back();
    next = rows.back().integer("id");
  }
  return call.keyset_reply(API_TRY(rows_json(rows, row_json)), *keyset, next);
}

} // namespace coordinator::rest
