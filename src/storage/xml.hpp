// The little XML that object stores answer with: elements found by name, text with its entities decoded. Not a parser:
// attributes and comments are not understood, CDATA only when it is all there is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace storage {

// The content of the first element of that name, markup and all; "" when there is none.
std::string_view xml_inner(std::string_view xml, std::string_view name);
// That of all of them, in order.
std::vector<std::string_view> xml_all(std::string_view xml, std::string_view name);
// The text of the first one, decoded.
std::string xml_text(std::string_view xml, std::string_view name);
std::string xml_encode(std::string_view text);

} // namespace storage
