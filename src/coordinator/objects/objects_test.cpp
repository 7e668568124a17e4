// Logs and artifacts beyond the data directory: live logs in the database, logs and artifacts in S3, what crashes
// leave.

#include "coordinator/objects/objects.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "coordinator/objects/test_zip.hpp"
#include "coordinator/runner_api/test_project.hpp"
#include "storage/test_s3.hpp"

namespace coordinator::objects {
namespace {

class Remote : public TestProject {
 public:
  void use_s3() {
    server.stop();
    server.object_store = s3.location();
    server.start();
  }
  Store& store() { return server.app().store; }
  // Live logs in the database, as with several coordinators.
  std::unique_ptr<JobLogs> table_logs() {
    stores = std::move(*Stores::open(server.dir().path("elsewhere"), s3.location()));
    return std::make_unique<JobLogs>(store(), server.clock, *stores, std::make_unique<TableLogs>(store()));
  }
  std::int64_t rows(const std::string& table) {
    return *store().read([&](Transaction& tx) { return tx.count("SELECT count(*) FROM " + table); });
  }
  bool has_key(const std::string& beginning) {
    auto keys = s3.keys();
    return std::ranges::any_of(keys, [&](const std::string& key) { return key.starts_with(beginning); });
  }
  storage::FakeS3 s3;
  std::unique_ptr<Stores> stores;
};

TEST_F(Remote, LiveLogsInTheDatabase) {
  std::int64_t id = job_id(pipeline("a: {script: [a]}\n"), "a");
  TableLogs logs(store());
  EXPECT_EQ(*logs.size(id), 0u);
  EXPECT_EQ(*logs.append(id, 5, "early"), 0u);
  std::string all("line\0\xff\n", 7);
  EXPECT_EQ(*logs.append(id, 0, all), 7u);
  EXPECT_EQ(*logs.append(id, 0, "other"), 7u); // somebody else was first
  EXPECT_EQ(*logs.append(id, 3, "other"), 7u);
  EXPECT_EQ(*logs.append(id, 9, "other"), 7u);
  EXPECT_EQ(*logs.append(id, 7, ""), 7u);
  std::string big;
  for (int i = 0; i < 700'000; ++i) big += static_cast<char>(i * 31 + i / 255);
  EXPECT_EQ(*logs.append(id, 7, big), 700'007u);
  all += big;
  EXPECT_EQ(*logs.append(id, 700'007, "end"), 700'010u);
  all += "end";
  EXPECT_EQ(*logs.read(id, 0, 1 << 30), all);
  for (std::size_t offset : {0u, 6u, 7u, 262'150u, 262'151u, 524'300u, 700'006u, 700'009u, 700'010u, 800'000u})
    for (std::size_t length : {1u, 100u, 300'000u})
      EXPECT_EQ(*logs.read(id, offset, length), offset < all.size() ? all.substr(offset, length) : "")
          << offset << " " << length;
  EXPECT_EQ(*logs.waiting(), std::vector<std::int64_t>{id});
}

TEST_F(Remote, ADatabaseLogMovesWhenItsJobHasEnded) {
  pipeline("a: {script: [a]}\n");
  Handed job = start();
  auto logs = table_logs();
  EXPECT_EQ(*logs->append(job.id, 0, "one two three"), 13u);
  server.clock.advance(std::chrono::minutes(1));
  ASSERT_TRUE(logs->archive_ended());
  EXPECT_EQ(rows("job_log_chunks"), 1); // it runs
  EXPECT_EQ(update(job, "success").status, 200);
  ASSERT_TRUE(logs->archive_ended());
  EXPECT_EQ(rows("job_log_chunks"), 1); // it has just ended
  server.clock.advance(std::chrono::minutes(1));
  ASSERT_TRUE(logs->archive_ended());
  EXPECT_EQ(rows("job_log_chunks"), 0);
  EXPECT_TRUE(has_key("traces/0/" + std::to_string(job.id) + "-"));
  EXPECT_EQ(*logs->size(job.id), 13u);
  EXPECT_EQ(*logs->read(job.id), "one two three");
  EXPECT_EQ(*logs->read(job.id, 4, 3), "two");
  EXPECT_EQ(*logs->read(job.id, 13, 3), "");
  EXPECT_EQ(*logs->append(job.id, 13, "late"), 13u); // refused
  EXPECT_EQ(*logs->append(job.id, 0, "anew"), 13u);
  net::Response response;
  ASSERT_TRUE(logs->fill(response, job.id, 4, 3));
  ASSERT_TRUE(response.stream);
  EXPECT_EQ(response.stream->length(), 3u);
  char buffer[10];
  EXPECT_EQ(response.stream->read(buffer, 10), 3);
  EXPECT_EQ(std::string(buffer, 3), "two");
  EXPECT_EQ(response.stream->read(buffer, 10), 0);
  ASSERT_TRUE(store().write([&](Transaction& tx) { return logs->erase(tx, job.id); }));
  EXPECT_TRUE(eventually([&] { return !has_key("traces/"); }));
  EXPECT_EQ(*logs->size(job.id), 0u);
  EXPECT_EQ(rows("job_logs"), 0);
}

TEST_F(Remote, WhileTheStoreIsAwayLogsStayWhereTheyAre) {
  pipeline("a: {script: [a]}\n");
  Handed job = start();
  auto logs = table_logs();
  EXPECT_EQ(*logs->append(job.id, 0, "kept"), 4u);
  EXPECT_EQ(update(job, "success").status, 200);
  server.clock.advance(std::chrono::minutes(1));
  s3.faults.assign(1, {.status = 403});
  EXPECT_FALSE(logs->archive_ended());
  EXPECT_EQ(*logs->read(job.id), "kept");
  ASSERT_TRUE(logs->archive_ended());
  EXPECT_EQ(*logs->read(job.id), "kept");
  EXPECT_EQ(rows("job_log_chunks"), 0);
}

TEST_F(Remote, LogsAndArtifactsThroughTheServer) {
  use_s3();
  pipeline("a: {script: [a], artifacts: {paths: [x]}}\n");
  Handed job = start();
  EXPECT_EQ(patch(job, "hello ", "0-5").status, 202);
  EXPECT_EQ(patch(job, "world", "6-10").status, 202);
  std::string file = server.app().path(fmt::format("traces/0/{}.log", job.id));
  // A database that others may share holds it itself.
  auto lives = [&] { return store().shared() ? rows("job_log_chunks") > 0 : sys::is_regular_file(file); };
  EXPECT_TRUE(lives());
  TestZip zip;
  zip.add_deflated("dir/a.txt", std::string(3'000'000, 'a')).add("b.html", "<script>");
  EXPECT_EQ(upload(job, zip.bytes()).status, 201);
  EXPECT_FALSE(sys::exists(server.app().path("artifacts")));
  EXPECT_EQ(log(job.id), "hello world");
  EXPECT_EQ(update(job, "success").status, 200);
  server.clock.advance(std::chrono::minutes(1));
  // The server's own thread moves it.
  EXPECT_TRUE(eventually([&] { return !lives(); }));
  EXPECT_EQ(log(job.id), "hello world");
  auto part =
      server.send("GET", fmt::format("{}/jobs/{}/trace", base(), job.id), {.headers = {{"Range", "bytes=6-8"}}});
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.text, "wor");
  std::string path = fmt::format("{}/jobs/{}/artifacts", base(), job.id);
  EXPECT_EQ(server.get(path).text, zip.bytes());
  EXPECT_EQ(server.get(path + "/dir/a.txt").text, std::string(3'000'000, 'a'));
  // A restart without the store: its logs and artifacts are away, not forgotten.
  auto direct = server.send("GET", path + "?direct_download=true", {});
  EXPECT_EQ(direct.status, 200); // followed to the store, which has its bytes
  EXPECT_EQ(direct.text, zip.bytes());
  EXPECT_EQ(server.remove(path).status, 204);
  EXPECT_TRUE(eventually([&] { return !has_key("artifacts/"); }));
  EXPECT_EQ(act(job.id, "erase").status, 201);
  EXPECT_EQ(log(job.id), "");
  EXPECT_TRUE(eventually([&] { return !has_key("traces/"); }));
}

TEST_F(Remote, WhatWasInTheDataDirectoryStaysThere) {
  pipeline("a: {script: [a], artifacts: {paths: [x]}}\n");
  Handed job = start();
  EXPECT_EQ(patch(job, "old log", "0-6").status, 202);
  EXPECT_EQ(upload(job, "PK-old").status, 201);
  EXPECT_EQ(update(job, "success").status, 200);
  // As an older version wrote it: a whole path, of a directory that has been moved since.
  ASSERT_TRUE(store().write([&](Transaction& tx) -> base::Status {
    auto row = FR_TRY(tx.query_one("SELECT id, location FROM artifacts"));
    FR_CHECK(tx.execute("UPDATE artifacts SET location = ? WHERE id = ?",
                        {"/somewhere/else/" + row->text("location").substr(5), row->integer("id")}));
    return {};
  }));
  use_s3();
  EXPECT_EQ(server.get(fmt::format("{}/jobs/{}/artifacts", base(), job.id)).text, "PK-old");
  EXPECT_EQ(log(job.id), "old log");
  server.clock.advance(std::chrono::minutes(1));
  EXPECT_TRUE(eventually([&] { return has_key("traces/"); }));
  EXPECT_EQ(log(job.id), "old log");
  server.stop();
  server.object_store = "";
  server.start();
  EXPECT_EQ(server.get(fmt::format("{}/jobs/{}/artifacts", base(), job.id)).text, "PK-old");
}

TEST_F(Remote, ASharedFolderLeavesEarlierLogsWhereTheyAre) {
  pipeline("a: {script: [a]}\n");
  Handed job = start();
  EXPECT_EQ(patch(job, "before ", "0-6").status, 202);
  server.stop();
  server.object_store = server.dir().path("shared");
  server.start();
  EXPECT_EQ(log(job.id), "before ");
  EXPECT_EQ(patch(job, "after", "7-11").status, 202);
  EXPECT_EQ(log(job.id), "before after");
  EXPECT_EQ(act(job.id, "erase").status, 403); // it runs
  EXPECT_EQ(update(job, "success").status, 200);
  EXPECT_EQ(act(job.id, "erase").status, 201);
  EXPECT_EQ(log(job.id), "");
}

TEST_F(Remote, TheSweepTakesWhatNothingNames) {
  use_s3();
  pipeline("a: {script: [a], artifacts: {paths: [x]}}\n");
  Handed job = start();
  EXPECT_EQ(upload(job, "PK").status, 201);
  std::string old = "pre/artifacts/0/" + std::to_string(job.id) + "/archive-lost";
  {
    std::lock_guard lock(s3.mutex);
    s3.objects[old] = "from a crash";
    s3.objects["pre/artifacts/999/999001/archive-x"] = "of a job that is no more";
    s3.objects["pre/traces/999/999001-x.log"] = "of a job that is no more";
    s3.objects["pre/somebody/elses"] = "kept";
  }
  auto objects = Objects::open(server.app().options, store(), server.clock);
  ASSERT_TRUE(objects) << objects.error().message();
  s3.modified = "2026-01-02T02:00:00Z";
  ASSERT_TRUE((*objects)->sweep());
  EXPECT_FALSE(has_key("artifacts/999/"));
  EXPECT_FALSE(has_key("traces/999/"));
  EXPECT_TRUE(has_key("artifacts/0/" + std::to_string(job.id) + "/archive-lost")); // an upload may go on
  server.clock.advance(std::chrono::hours(30));
  ASSERT_TRUE((*objects)->sweep());
  EXPECT_FALSE(has_key("artifacts/0/" + std::to_string(job.id) + "/archive-lost"));
  EXPECT_TRUE(has_key("somebody/elses"));
  EXPECT_EQ(server.get(fmt::format("{}/jobs/{}/artifacts", base(), job.id)).text, "PK");
}

TEST_F(Remote, APrefixBelongsToOneDatabase) {
  use_s3();
  EXPECT_TRUE(has_key("owner"));
  use_s3(); // the same again
  TestServer other;
  other.stop();
  Options options;
  options.listen = "127.0.0.1:0";
  options.data_dir = other.dir().path("data");
  options.object_store = s3.location();
  auto refused = Server::create(options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), base::ErrorKind::kConflict);
}

TEST_F(Remote, ASharedFolder) {
  server.stop();
  server.object_store = server.dir().path("shared");
  server.start();
  pipeline("a: {script: [a], artifacts: {paths: [x]}}\n");
  Handed job = start();
  EXPECT_EQ(patch(job, "log", "0-2").status, 202);
  EXPECT_EQ(upload(job, "PK").status, 201);
  EXPECT_TRUE(sys::is_regular_file(server.dir().path(fmt::format("shared/traces/0/{}.log", job.id))));
  EXPECT_EQ(log(job.id), "log");
  // Two processes with the folder: only one of two appends at the same place succeeds.
  FileLogs here(server.dir().path("shared"), true), there(server.dir().path("shared"), true);
  EXPECT_EQ(*here.append(job.id, 3, " one"), 7u);
  EXPECT_EQ(*there.append(job.id, 3, " others"), 7u);
  EXPECT_EQ(log(job.id), "log one");
}

} // namespace
} // namespace coordinator::objects
