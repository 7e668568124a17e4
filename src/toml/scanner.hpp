// The lines of a TOML text and what they hold: the map that edits go by. Private to this module.
//
// Expects a text that parse_document() accepted. Ranges are byte offsets.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "toml/editor.hpp"

namespace toml {

enum class LineKind { kBlank, kComment, kHeader, kPair };

// One statement; a value over several physical lines is one Line.
struct Line {
  LineKind kind = LineKind::kBlank;
  std::size_t begin = 0;
  std::size_t end = 0;           // after the newline
  std::vector<std::string> keys; // header: its path; pair: its dotted key
  bool is_element = false;       // header: [[…]]
  std::size_t key_begin = 0;     // pair
  std::size_t value_begin = 0;   // pair
  std::size_t value_end = 0;     // pair
};

// A header with the pairs below it, or the top of the text. Lines [first, last) include attached comments: those
// directly above the header and those directly below its last pair.
struct Section {
  TablePath path;
  std::size_t header = 0; // index of its line; for the top: no_header
  std::size_t first = 0;
  std::size_t last = 0;

  static constexpr std::size_t no_header = static_cast<std::size_t>(-1);
};

struct Map {
  std::vector<Line> lines;
  std::vector<Section> sections; // the first is the top
};

base::Result<Map> scan(std::string_view text);

} // namespace toml
