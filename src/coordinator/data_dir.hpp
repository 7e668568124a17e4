// DataDir: the coordinator's directory, held: by one process when its database lies inside, by any number that share a
// PostgreSQL database (and the directory, over a network file system with flock, when they are on several hosts).
//
// Each process has a spool directory of its own below `tmp`; what processes that died left there goes at the next
// start.
#pragma once

#include <string>
#include <utility>

#include "base/result.hpp"
#include "sys/lock.hpp"

namespace coordinator {

// A directory of one process's own below `tmp`, removed at the end of the scope.
class Spool {
 public:
  // Of a data directory on which nobody is starting at this moment: waits for that.
  static base::Result<Spool> make(const std::string& data_dir);
  ~Spool();
  Spool(Spool&& other) noexcept : lock_(std::move(other.lock_)), path_(std::exchange(other.path_, {})) {}
  Spool& operator=(Spool&&) = delete;

  const std::string& path() const { return path_; }

 private:
  friend class DataDir;
  Spool(sys::FileLock lock, std::string path) : lock_(std::move(lock)), path_(std::move(path)) {}
  static base::Result<Spool> make_within_start(const std::string& data_dir);

  sys::FileLock lock_; // says that this process lives
  std::string path_;
};

class DataDir {
 public:
  // Makes the directory when it is missing. kConflict: another coordinator holds it in a way that excludes us.
  static base::Result<DataDir> open(const std::string& path, bool shared);

  const std::string& spool() const { return spool_.path(); }
  // From open() until here no other process starts on this directory: for what is made once.
  void started() { starting_.unlock(); }

 private:
  DataDir(sys::FileLock starting, sys::FileLock lock, Spool spool)
      : starting_(std::move(starting)), lock_(std::move(lock)), spool_(std::move(spool)) {}

  sys::FileLock starting_;
  sys::FileLock lock_;
  Spool spool_;
};

} // namespace coordinator
