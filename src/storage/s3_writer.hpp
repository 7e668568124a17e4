// S3Writer: an object on its way into a bucket: one PUT when it is small, a multipart upload else. One part is in
// memory. Private to the module; see ObjectWriter.
#pragma once

#include "storage/s3_store.hpp"

namespace storage {

class S3Writer final : public ObjectWriter {
 public:
  S3Writer(S3Store& store, std::string key) : store_(store), key_(std::move(key)) {}
  ~S3Writer() override; // a multipart upload that was not committed is given up

  base::Status write(std::string_view bytes) override;
  base::Status commit() override;

 private:
  std::size_t part_size() const;
  base::Status send_part();
  base::Status complete();

  S3Store& store_;
  std::string key_;
  std::string part_;
  std::uint64_t size_ = 0;
  std::string upload_id_;
  std::vector<std::string> etags_;
};

} // namespace storage
