#include "database/libpq.hpp"

#include <dlfcn.h>

#include <string>

namespace database {
namespace {

base::Result<PqApi> open_library() {
  void* library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = dlerror();
    return base::fail(base::ErrorKind::kSystem,
                      std::string("a PostgreSQL database needs libpq.so.5 (install libpq5): ") +
                          (reason != nullptr ? reason : "unknown"));
  }
  PqApi api{};
  std::string missing;
  auto load = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    if (function == nullptr) missing = name;
  };
  load(api.conninfo_parse, "PQconninfoParse");
  load(api.conninfo_free, "PQconninfoFree");
  load(api.connect, "PQconnectdbParams");
  load(api.finish, "PQfinish");
  load(api.status, "PQstatus");
  load(api.transaction_status, "PQtransactionStatus");
  load(api.error_message, "PQerrorMessage");
  load(api.socket, "PQsocket");
  load(api.parameter_status, "PQparameterStatus");
  load(api.set_notice_processor, "PQsetNoticeProcessor");
  load(api.exec, "PQexec");
  load(api.send_query, "PQsendQuery");
  load(api.prepare, "PQprepare");
  load(api.exec_prepared, "PQexecPrepared");
  load(api.result_status, "PQresultStatus");
  load(api.result_field, "PQresultErrorField");
  load(api.rows, "PQntuples");
  load(api.columns, "PQnfields");
  load(api.column_name, "PQfname");
  load(api.column_type, "PQftype");
  load(api.is_null, "PQgetisnull");
  load(api.value, "PQgetvalue");
  load(api.length, "PQgetlength");
  load(api.affected, "PQcmdTuples");
  load(api.clear, "PQclear");
  load(api.consume_input, "PQconsumeInput");
  load(api.notifies, "PQnotifies");
  load(api.free_memory, "PQfreemem");
  if (!missing.empty()) return base::fail(base::ErrorKind::kSystem, "libpq.so.5 lacks " + missing);
  return api;
}

} // namespace

base::Result<const PqApi*> pq() {
  static const base::Result<PqApi> api = open_library();
  if (!api) return base::fail(api.error());
  return &*api;
}

} // namespace database
