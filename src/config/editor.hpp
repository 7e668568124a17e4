// Editor: load, change and save config.toml without touching anything else in it.
//
// Holds an advisory lock beside the file from open() until destroyed, so that two processes cannot lose each other's
// change. save() replaces the file atomically with mode 0600 and keeps its owner. Blocking; not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "config/config.hpp"
#include "json/json.hpp"

namespace config {

struct NewToken {
  std::string token;
  std::int64_t obtained_at = 0;           // Unix seconds
  std::optional<std::int64_t> expires_at; // nullopt: never
};

class Editor {
 public:
  // A missing file is an empty configuration. Waits up to ten seconds for somebody else's lock (kTimeout).
  static base::Result<Editor> open(const std::string& path);
  Editor(Editor&&) noexcept;
  Editor& operator=(Editor&&) noexcept;
  ~Editor();

  // As it stands with the changes made so far.
  const Config& config() const;
  const std::string& text() const;
  bool existed() const;

  // Adds a [[runners]] entry at the end, written from a tree with the documented keys. In an empty file the global keys
  // come first, as upstream writes them.
  base::Status append_runner(const json::Value& tree);
  base::Status remove_runner(std::size_t index);
  base::Status set_runner_key(std::size_t index, std::string_view key, std::string_view toml_literal);
  // In every entry with this URL and token, as several may share them; how many it were.
  base::Result<std::size_t> replace_token(std::string_view url, std::string_view token, const NewToken& successor);
  base::Status save();

 private:
  struct State;
  base::Status set_token(std::size_t index, const NewToken& successor);
  explicit Editor(std::unique_ptr<State> state);
  base::Status reparse();

  std::unique_ptr<State> state_;
};

} // namespace config
