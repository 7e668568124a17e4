// Dialect: one SQL text for both databases. What differs in writing only is translated here, once per statement.
//
// Pure. Quoted text, quoted names and comments stay as they are.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace database {

// Row locks go away: SQLite has one writer.
std::string for_sqlite(std::string_view sql);

// `?` becomes $1, $2, … (in `? IS NULL` of some type); LIKE ILIKE, as SQLite's ignores the case of ASCII letters; in
// CREATE TABLE and ALTER TABLE INTEGER PRIMARY KEY AUTOINCREMENT becomes an identity, INTEGER BIGINT, REAL DOUBLE
// PRECISION, and TEXT compares by bytes as it does in SQLite.
std::string for_postgres(std::string_view sql);

// The statements of a script: each ends with a line that ends in ';'.
std::vector<std::string> split_statements(std::string_view script);

} // namespace database
