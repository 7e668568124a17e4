#include "coordinator/objects/answer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/strings.hpp"

namespace coordinator::objects {
namespace {

// First byte and the one after the last; nullopt: no single range that we understand, so the whole is sent.
std::optional<std::pair<std::uint64_t, std::uint64_t>> parse_range(std::string_view range, std::uint64_t size) {
  if (!range.starts_with("bytes=") || range.find(',') != std::string_view::npos) return std::nullopt;
  range.remove_prefix(6);
  auto dash = range.find('-');
  auto first = base::parse_int(range.substr(0, dash));
  auto last = dash == std::string_view::npos ? std::nullopt : base::parse_int(range.substr(dash + 1));
  if (last && *last < 0) return std::nullopt;
  if (!first && last) { // the last n bytes
    first = static_cast<std::int64_t>(size) - std::min<std::int64_t>(*last, static_cast<std::int64_t>(size));
    last.reset();
  }
  if (!first || *first < 0 || (last && *last < *first)) return std::nullopt;
  std::uint64_t end = last && static_cast<std::uint64_t>(*last) < size ? static_cast<std::uint64_t>(*last) + 1 : size;
  return std::pair(static_cast<std::uint64_t>(*first), end);
}

} // namespace

Outcome<Reply> ranged_reply(
    const Call& call, std::uint64_t size,
    const std::function<base::Status(net::Response& response, std::uint64_t offset, std::uint64_t length)>& fill) {
  Reply reply = empty_reply(200);
  auto range = parse_range(call.header("Range"), size);
  if (range && range->first >= size)
    return std::unexpected(text_reply(416, "").header("Content-Range", fmt::format("bytes */{}", size)));
  if (range) {
    reply.status = 206;
    reply.headers.set("Content-Range", fmt::format("bytes {}-{}/{}", range->first, range->second - 1, size));
  } else {
    range = {0, size};
  }
  reply.headers.set("Accept-Ranges", "bytes");
  API_CHECK(fill(reply, range->first, range->second - range->first));
  return reply;
}

std::string attachment(std::string_view filename) {
  std::string plain(filename);
  for (char& c : plain)
    if (static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) > '~' || c == '"' || c == '\\') c = '_';
  return fmt::format("attachment; filename=\"{}\"; filename*=UTF-8''{}", plain, base::percent_encode(filename));
}

} // namespace coordinator::objects
