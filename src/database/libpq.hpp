// libpq, PostgreSQL's client library, opened when a postgresql:// database is first asked for: starting the program
// costs nothing by it, and a machine without libpq runs the coordinator on SQLite.
//
// Internal to the module. The declarations are libpq's documented ones (libpq.so.5, the same since 2006), so that
// building needs nothing of PostgreSQL. pq() is thread-safe; the table is valid for ever.
#pragma once

#include "base/result.hpp"

namespace database {

struct PgConn;   // PGconn
struct PgResult; // PGresult
using PgOid = unsigned int;

struct PgOption { // PQconninfoOption
  char* keyword;
  char* environment;
  char* compiled;
  char* value;
  char* label;
  char* display;
  int size;
};

struct PgNotify { // PGnotify
  char* channel;
  int backend;
  char* payload;
  PgNotify* next;
};

inline constexpr int kPgConnectionOk = 0;
inline constexpr int kPgCommandOk = 1;
inline constexpr int kPgTuplesOk = 2;
inline constexpr int kPgInTransactionIdle = 0;
inline constexpr int kPgFieldSqlState = 'C';
inline constexpr int kPgFieldMessage = 'M';
inline constexpr PgOid kPgBoolean = 16;

struct PqApi {
  PgOption* (*conninfo_parse)(const char* text, char** error);
  void (*conninfo_free)(PgOption* options);
  PgConn* (*connect)(const char* const* keywords, const char* const* values, int expand_name);
  void (*finish)(PgConn* connection);
  int (*status)(const PgConn* connection);
  int (*transaction_status)(const PgConn* connection);
  char* (*error_message)(const PgConn* connection);
  int (*socket)(const PgConn* connection);
  const char* (*parameter_status)(const PgConn* connection, const char* name);
  void (*(*set_notice_processor)(PgConn* connection, void (*)(void*, const char*), void*))(void*, const char*);
  PgResult* (*exec)(PgConn* connection, const char* sql);
  int (*send_query)(PgConn* connection, const char* sql);
  PgResult* (*prepare)(PgConn* connection, const char* name, const char* sql, int count, const PgOid* types);
  PgResult* (*exec_prepared)(PgConn* connection, const char* name, int count, const char* const* values,
                             const int* lengths, const int* formats, int result_format);
  int (*result_status)(const PgResult* result);
  char* (*result_field)(const PgResult* result, int field);
  int (*rows)(const PgResult* result);
  int (*columns)(const PgResult* result);
  char* (*column_name)(const PgResult* result, int column);
  PgOid (*column_type)(const PgResult* result, int column);
  int (*is_null)(const PgResult* result, int row, int column);
  char* (*value)(const PgResult* result, int row, int column);
  int (*length)(const PgResult* result, int row, int column);
  char* (*affected)(PgResult* result);
  void (*clear)(PgResult* result);
  int (*consume_input)(PgConn* connection);
  PgNotify* (*notifies)(PgConn* connection);
  void (*free_memory)(void* memory);
};

// kSystem when there is no libpq.so.5 or it lacks something.
base::Result<const PqApi*> pq();

} // namespace database
