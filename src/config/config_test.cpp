#include "config/config.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "sys/files.hpp"

namespace config {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

Config parsed(std::string_view text) {
  auto config = parse(text, "config.toml");
  if (!config) {
    ADD_FAILURE() << config.error().message();
    return {};
  }
  return *config;
}

std::string error_of(std::string_view text) {
  const auto config = parse(text, "config.toml");
  return config ? "" : config.error().message();
}

TEST(Config, Complete) {
  const Config config = parsed(R"(
concurrent = 4
check_interval = 1
log_level = "debug"
connection_max_age = "5m"
shutdown_timeout = 10
listen_address = ":9252"
[labels]
  zone = "a"
  kind = "global"
[session_server]
  listen_address = "[::]:8093"
[[runners]]
  name = "one"
  url = "https://gitlab.example.com/"
  id = 7
  token = "glrt-abc"
  token_obtained_at = 2020-01-01T10:10:10Z
  token_expires_at = 0001-01-01T00:00:00Z
  executor = "docker"
  limit = 3
  output_limit = 10
  unhealthy_interval = "90s"
  environment = ["A=1", "B=2"]
  prepare_timeout = 60000000000
  clean_git_config = false
  [runners.labels]
    kind = "own"
  [runners.feature_flags]
    FF_NETWORK_PER_BUILD = true
  [runners.custom_build_dir]
    enabled = true
  [runners.cache]
    type = "s3"
    Shared = true
    [runners.cache.s3]
      serveraddress = "s3.example.com"
      SecretKey = "shh"
  [runners.docker]
    image = "alpine"
    pull_policy = "if-not-present"
    [[runners.docker.services]]
      name = "postgres"
)");
  EXPECT_EQ(config.concurrent, 4);
  EXPECT_EQ(config.effective_check_interval(), seconds(1));
  EXPECT_EQ(config.log_level, "debug");
  EXPECT_EQ(config.connection_max_age, minutes(5));
  EXPECT_EQ(config.session_server.session_timeout, 1800);
  ASSERT_EQ(config.runners.size(), 1u);
  const Runner& runner = config.runners.front();
  EXPECT_EQ(runner.line, 13);
  EXPECT_EQ(runner.token.reveal(), "glrt-abc");
  EXPECT_EQ(runner.token_obtained_at, 1577873410);
  EXPECT_FALSE(runner.token_expires_at);
  EXPECT_EQ(runner.limit, 3);
  EXPECT_EQ(runner.output_limit_bytes(), 10240);
  EXPECT_EQ(runner.effective_unhealthy_interval(), seconds(90));
  EXPECT_EQ(runner.prepare_timeout, seconds(60));
  EXPECT_EQ(runner.clean_git_config, false);
  EXPECT_EQ(runner.environment, (std::vector<std::string>{"A=1", "B=2"}));
  EXPECT_EQ(runner.labels, (std::map<std::string, std::string>{{"zone", "a"}, {"kind", "own"}}));
  EXPECT_EQ(runner.feature_flag("FF_NETWORK_PER_BUILD"), true);
  EXPECT_FALSE(runner.feature_flag("FF_OTHER"));
  EXPECT_EQ(runner.custom_build_dir_enabled, true);
  EXPECT_EQ(runner.cache.type, "s3");
  EXPECT_EQ(runner.cache.s3.server_address, "s3.example.com");
  EXPECT_EQ(runner.cache.s3.secret_key.reveal(), "shh");
  EXPECT_EQ(runner.tables["docker"]["pull_policy"].dump(), R"(["if-not-present"])");
  EXPECT_EQ(runner.tables["docker"]["services"].as_array().at(0)["name"].as_string(), "postgres");
  EXPECT_TRUE(config.warnings.empty()) << config.warnings.front();
}

TEST(Config, DefaultsOfAnEmptyAndAMissingFile) {
  const Config empty = parsed("");
  EXPECT_TRUE(empty.loaded);
  EXPECT_EQ(empty.concurrent, 1);
  EXPECT_EQ(empty.effective_check_interval(), seconds(3));
  EXPECT_EQ(empty.effective_shutdown_timeout(), seconds(30));
  const auto dir = sys::TempDir::create();
  ASSERT_TRUE(dir);
  const auto missing = load(dir->path("none.toml"));
  ASSERT_TRUE(missing) << missing.error().message();
  EXPECT_FALSE(missing->loaded);
  EXPECT_EQ(missing->concurrent, 1);
  EXPECT_FALSE(load(dir->path())); // a directory
}

TEST(Config, RunnerDefaults) {
  const Runner runner;
  EXPECT_EQ(runner.output_limit_bytes(), 4 << 20);
  EXPECT_EQ(runner.effective_request_concurrency(), 1);
  EXPECT_EQ(runner.effective_unhealthy_requests_limit(), 3);
  EXPECT_EQ(runner.effective_unhealthy_interval(), std::chrono::hours(1));
  EXPECT_EQ(runner.effective_final_update_retry_limit(), 10);
}

TEST(Config, OnlyTokenAndUrlAreExpanded) {
  setenv("FR_CONFIG_TEST", "value", 1);
  unsetenv("FR_CONFIG_NONE");
  const Config config = parsed(
      "[[runners]]\nname=\"$FR_CONFIG_TEST\"\nurl=\"https://${FR_CONFIG_TEST}/\"\n"
      "token=\"glrt-$FR_CONFIG_TEST$FR_CONFIG_NONE\"\nexecutor=\"shell\"\n");
  unsetenv("FR_CONFIG_TEST");
  EXPECT_EQ(config.runners.at(0).name, "$FR_CONFIG_TEST");
  EXPECT_EQ(config.runners.at(0).url, "https://value/");
  EXPECT_EQ(config.runners.at(0).token.reveal(), "glrt-value");
}

TEST(Config, WrongTypesSayWhere) {
  EXPECT_EQ(error_of("[[runners]]\n  [runners.ssh]\n  port = 22\n"),
            "decoding configuration file: config.toml:3:10: runners.ssh.port: expected a string, got an integer");
  EXPECT_EQ(error_of("concurrent = \"4\"\n"),
            "decoding configuration file: config.toml:1:14: concurrent: expected an integer, got a string");
  EXPECT_EQ(error_of("[[runners]]\nunhealthy_interval = \"1 h\"\n"),
            "decoding configuration file: config.toml:2:22: runners.unhealthy_interval: \"1 h\" is no duration; "
            "write it like \"1h30m\" or \"90s\"");
  EXPECT_EQ(error_of("runners = 1\n"),
            "decoding configuration file: config.toml:1:11: runners: expected an array of tables, got an integer");
  EXPECT_NE(error_of("[[runners]]\nenvironment = [1]\n"), "");
  EXPECT_NE(error_of("[[runners]]\nlimit = 1.5\n"), "");
  EXPECT_NE(error_of("[[runners]]\n[runners.docker]\npull_policy = 1\n"), "");
  EXPECT_NE(error_of("[[runners]]\ndocker = 1\n"), "");
  EXPECT_EQ(error_of("[[runners]]\n[runners.machine]\nIdleScaleFactor = 1\n"), "");
}

TEST(Config, UnknownKeysAreNamed) {
  const Config config = parsed(
      "concurent = 4\n[[runners]]\nname = \"x\"\nurl = \"u\"\ntoken = \"t\"\nexecutor = \"shell\"\n"
      "[runners.docker]\nimaeg = \"alpine\"\n");
  EXPECT_EQ(config.unknown_keys, (std::vector<std::string>{"concurent", "runners.docker.imaeg"}));
  ASSERT_EQ(config.warnings.size(), 2u);
  EXPECT_EQ(config.warnings.at(1), "config.toml:8: unknown key \"runners.docker.imaeg\" is ignored");
}

TEST(Config, WarnsWithoutFailing) {
  const Config config = parsed(
      "[[runners]]\nname = \"x\"\nurl = \"https://h/ci/\"\ntoken = \" \"\nexecutor = \"shel\"\nshell = \"fish\"\n");
  EXPECT_EQ(config.warnings.size(), 4u);
}

TEST(Config, Labels) {
  EXPECT_NE(error_of("[labels]\nab = \"x\"\n[[runners]]\n"), "");
  EXPECT_NE(error_of("[[runners]]\n[runners.labels]\nabc = \"with blank\"\n"), "");
  std::string many = "[[runners]]\n[runners.labels]\n";
  for (int i = 0; i < 33; ++i) many += "key" + std::to_string(i) + " = \"x\"\n";
  EXPECT_TRUE(error_of(many).ends_with("exceeded maximum computed labels number of 32")) << error_of(many);
}

TEST(Config, MachineOptionsNeedAPlaceholder) {
  EXPECT_TRUE(error_of("[[runners]]\nname=\"m\"\n[runners.machine]\nMachineOptionsWithName = [\"a=b\"]\n")
                  .contains("machine option with name \"a=b\" must contain %s placeholder"));
}

TEST(Config, SnapshotRoundTripHasNoToken) {
  const Config config = parsed(R"([[runners]]
  name = "one"
  url = "https://h"
  id = 9
  token = "glrt-t1_abcdefghijklmnop"
  token_expires_at = 2030-01-01T00:00:00Z
  executor = "shell"
  shell = "bash"
  limit = 2
  environment = ["A=1"]
  clean_git_config = true
  get_sources_timeout = "1m30s"
  [runners.cache]
    Type = "gcs"
    [runners.cache.gcs]
      BucketName = "b"
  [runners.custom]
    run_exec = "/x"
)");
  const json::Value snapshot = to_json(config.runners.at(0));
  EXPECT_FALSE(snapshot.dump().contains("abcdefghijkl"));
  const auto back = runner_from_json(json::parse(snapshot.dump()).value());
  ASSERT_TRUE(back);
  EXPECT_EQ(back->token.reveal(), "abcdefghi");
  EXPECT_EQ(back->id, 9);
  EXPECT_EQ(back->token_expires_at, 1893456000);
  EXPECT_EQ(back->environment, (std::vector<std::string>{"A=1"}));
  EXPECT_EQ(back->clean_git_config, true);
  EXPECT_EQ(back->get_sources_timeout, seconds(90));
  EXPECT_EQ(back->cache.gcs.bucket_name, "b");
  EXPECT_EQ(back->tables["custom"]["run_exec"].as_string(), "/x");
  EXPECT_EQ(to_json(*back).dump(), snapshot.dump());
}

TEST(Config, TlsFilesByHost) {
  const auto dir = sys::TempDir::create();
  ASSERT_TRUE(dir);
  ASSERT_TRUE(sys::make_directories(dir->path("certs")));
  ASSERT_TRUE(sys::write_file(dir->path("certs/git.example.com.crt"), "x"));
  ASSERT_TRUE(sys::write_file(dir->path("certs/::1.auth.crt"), "x"));
  Runner runner;
  runner.url = "https://git.example.com:8443/gitlab";
  EXPECT_EQ(tls_files(runner, dir->path()).ca_file, dir->path("certs/git.example.com.crt"));
  EXPECT_EQ(tls_files(runner, dir->path()).cert_file, "");
  runner.url = "https://[::1]:8443";
  EXPECT_EQ(tls_files(runner, dir->path()).cert_file, dir->path("certs/::1.auth.crt"));
  runner.tls_ca_file = "/own.crt";
  EXPECT_EQ(tls_files(runner, dir->path()).ca_file, "/own.crt");
}

} // namespace
} // namespace config
