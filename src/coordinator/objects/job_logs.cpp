#include "coordinator/objects/job_logs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/hash.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"

namespace coordinator::objects {
namespace {

constexpr std::int64_t kSettled = 3'000; // ms after a job's end: a last piece may be on its way through another process
constexpr std::size_t kPiece = 1u << 20;
constexpr std::int64_t kWatched = 10'000; // ms
constexpr const char* kWatchedChannel = "job_log_watched";

// A live log that is no file, read while it is sent.
class LogBody final : public net::StreamBody {
 public:
  LogBody(JobLogs& logs, std::int64_t job_id, std::uint64_t offset, std::uint64_t length)
      : logs_(logs), job_id_(job_id), offset_(offset), length_(length), left_(length) {}

  std::optional<std::uint64_t> length() const override { return length_; }
  ssize_t read(char* buffer, std::size_t size) override {
    if (at_ == piece_.size() && left_ > 0) {
      auto got = logs_.read(job_id_, offset_, static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, left_)));
      if (!got || got->empty()) return -1; // erased meanwhile
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
  JobLogs& logs_;
  std::int64_t job_id_;
  std::uint64_t offset_;
  std::uint64_t length_;
  std::uint64_t left_;
  std::string piece_;
  std::size_t at_ = 0;
};

} // namespace

JobLogs::JobLogs(Store& store, const base::Clock& clock, Stores& stores, std::unique_ptr<LiveLogs> live)
    : store_(store), clock_(clock), stores_(stores), live_(std::move(live)), archives_(!stores.in_files()) {
  if (!store_.shared()) return;
  watchers_elsewhere_ = store_.subscribe(kWatchedChannel, [this](const std::string& job_id) {
    if (auto id = base::parse_int(job_id)) note_watched(*id);
  });
}

base::Result<std::optional<JobLogs::Archived>> JobLogs::archived(std::int64_t job_id) {
  if (!archives_) return std::nullopt;
  auto row = FR_TRY(store_.read([&](Transaction& tx) {
    return tx.query_one("SELECT location, size FROM job_logs WHERE job_id = ? AND location IS NOT NULL", {job_id});
  }));
  if (!row) return std::nullopt;
  return Archived{.location = row->text("location"), .size = static_cast<std::uint64_t>(row->integer("size"))};
}

base::Result<std::uint64_t> JobLogs::append(std::int64_t job_id, std::uint64_t offset, std::string_view chunk) {
  return live_->append(job_id, offset, chunk);
}

base::Result<std::uint64_t> JobLogs::size(std::int64_t job_id) {
  if (auto kept = FR_TRY(archived(job_id))) return kept->size;
  return live_->size(job_id);
}

base::Result<std::string> JobLogs::read(std::int64_t job_id, std::uint64_t offset, std::size_t length) {
  auto kept = FR_TRY(archived(job_id));
  if (!kept) {
    auto bytes = live_->read(job_id, offset, length);
    if (!archives_ || !bytes || !bytes->empty()) return bytes;
    kept = FR_TRY(archived(job_id)); // it may have moved in between
    if (!kept) return bytes;
  }
  auto place = FR_TRY(stores_.find(kept->location));
  std::string out;
  auto left = std::min<std::uint64_t>(length, kept->size - std::min(kept->size, offset));
  auto got = storage::get(*place.store, place.key, offset, left, [&](std::string_view piece) -> base::Status {
    out += piece;
    return {};
  });
  if (!got) return base::fail(trouble(std::move(got.error())));
  return out;
}

base::Status JobLogs::fill(net::Response& response, std::int64_t job_id, std::uint64_t offset, std::uint64_t length) {
  if (length == 0) return {};
  if (auto kept = FR_TRY(archived(job_id))) return stores_.fill(response, kept->location, offset, length);
  if (auto path = live_->path(job_id)) {
    response.file = net::FileBody{.path = *path, .offset = offset, .length = length};
  } else if (length <= kPiece) {
    response.body = FR_TRY(read(job_id, offset, static_cast<std::size_t>(length)));
  } else {
    response.stream = std::make_shared<LogBody>(*this, job_id, offset, length);
  }
  return {};
}

base::Status JobLogs::erase(Transaction& tx, std::int64_t job_id) {
  if (archives_) {
    auto row = FR_TRY(tx.query_one("SELECT location FROM job_logs WHERE job_id = ?", {job_id}));
    FR_CHECK(tx.execute("DELETE FROM job_logs WHERE job_id = ?", {job_id}));
    if (row && !row->is_null("location"))
      tx.after_commit([this, location = row->text("location")] { stores_.drop(location); });
  }
  return live_->erase(tx, job_id);
}

base::Status JobLogs::archive_ended() {
  if (!archives_) return {};
  auto waiting = FR_TRY(live_->waiting());
  for (std::size_t at = 0; at < waiting.size(); at += 200) {
    Binds binds = {now() - kSettled};
    std::string marks;
    for (std::size_t i = at; i < std::min(waiting.size(), at + 200); ++i) {
      marks += marks.empty() ? "?" : ", ?";
      binds.emplace_back(waiting[i]);
    }
    auto ended = FR_TRY(store_.read([&](Transaction& tx) {
      return tx.query("SELECT id FROM jobs WHERE finished_at <= ? AND id IN (" + marks + ") ORDER BY id", binds);
    }));
    for (const Row& job : ended) FR_CHECK(archive(job.integer("id")));
  }
  return {};
}

base::Status JobLogs::archive(std::int64_t job_id) {
  if (FR_TRY(archived(job_id)))
    return store_.write([&](Transaction& tx) { return live_->erase(tx, job_id); }); // somebody died after the row
  auto size = FR_TRY(live_->size(job_id));
  std::string key = fmt::format("traces/{}/{}-{}.log", job_id / 1000, job_id, base::random_hex(16));
  auto writer = FR_TRY(stores_.primary().create(key));
  for (std::uint64_t at = 0; at < size;) {
    auto piece = FR_TRY(live_->read(job_id, at, static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, size - at))));
    if (piece.empty()) return {}; // erased meanwhile
    FR_CHECK(writer->write(piece));
    at += piece.size();
  }
  FR_CHECK(writer->commit());
  auto done = store_.write_shared([&](Transaction& tx) -> base::Status {
    auto job = FR_TRY(tx.query_one("SELECT id FROM jobs WHERE id = ? AND erased_at IS NULL FOR UPDATE", {job_id}));
    if (!job) return base::fail(base::ErrorKind::kConflict, "the log was erased meanwhile");
    FR_CHECK(tx.execute("INSERT INTO job_logs (job_id, size) VALUES (?, ?) ON CONFLICT (job_id) DO NOTHING",
                        {job_id, static_cast<std::int64_t>(size)}));
    auto named = FR_TRY(tx.execute(
        "UPDATE job_logs SET location = ?, archived_at = ? WHERE job_id = ? AND size = ? AND location IS NULL",
        {stores_.location(key), now(), job_id, static_cast<std::int64_t>(size)}));
    if (named == 0) return base::fail(base::ErrorKind::kConflict, "the log has changed meanwhile");
    FR_CHECK(tx.execute("UPDATE jobs SET trace_archived = 1 WHERE id = ?", {job_id}));
    return live_->erase(tx, job_id);
  });
  if (!done) {
    // After a commit without an answer the row may name it all the same; if not, the sweep removes it.
    if (done.error().kind() != base::ErrorKind::kUnavailable) stores_.drop(stores_.location(key));
    base::log::info("a job's log is moved later", {{"job", std::to_string(job_id)}, {"why", done.error().message()}});
  }
  return {};
}

bool JobLogs::note_watched(std::int64_t job_id) {
  std::lock_guard lock(watch_mutex_);
  std::erase_if(watched_until_, [now = now()](const auto& entry) { return entry.second < now; });
  std::int64_t& until = watched_until_[job_id];
  bool fresh = until < now() + kWatched / 2;
  if (fresh) until = now() + kWatched;
  return fresh;
}

void JobLogs::watch(std::int64_t job_id) {
  if (note_watched(job_id) && store_.shared()) store_.publish(kWatchedChannel, std::to_string(job_id));
}

bool JobLogs::watched(std::int64_t job_id) const {
  std::lock_guard lock(watch_mutex_);
  auto found = watched_until_.find(job_id);
  return found != watched_until_.end() && found->second >= now();
}

} // namespace coordinator::objects
