#include "config/template.hpp"

#include <fmt/format.h>

#include <array>

#include "base/log.hpp"
#include "config/config.hpp"
#include "config/schema.hpp"
#include "sys/files.hpp"
#include "toml/toml.hpp"

namespace config {

base::Result<json::Value> load_template(const std::string& path) {
  const auto config = load(path); // all checks of a configuration file
  if (!config) return base::fail_context("couldn't load configuration template file", config.error());
  if (config->runners.size() != 1) {
    return base::fail(base::ErrorKind::kInvalidInput,
                      "configuration template must contain exactly one [[runners]] entry");
  }
  for (const std::string& key : config->unknown_keys) {
    base::log::warning(fmt::format("{}: unknown key \"{}\" is ignored", path, key));
  }
  const std::string text = FR_TRY(sys::read_file(path));
  const toml::Value document = FR_TRY(toml::parse_document(text, path));
  std::vector<Finding> unknown;
  json::Value tree = FR_TRY(normalize_runner(document.find("runners")->array.front(), path, unknown));
  constexpr std::array<std::string_view, 4> kOfTheRegisteredRunner = {"token", "id", "token_obtained_at",
                                                                      "token_expires_at"};
  std::erase_if(tree.as_object(), [&](const json::Member& member) {
    return std::find(kOfTheRegisteredRunner.begin(), kOfTheRegisteredRunner.end(), member.first) !=
           kOfTheRegisteredRunner.end();
  });
  if (tree.find("url") != nullptr) tree.set("url", config->runners.front().url);
  return tree;
}

void merge_template(json::Value& tree, const json::Value& from) {
  for (const auto& [key, value] : from.as_object()) {
    json::Value* own = const_cast<json::Value*>(tree.find(key));
    if (own == nullptr || own->is_null()) {
      tree.set(key, value);
    } else if (own->is_object() && value.is_object()) {
      merge_template(*own, value);
    }
  }
}

} // namespace config
