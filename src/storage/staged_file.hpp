// StagedFile: a file that appears at its place whole, or not at all.
//
// It is written beside its place under another name (directories on the way are made, only for their owner) and renamed
// by commit(); a StagedFile that is dropped before leaves nothing behind. One thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"
#include "sys/fd.hpp"

namespace storage {

class StagedFile {
 public:
  static base::Result<StagedFile> create(const std::string& target, std::string_view prefix);
  StagedFile(StagedFile&& other) noexcept
      : target_(std::move(other.target_)), path_(std::exchange(other.path_, "")), fd_(std::move(other.fd_)) {}
  StagedFile& operator=(StagedFile&&) = delete;
  ~StagedFile();

  int fd() const { return fd_.get(); }
  base::Status commit();
  // And on the disk, name and all, when it returns.
  base::Status commit_durably();

 private:
  StagedFile(std::string target, std::string path, sys::Fd fd)
      : target_(std::move(target)), path_(std::move(path)), fd_(std::move(fd)) {}

  std::string target_;
  std::string path_;
  sys::Fd fd_;
};

} // namespace storage
