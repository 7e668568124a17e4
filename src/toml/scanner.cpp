#include "toml/scanner.hpp"

#include <fmt/format.h>

#include <map>

#include "toml/toml.hpp"

namespace toml {

namespace {

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  base::Result<std::vector<Line>> lines() {
    std::vector<Line> out;
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
    while (at_ < text_.size() && ok_) out.push_back(statement());
    if (!ok_) return base::fail(base::ErrorKind::kInternal, fmt::format("cannot follow the text at byte {}", at_));
    return out;
  }

 private:
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool done() const { return at_ >= text_.size(); }
  bool at_newline() const { return peek() == '\n' || (peek() == '\r' && peek(1) == '\n'); }
  void skip_blanks() {
    while (peek() == ' ' || peek() == '\t') ++at_;
  }
  void skip_to_newline() {
    while (!done() && !at_newline()) ++at_;
  }
  void skip_newline() {
    if (peek() == '\r') ++at_;
    if (peek() == '\n') ++at_;
  }
  void expect(char c) {
    if (peek() == c && !done()) {
      ++at_;
    } else {
      ok_ = false;
    }
  }

  Line statement() {
    Line line;
    line.begin = at_;
    skip_blanks();
    if (done() || at_newline()) {
      line.kind = LineKind::kBlank;
    } else if (peek() == '#') {
      line.kind = LineKind::kComment;
    } else if (peek() == '[') {
      header(line);
    } else {
      pair(line);
    }
    skip_blanks();
    // After a statement only a comment may follow.
    if (line.kind != LineKind::kComment && !done() && !at_newline() && peek() != '#') ok_ = false;
    skip_to_newline();
    skip_newline();
    line.end = at_;
    return line;
  }

  void header(Line& line) {
    line.kind = LineKind::kHeader;
    expect('[');
    if (peek() == '[') {
      line.is_element = true;
      ++at_;
    }
    line.keys = dotted_key();
    expect(']');
    if (line.is_element) expect(']');
  }

  void pair(Line& line) {
    line.kind = LineKind::kPair;
    line.key_begin = at_;
    line.keys = dotted_key();
    expect('=');
    skip_blanks();
    line.value_begin = at_;
    value(false);
    line.value_end = at_;
  }

  std::vector<std::string> dotted_key() {
    std::vector<std::string> keys;
    do {
      if (!keys.empty()) ++at_; // the dot
      skip_blanks();
      keys.push_back(simple_key());
      skip_blanks();
    } while (ok_ && peek() == '.');
    return keys;
  }

  std::string simple_key() {
    const std::size_t begin = at_;
    if (peek() == '"' || peek() == '\'') {
      string();
      // The parser knows the escapes; a key is read as the one key of a small document.
      const auto document = parse_document(fmt::format("{} = 0", text_.substr(begin, at_ - begin)));
      if (document && document->table.size() == 1) return document->table.front().key;
      ok_ = false;
      return {};
    }
    while (!done() && peek() != '.' && peek() != '=' && peek() != ']' && peek() != ' ' && peek() != '\t' &&
           !at_newline()) {
      ++at_;
    }
    if (begin == at_) ok_ = false;
    return std::string(text_.substr(begin, at_ - begin));
  }

  void string() {
    const char quote = peek();
    const bool escapes = quote == '"';
    if (peek(1) == quote && peek(2) == quote) return multi_line_string(quote, escapes);
    ++at_;
    while (!done() && peek() != quote) at_ += escapes && peek() == '\\' ? 2 : 1;
    expect(quote);
  }

  void multi_line_string(char quote, bool escapes) {
    at_ += 3;
    while (!done() && !(peek() == quote && peek(1) == quote && peek(2) == quote)) {
      at_ += escapes && peek() == '\\' ? 2 : 1;
    }
    if (done()) {
      ok_ = false;
      return;
    }
    at_ += 3;
    // Up to two more quotes belong to the string's end.
    for (int i = 0; i < 2 && peek() == quote; ++i) ++at_;
  }

  void value(bool nested) {
    if (peek() == '"' || peek() == '\'') return string();
    if (peek() == '[' || peek() == '{') return container();
    const std::size_t begin = at_;
    std::size_t end = at_;
    while (!done() && !at_newline() && peek() != '#') {
      if (nested && (peek() == ',' || peek() == ']' || peek() == '}')) break;
      if (peek() != ' ' && peek() != '\t') end = at_ + 1; // a date may hold a blank
      ++at_;
    }
    at_ = end;
    if (begin == end) ok_ = false;
  }

  // An array or an inline table: all that matters is where it ends.
  void container() {
    const bool is_array = peek() == '[';
    const char close = is_array ? ']' : '}';
    ++at_;
    while (ok_ && !done()) {
      if (peek() == close) {
        ++at_;
        return;
      }
      if (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r' || peek() == ',') {
        ++at_;
      } else if (peek() == '#') {
        skip_to_newline();
      } else if (is_array) {
        value(true);
      } else {
        dotted_key();
        expect('=');
        skip_blanks();
        value(true);
      }
    }
    ok_ = false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

// Turns header keys into a path: elements of arrays of tables are counted, and a header below one means the last.
class PathResolver {
 public:
  TablePath resolve(const Line& header) {
    TablePath path;
    std::string name;
    for (std::size_t i = 0; i < header.keys.size(); ++i) {
      name += '\0' + header.keys[i];
      const bool is_last = i + 1 == header.keys.size();
      const auto known = counts_.find(name);
      if (is_last && header.is_element) {
        const std::size_t index = counts_[name]++;
        path.push_back({header.keys[i], index});
      } else if (known != counts_.end()) {
        path.push_back({header.keys[i], known->second - 1});
      } else {
        path.push_back({header.keys[i], std::nullopt});
      }
      if (path.back().index) name += '\0' + std::to_string(*path.back().index);
    }
    return path;
  }

 private:
  std::map<std::string, std::size_t> counts_;
};

// Comments directly above a header belong to it, comments directly below the last pair to the section before.
void attach_comments(Map& map) {
  for (std::size_t s = 0; s < map.sections.size(); ++s) {
    Section& section = map.sections[s];
    const bool is_final = s + 1 == map.sections.size();
    const std::size_t floor = section.header == Section::no_header ? 0 : section.header + 1;
    const std::size_t next_header = is_final ? map.lines.size() : map.sections[s + 1].header;
    if (!is_final) {
      std::size_t first = next_header;
      while (first > floor && map.lines[first - 1].kind == LineKind::kComment) --first;
      map.sections[s + 1].first = first;
    }
    const std::size_t limit = is_final ? map.lines.size() : map.sections[s + 1].first;
    std::size_t last = floor;
    for (std::size_t i = floor; i < limit; ++i) {
      if (map.lines[i].kind == LineKind::kPair) last = i + 1;
    }
    while (last < limit && map.lines[last].kind == LineKind::kComment) ++last;
    section.last = last;
  }
}

} // namespace

base::Result<Map> scan(std::string_view text) {
  Map map;
  map.lines = FR_TRY(Scanner(text).lines());
  map.sections.push_back({.path = {}, .header = Section::no_header});
  PathResolver resolver;
  for (std::size_t i = 0; i < map.lines.size(); ++i) {
    if (map.lines[i].kind != LineKind::kHeader) continue;
    map.sections.push_back({.path = resolver.resolve(map.lines[i]), .header = i});
  }
  attach_comments(map);
  return map;
}

} // namespace toml
