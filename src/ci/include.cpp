// include: the entry file, and below it every file it names; the including file wins over what it includes.
#include <fmt/format.h>

#include "base/strings.hpp"
#include "ci/entry.hpp"
#include "ci/glob.hpp"
#include "ci/rules.hpp"
#include "ci/scope.hpp"
#include "ci/tree.hpp"

namespace ci {
namespace {
using yaml::Node;

constexpr int kMaxIncludes = 150;
constexpr int kMaxLevels = 100;

class Loader {
 public:
  Loader(const Source& source, const Context& context, Problems& problems)
      : source_(source),
        context_(context),
        problems_(problems),
        scope_(rule_scope(context, predefined_variables(context), {})) {}

  std::optional<Node> entry() {
    if (base::trim(source_.text).empty()) {
      problems_.error({}, "Please provide content of .gitlab-ci.yml");
      return std::nullopt;
    }
    auto root = parse(source_.text, source_.path, {});
    if (root) root = expand(std::move(*root), 0);
    if (problems_.failed()) return std::nullopt;
    return root;
  }

 private:
  // `from`: where the file is included, no line for the entry file.
  std::optional<Node> parse(const std::string& text, const std::string& path, yaml::Mark from) {
    yaml::ParseOptions options{.file = problems_.add_file(path)};
    auto stream = yaml::parse(text, options);
    if (!stream) {
      std::string message = stream.error().message;
      if (from.line > 0) message = fmt::format("Included file `{}` does not have valid YAML syntax! {}", path, message);
      problems_.error(stream.error().mark, std::move(message));
      return std::nullopt;
    }
    for (const yaml::Warning& warning : stream->warnings) problems_.warning(warning.mark, warning.message);
    yaml::Mark top{options.file, 1, 1};
    if (stream->documents.empty() || !stream->documents.front().is_mapping()) {
      problems_.error(top, "Invalid configuration format");
      return std::nullopt;
    }
    if (stream->documents.size() > 1 && stream->documents.front().find("spec") != nullptr) {
      problems_.error(stream->documents.front().mark(), "`spec` is not supported yet");
      return std::nullopt;
    }
    return std::move(stream->documents.front());
  }

  Node expand(Node root, int level) {
    const Node* include = root.find("include");
    if (include == nullptr) return root;
    Node entries = *include;
    root.erase("include");
    Node merged = Node::mapping(root.mark());
    if (entries.is_sequence()) {
      for (const Node& item : entries.items()) add(item, level, merged);
    } else if (!entries.is_null()) {
      add(entries, level, merged);
    }
    if (problems_.failed()) return root;
    deep_merge(merged, std::move(root));
    return merged;
  }

  void add(const Node& item, int level, Node& merged) {
    if (problems_.failed()) return;
    for (const auto& [path, mark] : locate(item)) {
      if (++count_ > kMaxIncludes || level >= kMaxLevels)
        return problems_.error(item.mark(), fmt::format("Maximum of {} nested includes are allowed!", kMaxIncludes));
      auto file = read(path, mark);
      if (!file) return;
      total_ += weight(*file);
      if (total_ > kMaxWeight)
        return problems_.error(item.mark(), "Total size of combined CI/CD configuration is too big");
      deep_merge(merged, expand(std::move(*file), level + 1));
      if (problems_.failed()) return;
    }
  }

  struct Location {
    std::string path;
    yaml::Mark mark;
  };

  // The files an entry stands for; none when its rules say no.
  std::vector<Location> locate(const Node& item) {
    if (item.is_string()) {
      bool remote = item.text().starts_with("http://") || item.text().starts_with("https://");
      if (remote) return unsupported(item, "include:remote");
      return local(item);
    }
    if (!item.is_mapping()) {
      problems_.error(item.mark(), "include config should be an array of hashes or strings");
      return {};
    }
    for (const char* key : {"remote", "project", "template", "component", "artifact"})
      if (const Node* node = item.find(key)) return unsupported(*node, fmt::format("include:{}", key));
    if (const Node* node = item.find("inputs")) return unsupported(*node, "include:inputs");
    const Node* path = item.find("local");
    if (path == nullptr) {
      problems_.error(item.mark(),
                      fmt::format("`{}` does not have a valid subkey for include. Valid subkeys are: `artifact`, "
                                  "`component`, `local`, `project`, `remote`, `template`",
                                  base::trim(yaml::dump(item))));
      return {};
    }
    Place place(item, "include", problems_);
    if (!place.check_keys({"local", "rules"})) return {};
    if (!path->is_string()) {
      place.error_at(*path, "local should be a string");
      return {};
    }
    if (auto rules = place.child("rules"); rules && !wanted(*rules)) return {};
    return local(*path);
  }

  std::vector<Location> unsupported(const Node& node, std::string_view what) {
    problems_.error(node.mark(), fmt::format("`{}` is not supported yet", what));
    return {};
  }

  bool wanted(const Place& place) {
    auto rules = read_rules(place, true);
    if (problems_.failed()) return false;
    RuleEvaluator evaluator(context_, source_.files, scope_);
    auto hit = evaluator.first_match(rules);
    if (!hit) {
      problems_.error(place.node().mark(), hit.error().message());
      return false;
    }
    return *hit && (*hit)->when.value_or(When::kAlways) != When::kNever;
  }

  std::vector<Location> local(const Node& node) {
    std::string path = expand_text(node.text(), scope_);
    while (path.starts_with('/')) path.erase(0, 1);
    if (path.empty()) {
      problems_.error(node.mark(), fmt::format("Local file `{}` does not exist!", node.text()));
      return {};
    }
    if (!path.ends_with(".yml") && !path.ends_with(".yaml")) {
      problems_.error(node.mark(), fmt::format("Included file `{}` does not have YAML extension!", path));
      return {};
    }
    if (path.find('*') == std::string::npos) return {{path, node.mark()}};
    return matching(path, node);
  }

  std::vector<Location> matching(const std::string& pattern, const Node& node) {
    std::vector<Location> found;
    if (source_.files != nullptr) {
      auto all = source_.files->list();
      if (!all) {
        problems_.error(node.mark(), all.error().message());
        return {};
      }
      std::sort(all->begin(), all->end());
      for (const std::string& path : *all)
        if (include_wildcard_match(pattern, path)) found.push_back({path, node.mark()});
    }
    if (found.empty()) problems_.error(node.mark(), fmt::format("Local file `{}` does not exist!", pattern));
    return found;
  }

  std::optional<Node> read(const std::string& path, yaml::Mark mark) {
    auto missing = [&](std::string what) {
      problems_.error(mark, fmt::format("Local file `{}` {}!", path, what));
      return std::nullopt;
    };
    for (const std::string& part : base::split(path, '/'))
      if (part == "." || part == "..") return missing("does not exist");
    if (source_.files == nullptr) return missing("does not exist");
    auto text = source_.files->read(path);
    if (!text) {
      if (text.error().kind() == base::ErrorKind::kNotFound) return missing("does not exist");
      problems_.error(mark, fmt::format("Local file `{}` cannot be read: {}", path, text.error().message()));
      return std::nullopt;
    }
    if (base::trim(*text).empty()) return missing("is empty");
    return parse(*text, path, mark);
  }

  const Source& source_;
  const Context& context_;
  Problems& problems_;
  Variables scope_;
  int count_ = 0;
  std::size_t total_ = 0;
};
} // namespace

std::optional<Node> load_with_includes(const Source& source, const Context& context, Problems& problems) {
  return Loader(source, context, problems).entry();
}

} // namespace ci
