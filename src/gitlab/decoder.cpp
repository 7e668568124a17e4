#include "gitlab/decoder.hpp"

#include <fmt/format.h>

namespace gitlab {

namespace {

std::string_view article(json::Type type) {
  switch (type) {
    case json::Type::kNull:
      return "null";
    case json::Type::kBool:
      return "a boolean";
    case json::Type::kInteger:
      return "an integer";
    case json::Type::kNumber:
      return "a number with a fraction";
    case json::Type::kString:
      return "a string";
    case json::Type::kArray:
      return "an array";
    case json::Type::kObject:
      return "an object";
  }
  return "something else";
}

} // namespace

Decoder::Scope::Scope(Decoder& decoder, std::string_view key) : decoder_(decoder), length_(decoder.path_.size()) {
  if (!decoder_.path_.empty()) decoder_.path_ += '.';
  decoder_.path_ += key;
}

Decoder::Scope::Scope(Decoder& decoder, std::size_t index) : decoder_(decoder), length_(decoder.path_.size()) {
  decoder_.path_ += fmt::format("[{}]", index);
}

const json::Value* Decoder::present(const json::Value& object, std::string_view key) {
  const json::Value* member = object.find(key);
  return member == nullptr || member->is_null() ? nullptr : member;
}

void Decoder::error(std::string_view message) {
  if (!error_) error_ = path_.empty() ? std::string(message) : fmt::format("{}: {}", path_, message);
}

void Decoder::wrong_type(std::string_view expected, const json::Value& found) {
  error(fmt::format("expected {}, got {}", expected, article(found.type())));
}

base::Status Decoder::status() const {
  if (error_) return base::fail(base::ErrorKind::kInvalidInput, *error_);
  return {};
}

void Decoder::read(const json::Value& object, std::string_view key, std::string& out) {
  const json::Value* member = present(object, key);
  if (member == nullptr) return;
  if (member->is_string()) {
    out = member->as_string();
    return;
  }
  const Scope scope(*this, key);
  wrong_type("a string", *member);
}

void Decoder::read(const json::Value& object, std::string_view key, base::Secret& out) {
  std::string text;
  read(object, key, text);
  out = base::Secret(std::move(text));
}

void Decoder::read(const json::Value& object, std::string_view key, std::int64_t& out) {
  const json::Value* member = present(object, key);
  if (member == nullptr) return;
  if (member->is_integer()) {
    out = member->as_integer();
    return;
  }
  const Scope scope(*this, key);
  wrong_type("an integer", *member);
}

void Decoder::read(const json::Value& object, std::string_view key, double& out) {
  const json::Value* member = present(object, key);
  if (member == nullptr) return;
  if (member->is_number()) {
    out = member->as_number();
    return;
  }
  const Scope scope(*this, key);
  wrong_type("a number", *member);
}

void Decoder::read(const json::Value& object, std::string_view key, bool& out) {
  const json::Value* member = present(object, key);
  if (member == nullptr) return;
  if (member->is_bool()) {
    out = member->as_bool();
    return;
  }
  const Scope scope(*this, key);
  wrong_type("a boolean", *member);
}

void Decoder::read(const json::Value& object, std::string_view key, std::optional<std::int64_t>& out) {
  if (present(object, key) == nullptr) return;
  out = 0;
  read(object, key, *out);
}

void Decoder::read(const json::Value& object, std::string_view key, std::optional<bool>& out) {
  if (present(object, key) == nullptr) return;
  out = false;
  read(object, key, *out);
}

void Decoder::read(const json::Value& object, std::string_view key, std::vector<std::string>& out) {
  const json::Value* member = present(object, key);
  if (member == nullptr) return;
  const Scope scope(*this, key);
  if (!member->is_array()) return wrong_type("an array of strings", *member);
  for (const json::Value& item : member->as_array()) {
    const Scope index(*this, out.size());
    std::string& text = out.emplace_back();
    if (item.is_null()) continue;
    if (!item.is_string()) return wrong_type("a string", item);
    text = item.as_string();
  }
}

} // namespace gitlab
