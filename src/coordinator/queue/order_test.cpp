// Random runners, projects and jobs against the rules written down plainly: each poll gets exactly the job that is its
// runner's turn. And long polls: who waits longest is first, and nobody else hears of it.

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <random>
#include <set>

#include "coordinator/queue/queue.hpp"
#include "coordinator/runner_api/test_project.hpp"
#include "coordinator/runner_api/work.hpp"
#include "net/async_client.hpp"

namespace coordinator {
namespace {

struct ModelProject {
  std::int64_t id = 0;
  std::string path;
  std::set<std::int64_t> groups;
  bool is_protected = false;
};
struct ModelJob {
  std::int64_t id = 0;
  const ModelProject* project = nullptr;
  std::set<std::string> tags;
};
struct ModelRunner {
  TestServer::Runner runner;
  RunnerType type = RunnerType::kInstance;
  std::int64_t owner = 0;
  std::set<std::string> tags;
  bool untagged = true;
  bool ref_protected = false;

  bool may(const ModelJob& job) const {
    bool scope = type == RunnerType::kInstance || (type == RunnerType::kGroup && job.project->groups.contains(owner)) ||
                 (type == RunnerType::kProject && owner == job.project->id);
    bool tagged = std::ranges::includes(tags, job.tags) && (!job.tags.empty() || untagged);
    return scope && tagged && (!ref_protected || job.project->is_protected);
  }
};

class OrderTest : public TestProject {
 public:
  int draw(int below) { return std::uniform_int_distribution(0, below - 1)(random); }
  std::set<std::string> draw_tags(int odds) {
    std::set<std::string> tags;
    for (const char* tag : {"a", "b", "c"})
      if (draw(odds) == 0) tags.insert(tag);
    return tags;
  }
  static std::string listed(const std::set<std::string>& tags) {
    std::string out;
    for (const auto& tag : tags) out += (out.empty() ? "" : ", ") + tag;
    return out;
  }
  void make_projects() {
    std::int64_t group = server.group("acme");
    std::int64_t inner = server.group("inner", group);
    groups = {group, inner};
    places.push_back({.id = server.project("alpha"), .path = "root/alpha", .groups = {}});
    places.push_back({.id = server.project("beta", group), .path = "acme/beta", .groups = {group}});
    places.push_back({.id = server.project("gamma", inner), .path = "acme/inner/gamma", .groups = {group, inner}});
    for (ModelProject& place : places) {
      auto branch = fmt::format("/projects/{}/protected_branches", place.id);
      place.is_protected = draw(2) == 0;
      server.remove(branch + "/main");
      if (place.is_protected) server.post(branch, json::Value::object({{"name", "main"}}));
    }
  }
  void make_jobs(const ModelProject& place) {
    std::string yaml;
    std::map<std::string, std::set<std::string>> tags;
    for (int i = 0; i < 8; ++i) {
      std::string name = fmt::format("j{}", i);
      tags[name] = draw_tags(4);
      yaml += fmt::format("{}: {{script: [x], tags: [{}]}}\n", name, listed(tags[name]));
    }
    commit(yaml, place.path);
    auto pushed = git({"push", "--force", url("root", TestServer::kRoot, place.path), "HEAD:refs/heads/main"});
    ASSERT_EQ(pushed.code, 0) << pushed.text;
    auto list = server.get(fmt::format("/projects/{}/jobs?per_page=100", place.id));
    for (const auto& job : list.body.as_array())
      pending[job["id"].as_integer()] = {
          .id = job["id"].as_integer(), .project = &place, .tags = tags[job["name"].as_string()]};
  }
  ModelRunner make(int number) {
    ModelRunner made;
    made.type = std::array{RunnerType::kInstance, RunnerType::kGroup, RunnerType::kProject}[number % 3];
    made.tags = draw_tags(2);
    made.untagged = made.tags.empty() || draw(2) == 0;
    made.ref_protected = draw(3) == 0;
    json::Object more = {{"tag_list", listed(made.tags)},
                         {"run_untagged", made.untagged},
                         {"access_level", made.ref_protected ? "ref_protected" : "not_protected"}};
    if (made.type == RunnerType::kInstance) {
      made.runner = server.make_runner("", 0, more);
    } else if (made.type == RunnerType::kGroup) {
      made.owner = groups[static_cast<std::size_t>(draw(2))];
      made.runner = server.make_runner("group_id", made.owner, more);
    } else {
      made.owner = places[static_cast<std::size_t>(draw(3))].id;
      made.runner = server.make_runner("project_id", made.owner, more);
    }
    return made;
  }
  std::int64_t expected(const ModelRunner& who) {
    std::optional<std::pair<std::int64_t, std::int64_t>> best;
    for (const auto& [id, job] : pending) {
      if (!who.may(job)) continue;
      std::pair rank(who.type == RunnerType::kInstance ? busy[job.project->id] : 0, id);
      if (!best || rank < *best) best = rank;
    }
    return best ? best->second : 0;
  }

  std::mt19937 random;
  std::vector<std::int64_t> groups;
  std::vector<ModelProject> places;
  std::map<std::int64_t, ModelJob> pending;
  std::map<std::int64_t, std::int64_t> busy; // jobs of a project on instance runners
};

TEST_F(OrderTest, EachPollGetsItsTurn) {
  auto seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  random.seed(seed);
  make_projects();
  for (const ModelProject& place : places) make_jobs(place);
  std::vector<ModelRunner> runners;
  for (int i = 0; i < 9; ++i) runners.push_back(make(i));
  struct Taken {
    Handed job;
    std::int64_t project = 0;
    bool instance = false;
  };
  std::vector<Taken> taken;
  for (int step = 0; step < 60; ++step) {
    const ModelRunner& who = runners[static_cast<std::size_t>(draw(static_cast<int>(runners.size())))];
    Handed job = poll(who.runner.token);
    std::int64_t right = expected(who);
    ASSERT_EQ(job.status == 201 ? job.id : 0, right) << "step " << step;
    if (right != 0) {
      bool instance = who.type == RunnerType::kInstance;
      std::int64_t project_id = pending[right].project->id;
      busy[project_id] += instance ? 1 : 0;
      taken.push_back({.job = job, .project = project_id, .instance = instance});
      pending.erase(right);
    }
    if (taken.empty() || draw(2) == 0) continue;
    std::swap(taken[static_cast<std::size_t>(draw(static_cast<int>(taken.size())))], taken.back());
    EXPECT_EQ(update(taken.back().job, "running").status, 200);
    EXPECT_EQ(update(taken.back().job, "success").status, 200);
    busy[taken.back().project] -= taken.back().instance ? 1 : 0;
    taken.pop_back();
  }
}

// Long polls that are kept open, and what they were answered.
class LongPolls : public TestProject {
 public:
  void wait(const TestServer::Runner& who, const std::string& system_id) {
    auto body = json::Value::object({{"token", who.token}, {"system_id", system_id}, {"info", info()}});
    auto first = server.runner("POST", "/jobs/request", body);
    ASSERT_EQ(first.status, 204);
    body.set("last_update", first.headers.get("X-GitLab-Last-Update"));
    net::HttpRequest request;
    request.method = "POST";
    request.url = server.server().address() + "/api/v4/jobs/request";
    request.headers = {{"Content-Type", "application/json"}};
    request.body = body.dump();
    std::size_t before = waiting();
    client.send(std::move(request), [this, system_id](base::Result<net::HttpResponse> answer) {
      std::lock_guard lock(mutex);
      answers[system_id] = answer ? answer->status : -1;
      if (!answer || answer->status != 201) return;
      auto job = json::parse(answer->body);
      names[system_id] = (*job)["job_info"]["name"].as_string();
    });
    ASSERT_TRUE(eventually([&] { return waiting() == before + 1; }));
  }
  std::size_t waiting() { return server.server().work().queue.waiting(); }
  std::map<std::string, std::string> given() {
    std::lock_guard lock(mutex);
    return names;
  }
  std::map<std::string, int> answered() {
    std::lock_guard lock(mutex);
    return answers;
  }

  std::mutex mutex;
  std::map<std::string, int> answers;
  std::map<std::string, std::string> names;
  net::AsyncHttpClient client;
};

TEST_F(LongPolls, TheLongestWaitingIsFirstAndOthersSleepOn) {
  for (const char* system_id : {"s_1", "s_2", "s_3", "s_4"}) wait(runner, system_id);
  pipeline("a: {script: [x]}\nb: {script: [x]}\n");
  EXPECT_TRUE(eventually([&] { return given().size() == 2; }));
  EXPECT_EQ(given(), (std::map<std::string, std::string>{{"s_1", "a"}, {"s_2", "b"}}));
  EXPECT_EQ(answered().size(), 2u);
  EXPECT_EQ(waiting(), 2u);
}

TEST_F(LongPolls, OnlyWhoMayIsWoken) {
  auto gpu = server.make_runner("project_id", project, {{"tag_list", "gpu"}, {"run_untagged", false}});
  wait(gpu, "s_gpu");
  wait(runner, "s_any");
  pipeline("plain: {script: [x]}\n");
  EXPECT_TRUE(eventually([&] { return given().size() == 1; }));
  EXPECT_EQ(given(), (std::map<std::string, std::string>{{"s_any", "plain"}}));
  pipeline("special: {script: [x], tags: [gpu]}\n");
  EXPECT_TRUE(eventually([&] { return given().size() == 2; }));
  EXPECT_EQ(given().at("s_gpu"), "special");
}

// What is changed about a runner counts for the polls that wait already.
TEST_F(LongPolls, EditsReachWhoWaits) {
  auto gpu = server.make_runner("project_id", project, {{"tag_list", "gpu"}, {"run_untagged", false}});
  auto doomed = server.make_runner("project_id", project, {{"tag_list", "cpu"}});
  wait(gpu, "s_gpu");
  wait(doomed, "s_doomed");
  pipeline("a: {script: [x], tags: [tpu]}\n");
  EXPECT_EQ(waiting(), 2u);
  auto path = fmt::format("/runners/{}", gpu.id);
  EXPECT_EQ(server.put(path, json::Value::object({{"tag_list", "tpu"}})).status, 200);
  EXPECT_TRUE(eventually([&] { return given().size() == 1; }));
  EXPECT_EQ(given().at("s_gpu"), "a");
  EXPECT_EQ(server.remove(fmt::format("/runners/{}", doomed.id)).status, 204);
  EXPECT_TRUE(eventually([&] { return answered().contains("s_doomed"); }));
  EXPECT_EQ(answered().at("s_doomed"), 204);
  EXPECT_EQ(poll(doomed.token).status, 403);
}

// A client that went away while it waited costs no job its time.
TEST_F(LongPolls, WhoIsGoneGetsNothing) {
  {
    net::AsyncHttpClient leaver;
    auto body = json::Value::object({{"token", runner.token}, {"system_id", "s_0"}, {"info", info()}});
    body.set("last_update", poll().last_update);
    net::HttpRequest request;
    request.method = "POST";
    request.url = server.server().address() + "/api/v4/jobs/request";
    request.headers = {{"Content-Type", "application/json"}};
    request.body = body.dump();
    leaver.send(std::move(request), [](const base::Result<net::HttpResponse>&) {});
    ASSERT_TRUE(eventually([&] { return waiting() == 1; }));
  }
  EXPECT_TRUE(eventually([&] { return waiting() == 0; }));
  wait(runner, "s_1");
  pipeline("a: {script: [x]}\n");
  EXPECT_TRUE(eventually([&] { return given().size() == 1; }));
  EXPECT_EQ(given().at("s_1"), "a");
}

} // namespace
} // namespace coordinator
