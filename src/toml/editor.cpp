#include "toml/editor.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.hpp"
#include "toml/scanner.hpp"
#include "toml/toml.hpp"

namespace toml {

namespace {

using base::ErrorKind;

std::string_view newline_of(std::string_view text) {
  const std::size_t at = text.find('\n');
  return at != std::string_view::npos && at > 0 && text[at - 1] == '\r' ? "\r\n" : "\n";
}

std::string indentation(std::string_view text, std::size_t line_begin) {
  std::size_t end = line_begin;
  while (end < text.size() && (text[end] == ' ' || text[end] == '\t')) ++end;
  return std::string(text.substr(line_begin, end - line_begin));
}

bool same_key(std::string_view a, std::string_view b) { return base::equals_ignore_case(a, b); }

bool same_path(const TablePath& a, const TablePath& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const PathStep& x, const PathStep& y) { return same_key(x.key, y.key) && x.index == y.index; });
}

std::string format_path(const TablePath& path) {
  std::string out;
  for (const PathStep& step : path) {
    if (!out.empty()) out += '.';
    out += step.key;
    if (step.index) out += fmt::format("[{}]", *step.index);
  }
  return out.empty() ? "the top" : out;
}

const Section* find_section(const Map& map, const TablePath& path) {
  const auto it = std::find_if(map.sections.begin(), map.sections.end(),
                               [&](const Section& section) { return same_path(section.path, path); });
  return it == map.sections.end() ? nullptr : &*it;
}

const Line* find_pair(const Map& map, const Section& section, std::string_view key) {
  const std::size_t begin = section.header == Section::no_header ? 0 : section.header + 1;
  for (std::size_t i = begin; i < section.last; ++i) {
    const Line& line = map.lines[i];
    if (line.kind == LineKind::kPair && line.keys.size() == 1 && same_key(line.keys.front(), key)) return &line;
  }
  return nullptr;
}

// The value at a path of a document; nullptr when there is none.
Value* resolve(Value& document, const TablePath& path) {
  Value* at = &document;
  for (const PathStep& step : path) {
    at = const_cast<Value*>(at->find(step.key));
    if (at != nullptr && step.index) at = *step.index < at->array.size() ? &at->array[*step.index] : nullptr;
    if (at == nullptr) return nullptr;
  }
  return at;
}

} // namespace

base::Result<TextEditor> TextEditor::open(std::string text, std::string source) {
  FR_TRY(parse_document(text, source));
  return TextEditor(std::move(text), std::move(source));
}

base::Status TextEditor::append(std::string_view block) {
  std::string text = text_;
  const std::string_view newline = newline_of(text);
  if (!text.empty() && !text.ends_with('\n')) text += newline;
  // One blank line between what is there and the block.
  const bool ends_blank = text.ends_with("\n\n") || text.ends_with("\n\r\n") || text == "\n" || text == "\r\n";
  if (!text.empty() && !ends_blank) text += newline;
  text += newline == "\n" ? std::string(block) : base::replace_all(block, "\n", newline);
  // A table in it that the text has already, or an inline array of that name, is the caller's mistake or the file's.
  if (const auto parsed = parse_document(text, source_); !parsed) return base::fail(parsed.error());
  text_ = std::move(text);
  return {};
}

base::Status TextEditor::remove_element(std::string_view key, std::size_t index) {
  Value before = FR_TRY(parse_document(text_, source_));
  Value* array = const_cast<Value*>(before.find(key));
  if (array == nullptr || index >= array->array.size()) {
    return base::fail(ErrorKind::kNotFound, fmt::format("{}: there is no [[{}]] number {}", source_, key, index + 1));
  }
  const Map map = FR_TRY(scan(text_));
  const PathStep target{std::string(key), index};
  std::string text;
  std::size_t kept_until = 0; // line index up to which the text was copied or dropped
  const auto copy_until = [&](std::size_t line) {
    if (kept_until < line)
      text += text_.substr(map.lines[kept_until].begin, map.lines[line - 1].end - map.lines[kept_until].begin);
    kept_until = std::max(kept_until, line);
  };
  bool found = false;
  for (const Section& section : map.sections) {
    if (section.path.empty() || !same_path({section.path.front()}, {target})) continue;
    found = true;
    copy_until(section.first);
    kept_until = std::max(kept_until, section.last);
    while (kept_until < map.lines.size() && map.lines[kept_until].kind == LineKind::kBlank) ++kept_until;
  }
  if (!found) {
    return base::fail(
        ErrorKind::kInvalidInput,
        fmt::format("{}: \"{}\" is written as an inline array; only [[{}]] can be edited", source_, key, key));
  }
  const bool removed_last = kept_until == map.lines.size();
  copy_until(map.lines.size());
  if (map.lines.empty() || map.lines.front().begin != 0) text = text_.substr(0, 3) + text; // a byte order mark
  if (removed_last) {
    // The blank lines that separated the last section separate nothing now.
    while (text.ends_with("\n\n") || text.ends_with("\n\r\n"))
      text.resize(text.size() - (text.ends_with("\r\n") ? 2 : 1));
    if (text == "\n" || text == "\r\n") text.clear();
  }
  array->array.erase(array->array.begin() + static_cast<std::ptrdiff_t>(index));
  if (array->array.empty()) {
    std::erase_if(before.table, [&](const Member& member) { return &member.value == array; });
  }
  const Value after = FR_TRY(parse_document(text, source_));
  if (!(after == before))
    return base::fail(ErrorKind::kInternal, fmt::format("{}: removing [[{}]] number {} would change more than that",
                                                        source_, key, index + 1));
  text_ = std::move(text);
  return {};
}

base::Status TextEditor::set(const TablePath& table, std::string_view key, std::string_view literal) {
  const Value parsed = FR_TRY(parse_document(fmt::format("value = {}\n", literal), "value"));
  const Map map = FR_TRY(scan(text_));
  const Section* section = find_section(map, table);
  if (section == nullptr) {
    return base::fail(ErrorKind::kNotFound,
                      fmt::format("{}: {} has no header of its own", source_, format_path(table)));
  }
  std::string text = text_;
  if (const Line* pair = find_pair(map, *section, key); pair != nullptr) {
    text.replace(pair->value_begin, pair->value_end - pair->value_begin, literal);
  } else {
    const bool is_top = section->header == Section::no_header;
    std::size_t after = is_top ? 0 : section->header + 1; // line index
    std::string indent = is_top ? "" : indentation(text_, map.lines[section->header].begin) + "  ";
    for (std::size_t i = after; i < section->last; ++i) {
      if (map.lines[i].kind != LineKind::kPair) continue;
      after = i + 1;
      indent = indentation(text_, map.lines[i].begin);
    }
    const std::size_t start = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
    const std::size_t at = after == 0 ? start : map.lines[after - 1].end;
    std::string line = indent + format_key(key) + " = " + std::string(literal);
    const std::string newline(newline_of(text_));
    // The last line of a text may lack its newline.
    line = at > start && text[at - 1] != '\n' ? newline + line : line + newline;
    text.insert(at, line);
  }
  Value expected = FR_TRY(parse_document(text_, source_));
  Value* target = resolve(expected, table);
  if (target == nullptr)
    return base::fail(ErrorKind::kNotFound, fmt::format("{}: no table {}", source_, format_path(table)));
  if (Value* present = const_cast<Value*>(target->find(key)); present != nullptr) {
    *present = parsed.table.front().value;
  } else {
    target->table.push_back({std::string(key), {}, parsed.table.front().value});
  }
  const Value after = FR_TRY(parse_document(text, source_));
  if (!(after == expected))
    return base::fail(ErrorKind::kInternal, fmt::format("{}: setting {} would change more than that", source_, key));
  text_ = std::move(text);
  return {};
}

base::Status TextEditor::remove(const TablePath& table, std::string_view key) {
  const Map map = FR_TRY(scan(text_));
  const Section* section = find_section(map, table);
  const Line* pair = section == nullptr ? nullptr : find_pair(map, *section, key);
  if (pair == nullptr) return {};
  std::string text = text_;
  text.erase(pair->begin, pair->end - pair->begin);
  FR_TRY(parse_document(text, source_));
  text_ = std::move(text);
  return {};
}

} // namespace toml
