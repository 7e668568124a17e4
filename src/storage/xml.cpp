#include "storage/xml.hpp"

namespace storage {
namespace {

std::string decode(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    auto end = text.front() == '&' ? text.find(';') : std::string_view::npos;
    std::string_view name = end == std::string_view::npos ? "" : text.substr(1, end - 1);
    char plain = name == "lt" ? '<' : name == "gt" ? '>' : name == "amp" ? '&' : name == "quot" ? '"' : '\'';
    bool known = name == "lt" || name == "gt" || name == "amp" || name == "quot" || name == "apos" || name == "#39";
    if (!known && name == "#34") known = true, plain = '"';
    out += known ? plain : text.front();
    text.remove_prefix(known ? end + 1 : 1);
  }
  return out;
}

} // namespace

std::vector<std::string_view> xml_all(std::string_view xml, std::string_view name) {
  std::vector<std::string_view> found;
  std::string close = "</" + std::string(name) + ">";
  std::string open = "<" + std::string(name);
  for (std::size_t at = xml.find(open); at != std::string_view::npos; at = xml.find(open, at)) {
    at += open.size();
    if (at >= xml.size() || (xml[at] != '>' && xml[at] != ' ')) continue; // a longer name, or "<x/>"
    auto from = xml.find('>', at);
    if (from == std::string_view::npos) break;
    auto to = xml.find(close, from);
    if (to == std::string_view::npos) break;
    found.push_back(xml.substr(from + 1, to - from - 1));
    at = to + close.size();
  }
  return found;
}

std::string_view xml_inner(std::string_view xml, std::string_view name) {
  auto found = xml_all(xml, name);
  return found.empty() ? std::string_view() : found.front();
}

std::string xml_text(std::string_view xml, std::string_view name) {
  auto inner = xml_inner(xml, name);
  constexpr std::string_view kOpen = "<![CDATA[", kClose = "]]>";
  if (inner.starts_with(kOpen) && inner.ends_with(kClose))
    return std::string(inner.substr(kOpen.size(), inner.size() - kOpen.size() - kClose.size()));
  return decode(inner);
}

std::string xml_encode(std::string_view text) {
  std::string out;
  for (char c : text) out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
  return out;
}

} // namespace storage
