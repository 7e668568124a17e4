// The OpenAPI 3 document of the REST API, made out of the registered routes, so that it cannot drift from them.
//
// A route describes itself in two short notations (Route::params, Route::answers); a text that cannot be read is a bug
// of ours and throws std::logic_error when the document is made, which tests do.
//
// Fields: `name:type` separated by blanks. A name with `!` is required, one of an object with `?` may be absent. Types:
// int number bool text date time object any list (array of texts, or one text with commas) file, `(a|b|c)` one of these
// words, `[T]` an array, `Name` a schema of openapi_schemas.cpp; `?` after a type: or null. `@page` and `@keyset` stand
// for the parameters of paging.
// Answers: `201:Runner 204 403`: a status, and what its body is: a type as above, `text` or `binary`.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/api.hpp"
#include "json/json.hpp"

namespace coordinator {

struct Field {
  std::string name;
  json::Value schema;
  bool required = false;
};
std::vector<Field> parse_params(std::string_view text);

// Every status that a route may answer with, the framework's errors among them, and the body's schema; null: no body,
// {"type":"string"}: not JSON.
std::map<int, json::Value> answers_of(const Endpoint& endpoint);

json::Value openapi_document(const std::vector<Endpoint>& endpoints, std::string_view server_url);

// components.schemas
json::Value openapi_schemas();
// One object's schema in the notation above.
json::Value object_schema(std::string_view fields);

// What a route promises and the server does not keep; empty when all is well. For tests, after every answer.
std::vector<std::string> broken_promises(const Endpoint& endpoint, const Call& call, const Reply& reply);

} // namespace coordinator
