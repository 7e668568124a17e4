// Stores: where the coordinator's objects lie. New ones go to the configured store, which is the data directory unless
// told otherwise; what was put into the data directory before is still found there.
//
// A row names its object by a location: "data:KEY" (the data directory), "store:KEY" (the configured store), or, in
// rows of older versions, the absolute path of a file in the data directory. Thread-safe; made by Objects.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/http_server.hpp"
#include "storage/object_store.hpp"
#include "sys/thread_pool.hpp"

namespace coordinator::objects {

// A store's refusal is no matter of the caller's rights or input: but for kNotFound it is kUnavailable (503), which
// runners try again.
base::Error trouble(base::Error error);

class Stores {
 public:
  // `configured` empty: the data directory. Else a folder or s3://…
  static base::Result<std::unique_ptr<Stores>> open(const std::string& data_dir, const std::string& configured);

  storage::ObjectStore& primary() { return configured_ ? *configured_ : *data_; }
  // The primary store has files on this machine, as a folder has.
  bool in_files() const;
  bool configured() const { return configured_ != nullptr; }
  std::vector<storage::ObjectStore*> all() const;
  std::string location(const std::string& key) const { return (configured_ ? "store:" : "data:") + key; }

  struct Place {
    std::shared_ptr<storage::ObjectStore> store;
    std::string key;
  };
  // kUnavailable when the location's store is not configured any more.
  base::Result<Place> find(std::string_view location) const;

  // Makes a part of the object the body of an answer. The object is not looked at before the answer is sent, unless it
  // is a file: kNotFound.
  base::Status fill(net::Response& response, std::string_view location, std::uint64_t offset,
                    std::uint64_t length) const;
  // A URL from which whoever has it gets the object; nullopt: this store has none.
  base::Result<std::optional<std::string>> url(std::string_view location, const storage::UrlOptions& options) const;
  // Files go at once, other objects soon; what cannot be removed is logged and found by the sweep later.
  void drop(std::string_view location);

 private:
  std::shared_ptr<storage::ObjectStore> data_;
  std::shared_ptr<storage::ObjectStore> configured_; // null: data_
  std::unique_ptr<sys::ThreadPool> remover_;         // for a store over the network
};

} // namespace coordinator::objects
