#include "coordinator/objects/stores.hpp"

#include <algorithm>
#include <cstring>

#include "base/log.hpp"
#include "sys/files.hpp"

namespace coordinator::objects {
namespace {

constexpr std::size_t kPiece = 1u << 20; // of an object that is sent on: bounds the memory of a download

// An object's bytes, fetched piece by piece while they are sent.
class ObjectBody final : public net::StreamBody {
 public:
  ObjectBody(Stores::Place place, std::uint64_t offset, std::uint64_t length)
      : place_(std::move(place)), offset_(offset), length_(length), left_(length) {}

  std::optional<std::uint64_t> length() const override { return length_; }
  ssize_t read(char* buffer, std::size_t size) override {
    if (at_ == piece_.size() && left_ > 0) {
      auto got =
          place_.store->read(place_.key, offset_, static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, left_)));
      if (!got || got->empty()) {
        base::log::error("cannot read an object",
                         {{"store", place_.store->name()},
                          {"key", place_.key},
                          {"error", got ? "it is shorter than its row says" : got.error().message()}});
        return -1;
      }
      piece_ = std::move(*got);
      at_ = 0;
      offset_ += piece_.size();
      left_ -= piece_.size();
    }
    size = std::min(size, piece_.size() - at_);
    std::memcpy(buffer, piece_.data() + at_, size);
    at_ += size;
    return static_cast<ssize_t>(size);
  }

 private:
  Stores::Place place_;
  std::uint64_t offset_;
  std::uint64_t length_;
  std::uint64_t left_; // not fetched yet
  std::string piece_;
  std::size_t at_ = 0;
};

} // namespace

base::Error trouble(base::Error error) {
  if (error.kind() == base::ErrorKind::kNotFound || error.kind() == base::ErrorKind::kUnavailable) return error;
  return {base::ErrorKind::kUnavailable, "object store: " + error.message()};
}

base::Result<std::unique_ptr<Stores>> Stores::open(const std::string& data_dir, const std::string& configured) {
  auto stores = std::make_unique<Stores>();
  stores->data_ = FR_TRY(storage::open_object_store(data_dir));
  if (configured.empty()) return stores;
  stores->configured_ = FR_TRY(storage::open_object_store(configured));
  if (!stores->in_files()) stores->remover_ = std::make_unique<sys::ThreadPool>(1, 10'000);
  if (auto usable = stores->configured_->check(); !usable) {
    auto kind = usable.error().kind();
    if (kind != base::ErrorKind::kUnavailable && kind != base::ErrorKind::kTimeout)
      return base::fail_context("the object store " + stores->configured_->name() + " cannot be used", usable.error());
    // It may come back, and everything else works meanwhile.
    base::log::warning("the object store does not answer",
                       {{"store", stores->configured_->name()}, {"error", usable.error().message()}});
  }
  return stores;
}

bool Stores::in_files() const { return (configured_ ? configured_ : data_)->path("x").has_value(); }

base::Result<Stores::Place> Stores::find(std::string_view location) const {
  if (location.starts_with("data:")) return Place{data_, std::string(location.substr(5))};
  if (location.starts_with("store:")) {
    if (!configured_)
      return base::fail(base::ErrorKind::kUnavailable, "the object store that holds this is not configured any more");
    return Place{configured_, std::string(location.substr(6))};
  }
  // The data directory may have been moved since.
  if (auto at = location.rfind("/artifacts/"); at != std::string_view::npos)
    return Place{data_, std::string(location.substr(at + 1))};
  return base::fail(base::ErrorKind::kInternal, "an object's location is malformed");
}

base::Status Stores::fill(net::Response& response, std::string_view location, std::uint64_t offset,
                          std::uint64_t length) const {
  auto place = FR_TRY(find(location));
  if (auto path = place.store->path(place.key)) {
    if (!sys::is_regular_file(*path)) return base::fail(base::ErrorKind::kNotFound, *path + " is missing");
    response.file = net::FileBody{.path = *path, .offset = offset, .length = length};
    return {};
  }
  response.stream = std::make_shared<ObjectBody>(std::move(place), offset, length);
  return {};
}

base::Result<std::optional<std::string>> Stores::url(std::string_view location,
                                                     const storage::UrlOptions& options) const {
  auto place = FR_TRY(find(location));
  return place.store->url(place.key, options);
}

std::vector<storage::ObjectStore*> Stores::all() const {
  std::vector<storage::ObjectStore*> list = {data_.get()};
  if (configured_) list.push_back(configured_.get());
  return list;
}

void Stores::drop(std::string_view location) {
  auto place = find(location);
  if (!place) return;
  auto remove = [place = *place] {
    if (auto gone = place.store->remove(place.key); !gone)
      base::log::warning("cannot remove an object",
                         {{"store", place.store->name()}, {"key", place.key}, {"error", gone.error().message()}});
  };
  if (place->store->path(place->key))
    remove();
  else
    (void)remover_->try_submit(remove);
}

} // namespace coordinator::objects
