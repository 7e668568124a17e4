// FolderStore: objects as files below a folder, which may be shared by several machines (NFS): keys are relative paths.
//
// An object is written beside its place as ".new-XXXXXX", synced, renamed and the directory synced. Thread-safe, also
// against other processes that use the folder.
#pragma once

#include "storage/object_store.hpp"

namespace storage {

class FolderStore final : public ObjectStore {
 public:
  // Makes the folder (0700) when it is missing.
  static base::Result<std::unique_ptr<ObjectStore>> open(const std::string& folder);

  base::Result<std::unique_ptr<ObjectWriter>> create(const std::string& key) override;
  base::Result<ObjectInfo> info(const std::string& key) override;
  base::Result<std::string> read(const std::string& key, std::uint64_t offset, std::size_t size) override;
  base::Status remove(const std::string& key) override; // and directories that become empty
  base::Status list(const std::string& prefix, const std::function<base::Status(const ObjectInfo&)>& visit) override;
  base::Status drop_abandoned(const std::string& prefix, std::chrono::seconds untouched) override;
  std::optional<std::string> path(const std::string& key) const override;
  base::Result<std::optional<std::string>> url(const std::string&, const UrlOptions&) override { return std::nullopt; }
  base::Status check() override;
  std::string name() const override { return folder_; }

 private:
  explicit FolderStore(std::string folder) : folder_(std::move(folder)) {}
  std::string folder_;
};

} // namespace storage
