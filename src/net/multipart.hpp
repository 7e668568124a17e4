// multipart/form-data: a parser that reads a body in pieces of any size, and the framing for sending.
//
// Not thread-safe; no I/O but for parse_multipart_file(). kInvalidInput for malformed bodies, kLimit for over-long
// part headers or values.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "net/headers.hpp"

namespace net {

// The boundary out of a Content-Type header; kInvalidInput when it is no multipart/form-data.
base::Result<std::string> multipart_boundary(std::string_view content_type);

struct PartHeader {
  std::string name;     // of the form field
  std::string filename; // as sent, may hold slashes; "" when there is none
  bool has_filename = false;
  std::string content_type;
  Headers headers;
};

class MultipartParser {
 public:
  struct Callbacks {
    std::function<base::Status(const PartHeader&)> on_part;
    // Of the part begun last; the offset is that of the bytes in the whole body.
    std::function<base::Status(std::string_view, std::uint64_t offset)> on_data;
    std::function<base::Status()> on_part_end;
  };
  MultipartParser(std::string boundary, Callbacks callbacks);
  base::Status feed(std::string_view bytes);
  base::Status finish(); // kInvalidInput when the closing boundary has not been seen

 private:
  enum class State { kPreamble, kAfterBoundary, kHeaders, kData, kEpilogue };
  base::Status step(bool& progress);
  base::Status begin_part(std::string_view block);
  base::Status feed_data(bool& progress);
  void consume(std::size_t size);

  std::string delimiter_; // "\r\n--<boundary>"
  Callbacks callbacks_;
  State state_ = State::kPreamble;
  std::string buffer_;
  std::uint64_t position_ = static_cast<std::uint64_t>(-2); // of buffer_ in the body; a line end is put in front of it
  std::size_t header_rest_ = 0; // bytes of the part's header at the start of buffer_, in state kData
};

// A part of a body that lies in a file: values are in memory, files are regions of that file.
struct FormPart {
  PartHeader header;
  std::string value;        // parts without a file name
  std::uint64_t offset = 0; // parts with one: where its content lies in the body's file
  std::uint64_t size = 0;
};
inline constexpr std::size_t kMaxFormValue = 1u << 20;
base::Result<std::vector<FormPart>> parse_multipart_file(const std::string& body_file, std::string_view content_type);
// The same for a body in memory; offset and size refer to it.
base::Result<std::vector<FormPart>> parse_multipart(std::string_view body, std::string_view content_type);

// What goes before and after one file's bytes in a body with that single part.
struct MultipartFrame {
  std::string content_type; // with the boundary
  std::string head;
  std::string tail;
};
MultipartFrame multipart_file_frame(std::string_view field, std::string_view filename,
                                    std::string_view part_content_type = "application/octet-stream");

} // namespace net
