// libyaml's events → tree. Aliases are copied in, each copy counted against the budget; merge keys are applied where
// they stand, as Psych does: keys written before `<<` are overwritten by it, keys after it win.
#include <fmt/format.h>
#include <yaml.h>

#include "yaml/yaml.hpp"

namespace yaml {
namespace {
constexpr std::size_t kNodeCost = 16;
constexpr std::string_view kTooBig = "The parsed YAML is too big";
constexpr std::string_view kCoreTag = "tag:yaml.org,2002:";

std::string_view view(const yaml_char_t* text) {
  return text == nullptr ? std::string_view() : std::string_view(reinterpret_cast<const char*>(text));
}

struct Measure {
  std::size_t bytes = 0;
  int depth = 0; // levels of containers
};
Measure measure(const Node& node) {
  Measure total{kNodeCost + node.text().size(), 0};
  int inner = 0;
  auto add = [&](const Node& child) {
    Measure part = measure(child);
    total.bytes += part.bytes;
    inner = std::max(inner, part.depth);
  };
  for (const Node& item : node.items()) add(item);
  for (const Entry& entry : node.entries()) {
    add(entry.key);
    add(entry.value);
  }
  if (!node.is_scalar()) total.depth = inner + 1;
  return total;
}

// A collection whose end has not come yet.
struct Open {
  Node node;
  std::string anchor;
  std::optional<Node> key; // of a mapping, waiting for its value
  bool key_is_merge = false;
  bool value_is_alias = false;
  std::unordered_map<std::string, std::size_t> index; // scalar keys → entry
};

std::string index_name(const Node& key) {
  return std::string(1, static_cast<char>('a' + static_cast<int>(key.kind()))) + key.text();
}

class Builder {
 public:
  explicit Builder(const ParseOptions& options) : options_(options) {}

  std::expected<Stream, ParseError> run(std::string_view text) {
    if (text.size() > 2 * options_.limits.max_bytes) {
      return std::unexpected(ParseError{base::ErrorKind::kLimit, std::string(kTooBig), {options_.file, 1, 1}});
    }
    yaml_parser_t parser;
    if (yaml_parser_initialize(&parser) == 0)
      return std::unexpected(
          ParseError{base::ErrorKind::kInternal, "cannot start the YAML parser", {options_.file, 1, 1}});
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, reinterpret_cast<const unsigned char*>(text.data()), text.size());
    bool more = true;
    while (more && !error_) {
      yaml_event_t event;
      if (yaml_parser_parse(&parser, &event) == 0) {
        syntax_error(parser, text);
        break;
      }
      more = event.type != YAML_STREAM_END_EVENT;
      handle(event);
      yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    if (error_) return std::unexpected(std::move(*error_));
    return std::move(stream_);
  }

 private:
  Mark mark_of(const yaml_mark_t& mark) const {
    return {options_.file, static_cast<int>(mark.line) + 1, static_cast<int>(mark.column) + 1};
  }

  void fail(Mark mark, std::string message, base::ErrorKind kind = base::ErrorKind::kInvalidInput) {
    if (!error_) error_ = ParseError{kind, std::move(message), mark};
  }

  // Psych's text: the file part is always "<unknown>", the position that of the context when there is one.
  void syntax_error(const yaml_parser_t& parser, std::string_view text) {
    Mark where = mark_of(parser.problem_mark);
    Mark shown = parser.context != nullptr ? mark_of(parser.context_mark) : where;
    if (parser.error == YAML_READER_ERROR) {
      auto before = text.substr(0, std::min(parser.problem_offset, text.size()));
      where.line = static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1;
      where.column = static_cast<int>(before.size() - (before.rfind('\n') + 1)) + 1;
      shown = where;
    }
    std::string problem = parser.problem != nullptr ? parser.problem : "syntax error";
    if (parser.context != nullptr) problem += std::string(" ") + parser.context;
    fail(where, fmt::format("(<unknown>): {} at line {} column {}", problem, shown.line, shown.column));
  }

  void handle(const yaml_event_t& event) {
    Mark mark = mark_of(event.start_mark);
    switch (event.type) {
      case YAML_DOCUMENT_START_EVENT:
        anchors_.clear();
        if (static_cast<int>(stream_.documents.size()) >= options_.limits.max_documents)
          fail(mark, "The parsed YAML has too many documents", base::ErrorKind::kLimit);
        break;
      case YAML_ALIAS_EVENT:
        alias(std::string(view(event.data.alias.anchor)), mark);
        break;
      case YAML_SCALAR_EVENT:
        scalar(event, mark);
        break;
      case YAML_SEQUENCE_START_EVENT: {
        std::string_view tag = view(event.data.sequence_start.tag);
        bool reference = tag == "!reference";
        if (!reference) check_tag(tag, "seq", mark);
        open(reference ? Node::reference({}, mark) : Node::sequence({}, mark), view(event.data.sequence_start.anchor));
        break;
      }
      case YAML_MAPPING_START_EVENT: {
        std::string_view tag = view(event.data.mapping_start.tag);
        if (tag == "!reference") return fail(mark, "!reference is not valid: it takes a list of keys");
        check_tag(tag, "map", mark);
        open(Node::mapping(mark), view(event.data.mapping_start.anchor));
        break;
      }
      case YAML_SEQUENCE_END_EVENT:
      case YAML_MAPPING_END_EVENT:
        close();
        break;
      default:
        break;
    }
  }

  void check_tag(std::string_view tag, std::string_view allowed, Mark mark) {
    if (tag.empty() || tag == "!" || (tag.starts_with(kCoreTag) && tag.substr(kCoreTag.size()) == allowed)) return;
    std::string shown = tag.starts_with(kCoreTag) ? "!!" + std::string(tag.substr(kCoreTag.size())) : std::string(tag);
    fail(mark, fmt::format("Unsupported YAML tag {} at line {} column {}", shown, mark.line, mark.column));
  }

  void scalar(const yaml_event_t& event, Mark mark) {
    const auto& data = event.data.scalar;
    std::string_view text(reinterpret_cast<const char*>(data.value), data.length);
    std::string_view tag = view(data.tag);
    if (tag == "!reference") return fail(mark, "!reference is not valid: it takes a list of keys");
    Node node;
    if (tag == "!" || tag == "tag:yaml.org,2002:str" || (tag.empty() && data.style != YAML_PLAIN_SCALAR_STYLE)) {
      node = Node::string(std::string(text), mark);
    } else {
      for (std::string_view known : {"int", "float", "bool", "null"})
        if (tag.starts_with(kCoreTag) && tag.substr(kCoreTag.size()) == known) tag = {};
      check_tag(tag, "", mark);
      std::string_view rejected;
      node = resolve_plain_scalar(text, mark, &rejected);
      if (!rejected.empty()) return fail(mark, fmt::format("Tried to load unspecified class: {}", rejected));
      if (view(data.tag) == "tag:yaml.org,2002:float" && node.is_integer())
        node = Node::floating(node.as_float(), mark);
    }
    bool merge = text == "<<" && view(data.tag) != "tag:yaml.org,2002:str";
    put(std::move(node), std::string(view(data.anchor)), merge, false);
  }

  void open(Node node, std::string_view anchor) {
    if (static_cast<int>(stack_.size()) >= options_.limits.max_depth)
      return fail(node.mark(), std::string(kTooBig), base::ErrorKind::kLimit);
    if (!charge(kNodeCost, node.mark())) return;
    if (!anchor.empty()) anchors_.erase(std::string(anchor)); // an alias inside the node itself finds nothing
    stack_.push_back({.node = std::move(node), .anchor = std::string(anchor)});
  }

  void close() {
    if (error_) return;
    Open done = std::move(stack_.back());
    stack_.pop_back();
    attach(std::move(done.node), done.anchor, false, false);
  }

  bool charge(std::size_t bytes, Mark mark) {
    bytes_ += bytes;
    if (bytes_ <= options_.limits.max_bytes) return true;
    fail(mark, std::string(kTooBig), base::ErrorKind::kLimit);
    return false;
  }

  void alias(const std::string& name, Mark mark) {
    auto found = anchors_.find(name);
    if (found == anchors_.end()) {
      for (const Open& frame : stack_)
        if (frame.anchor == name) return fail(mark, fmt::format("The alias {} is part of what it stands for", name));
      return fail(mark, fmt::format("An alias referenced an unknown anchor: {}", name));
    }
    if (!charge(found->second.second.bytes, mark)) return;
    if (static_cast<int>(stack_.size()) + found->second.second.depth > options_.limits.max_depth)
      return fail(mark, std::string(kTooBig), base::ErrorKind::kLimit);
    attach(found->second.first, "", false, true);
  }

  void put(Node node, const std::string& anchor, bool merge_key, bool from_alias) {
    if (error_ || !charge(kNodeCost + node.text().size(), node.mark())) return;
    attach(std::move(node), anchor, merge_key, from_alias);
  }

  // Hands a complete node to the collection it stands in.
  void attach(Node node, const std::string& anchor, bool merge_key, bool from_alias) {
    if (error_) return;
    if (!anchor.empty()) anchors_[anchor] = {node, measure(node)};
    if (stack_.empty()) {
      stream_.documents.push_back(std::move(node));
      return;
    }
    Open& frame = stack_.back();
    if (!frame.node.is_mapping()) {
      frame.node.items().push_back(std::move(node));
    } else if (!frame.key) {
      frame.key_is_merge = merge_key;
      frame.key = std::move(node);
    } else {
      Node key = std::move(*frame.key);
      frame.key.reset();
      if (frame.key_is_merge && merge(frame, node, from_alias)) return;
      warn_duplicate(frame, key);
      set(frame, std::move(key), std::move(node));
    }
  }

  void warn_duplicate(const Open& frame, const Node& key) {
    auto found = frame.index.find(index_name(key));
    if (!key.is_scalar() || found == frame.index.end()) return;
    const Mark& first = frame.node.entries()[found->second].key.mark();
    // A key that came in by a merge, or from elsewhere, is overridden on purpose.
    if (first.line < frame.node.mark().line || merged_.contains({first.line, first.column})) return;
    stream_.warnings.push_back({fmt::format("duplicate key {}: the value in line {} replaces the one in line {}",
                                            key.text(), key.mark().line, first.line),
                                key.mark()});
  }

  static void set(Open& frame, Node key, Node value) {
    if (!key.is_scalar()) return frame.node.set(std::move(key), std::move(value));
    auto [slot, fresh] = frame.index.try_emplace(index_name(key), frame.node.entries().size());
    if (fresh) {
      frame.node.entries().push_back({std::move(key), std::move(value)});
    } else {
      frame.node.entries()[slot->second] = {std::move(key), std::move(value)};
    }
  }

  // False: not something that merges; `<<` is an ordinary key then.
  bool merge(Open& frame, const Node& value, bool from_alias) {
    std::vector<const Node*> sources;
    if (value.is_mapping()) {
      sources.push_back(&value);
    } else if (value.is_sequence() && !from_alias) {
      // Last first: of two items with the same key the earlier wins.
      for (auto item = value.items().rbegin(); item != value.items().rend(); ++item) {
        if (!item->is_mapping()) return false;
        sources.push_back(&*item);
      }
    } else {
      return false;
    }
    for (const Node* source : sources) {
      for (const Entry& entry : source->entries()) {
        merged_.insert({entry.key.mark().line, entry.key.mark().column});
        set(frame, entry.key, entry.value);
      }
    }
    return true;
  }

  const ParseOptions& options_;
  Stream stream_;
  std::optional<ParseError> error_;
  std::vector<Open> stack_;
  std::unordered_map<std::string, std::pair<Node, Measure>> anchors_;
  std::set<std::pair<int, int>> merged_; // positions of keys that merges copied
  std::size_t bytes_ = 0;
};
} // namespace

std::expected<Stream, ParseError> parse(std::string_view text, const ParseOptions& options) {
  return Builder(options).run(text);
}

} // namespace yaml
