// Artifacts over HTTP: upload, download with ranges, dotenv, dependencies, expiry.

#include <gtest/gtest.h>
#include <zlib.h>

#include "coordinator/objects/test_zip.hpp"
#include "coordinator/runner_api/test_project.hpp"

namespace coordinator {
namespace {

std::string gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

constexpr const char* kTwoStages =
    "stages: [one, two]\n"
    "make: {stage: one, script: [make], artifacts: {paths: [out]}}\n"
    "other: {stage: one, script: [make]}\n"
    "use: {stage: two, script: [use]}\n";

class Artifacts : public TestProject {
 public:
  std::map<std::string, std::string> variables(const Handed& job) {
    std::map<std::string, std::string> result;
    for (const auto& variable : job.payload["variables"].as_array())
      result[variable["key"].as_string()] = variable["value"].as_string();
    return result;
  }
};

TEST_F(Artifacts, UpAndDownWithRanges) {
  pipeline(kTwoStages);
  Handed job = start();
  std::string content(100'000, 'a');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 7 + i / 256);
  auto made = upload(job, content, "artifact_format=zip&artifact_type=archive&expire_in=1+week", "out.zip");
  EXPECT_EQ(made.status, 201) << made.text;
  auto whole = download(job.id, job.token);
  EXPECT_EQ(whole.status, 200);
  EXPECT_EQ(whole.text, content);
  EXPECT_NE(whole.headers.get("Content-Disposition").find("out.zip"), std::string::npos);
  auto first = download(job.id, job.token, "bytes=0-0");
  EXPECT_EQ(first.status, 206);
  EXPECT_EQ(first.headers.get("Content-Range"), "bytes 0-0/100000");
  EXPECT_EQ(first.text, content.substr(0, 1));
  EXPECT_EQ(download(job.id, job.token, "bytes=99990-").text, content.substr(99990));
  EXPECT_EQ(download(job.id, job.token, "bytes=-10").text, content.substr(99990));
  EXPECT_EQ(download(job.id, job.token, "bytes=99990-999999").text, content.substr(99990));
  EXPECT_EQ(download(job.id, job.token, "bytes=100000-").status, 416);
  EXPECT_EQ(download(job.id, job.token, "bytes=5-2").status, 200);
  EXPECT_EQ(download(job.id, job.token, "lines=1-2").status, 200);
  auto shown = server.get(fmt::format("{}/jobs/{}", base(), job.id)).body;
  EXPECT_EQ(shown["artifacts_file"]["size"].integer_or(0), 100000);
  EXPECT_EQ(shown["artifacts_file"]["filename"].string_or(""), "out.zip");
  EXPECT_EQ(server.get(fmt::format("{}/jobs/{}/artifacts", base(), job.id)).text, content);

  // The same again is fine, another content is not.
  EXPECT_EQ(upload(job, content).status, 201);
  auto other = upload(job, "other");
  EXPECT_EQ(other.status, 400);
  EXPECT_EQ(other.message(), "another artifact of the same type already exists");
  EXPECT_EQ(download(job.id, job.token).text, content);
}

TEST_F(Artifacts, RefusedUploads) {
  pipeline(kTwoStages);
  Handed job = start();
  EXPECT_EQ(upload(job, "x", "artifact_type=archive&artifact_format=gzip").status, 400);
  EXPECT_EQ(upload(job, "x", "artifact_type=junit&artifact_format=raw").status, 400);
  EXPECT_EQ(upload(job, "x", "artifact_type=junit&artifact_format=zip").status, 400);
  EXPECT_EQ(upload(job, "x", "artifact_type=nonsense&artifact_format=raw").status, 400);
  EXPECT_EQ(upload(job, "x", "artifact_type=../../x&artifact_format=raw").status, 400);
  EXPECT_EQ(raw("POST", fmt::format("/jobs/{}/artifacts", job.id), "no multipart",
                {{"JOB-TOKEN", job.token}, {"Content-Type", "text/plain"}})
                .status,
            400);
  EXPECT_EQ(raw("POST", fmt::format("/jobs/{}/artifacts", job.id), "--b--\r\n",
                {{"JOB-TOKEN", job.token}, {"Content-Type", "multipart/form-data; boundary=b"}})
                .status,
            400);
  EXPECT_EQ(upload(job, gzip("<testsuite/>"), "artifact_type=junit&artifact_format=gzip", "junit.xml.gz").status, 201);
  EXPECT_EQ(upload(job, "{}", "artifact_type=sast&artifact_format=raw", "sast.json").status, 201);
  EXPECT_EQ(download(job.id, job.token).status, 404); // no archive
  ASSERT_EQ(server.put("/application/settings", json::Value::object({{"max_artifacts_size", 1}})).status, 200);
  EXPECT_EQ(upload(job, std::string((1 << 20) + 1, 'x')).status, 413);
  EXPECT_EQ(upload(job, std::string(1 << 20, 'x')).status, 201);
  // Nothing lies about of what was refused.
  auto left = sys::list_directory(server.app().path(fmt::format("artifacts/0/{}", job.id)));
  ASSERT_TRUE(left);
  std::vector<std::string> types;
  for (const auto& name : *left) types.push_back(name.substr(0, name.find('-')));
  EXPECT_EQ(types, (std::vector<std::string>{"archive", "junit", "sast"}));
}

TEST_F(Artifacts, DependenciesOfTheNextStage) {
  pipeline(kTwoStages);
  Handed make = start();
  Handed other = start();
  EXPECT_EQ(make.payload["artifacts"].size(), 1u);
  EXPECT_EQ(upload(make, "PK-make", "", "made.zip").status, 201);
  EXPECT_EQ(upload(other, gzip("VERSION=1.2\nNAME=\"x y\"\n"), "artifact_type=dotenv&artifact_format=gzip").status,
            201);
  EXPECT_EQ(update(make, "success").status, 200);
  EXPECT_EQ(update(other, "success").status, 200);
  Handed use = poll();
  ASSERT_EQ(use.name, "use");
  ASSERT_EQ(use.payload["dependencies"].size(), 1u);
  const auto& dependency = use.payload["dependencies"].as_array()[0];
  EXPECT_EQ(dependency["id"].as_integer(), make.id);
  EXPECT_EQ(dependency["name"].as_string(), "make");
  EXPECT_EQ(dependency["artifacts_file"]["filename"].as_string(), "made.zip");
  EXPECT_EQ(dependency["artifacts_file"]["size"].as_integer(), 7);
  EXPECT_EQ(variables(use)["VERSION"], "1.2");
  EXPECT_EQ(variables(use)["NAME"], "\"x y\""); // quotes mean nothing there
  std::string token = dependency["token"].as_string();
  EXPECT_EQ(download(make.id, token).status, 403); // not acknowledged yet
  EXPECT_EQ(update(use, "running").status, 200);
  EXPECT_EQ(download(make.id, token).text, "PK-make");
  EXPECT_EQ(download(other.id, token).status, 404);
  EXPECT_EQ(download(999'999, token).status, 404);
  EXPECT_EQ(download(make.id, "glcbt-wrong").status, 401);
  EXPECT_EQ(download(make.id, make.token).status, 403); // its own job has ended
}

TEST_F(Artifacts, BadDotenvIsRefused) {
  pipeline(kTwoStages);
  Handed job = start();
  EXPECT_EQ(upload(job, gzip("no assignment\n"), "artifact_type=dotenv&artifact_format=gzip").status, 400);
  EXPECT_EQ(upload(job, "not gzip = x y", "artifact_type=dotenv&artifact_format=gzip").status, 400);
  EXPECT_EQ(upload(job, gzip(std::string(3 << 20, 'x')), "artifact_type=dotenv&artifact_format=gzip").status, 400);
  EXPECT_EQ(upload(job, gzip("A=1\n"), "artifact_type=dotenv&artifact_format=gzip").status, 201);
}

TEST_F(Artifacts, ExpireAndAreMissed) {
  std::int64_t id = pipeline(
      "stages: [one, two]\n"
      "make: {stage: one, script: [make], artifacts: {paths: [out]}}\n"
      "named: {stage: two, script: [use], dependencies: [make], when: manual, allow_failure: true}\n"
      "all: {stage: two, script: [use], when: manual, allow_failure: true}\n");
  Handed make = start();
  EXPECT_EQ(upload(make, "PK", "expire_in=1+hour").status, 201);
  EXPECT_EQ(update(make, "success").status, 200);
  std::string path = fmt::format("{}/jobs/{}/artifacts", base(), make.id);
  pass(std::chrono::hours(2));
  EXPECT_EQ(server.get(path).status, 200); // of the latest pipeline: kept
  // A newer green pipeline takes over.
  pipeline("quick: {script: [x]}\n", "newer");
  run("quick", "success");
  pass(std::chrono::seconds(10));
  EXPECT_TRUE(eventually([&] { return server.get(path).status == 404; }));
  EXPECT_EQ(act(job_id(id, "named"), "play").status, 200);
  EXPECT_EQ(act(job_id(id, "all"), "play").status, 200);
  Handed all = poll(); // "named" is dropped on the way
  EXPECT_EQ(all.name, "all");
  EXPECT_EQ(all.payload["dependencies"].size(), 0u);
  EXPECT_EQ(jobs(id)["named"]["failure_reason"].as_string(), "missing_dependency_failure");
}

TEST_F(Artifacts, OfTheLatestSuccessByRef) {
  pipeline(kTwoStages);
  Handed make = start();
  EXPECT_EQ(upload(make, "PK").status, 201);
  EXPECT_EQ(update(make, "success").status, 200);
  std::string path = base() + "/jobs/artifacts/main/download?job=make";
  EXPECT_EQ(server.get(path).status, 404);
  run("other", "success");
  run("use", "success");
  EXPECT_EQ(server.get(path).text, "PK");
}

TEST_F(Artifacts, SingleFiles) {
  objects::TestZip zip;
  zip.add("index.html", "<script>alert(1)</script>").add_deflated("sub/a b.txt", std::string(2'000'000, 'a'));
  zip.add("logo.svg", "<svg onload='x'/>").add("p.png", "png").add("../up", "no").add("lie", "x").claim_crc(1);
  pipeline("make: {script: [make], artifacts: {paths: [out]}}\n");
  Handed make = start();
  EXPECT_EQ(upload(make, zip.bytes()).status, 201);
  EXPECT_EQ(update(make, "success").status, 200);
  std::string path = fmt::format("{}/jobs/{}/artifacts/", base(), make.id);
  auto page = server.get(path + "index.html");
  EXPECT_EQ(page.text, "<script>alert(1)</script>");
  EXPECT_TRUE(page.headers.get("Content-Disposition").starts_with("attachment; filename=\"index.html\""));
  EXPECT_EQ(page.headers.get("Content-Type"), "application/octet-stream");
  EXPECT_EQ(page.headers.get("X-Content-Type-Options"), "nosniff");
  EXPECT_NE(page.headers.get("Content-Security-Policy").find("sandbox"), std::string::npos);
  auto shown = server.get(path + "index.html?inline=true");
  EXPECT_EQ(shown.headers.get("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(shown.headers.get("Content-Disposition"), "inline");
  EXPECT_EQ(server.get(path + "p.png?inline=true").headers.get("Content-Type"), "image/png");
  EXPECT_EQ(server.get(path + "logo.svg?inline=true").headers.get("Content-Type"), "application/octet-stream");
  auto large = server.get(path + "sub/a%20b.txt");
  EXPECT_EQ(large.text, std::string(2'000'000, 'a'));
  EXPECT_EQ(large.headers.get("Content-Length"), "2000000");
  EXPECT_EQ(server.send("GET", path + "index.html", {.headers = {{"Range", "bytes=1-6"}}}).text, "script");
  for (const char* bad : {"none", "sub", "sub/", "../up", "%2e%2e/up", "..%2fup", "%00"})
    EXPECT_EQ(server.get(path + bad).status, 404) << bad;
  EXPECT_EQ(server.get(path + "lie").status, 422);
  EXPECT_EQ(server.get(path + "index.html", "").status, 404); // a private project
  auto by_ref = [&](const std::string& rest) { return server.get(base() + "/jobs/artifacts/" + rest); };
  EXPECT_EQ(by_ref("main/raw/p.png?job=make").text, "png");
  EXPECT_EQ(by_ref("main/raw/sub/a%20b.txt?job=make").text.size(), 2'000'000u);
  EXPECT_EQ(by_ref("main/download?job=make").text, zip.bytes());
  EXPECT_EQ(by_ref("main/raw/p.png?job=other").status, 404);
  EXPECT_EQ(by_ref("other/raw/p.png?job=make").status, 404);
  EXPECT_EQ(by_ref("feature/x/raw/p.png?job=make").status, 404);
  EXPECT_EQ(by_ref("main/raw/p.png").status, 400);
  EXPECT_EQ(by_ref("main/else").status, 404);
  auto job = server.get(fmt::format("{}/jobs/{}", base(), make.id)).body;
  EXPECT_EQ(job["artifacts_metadata"]["entries"].integer_or(0), 6);
  EXPECT_GT(job["artifacts_metadata"]["size"].integer_or(0), 2'000'000);
}

TEST_F(Artifacts, ABranchWithASlash) {
  ASSERT_EQ(push("make: {script: [make], artifacts: {paths: [out]}}\n", "x", {"HEAD:refs/heads/feature/x"}).code, 0);
  Handed make = start();
  objects::TestZip zip;
  zip.add("f", "content");
  EXPECT_EQ(upload(make, zip.bytes()).status, 201);
  EXPECT_EQ(update(make, "success").status, 200);
  for (const char* ref : {"feature%2Fx", "feature/x"}) {
    EXPECT_EQ(server.get(fmt::format("{}/jobs/artifacts/{}/raw/f?job=make", base(), ref)).text, "content");
    EXPECT_EQ(server.get(fmt::format("{}/jobs/artifacts/{}/download?job=make", base(), ref)).text, zip.bytes());
  }
}

TEST_F(Artifacts, AccessIsTheDefinitions) {
  pipeline(
      "a: {script: [x], artifacts: {paths: [out], access: developer}}\n"
      "b: {script: [x], artifacts: {paths: [out], access: none}}\n");
  for (int i = 0; i < 2; ++i) {
    Handed job = start();
    EXPECT_EQ(upload(job, "PK").status, 201);
    EXPECT_EQ(update(job, "success").status, 200);
  }
  auto reporter = server.user("reporter");
  auto developer = server.user("developer");
  server.member(base(), reporter.id, 20);
  server.member(base(), developer.id, 30);
  auto by = [&](const std::string& name, const std::string& token) {
    return server.get(fmt::format("{}/jobs/{}/artifacts", base(), job_id(latest()["id"].integer_or(0), name)), token)
        .status;
  };
  EXPECT_EQ(by("a", reporter.token), 403);
  EXPECT_EQ(by("a", developer.token), 200);
  EXPECT_EQ(by("b", developer.token), 403);
  EXPECT_EQ(by("b", TestServer::kRoot), 403);
}

TEST_F(Artifacts, RangesOfLogs) {
  pipeline("a: {script: [x]}\n");
  Handed job = start();
  EXPECT_EQ(log(job.id), "");
  EXPECT_EQ(patch(job, "0123456789", "0-9").status, 202);
  auto part = [&](const std::string& range) {
    return server.send("GET", fmt::format("{}/jobs/{}/trace", base(), job.id), {.headers = {{"Range", range}}});
  };
  EXPECT_EQ(part("bytes=2-4").text, "234");
  EXPECT_EQ(part("bytes=2-4").status, 206);
  EXPECT_EQ(part("bytes=2-4").headers.get("Content-Range"), "bytes 2-4/10");
  EXPECT_EQ(part("bytes=-3").text, "789");
  EXPECT_EQ(part("bytes=10-").status, 416);
  auto whole = server.get(fmt::format("{}/jobs/{}/trace", base(), job.id));
  EXPECT_EQ(whole.text, "0123456789");
  EXPECT_TRUE(whole.headers.get("Content-Type").starts_with("text/plain"));
  EXPECT_EQ(update(job, "success").status, 200);
  EXPECT_EQ(act(job.id, "erase").status, 201);
  EXPECT_EQ(log(job.id), "");
  EXPECT_EQ(act(job.id, "erase").status, 403);
}

} // namespace
} // namespace coordinator
