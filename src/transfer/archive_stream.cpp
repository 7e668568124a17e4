#include "transfer/archive_stream.hpp"

#include <algorithm>
#include <cstring>

#include "transfer/messages.hpp"

namespace transfer {
namespace {
constexpr std::size_t kBuffer = 4u << 20;
}

ArchiveStream::ArchiveStream(std::shared_ptr<const Input> input, std::shared_ptr<Outcome> outcome)
    : input_(std::move(input)),
      outcome_(std::move(outcome)),
      meter_("Uploading artifacts", std::nullopt, input_->meter_frequency),
      thread_([this] { run(); }) {}

ArchiveStream::~ArchiveStream() {
  std::lock_guard lock(mutex_);
  abandoned_ = true;
  changed_.notify_all();
}

void ArchiveStream::run() {
  auto output = [this](std::string_view bytes) { return push(bytes); };
  archive::WriteOptions options;
  options.level = input_->level;
  options.on_warning = [](const std::string& text) { warning(text); };
  base::Status status = push(input_->head);
  if (status) status = archive::write_archive(input_->format, input_->files, output, options);
  if (status) status = push(input_->tail);
  std::lock_guard lock(mutex_);
  finished_ = true;
  if (!status && !abandoned_) {
    error_ = status.error();
    std::lock_guard outcome_lock(outcome_->mutex);
    outcome_->error = status.error();
  }
  changed_.notify_all();
}

base::Status ArchiveStream::push(std::string_view bytes) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return abandoned_ || buffered_ < kBuffer; });
  if (abandoned_) return base::fail(base::ErrorKind::kCanceled, "upload ended");
  if (bytes.empty()) return {};
  pieces_.emplace_back(bytes);
  buffered_ += bytes.size();
  produced_ += bytes.size();
  changed_.notify_all();
  return {};
}

base::Result<std::size_t> ArchiveStream::read(char* buffer, std::size_t size) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return finished_ || !pieces_.empty(); });
  if (error_) return base::fail(*error_);
  if (pieces_.empty()) return 0;
  std::string& piece = pieces_.front();
  std::size_t n = std::min(size, piece.size() - taken_);
  std::memcpy(buffer, piece.data() + taken_, n);
  taken_ += n;
  buffered_ -= n;
  if (taken_ == piece.size()) {
    pieces_.pop_front();
    taken_ = 0;
  }
  changed_.notify_all();
  lock.unlock();
  meter_.add(n);
  return n;
}

std::optional<std::uint64_t> ArchiveStream::length() const {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return finished_ || buffered_ >= kBuffer; });
  if (!finished_ || error_) return std::nullopt;
  return produced_;
}

} // namespace transfer
