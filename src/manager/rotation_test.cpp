// Tokens that expire, against a scripted coordinator: asked for in time, saved, used, jobs undisturbed.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <thread>

#include "base/duration.hpp"
#include "base/log.hpp"
#include "config/editor.hpp"
#include "manager/manager.hpp"
#include "manager/test_coordinator.hpp"

namespace manager {
namespace {

using namespace std::chrono_literals;

std::int64_t unix_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

class RotationTest : public testing::Test {
 protected:
  void SetUp() override {
    base::log::set_level(base::log::Level::kFatal);
    ::setenv("no_proxy", "*", 1);
    spawner_.emplace(sys::Spawner::start(test_worker).value());
    signals_.emplace(sys::SignalFd::create({SIGTERM, SIGINT, SIGQUIT, SIGHUP}).value());
    directory_.emplace(sys::TempDir::create().value());
    coordinator_.emplace();
  }

  std::string config_path() const { return directory_->path("config.toml"); }
  // An entry whose token was obtained and expires so many seconds from now.
  std::string entry(const std::string& token, std::int64_t obtained, std::int64_t expires,
                    const std::string& more = "") {
    return fmt::format(
        "# of {0}\n[[runners]]\n  name = \"{0}\"\n  url = \"{1}\"\n  id = 7\n  token = \"{0}\" # secret\n"
        "  token_obtained_at = {2}\n  token_expires_at = {3}\n  executor = \"shell\"\n{4}",
        token, coordinator_->url(), base::format_utc_seconds(unix_now() + obtained),
        base::format_utc_seconds(unix_now() + expires), more);
  }
  void write_config(const std::string& runners) {
    ASSERT_TRUE(sys::write_file(config_path(), "concurrent = 4\ncheck_interval = 1\nshutdown_timeout = 5\n" + runners));
  }
  std::string saved() const { return sys::read_file(config_path()).value_or(""); }

  // Runs the manager until the body is through.
  void run_while(const std::function<void()>& body) {
    auto config = config::load(config_path());
    ASSERT_TRUE(config) << config.error().message();
    std::jthread user([&] {
      body();
      ::kill(::getpid(), SIGTERM);
    });
    auto loop = Loop::create();
    Manager manager(*loop, *spawner_, *signals_,
                    {.config_path = config_path(),
                     .config_dir = directory_->path(),
                     .state_dir = directory_->path("state"),
                     .system_id = "s_0123456789ab"},
                    *config);
    manager.run();
  }
  void wait_for(const std::function<bool()>& condition) {
    for (int i = 0; i < 2000 && !condition(); ++i) std::this_thread::sleep_for(10ms);
    EXPECT_TRUE(condition());
  }
  std::int64_t count(const std::string& call) {
    auto calls = coordinator_->calls();
    return std::count(calls.begin(), calls.end(), call);
  }
  bool polled_with(const std::string& token) {
    auto requests = coordinator_->requests();
    return std::any_of(requests.begin(), requests.end(),
                       [&](const json::Value& request) { return request["token"].string_or("") == token; });
  }

  std::optional<sys::Spawner> spawner_;
  std::optional<sys::SignalFd> signals_;
  std::optional<sys::TempDir> directory_;
  std::optional<TestCoordinator> coordinator_;
};

TEST_F(RotationTest, ADueTokenIsReplacedSavedAndUsed) {
  write_config(entry("glrt-a", -1000, 100));
  run_while([&] { wait_for([&] { return polled_with("glrt-a+"); }); });
  EXPECT_EQ(count("reset glrt-a"), 1);
  EXPECT_EQ(count("reset glrt-a+"), 0);
  const auto text = saved();
  EXPECT_NE(text.find("# of glrt-a\n[[runners]]\n  name = \"glrt-a\"\n"), std::string::npos) << text;
  EXPECT_NE(text.find("  token = \"glrt-a+\" # secret\n"), std::string::npos) << text;
  const auto runner = config::load(config_path())->runners.at(0);
  EXPECT_NEAR(static_cast<double>(runner.token_obtained_at), static_cast<double>(unix_now()), 60);
  EXPECT_NEAR(static_cast<double>(runner.token_expires_at.value_or(0)), static_cast<double>(unix_now() + 3600), 60);
}

TEST_F(RotationTest, NotBeforeThreeQuartersOfItsLife) {
  write_config(entry("glrt-a", -2, 4)); // due in 2.5 s
  const auto started = unix_now();
  run_while([&] { wait_for([&] { return count("reset glrt-a") == 1; }); });
  EXPECT_GE(unix_now() - started, 2);
}

TEST_F(RotationTest, TokensThatNeverExpireAreLeftAlone) {
  write_config(
      fmt::format("[[runners]]\n  url = \"{}\"\n  token = \"glrt-a\"\n  executor = \"shell\"\n", coordinator_->url()));
  run_while([&] { wait_for([&] { return coordinator_->requests().size() >= 3; }); });
  EXPECT_EQ(count("reset glrt-a"), 0);
}

TEST_F(RotationTest, EntriesThatShareATokenAreReplacedTogether) {
  write_config(entry("glrt-a", -1000, 100) + entry("glrt-a", -1000, 100));
  run_while([&] { wait_for([&] { return polled_with("glrt-a+"); }); });
  EXPECT_EQ(count("reset glrt-a"), 1);
  const auto config = config::load(config_path());
  EXPECT_EQ(config->runners.at(0).token.reveal(), "glrt-a+");
  EXPECT_EQ(config->runners.at(1).token.reveal(), "glrt-a+");
}

TEST_F(RotationTest, ARunningJobAndItsLimitGoOn) {
  write_config(entry("glrt-a", -2, 4, "  limit = 1\n"));
  coordinator_->add_job(1, "wait");
  coordinator_->add_job(2, "ok");
  run_while([&] {
    wait_for([&] { return count("reset glrt-a") == 1; });
    wait_for([&] { return saved().contains("glrt-a+"); });
    std::this_thread::sleep_for(1500ms); // two check intervals: the limit is still counted, nothing may be asked for
    EXPECT_FALSE(polled_with("glrt-a+"));
    for (const auto& name : sys::list_directory(directory_->path("state/jobs")).value()) {
      auto channel = sys::connect_unix(directory_->path("state/jobs/" + name), "control");
      if (channel) (void)sys::LineChannel(std::move(*channel)).send("finish", {});
    }
    wait_for([&] { return coordinator_->job(2).status == "success"; });
  });
  EXPECT_EQ(coordinator_->job(1).status, "success");
  EXPECT_TRUE(polled_with("glrt-a+"));
}

TEST_F(RotationTest, AfterAFailureItTriesAgainLater) {
  int times = 0;
  coordinator_->set_hook([&](const std::string& call) -> std::optional<net::Response> {
    if (!call.starts_with("reset") || ++times > 2) return std::nullopt;
    return net::Response{.status = times == 1 ? 403 : 422};
  });
  write_config(entry("glrt-a", -1000, 16)); // a try every second or two
  run_while([&] { wait_for([&] { return polled_with("glrt-a+"); }); });
  EXPECT_EQ(times, 3);
}

TEST_F(RotationTest, SwitchedOffItOnlyWarns) {
  write_config(
      entry("glrt-a", -1000, 100, "  [runners.feature_flags]\n    FF_DISABLE_AUTOMATIC_TOKEN_ROTATION = true\n") +
      entry("glrt-b", -1000, 100));
  run_while([&] { wait_for([&] { return polled_with("glrt-b+"); }); });
  EXPECT_EQ(count("reset glrt-a"), 0);
  EXPECT_EQ(count("reset glrt-b"), 1); // upstream stops rotating for all
}

TEST_F(RotationTest, NothingIsAskedForThatCouldNotBeSaved) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  write_config(entry("glrt-a", -1000, 100));
  ASSERT_EQ(::chmod(config_path().c_str(), 0400), 0);
  run_while([&] { wait_for([&] { return coordinator_->requests().size() >= 3; }); });
  EXPECT_EQ(count("reset glrt-a"), 0);
}

TEST_F(RotationTest, WhatCouldNotBeWrittenIsUsedAndWrittenLater) {
  write_config(entry("glrt-a", -1000, 100));
  const auto text = saved();
  // A broken file at the moment of the answer: nothing can be put into it.
  coordinator_->set_hook([&](const std::string& call) -> std::optional<net::Response> {
    if (call.starts_with("reset")) (void)sys::write_file(config_path(), "concurrent = = 4\n");
    return std::nullopt;
  });
  run_while([&] {
    wait_for([&] { return polled_with("glrt-a+"); });
    coordinator_->set_hook(nullptr);
    ASSERT_TRUE(sys::write_file(config_path(), text)); // the user mends it, old token and all
    wait_for([&] { return saved().contains("\"glrt-a+\""); });
  });
  EXPECT_EQ(count("reset glrt-a"), 1);
}

TEST_F(RotationTest, WhatCouldNotBeWrittenIsWrittenAtTheEnd) {
  write_config(entry("glrt-a", -1000, 100));
  const auto text = saved();
  coordinator_->set_hook([&](const std::string& call) -> std::optional<net::Response> {
    if (call.starts_with("reset")) (void)sys::write_file(config_path(), "concurrent = = 4\n");
    return std::nullopt;
  });
  run_while([&] {
    wait_for([&] { return polled_with("glrt-a+"); });
    ASSERT_TRUE(sys::write_file(config_path(), text));
  });
  EXPECT_TRUE(saved().contains("\"glrt-a+\""));
}

TEST_F(RotationTest, ATokenThatAnotherHostReplacedIsFetched) {
  write_config(
      fmt::format("[[runners]]\n  url = \"{}\"\n  token = \"glrt-a\"\n  executor = \"shell\"\n", coordinator_->url()));
  bool fetched = false;
  coordinator_->set_hook([&](const std::string& call) -> std::optional<net::Response> {
    fetched = fetched || call.starts_with("reset");
    if (call != "request" || fetched) return std::nullopt;
    return net::Response{.status = 204, .headers = {{"X-Forerunner-Token-Replaced", "1"}}};
  });
  run_while([&] { wait_for([&] { return saved().contains("\"glrt-a+\""); }); });
  EXPECT_EQ(count("reset glrt-a"), 1);
}

TEST_F(RotationTest, ATokenChangedInTheFileBelongsToTheSameRunner) {
  write_config(entry("glrt-a", 0, 100'000, "  limit = 1\n"));
  coordinator_->add_job(1, "wait");
  coordinator_->add_job(2, "ok");
  run_while([&] {
    wait_for([&] { return coordinator_->job(1).status == "running"; });
    auto editor = config::Editor::open(config_path()); // what `reset-token` does
    ASSERT_TRUE(editor);
    ASSERT_EQ(editor->replace_token(coordinator_->url(), "glrt-a", {"glrt-b", unix_now(), std::nullopt}), 1u);
    ASSERT_TRUE(editor->save());
    std::this_thread::sleep_for(5s); // the file is looked at every three seconds
    EXPECT_FALSE(polled_with("glrt-b")) << "the limit of one job holds over the change";
  });
}

} // namespace
} // namespace manager
