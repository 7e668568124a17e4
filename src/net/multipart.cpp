#include "net/multipart.hpp"

#include <fcntl.h>

#include <algorithm>

#include "base/hash.hpp"
#include "base/strings.hpp"
#include "sys/fd.hpp"

namespace net {
namespace {

constexpr std::size_t kMaxPadding = 128; // blanks between a boundary and its line's end
constexpr std::size_t kMaxPartHeader = 16u << 10;
constexpr std::size_t kMaxParts = 1000;

base::Status malformed(std::string_view what) {
  return base::fail(base::ErrorKind::kInvalidInput, "malformed multipart body: " + std::string(what));
}

// The value of a parameter in `form-data; name="a"; filename="b\"c"`; false when it is not there.
bool find_parameter(std::string_view field, std::string_view name, std::string& value) {
  std::size_t at = field.find(';');
  while (at != std::string_view::npos && at < field.size()) {
    ++at;
    while (at < field.size() && (field[at] == ' ' || field[at] == '\t')) ++at;
    auto equals = field.find('=', at);
    if (equals == std::string_view::npos) return false;
    auto key = base::trim(field.substr(at, equals - at));
    std::string text;
    at = equals + 1;
    if (at < field.size() && field[at] == '"') {
      for (++at; at < field.size() && field[at] != '"'; ++at) {
        // Browsers escape a quote as %22 or \", and leave a lone backslash (a Windows path) alone.
        if (field[at] == '\\' && at + 1 < field.size() && (field[at + 1] == '"' || field[at + 1] == '\\')) ++at;
        text += field[at];
      }
      at = field.find(';', at);
    } else {
      auto end = field.find(';', at);
      text = base::trim(field.substr(at, end == std::string_view::npos ? end : end - at));
      at = end;
    }
    if (base::equals_ignore_case(key, name)) {
      value = std::move(text);
      return true;
    }
  }
  return false;
}

} // namespace

base::Result<std::string> multipart_boundary(std::string_view content_type) {
  auto type = base::trim(content_type.substr(0, content_type.find(';')));
  std::string boundary;
  if (!base::equals_ignore_case(type, "multipart/form-data") || !find_parameter(content_type, "boundary", boundary) ||
      boundary.empty() || boundary.size() > 200)
    return base::fail(base::ErrorKind::kInvalidInput, "expected multipart/form-data with a boundary");
  return boundary;
}

MultipartParser::MultipartParser(std::string boundary, Callbacks callbacks)
    : delimiter_("\r\n--" + std::move(boundary)), callbacks_(std::move(callbacks)) {
  // A body may begin with its first boundary, which then lacks the line end that all others have.
  buffer_ = "\r\n";
}

base::Status MultipartParser::feed(std::string_view bytes) {
  if (state_ == State::kEpilogue) return {};
  buffer_ += bytes;
  bool progress = true;
  while (progress && state_ != State::kEpilogue) {
    progress = false;
    FR_CHECK(step(progress));
  }
  return {};
}

base::Status MultipartParser::step(bool& progress) {
  switch (state_) {
    case State::kPreamble: {
      auto at = buffer_.find(delimiter_);
      if (at == std::string::npos) {
        if (buffer_.size() > delimiter_.size()) consume(buffer_.size() - delimiter_.size());
        return {};
      }
      consume(at + delimiter_.size());
      state_ = State::kAfterBoundary;
      progress = true;
      return {};
    }
    case State::kAfterBoundary: {
      if (buffer_.size() < 2) return {};
      if (buffer_.starts_with("--")) {
        state_ = State::kEpilogue;
        buffer_.clear();
        return {};
      }
      // The limit counts alike however the body comes in pieces.
      auto end = buffer_.find("\r\n");
      if (end == std::string::npos ? buffer_.size() > kMaxPadding + 1 : end > kMaxPadding)
        return malformed("no line end after a boundary");
      if (end == std::string::npos) return {};
      if (!base::trim(std::string_view(buffer_).substr(0, end)).empty()) return malformed("text after a boundary");
      // The line end stays: a part without header fields then ends its header at once.
      consume(end);
      state_ = State::kHeaders;
      progress = true;
      return {};
    }
    case State::kHeaders: {
      auto end = buffer_.find("\r\n\r\n");
      if (end == std::string::npos ? buffer_.size() > kMaxPartHeader + 3 : end > kMaxPartHeader)
        return base::fail(base::ErrorKind::kLimit, "multipart body: the header of a part is too long");
      if (end == std::string::npos) return {};
      FR_CHECK(begin_part(std::string_view(buffer_).substr(0, end)));
      // Two bytes stay, so that an empty part's boundary is found directly after its header.
      consume(end + 2);
      header_rest_ = 2;
      state_ = State::kData;
      progress = true;
      return {};
    }
    case State::kData:
      return feed_data(progress);
    case State::kEpilogue:
      return {};
  }
  return {};
}

base::Status MultipartParser::begin_part(std::string_view block) {
  PartHeader header;
  for (const auto& raw : base::split(block, '\n')) {
    auto line = base::trim(raw);
    if (line.empty()) continue;
    auto colon = line.find(':');
    if (colon == std::string_view::npos) return malformed("a header line without a colon");
    header.headers.add(base::trim(line.substr(0, colon)), base::trim(line.substr(colon + 1)));
  }
  auto disposition = header.headers.get("Content-Disposition");
  find_parameter(disposition, "name", header.name);
  header.has_filename = find_parameter(disposition, "filename", header.filename);
  header.content_type = header.headers.get("Content-Type");
  return callbacks_.on_part ? callbacks_.on_part(header) : base::Status{};
}

base::Status MultipartParser::feed_data(bool& progress) {
  auto at = buffer_.find(delimiter_);
  std::size_t ready = at != std::string::npos ? at : buffer_.size() - std::min(buffer_.size(), delimiter_.size());
  std::size_t skip = std::min(header_rest_, ready);
  header_rest_ -= skip;
  if (ready > skip && callbacks_.on_data)
    FR_CHECK(callbacks_.on_data(std::string_view(buffer_).substr(skip, ready - skip), position_ + skip));
  if (ready > 0) consume(ready);
  if (at == std::string::npos) return {};
  consume(delimiter_.size());
  state_ = State::kAfterBoundary;
  progress = true;
  return callbacks_.on_part_end ? callbacks_.on_part_end() : base::Status{};
}

void MultipartParser::consume(std::size_t size) {
  buffer_.erase(0, size);
  position_ += size;
}

base::Status MultipartParser::finish() {
  if (state_ != State::kEpilogue) return malformed("the closing boundary is missing");
  return {};
}

namespace {

// Feeds a parser and notes where in the body the parts lie.
class FormReader {
 public:
  explicit FormReader(std::string boundary)
      : parser_(std::move(boundary),
                {.on_part = [this](const PartHeader& header) { return begin(header); },
                 .on_data = [this](std::string_view data, std::uint64_t offset) { return add(data, offset); },
                 .on_part_end = {}}) {}
  base::Status feed(std::string_view bytes) { return parser_.feed(bytes); }
  base::Result<std::vector<FormPart>> finish() {
    FR_CHECK(parser_.finish());
    return std::move(parts_);
  }

 private:
  base::Status begin(const PartHeader& header) {
    if (parts_.size() >= kMaxParts) return base::fail(base::ErrorKind::kLimit, "multipart body: too many parts");
    parts_.emplace_back().header = header;
    return {};
  }
  base::Status add(std::string_view data, std::uint64_t offset) {
    auto& part = parts_.back();
    if (part.size == 0) part.offset = offset;
    part.size += data.size();
    if (part.header.has_filename) return {};
    if (part.size > kMaxFormValue)
      return base::fail(base::ErrorKind::kLimit, "multipart body: a form value is too long");
    part.value += data;
    return {};
  }

  MultipartParser parser_;
  std::vector<FormPart> parts_;
};

} // namespace

base::Result<std::vector<FormPart>> parse_multipart(std::string_view body, std::string_view content_type) {
  FormReader reader(FR_TRY(multipart_boundary(content_type)));
  FR_CHECK(reader.feed(body));
  return reader.finish();
}

base::Result<std::vector<FormPart>> parse_multipart_file(const std::string& body_file, std::string_view content_type) {
  FormReader reader(FR_TRY(multipart_boundary(content_type)));
  auto file = FR_TRY(sys::open_fd(body_file, O_RDONLY));
  std::string buffer(256u << 10, '\0');
  while (true) {
    std::size_t got = FR_TRY(sys::read_some(file.get(), buffer.data(), buffer.size()));
    if (got == 0) return reader.finish();
    FR_CHECK(reader.feed(std::string_view(buffer).substr(0, got)));
  }
}

MultipartFrame multipart_file_frame(std::string_view field, std::string_view filename,
                                    std::string_view part_content_type) {
  auto quoted = [](std::string_view text) {
    std::string out;
    for (char c : text) {
      if (c == '\\' || c == '"') out += '\\';
      if (c != '\r' && c != '\n') out += c;
    }
    return out;
  };
  std::string boundary = "forerunner" + base::random_request_id();
  return {.content_type = "multipart/form-data; boundary=" + boundary,
          .head = "--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + quoted(field) + "\"; filename=\"" +
                  quoted(filename) + "\"\r\nContent-Type: " + std::string(part_content_type) + "\r\n\r\n",
          .tail = "\r\n--" + boundary + "--\r\n"};
}

} // namespace net
