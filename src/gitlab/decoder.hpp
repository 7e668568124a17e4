// Decoder: reads fields out of a json::Value with the semantics of Go's encoding/json (absent and null leave the zero
// value, a wrong type is an error) and remembers the first error with the path of its field. Private to this module.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "json/json.hpp"

namespace gitlab {

class Decoder {
 public:
  // Fields of `object`, relative to the current path.
  void read(const json::Value& object, std::string_view key, std::string& out);
  void read(const json::Value& object, std::string_view key, base::Secret& out);
  void read(const json::Value& object, std::string_view key, std::int64_t& out);
  void read(const json::Value& object, std::string_view key, double& out);
  void read(const json::Value& object, std::string_view key, bool& out);
  void read(const json::Value& object, std::string_view key, std::optional<std::int64_t>& out);
  void read(const json::Value& object, std::string_view key, std::optional<bool>& out);
  void read(const json::Value& object, std::string_view key, std::vector<std::string>& out);

  // An object member: runs body(const json::Value&) unless absent or null.
  template <class Body>
  void object(const json::Value& parent, std::string_view key, Body&& body) {
    const json::Value* member = present(parent, key);
    if (member == nullptr) return;
    const Scope scope(*this, key);
    if (!member->is_object()) return wrong_type("an object", *member);
    body(*member);
  }
  // An array of objects: body(const json::Value&, T&) for each; null items are zero values, as in Go.
  template <class T, class Body>
  void objects(const json::Value& parent, std::string_view key, std::vector<T>& out, Body&& body) {
    const json::Value* member = present(parent, key);
    if (member == nullptr) return;
    const Scope scope(*this, key);
    if (!member->is_array()) return wrong_type("an array", *member);
    for (const json::Value& item : member->as_array()) {
      const Scope index(*this, out.size());
      T& value = out.emplace_back();
      if (item.is_null()) continue;
      if (!item.is_object()) return wrong_type("an object", item);
      body(item, value);
    }
  }

  // The member, or nullptr when absent or null.
  static const json::Value* present(const json::Value& object, std::string_view key);
  void wrong_type(std::string_view expected, const json::Value& found);
  // Records "<path>: <message>" unless there is an error already.
  void error(std::string_view message);
  bool failed() const { return error_.has_value(); }
  base::Status status() const;

  // Extends the path for its life.
  class Scope {
   public:
    Scope(Decoder& decoder, std::string_view key);
    Scope(Decoder& decoder, std::size_t index);
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() { decoder_.path_.resize(length_); }

   private:
    Decoder& decoder_;
    std::size_t length_;
  };

 private:
  std::string path_;
  std::optional<std::string> error_;
};

} // namespace gitlab
