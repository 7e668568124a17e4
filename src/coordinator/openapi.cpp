#include "coordinator/openapi.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "base/strings.hpp"

namespace coordinator {
namespace {

using json::Value;

constexpr std::string_view kPage = "page:int per_page:int";
constexpr std::string_view kKeyset =
    "page:int per_page:int pagination:(keyset|legacy) cursor:text order_by:(id) sort:(asc|desc)";

Value reference(std::string_view schema) {
  return Value::object({{"$ref", fmt::format("#/components/schemas/{}", schema)}});
}

Value type_only(std::string_view type) { return Value::object({{"type", type}}); }

Value with_format(std::string_view type, std::string_view format) {
  return Value::object({{"type", type}, {"format", format}});
}

Value words_schema(std::string_view words) {
  auto list = Value::array();
  for (const auto& word : base::split(words, '|')) list.push_back(word);
  return Value::object({{"type", "string"}, {"enum", std::move(list)}});
}

Value nullable(Value schema) {
  if (schema.find("$ref")) {
    auto all = Value::array();
    all.push_back(std::move(schema));
    return Value::object({{"allOf", std::move(all)}, {"nullable", true}});
  }
  schema.set("nullable", true);
  if (auto* words = schema.find("enum")) {
    auto list = *words;
    list.push_back(nullptr);
    schema.set("enum", std::move(list));
  }
  return schema;
}

Value schema_of(std::string_view type) {
  if (type.empty()) throw std::logic_error("a type is missing");
  if (type.ends_with('?')) return nullable(schema_of(type.substr(0, type.size() - 1)));
  if (type.starts_with('[') && type.ends_with(']')) {
    return Value::object({{"type", "array"}, {"items", schema_of(type.substr(1, type.size() - 2))}});
  }
  if (type.starts_with('(') && type.ends_with(')')) return words_schema(type.substr(1, type.size() - 2));
  if (type == "int") return with_format("integer", "int64");
  if (type == "number") return type_only("number");
  if (type == "bool") return type_only("boolean");
  if (type == "text") return type_only("string");
  if (type == "date") return with_format("string", "date");
  if (type == "time") return with_format("string", "date-time");
  if (type == "file") return with_format("string", "binary");
  if (type == "object") return type_only("object");
  if (type == "any") return Value::object();
  if (type == "list") {
    auto either = Value::array();
    either.push_back(Value::object({{"type", "array"}, {"items", type_only("string")}}));
    either.push_back(type_only("string"));
    return Value::object({{"oneOf", std::move(either)}});
  }
  if (type[0] < 'A' || type[0] > 'Z') throw std::logic_error(fmt::format("no such type: {}", type));
  return reference(type);
}

struct Parsed {
  std::string name;
  std::string_view type;
  char mark = ' '; // of the name: ! or ?
};

Parsed parse_field(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0) throw std::logic_error(fmt::format("not name:type: {}", text));
  Parsed out{.name = std::string(text.substr(0, colon)), .type = text.substr(colon + 1)};
  if (out.name.ends_with('!') || out.name.ends_with('?')) {
    out.mark = out.name.back();
    out.name.pop_back();
  }
  return out;
}

std::vector<std::string> path_names(std::string_view pattern) {
  std::vector<std::string> out;
  for (const auto& segment : base::split(pattern, '/')) {
    if (segment.starts_with(':')) out.push_back(segment.substr(1));
    if (segment == "*") out.emplace_back("path");
  }
  return out;
}

std::string template_of(std::string_view pattern) {
  std::string out;
  for (const auto& segment : base::split(pattern.substr(1), '/')) {
    out += segment == "*"             ? "/{path}"
           : segment.starts_with(':') ? fmt::format("/{{{}}}", segment.substr(1))
                                      : "/" + segment;
  }
  return out;
}

// Numbers, but for names and for projects, groups and namespaces, which may be given by their path.
bool is_text_segment(std::string_view pattern, std::string_view name) {
  if (name == "id") {
    return pattern.starts_with("/projects/") || pattern.starts_with("/groups/") ||
           pattern.starts_with("/namespaces/") || pattern == "/users/:id/projects";
  }
  return name == "path" || name == "name" || name == "key" || name == "ref";
}

bool has_body(std::string_view method) { return method == "POST" || method == "PUT" || method == "PATCH"; }

Value parameter(std::string_view name, std::string_view place, bool required, Value schema) {
  return Value::object({{"name", name}, {"in", place}, {"required", required}, {"schema", std::move(schema)}});
}

Value request_body(const std::vector<Field>& fields, bool spooled) {
  auto properties = Value::object();
  auto required = Value::array();
  for (const auto& field : fields) {
    properties.set(field.name, field.schema);
    if (field.required) required.push_back(field.name);
  }
  auto schema = Value::object({{"type", "object"}, {"properties", std::move(properties)}});
  const bool needed = required.size() > 0;
  if (needed) schema.set("required", std::move(required));
  auto content = Value::object();
  const auto media = Value::object({{"schema", std::move(schema)}});
  if (!spooled) content.set("application/json", media);
  content.set(spooled ? "multipart/form-data" : "application/x-www-form-urlencoded", media);
  return Value::object({{"required", needed}, {"content", std::move(content)}});
}

std::string_view describe(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No content";
    case 206:
      return "Part of the content";
    case 400:
      return "Parameters are missing or wrong";
    case 401:
      return "Credentials are missing or wrong";
    case 403:
      return "Not allowed";
    case 404:
      return "Not found, or not to be seen by the caller";
    case 409:
      return "Conflict";
    case 410:
      return "Runner registration is disallowed";
    case 412:
      return "Changed since If-Unmodified-Since";
    case 413:
      return "Too large";
    case 415:
      return "Unknown media type";
    case 416:
      return "Not that part";
    case 422:
      return "Cannot be processed";
    case 429:
      return "Too many requests";
    default:
      return "Error";
  }
}

Value response(int status, const Value& schema) {
  auto out = Value::object({{"description", describe(status)}});
  if (schema.is_null()) return out;
  const bool binary = schema["format"].string_or("") == "binary" || schema["x-text"].bool_or(false);
  out.set(
      "content",
      Value::object({{binary ? "application/octet-stream" : "application/json", Value::object({{"schema", schema}})}}));
  return out;
}

std::string_view auth_word(Auth auth) {
  switch (auth) {
    case Auth::kNone:
      return "own";
    case Auth::kOptional:
      return "optional";
    case Auth::kUser:
      return "user";
    case Auth::kAdmin:
      return "admin";
  }
  return "";
}

Value security_of(const Route& route) {
  auto out = Value::array();
  if (route.auth == Auth::kNone) return out;
  for (const auto name : {"privateToken", "bearer", "session"}) {
    out.push_back(Value::object({{name, Value::array()}}));
  }
  if (route.job_token) out.push_back(Value::object({{"jobToken", Value::array()}}));
  if (route.auth == Auth::kOptional) out.push_back(Value::object());
  return out;
}

Value scopes_json(const Endpoint& endpoint) {
  auto out = Value::array();
  if (endpoint.route.auth == Auth::kNone) return out;
  for (const auto& scope : scopes_wanted(endpoint.route.scopes, endpoint.method == "GET")) out.push_back(scope);
  return out;
}

Value operation(const Endpoint& endpoint) {
  const auto& route = endpoint.route;
  auto parameters = Value::array();
  for (const auto& name : path_names(endpoint.pattern)) {
    parameters.push_back(
        parameter(name, "path", true, schema_of(is_text_segment(endpoint.pattern, name) ? "text" : "int")));
  }
  const auto fields = parse_params(route.params);
  const bool body = has_body(endpoint.method);
  if (!body) {
    for (const auto& field : fields) parameters.push_back(parameter(field.name, "query", field.required, field.schema));
  }
  std::string id = base::to_lower(endpoint.method);
  for (const char c : endpoint.pattern) id += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  auto tags = Value::array();
  tags.push_back(base::split(endpoint.pattern.substr(1), '/').front());
  auto out = Value::object({{"operationId", id},
                            {"tags", std::move(tags)},
                            {"summary", route.summary},
                            {"parameters", std::move(parameters)}});
  if (body && !fields.empty()) out.set("requestBody", request_body(fields, route.spool));
  auto responses = Value::object();
  for (const auto& [status, schema] : answers_of(endpoint))
    responses.set(std::to_string(status), response(status, schema));
  out.set("responses", std::move(responses));
  out.set("security", security_of(route));
  out.set("x-auth", auth_word(route.auth));
  out.set("x-scopes", scopes_json(endpoint));
  return out;
}

Value security_schemes() {
  const auto key = [](std::string_view place, std::string_view name) {
    return Value::object({{"type", "apiKey"}, {"in", place}, {"name", name}});
  };
  return Value::object({{"privateToken", key("header", "PRIVATE-TOKEN")},
                        {"bearer", Value::object({{"type", "http"}, {"scheme", "bearer"}})},
                        {"session", key("cookie", "_forerunner_session")},
                        {"jobToken", key("header", "JOB-TOKEN")}});
}

} // namespace

std::vector<Field> parse_params(std::string_view text) {
  std::vector<Field> out;
  for (const auto& word : base::split_fields(text)) {
    if (word == "@page" || word == "@keyset") {
      for (auto& field : parse_params(word == "@page" ? kPage : kKeyset)) out.push_back(std::move(field));
      continue;
    }
    const auto field = parse_field(word);
    out.push_back({.name = field.name, .schema = schema_of(field.type), .required = field.mark == '!'});
  }
  return out;
}

Value object_schema(std::string_view fields) {
  auto properties = Value::object();
  auto required = Value::array();
  for (const auto& word : base::split_fields(fields)) {
    const auto field = parse_field(word);
    properties.set(field.name, schema_of(field.type));
    if (field.mark != '?') required.push_back(field.name);
  }
  auto out =
      Value::object({{"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}});
  if (required.size() > 0) out.set("required", std::move(required));
  return out;
}

std::map<int, Value> answers_of(const Endpoint& endpoint) {
  const auto& route = endpoint.route;
  std::map<int, Value> out;
  out[400] = reference("Error");
  if (has_body(endpoint.method)) out[415] = reference("Error");
  if (route.auth != Auth::kNone) out[401] = out[403] = reference("Error");
  if (endpoint.pattern.find("/:") != std::string::npos && route.auth != Auth::kNone) out[404] = reference("Error");
  for (const auto& word : base::split_fields(route.answers)) {
    const auto colon = word.find(':');
    const auto status = base::parse_int(word.substr(0, colon));
    if (!status || *status < 100 || *status > 599) throw std::logic_error(fmt::format("not a status: {}", word));
    auto& schema = out[static_cast<int>(*status)];
    if (colon == std::string::npos) {
      schema = *status >= 400 ? reference("Error") : Value();
    } else if (const auto type = word.substr(colon + 1); type == "binary") {
      schema = schema_of("file");
    } else if (type == "plain") {
      schema = Value::object({{"type", "string"}, {"x-text", true}});
    } else {
      schema = schema_of(type);
    }
  }
  return out;
}

Value openapi_document(const std::vector<Endpoint>& endpoints, std::string_view server_url) {
  auto paths = Value::object();
  for (const auto& endpoint : endpoints) {
    if (endpoint.route.root != kApiRoot) continue; // the pages' own calls
    const auto path = template_of(endpoint.pattern);
    auto item = paths.find(path) ? paths[path] : Value::object();
    try {
      item.set(base::to_lower(endpoint.method), operation(endpoint));
    } catch (const std::logic_error& e) {
      throw std::logic_error(fmt::format("{} {}: {}", endpoint.method, endpoint.pattern, e.what()));
    }
    paths.set(path, std::move(item));
  }
  auto servers = Value::array();
  servers.push_back(Value::object({{"url", fmt::format("{}/api/v4", server_url)}}));
  return Value::object(
      {{"openapi", "3.0.3"},
       {"info", Value::object({{"title", "Forerunner coordinator"},
                               {"version", kEmulatedVersion},
                               {"description",
                                "GitLab's REST API v4, as far as runners, pipelines and what surrounds "
                                "them need it."}})},
       {"servers", std::move(servers)},
       {"paths", std::move(paths)},
       {"components", Value::object({{"schemas", openapi_schemas()}, {"securitySchemes", security_schemes()}})}});
}

std::vector<std::string> broken_promises(const Endpoint& endpoint, const Call& call, const Reply& reply) {
  std::vector<std::string> out;
  // Read by the framework, or told of every route at once.
  static constexpr std::string_view common[] = {"private_token", "access_token", "job_token", "sudo",
                                                "authenticity_token"};
  const auto fields = parse_params(endpoint.route.params);
  for (const auto& name : call.params.asked()) {
    if (std::ranges::find(common, name) != std::end(common)) continue;
    if (std::ranges::find(fields, name, &Field::name) == fields.end()) {
      out.push_back(fmt::format("{} {} reads the undocumented parameter {}", endpoint.method, endpoint.pattern, name));
    }
  }
  if (reply.status < 500 && !answers_of(endpoint).contains(reply.status)) {
    out.push_back(fmt::format("{} {} answers the undocumented status {}: {}", endpoint.method, endpoint.pattern,
                              reply.status, reply.body.substr(0, 200)));
  }
  return out;
}

} // namespace coordinator
