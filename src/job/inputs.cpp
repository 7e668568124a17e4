#include "job/inputs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/strings.hpp"

namespace job {
namespace {

using base::ErrorKind;

base::Error invalid(std::string_view expression, std::string_view why) {
  return {ErrorKind::kInvalidInput,
          fmt::format("failed to interpolate job inputs: ${{{{ {} }}}}: {}", expression, why)};
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

// One step of the path: .name, [3] or ["name"]; consumed from `rest`.
std::optional<std::string> take_key(std::string_view& rest, bool& is_index) {
  is_index = false;
  if (rest.starts_with('.')) {
    const auto end = std::find_if_not(rest.begin() + 1, rest.end(), is_name_character);
    std::string key(rest.begin() + 1, end);
    rest = rest.substr(key.size() + 1);
    return key.empty() ? std::nullopt : std::optional(key);
  }
  const auto close = rest.find(']');
  if (!rest.starts_with('[') || close == std::string_view::npos) return std::nullopt;
  const std::string_view inner = base::trim(rest.substr(1, close - 1));
  rest = rest.substr(close + 1);
  if (inner.size() >= 2 && (inner.front() == '"' || inner.front() == '\'') && inner.back() == inner.front())
    return std::string(inner.substr(1, inner.size() - 2));
  is_index = true;
  return inner.empty() ? std::nullopt : std::optional(std::string(inner));
}

const json::Value* child(const json::Value& value, const std::string& key, bool is_index) {
  if (!is_index) return value.is_object() ? value.find(key) : nullptr;
  const auto index = base::parse_int(key);
  if (!value.is_array() || !index || *index < 0 || static_cast<std::size_t>(*index) >= value.size()) return nullptr;
  return &value.as_array()[static_cast<std::size_t>(*index)];
}

std::string to_text(const json::Value& value) { return value.is_string() ? value.as_string() : value.dump(); }

base::Result<std::string> evaluate(const std::vector<gitlab::Input>& inputs, std::string_view expression) {
  std::string_view rest = base::trim(expression);
  if (rest.starts_with("str(") && rest.ends_with(')')) rest = base::trim(rest.substr(4, rest.size() - 5));
  constexpr std::string_view kPrefix = "job.inputs";
  if (!rest.starts_with(kPrefix)) return base::fail(invalid(expression, "only job.inputs can be used here"));
  rest.remove_prefix(kPrefix.size());
  bool is_index = false;
  const auto name = take_key(rest, is_index);
  if (!name || is_index) return base::fail(invalid(expression, "the name of an input is missing"));
  const auto input = std::ranges::find(inputs, *name, &gitlab::Input::key);
  if (input == inputs.end()) return base::fail(invalid(expression, fmt::format("there is no input \"{}\"", *name)));
  if (input->value.sensitive)
    return base::fail(ErrorKind::kInvalidInput, "sensitive inputs are unsupported in interpolations yet");
  const json::Value* value = &input->value.content;
  while (!rest.empty()) {
    const auto key = take_key(rest, is_index);
    if (!key) return base::fail(invalid(expression, "this expression is not supported"));
    value = child(*value, *key, is_index);
    if (value == nullptr) return base::fail(invalid(expression, fmt::format("there is no \"{}\" in it", *key)));
  }
  return to_text(*value);
}

struct Interpolator {
  const std::vector<gitlab::Input>& inputs;
  std::optional<base::Error> error;

  void operator()(std::string& text) {
    if (error) return;
    auto result = interpolate(inputs, text);
    if (result)
      text = std::move(*result);
    else
      error = result.error();
  }
  void operator()(std::vector<std::string>& texts) {
    for (auto& text : texts) (*this)(text);
  }
  void operator()(gitlab::Image& image) {
    (*this)(image.name);
    (*this)(image.command);
    (*this)(image.entrypoint);
    (*this)(image.pull_policy);
    (*this)(image.executor_opts.docker_platform);
    (*this)(image.executor_opts.docker_user);
    (*this)(image.executor_opts.kubernetes_user);
  }
};

} // namespace

base::Result<std::string> interpolate(const std::vector<gitlab::Input>& inputs, std::string_view text) {
  std::string out;
  for (;;) {
    const auto start = text.find("${{");
    if (start == std::string_view::npos) return out += text;
    const auto end = text.find("}}", start);
    if (end == std::string_view::npos) return base::fail(invalid(text.substr(start + 3), "it does not end"));
    out += text.substr(0, start);
    out += FR_TRY(evaluate(inputs, base::trim(text.substr(start + 3, end - start - 3))));
    text.remove_prefix(end + 2);
  }
}

base::Status interpolate_payload(gitlab::JobPayload& payload) {
  if (payload.inputs.empty()) return {};
  Interpolator apply{payload.inputs, std::nullopt};
  for (auto& step : payload.steps)
    if (step.name == "script" || step.name == "after_script") apply(step.script);
  apply(payload.image);
  for (auto& service : payload.services) apply(service);
  for (auto& artifact : payload.artifacts) {
    apply(artifact.name);
    apply(artifact.paths);
    apply(artifact.exclude);
    apply(artifact.when);
    apply(artifact.expire_in);
  }
  for (auto& cache : payload.cache) {
    apply(cache.key);
    apply(cache.policy);
    apply(cache.paths);
    apply(cache.when);
    apply(cache.fallback_keys);
  }
  if (apply.error) return base::fail(std::move(*apply.error));
  return {};
}

} // namespace job
