#include "config/editor.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "config/schema.hpp"
#include "sys/files.hpp"

namespace config {
namespace {

json::Value shell_runner() {
  return json::Value::object({{"name", "HOST"},
                              {"url", "http://gitlab.example.com/"},
                              {"token", "test-runner-token"},
                              {"token_obtained_at", "2020-01-01T10:10:10Z"},
                              {"executor", "shell"},
                              {"shell", "pwsh"},
                              {"cache", json::Value::object()}});
}

constexpr std::string_view kRunner = R"(
[[runners]]
  name = "HOST"
  url = "http://gitlab.example.com/"
  id = 0
  token = "test-runner-token"
  token_obtained_at = 2020-01-01T10:10:10Z
  token_expires_at = 0001-01-01T00:00:00Z
  executor = "shell"
  shell = "pwsh"
  [runners.cache]
    MaxUploadedArchiveSize = 0
    [runners.cache.s3]
      AssumeRoleMaxConcurrency = 0
    [runners.cache.gcs]
    [runners.cache.azure]
)";

class EditorTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(dir_); }
  std::string path() const { return dir_->path("config.toml"); }
  std::string content() const { return sys::read_file(path()).value_or("?"); }

  base::Result<sys::TempDir> dir_ = sys::TempDir::create();
};

TEST_F(EditorTest, FirstRegistrationIntoAnEmptyFile) {
  ASSERT_TRUE(sys::write_file(path(), ""));
  auto editor = Editor::open(path());
  ASSERT_TRUE(editor) << editor.error().message();
  ASSERT_TRUE(editor->append_runner(shell_runner()));
  ASSERT_TRUE(editor->save());
  EXPECT_EQ(content(),
            std::string("concurrent = 1\ncheck_interval = 0\nconnection_max_age = \"15m0s\"\nshutdown_timeout = 0\n\n"
                        "[session_server]\n  session_timeout = 1800\n") +
                std::string(kRunner));
}

TEST_F(EditorTest, FirstRegistrationWithoutAFile) {
  auto editor = Editor::open(path());
  ASSERT_TRUE(editor);
  EXPECT_FALSE(editor->existed());
  ASSERT_TRUE(editor->append_runner(shell_runner()));
  ASSERT_TRUE(editor->save());
  EXPECT_FALSE(content().contains("connection_max_age"));
  struct stat status{};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(EditorTest, KeepsReferencesCommentsAndUnknownKeys) {
  const std::string before =
      "# mine\nconcurrent = 2\nmystery = true\n\n[[runners]]\n  name = \"a\"\n  url = \"http://h\"\n"
      "  token = \"$MY_TOKEN\" # from the vault\n  executor = \"shell\"\n";
  ASSERT_TRUE(sys::write_file(path(), before));
  auto editor = Editor::open(path());
  ASSERT_TRUE(editor);
  ASSERT_TRUE(editor->append_runner(shell_runner()));
  ASSERT_TRUE(editor->save());
  EXPECT_EQ(content(), before + std::string(kRunner));
  EXPECT_EQ(editor->config().runners.size(), 2u);
  ASSERT_TRUE(editor->remove_runner(1));
  EXPECT_EQ(editor->text(), before);
}

TEST_F(EditorTest, SetsAToken) {
  ASSERT_TRUE(sys::write_file(path(), "[[runners]]\n  name = \"a\"\n  token = \"old\"\n  executor = \"shell\"\n"));
  auto editor = Editor::open(path());
  ASSERT_TRUE(editor);
  EXPECT_EQ(editor->replace_token("", "another", {"new", 1, std::nullopt}), 0u);
  EXPECT_EQ(editor->replace_token("http://elsewhere", "old", {"new", 1, std::nullopt}), 0u);
  EXPECT_EQ(editor->replace_token("", "old", {"new", 1577873410, std::nullopt}), 1u);
  EXPECT_EQ(editor->text(),
            "[[runners]]\n  name = \"a\"\n  token = \"new\"\n  executor = \"shell\"\n"
            "  token_obtained_at = 2020-01-01T10:10:10Z\n  token_expires_at = 0001-01-01T00:00:00Z\n");
  EXPECT_EQ(editor->config().runners.at(0).token.reveal(), "new");
}

TEST_F(EditorTest, EntriesThatShareATokenGetTheNewOneTogether) {
  const std::string one =
      "[[runners]]\n  url = \"http://h\" # here\n  token = \"old\" # there\n  executor = \"shell\"\n";
  ASSERT_TRUE(sys::write_file(path(), one + one));
  auto editor = Editor::open(path());
  ASSERT_TRUE(editor);
  EXPECT_EQ(editor->replace_token("http://h", "old", {"new", 1577873410, 1577873420}), 2u);
  const std::string changed =
      "[[runners]]\n  url = \"http://h\" # here\n  token = \"new\" # there\n  executor = \"shell\"\n"
      "  token_obtained_at = 2020-01-01T10:10:10Z\n  token_expires_at = 2020-01-01T10:10:20Z\n";
  EXPECT_EQ(editor->text(), changed + changed);
}

TEST_F(EditorTest, ABrokenFileIsNotEdited) {
  ASSERT_TRUE(sys::write_file(path(), "concurrent = = 1\n"));
  EXPECT_FALSE(Editor::open(path()));
}

json::Value runner_for(std::string_view executor) {
  json::Value tree = shell_runner();
  tree.set("executor", executor);
  tree.set("shell", "");
  return tree;
}

std::string tail(const std::string& text) { return text.substr(text.find("azure]\n") + 7); }

TEST(Render, Docker) {
  json::Value tree = runner_for("docker");
  set_path(tree, "docker.image", "alpine");
  set_path(tree, "docker.volumes", json::Array{"/cache"});
  EXPECT_EQ(tail(render_runner(tree)), R"(  [runners.docker]
    tls_verify = false
    image = "alpine"
    privileged = false
    disable_entrypoint_overwrite = false
    oom_kill_disable = false
    disable_cache = false
    volumes = ["/cache"]
    volume_keep = false
    shm_size = 0
    network_mtu = 0
)");
}

TEST(Render, Kubernetes) {
  json::Value tree = runner_for("kubernetes");
  tree.set("kubernetes", json::Value::object());
  EXPECT_EQ(tail(render_runner(tree)), R"(  [runners.kubernetes]
    host = ""
    bearer_token_overwrite_allowed = false
    image = ""
    namespace = ""
    namespace_overwrite_allowed = ""
    namespace_per_job = false
    node_selector_overwrite_allowed = ""
    node_tolerations_overwrite_allowed = ""
    pod_labels_overwrite_allowed = ""
    service_account_overwrite_allowed = ""
    pod_annotations_overwrite_allowed = ""
    [runners.kubernetes.init_permissions_container_security_context]
      [runners.kubernetes.init_permissions_container_security_context.capabilities]
    [runners.kubernetes.build_container_security_context]
      [runners.kubernetes.build_container_security_context.capabilities]
    [runners.kubernetes.helper_container_security_context]
      [runners.kubernetes.helper_container_security_context.capabilities]
    [runners.kubernetes.service_container_security_context]
      [runners.kubernetes.service_container_security_context.capabilities]
    [runners.kubernetes.volumes]
    [runners.kubernetes.dns_config]
)");
}

TEST(Render, OthersAndMaps) {
  json::Value tree = runner_for("docker+machine");
  set_path(tree, "machine.IdleCount", 2);
  set_path(tree, "feature_flags.FF_B", true);
  set_path(tree, "feature_flags.FF_A", false);
  const std::string text = tail(render_runner(tree));
  EXPECT_TRUE(text.starts_with("  [runners.feature_flags]\n    FF_A = false\n    FF_B = true\n")) << text;
  EXPECT_TRUE(text.contains("    IdleCount = 2\n    IdleScaleFactor = 0.0\n")) << text;
  json::Value custom = runner_for("custom");
  custom.set("custom", json::Value::object());
  EXPECT_EQ(tail(render_runner(custom)), "  [runners.custom]\n    run_exec = \"\"\n");
}

TEST(Render, WhatIsWrittenIsRead) {
  json::Value tree = runner_for("docker");
  set_path(tree, "docker.image", "a\"b");
  set_path(tree, "docker.services_devices.x", json::Array{"/dev/a"});
  set_path(tree, "docker.sysctls", json::Value::object({{"net.core", "1"}}));
  set_path(tree, "docker.services", json::Array{json::Value::object({{"name", "pg"}, {"command", json::Array{"a"}}})});
  set_path(tree, "kubernetes.volumes",
           json::Value::object({{"pvc", json::Array{json::Value::object({{"name", "n"}})}}}));
  tree.as_object().erase(tree.as_object().end() - 1);
  const auto config = parse(render_runner(tree), "x");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_TRUE(config->unknown_keys.empty());
  EXPECT_EQ(config->runners.at(0).tables["docker"]["image"].as_string(), "a\"b");
}

TEST(Schema, EveryKeyOnce) {
  std::set<std::string_view> paths;
  std::set<std::string_view> flags;
  for (const auto keys : {runner_keys(), kubernetes_keys()}) {
    for (const Key& key : keys) {
      EXPECT_TRUE(paths.insert(key.path).second) << key.path;
      if (!key.flag.empty()) EXPECT_TRUE(flags.insert(key.flag).second) << key.flag;
    }
  }
  EXPECT_GT(paths.size(), 400u);
}

TEST(Schema, Flags) {
  const auto value = [](std::string_view path, std::string_view text) {
    const auto parsed = parse_flag(*find_runner_key(path), text);
    return parsed ? parsed->dump() : parsed.error().message();
  };
  EXPECT_EQ(value("limit", "0x10"), "16");
  EXPECT_EQ(value("limit", "010"), "8");
  EXPECT_EQ(value("limit", "-1"), "-1");
  EXPECT_EQ(value("limit", "x"), "expected an integer");
  EXPECT_EQ(value("docker.privileged", "T"), "true");
  EXPECT_EQ(value("docker.pull_policy", "always,never"), R"(["always","never"])");
  EXPECT_EQ(value("feature_flags", "FF_X:true"), R"({"FF_X":true})");
  EXPECT_EQ(value("docker.sysctls", "a:b:c"), R"({"a":"b:c"})");
  EXPECT_EQ(value("unhealthy_interval", "90s"), R"("1m30s")");
  EXPECT_EQ(value("environment", "A=1,2"), R"(["A=1,2"])");
}

} // namespace
} // namespace config
