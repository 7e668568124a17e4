// `register --template-config`: a file with one [[runners]] entry whose values fill what the command line left open.
//
// Blocking file access, then pure. Errors are kInvalidInput or what reading the file gave.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "json/json.hpp"

namespace config {

// The entry's tree, without token, id and times; url expanded. Unknown keys are logged as warnings.
base::Result<json::Value> load_template(const std::string& path);

// Puts the template's values where `tree` has none; tables and maps merge key by key.
void merge_template(json::Value& tree, const json::Value& from);

} // namespace config
