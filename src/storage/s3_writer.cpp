#include "storage/s3_writer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "storage/xml.hpp"

namespace storage {
namespace {

constexpr std::size_t kMostParts = 10'000; // S3's
const std::pair<std::string, std::string> kType = {"Content-Type", "application/octet-stream"};

} // namespace

S3Writer::~S3Writer() {
  if (upload_id_.empty()) return;
  auto given_up = store_.send({.method = "DELETE", .key = key_, .query = {{"uploadId", upload_id_}}});
  if (!given_up) base::log::warning("cannot give up an upload", {{"key", key_}, {"error", given_up.error().message()}});
}

// Grows, so that the number of parts lasts for 10 TB.
std::size_t S3Writer::part_size() const {
  return store_.tuning_.part_size << std::min<std::size_t>(etags_.size() / 1000, 7);
}

base::Status S3Writer::write(std::string_view bytes) {
  while (!bytes.empty()) {
    if (part_.size() == part_size()) FR_CHECK(send_part());
    if (part_.capacity() < part_size())
      part_.reserve(std::min(part_size(), std::max<std::size_t>(part_.size() * 2, bytes.size())));
    auto piece = bytes.substr(0, part_size() - part_.size());
    part_ += piece;
    size_ += piece.size();
    bytes.remove_prefix(piece.size());
  }
  return {};
}

base::Status S3Writer::send_part() {
  if (etags_.size() >= kMostParts)
    return base::fail(base::ErrorKind::kLimit, key_ + " is too large for the object store");
  if (upload_id_.empty()) {
    auto headers = store_.encryption_headers();
    headers.push_back(kType);
    auto begun = FR_TRY(store_.send({.method = "POST", .key = key_, .query = {{"uploads", ""}}, .headers = headers}));
    upload_id_ = xml_text(begun.body, "UploadId");
    if (upload_id_.empty()) return base::fail(base::ErrorKind::kUnavailable, "the object store began no upload");
  }
  auto sent =
      FR_TRY(store_.send({.method = "PUT",
                          .key = key_,
                          .query = {{"partNumber", std::to_string(etags_.size() + 1)}, {"uploadId", upload_id_}},
                          .body = part_}));
  auto etag = sent.headers.get("ETag");
  if (etag.empty()) return base::fail(base::ErrorKind::kUnavailable, "the object store gave a part no ETag");
  etags_.emplace_back(etag);
  part_.clear();
  return {};
}

base::Status S3Writer::commit() {
  if (upload_id_.empty()) {
    auto headers = store_.encryption_headers();
    headers.push_back(kType);
    FR_CHECK(store_.send({.method = "PUT", .key = key_, .headers = headers, .body = part_}));
    part_.clear();
    return {};
  }
  if (!part_.empty()) FR_CHECK(send_part());
  return complete();
}

base::Status S3Writer::complete() {
  std::string list = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  for (std::size_t i = 0; i < etags_.size(); ++i)
    list += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1, xml_encode(etags_[i]));
  list += "</CompleteMultipartUpload>";
  auto done = store_.send({.method = "POST",
                           .key = key_,
                           .query = {{"uploadId", upload_id_}},
                           .headers = {{"Content-Type", "application/xml"}},
                           .body = list});
  // The answer to an earlier try may have been lost, and a 200 may hold an error: what counts is the object.
  bool sure = done && xml_inner(done->body, "Error").empty() && done->body.find("<Error>") == std::string::npos;
  if (!sure) {
    auto there = store_.info(key_);
    if (!there || there->size != size_) {
      if (!done) return base::fail(std::move(done.error()));
      return base::fail(base::ErrorKind::kUnavailable,
                        fmt::format("the object store did not join the parts of {}: {} {}", key_,
                                    xml_text(done->body, "Code"), xml_text(done->body, "Message")));
    }
  }
  upload_id_.clear();
  return {};
}

} // namespace storage
