// ObjectStore: bytes by name outside of the program: a folder (local, or shared by several machines) or a bucket of an
// S3 service.
//
// Thread-safe and blocking. An object appears whole or not at all. Kinds of errors: kNotFound (no such object),
// kForbidden and kUnauthorized (the store refuses us), kUnavailable and kTimeout (worth another try later; retries were
// made already), kInvalidInput (a bad key or location), kIo.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace storage {

struct ObjectInfo {
  std::string key;
  std::uint64_t size = 0;
  std::int64_t modified = 0; // Unix seconds
};

// An object that is being written; dropped without commit() it never was. One thread.
class ObjectWriter {
 public:
  virtual ~ObjectWriter() = default;
  virtual base::Status write(std::string_view bytes) = 0;
  virtual base::Status commit() = 0; // durable after success
};

// A URL that gives an object to whoever has it, for a while.
struct UrlOptions {
  std::chrono::seconds valid{600};
  std::string content_type;        // of the answer; empty: the store's
  std::string content_disposition; // likewise
};

class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  // Keys are as check_key() wants them. An object of the same key is replaced by commit().
  virtual base::Result<std::unique_ptr<ObjectWriter>> create(const std::string& key) = 0;
  virtual base::Result<ObjectInfo> info(const std::string& key) = 0;
  // The bytes from `offset` on, `size` of them or what is there; "" behind the end.
  virtual base::Result<std::string> read(const std::string& key, std::uint64_t offset, std::size_t size) = 0;
  virtual base::Status remove(const std::string& key) = 0; // success when there is none
  // Every object whose key begins with `prefix` ("" or ending in '/'), those of one "directory" together; an error of
  // `visit` ends it.
  virtual base::Status list(const std::string& prefix, const std::function<base::Status(const ObjectInfo&)>& visit) = 0;
  // Frees what writers that died have left below `prefix` and that was not touched for so long.
  virtual base::Status drop_abandoned(const std::string& prefix, std::chrono::seconds untouched) = 0;

  // The file that holds the object, where there is one.
  virtual std::optional<std::string> path(const std::string& key) const = 0;
  // nullopt: this store has none.
  virtual base::Result<std::optional<std::string>> url(const std::string& key, const UrlOptions& options) = 0;
  // Whether the store can be used, as well as a listing tells.
  virtual base::Status check() = 0;
  virtual std::string name() const = 0; // for logs: "/srv/objects", "s3://bucket/prefix"
};

// 1 to 900 bytes of segments separated by '/', each of printable ASCII without '\\', none empty, "." or "..", none
// beginning with ".new-".
base::Status check_key(std::string_view key);

base::Status put(ObjectStore& store, const std::string& key, std::string_view bytes);
// A part of a file (nullopt: to its end).
base::Status put_file(ObjectStore& store, const std::string& key, const std::string& path, std::uint64_t offset = 0,
                      std::optional<std::uint64_t> size = std::nullopt);
// The object in pieces of at most `piece` bytes, from `offset` on; kIo when it is shorter than `size` says.
base::Status get(ObjectStore& store, const std::string& key, std::uint64_t offset, std::uint64_t size,
                 const std::function<base::Status(std::string_view)>& sink, std::size_t piece = 4u << 20);

// A folder's path, or s3://bucket/prefix?… (docs/coordinator.md). Nothing is asked of the network.
base::Result<std::unique_ptr<ObjectStore>> open_object_store(const std::string& location);

} // namespace storage
