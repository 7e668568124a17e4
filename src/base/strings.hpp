// Small text functions. All work on bytes; none depends on the locale.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace base {

std::string_view trim(std::string_view text);                          // ASCII white space on both sides
std::vector<std::string> split(std::string_view text, char separator); // "a,,b" -> a, "", b; "" -> one empty item
std::vector<std::string> split_fields(std::string_view text);          // by runs of white space, no empty items
std::string join(const std::vector<std::string>& items, std::string_view separator);
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);
std::string to_lower(std::string_view text);                     // ASCII
std::string to_upper(std::string_view text);                     // ASCII
bool equals_ignore_case(std::string_view a, std::string_view b); // ASCII

// The whole text must be the number; nullopt else (also for overflow).
std::optional<std::int64_t> parse_int(std::string_view text);
// Go's strconv.ParseBool: 1 t T TRUE true True 0 f F FALSE false False.
std::optional<bool> parse_go_bool(std::string_view text);

std::string hex_encode(std::string_view bytes);
std::string base64_encode(std::string_view bytes);
std::string base64url_encode(std::string_view bytes);            // no padding
std::optional<std::string> base64_decode(std::string_view text); // accepts both alphabets, padding optional

std::string percent_encode(std::string_view text);                             // RFC 3986 unreserved characters stay
std::string query_encode(std::string_view text);                               // form encoding: blank becomes '+'
std::string percent_decode(std::string_view text, bool plus_is_blank = false); // bad escapes stay as they are

// Equal length and content, in time that depends on the length only.
bool constant_time_equal(std::string_view a, std::string_view b);

} // namespace base
