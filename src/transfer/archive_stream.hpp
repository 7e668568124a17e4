// ArchiveStream: an archive as the body of an HTTP request, made while it is sent.
//
// Private to the uploader. A thread of its own writes the archive into a bounded buffer; the HTTP client reads it. Up
// to that bound the archive is finished before anything is sent: then its length is known, and a file that cannot be
// read fails the upload before the server hears of it.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "archive/writer.hpp"
#include "net/http_client.hpp"
#include "transfer/meter.hpp"

namespace transfer {

class ArchiveStream final : public net::BodySource {
 public:
  struct Input {
    archive::Format format = archive::Format::kZip;
    archive::Level level = archive::Level::kDefault;
    std::vector<archive::SourceFile> files;
    std::string head, tail; // sent before and after the archive
    std::chrono::nanoseconds meter_frequency{0};
  };
  // What went wrong while archiving, for the caller that only sees the request fail. Outlives the stream.
  struct Outcome {
    std::mutex mutex;
    std::optional<base::Error> error;
  };

  ArchiveStream(std::shared_ptr<const Input> input, std::shared_ptr<Outcome> outcome);
  ~ArchiveStream() override;

  base::Result<std::size_t> read(char* buffer, std::size_t size) override;
  std::optional<std::uint64_t> length() const override;

 private:
  void run();
  base::Status push(std::string_view bytes);

  std::shared_ptr<const Input> input_;
  std::shared_ptr<Outcome> outcome_;
  Meter meter_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::deque<std::string> pieces_;
  std::size_t buffered_ = 0;
  std::uint64_t produced_ = 0;
  std::size_t taken_ = 0; // of the first piece
  bool finished_ = false;
  bool abandoned_ = false;
  std::optional<base::Error> error_;
  std::jthread thread_;
};

} // namespace transfer
