// The log file of a job directory: FileSpool writes it (worker), SpoolReader reads it by offset (manager), while it
// grows and after a crash.
//
// FileSpool is thread-safe: the log appends, a pump flushes. A full disk loses bytes but no job: they are counted, and
// once there is room again a line in the log says how many are missing. SpoolReader belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "sys/fd.hpp"
#include "trace/sink.hpp"

namespace trace {

class FileSpool final : public Sink {
 public:
  static constexpr std::size_t kFlushSize = 64u << 10;
  // Called after bytes reached the file, with its new size; from the thread that flushed. Must not call the JobLog.
  using Grew = std::function<void(std::uint64_t size)>;

  // Makes the file (0600) or goes on with an existing one, whose checksum it computes.
  static base::Result<std::unique_ptr<FileSpool>> open(const std::string& path, Grew grew = {});
  ~FileSpool() override; // flushes

  void append(std::string_view bytes) override;
  // Brings what is buffered into the file. The pump calls it 100-200 ms after the last output, everybody before he
  // tells a size to somebody else.
  void flush();

  bool has_unflushed() const;
  std::uint64_t size() const;       // bytes in the file
  std::uint32_t crc32() const;      // of the bytes in the file
  std::uint64_t lost_bytes() const; // that no disk space was found for, in all

 private:
  explicit FileSpool(Grew grew) : grew_(std::move(grew)) {}
  bool flush_locked();
  bool report_loss();
  void lose(std::size_t bytes);
  std::size_t write_some(std::string_view bytes);

  mutable std::mutex mutex_;
  sys::Fd fd_;
  Grew grew_;
  std::string buffer_;
  std::uint64_t size_ = 0;
  std::uint32_t crc_ = 0;
  std::uint64_t lost_ = 0;       // in all
  std::uint64_t unreported_ = 0; // not yet told in the log
  std::string owed_;             // goes first: the rest of a cut character, or of the sentence about the loss
  int last_errno_ = 0;
};

class SpoolReader {
 public:
  // kNotFound when the worker has not made the file yet.
  static base::Result<SpoolReader> open(const std::string& path);

  base::Result<std::uint64_t> size() const;
  // At most `max` bytes from `offset` on; fewer at the end, none beyond it.
  base::Result<std::string> read_at(std::uint64_t offset, std::size_t max) const;
  // Of the first `size` bytes; kInvalidInput when there are not so many. Remembers how far it came, so asking again for
  // a larger size reads only what is new.
  base::Result<std::uint32_t> crc32(std::uint64_t size);

 private:
  explicit SpoolReader(sys::Fd fd) : fd_(std::move(fd)) {}

  sys::Fd fd_;
  std::uint64_t crc_size_ = 0;
  std::uint32_t crc_ = 0;
};

} // namespace trace
