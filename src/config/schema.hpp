// The one table of config.toml's keys: type, flag and environment variable of `register`, and when a key is written.
//
// Static data and pure functions. A path is relative to its [[runners]] (or to the top, for the global keys); "[]"
// marks the elements of an array of tables: "docker.services[].name". Rows stand in the order in which upstream writes
// them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "json/json.hpp"
#include "toml/toml.hpp"

namespace config {

enum class Kind {
  kString,
  kOptionalString,
  kInteger,
  kOptionalInteger,
  kFloat,
  kBool,
  kOptionalBool,
  kDuration, // Go's notation or an integer of nanoseconds; the tree holds Go's notation
  kOptionalDuration,
  kTime, // the tree holds RFC 3339
  kStringList,
  kStringOrList, // the tree holds a list
  kIntegerList,
  kFloatList,
  kStringMap,
  kStringListMap,
  kIntegerMap,
  kBoolMap,
  kHostAliases, // an array of tables; as a flag a JSON array
  kAnyTable,    // what is inside is not checked
  kTable,
  kTableList,
};

// The encoder that upstream uses: omit-empty hides "", false, empty lists and maps, but not 0; omit-zero hides 0 only.
// What is absent is never written, but for the plain types of an always-written key.
enum class Write { kAlways, kOmitEmpty, kOmitZero };

struct Key {
  std::string_view path;
  Kind kind;
  Write write;
  std::string_view flag = {}; // without dashes; empty: none
  std::string_view env = {};
  std::string_view alias = {}; // a second flag
};

std::span<const Key> runner_keys(); // without those below kubernetes
std::span<const Key> kubernetes_keys();
std::span<const Key> global_keys();
// nullptr if there is none. By exact spelling first, then ignoring case.
const Key* find_runner_key(std::string_view path);
const Key* find_global_key(std::string_view path);

bool is_map(Kind kind);

// Something that a file says and the schema does not know, or knows better.
struct Finding {
  int line = 0;
  std::string path; // "runners.docker.imaeg"
};

// A table of the file as a tree in which every key has its documented spelling and every value the type of the schema.
// kInvalidInput with position for a wrong type; unknown keys go to `unknown` and are left out.
base::Result<json::Value> normalize_runner(const toml::Value& table, std::string_view source,
                                           std::vector<Finding>& unknown);
base::Result<json::Value> normalize_globals(const toml::Value& table, std::string_view source,
                                            std::vector<Finding>& unknown);

// The value of a flag or environment variable as a tree value; lists and maps hold this one item.
// kInvalidInput "expected …".
base::Result<json::Value> parse_flag(const Key& key, std::string_view text);
// Value at "a.b.c", or null.
const json::Value& at_path(const json::Value& tree, std::string_view path);
// Sets it, making tables on the way.
void set_path(json::Value& tree, std::string_view path, json::Value value);
// Whether a value is one that upstream's merging takes for unset: null, "", 0, false, empty.
bool is_zero(const json::Value& value);

// A runner's tree as the lines of a [[runners]] entry, as upstream would write them.
std::string render_runner(const json::Value& tree);

} // namespace config
