#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/strings.hpp"
#include "script/stages.hpp"
#include "script/writer.hpp"

namespace script {
namespace {

struct Outcome {
  int status = 0;
  std::string out;
};

class TempDirectory {
 public:
  TempDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "script-test-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TempDirectory() { std::filesystem::remove_all(path_); }
  std::string path(std::string_view name = "") const { return name.empty() ? path_ : path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

void write_file(const std::string& path, std::string_view text) { std::ofstream(path, std::ios::binary) << text; }

// Runs a script from stdin, as executors do. stdout and stderr together.
Outcome run(const std::string& shell, const std::string& text) {
  TempDirectory dir;
  write_file(dir.path("script"), text);
  const std::string command = shell + " < " + dir.path("script") + " > " + dir.path("out") + " 2>&1";
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(dir.path("out"))};
}

const std::vector<std::pair<std::string, Shell>> kShells = {
    {"bash", Shell::kBash}, {"dash", Shell::kSh}, {"sh", Shell::kSh}, {"bash --posix", Shell::kSh}};

BuildInfo example(const TempDirectory& dir, Shell shell = Shell::kBash) {
  BuildInfo info;
  info.shell = shell;
  info.hostname = "host1";
  info.builds_dir = dir.path("builds");
  info.project_dir = dir.path("builds/g/p");
  info.temp_dir = info.project_dir + ".tmp";
  std::filesystem::create_directories(info.project_dir);
  info.runner_command = "/opt/forerunner";
  info.runner_url = "https://gitlab.example";
  info.job_id = 7;
  info.job_token = "glcbt-secret";
  return info;
}

rc::Gen<std::string> any_bytes() {
  return rc::gen::container<std::string>(
      rc::gen::oneOf(rc::gen::map(rc::gen::inRange(1, 256), [](int c) { return static_cast<char>(c); }),
                     rc::gen::elementOf(std::string("'\"\\$`!\n \t*?[]{}()<>|&;#~%=-\r\x1b"))));
}

TEST(Escape, KeepsPlainWordsBare) {
  EXPECT_EQ(escape("abc-1.2/x@y,z_", Quoting::kAnsi), "abc-1.2/x@y,z_");
  EXPECT_EQ(escape("", Quoting::kAnsi), "''");
  EXPECT_EQ(escape("a b", Quoting::kAnsi), "$'a b'");
  EXPECT_EQ(escape("\x1b[0;m'\\\n\xc3\xa9", Quoting::kAnsi), "$'\\x1b[0;m\\'\\\\\\n\\xc3\\xa9'");
  EXPECT_EQ(escape("it's", Quoting::kPosix), "'it'\\''s'");
  EXPECT_EQ(escape(std::string_view("a\0b", 3), Quoting::kAnsi), "$'ab'");
}

TEST(Escape, AnyBytesComeOutVerbatim) {
  rc::check("values, paths and notices through every shell", [] {
    const std::string value = *any_bytes();
    {
      const auto [command, shell] = *rc::gen::elementOf(kShells);
      TempDirectory dir;
      BuildInfo info = example(dir, shell);
      info.variables = {{"VALUE", value, false}, {"FILE", value, true}};
      Writer w(info);
      w.exports();
      w.line("printf %s \"$VALUE\" > " + w.quote(dir.path("value")));
      w.line("cat \"$FILE\" > " + w.quote(dir.path("file")));
      w.plain(value);
      const Outcome outcome = run(command, w.finish());
      RC_ASSERT(outcome.status == 0);
      RC_ASSERT(read_file(dir.path("value")) == value);
      RC_ASSERT(read_file(dir.path("file")) == value);
      RC_ASSERT(outcome.out == "\x1b[0;m" + value + "\n");
    }
  });
}

TEST(Writer, FileVariablesAreForTheOwnerOnly) {
  TempDirectory dir;
  BuildInfo info = example(dir);
  info.variables = {{"SECRET", "x", true}, {"../EVIL", "x", true}};
  Writer w(info);
  w.exports();
  const Outcome outcome = run("bash", w.finish());
  EXPECT_NE(outcome.status, 0) << "a name that is none fails the stage";
  const auto mode = std::filesystem::status(info.temp_file("SECRET")).permissions();
  EXPECT_EQ(mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_FALSE(std::filesystem::exists(info.project_dir + "/../EVIL"));
}

struct EnvCase {
  std::string file;
  std::string script;
  std::string expected;
};

TEST(Writer, LoadsGitlabEnv) {
  const std::vector<EnvCase> cases = {
      {"A=1\nB=two words \n", "echo \"[$A][$B]\"", "[1][two words]\n"},
      {"A=1", "echo \"$A\"", "1\n"},
      {"export A=$(id)\n", "echo \"$A\"", "$(id)\n"},
      {"A=\"x y\"\nB='c d'\nC='\nD=\"\n", "echo \"[$A][$B][$C][$D]\"", "[x y][c d]['][\"]\n"},
      {"A=\"one\ntwo\nthree\"\nB=2\n", "echo \"[$A][$B]\"", "[one\ntwo\nthree][2]\n"},
      {"A=\"never closed\nB=2\n", "echo \"[$A][$B]\"", "[\"never closed][2]\n"},
      {"A=\"a\\nb\\\"c\\\\d\\$e\\q\"\n", "printf '%s\\n' \"$A\"", "a\nb\"c\\d$e\\q\n"},
      {"A=\"quoted\" and more\n", "echo \"$A\"", "\"quoted\" and more\n"},
      {"# comment\n\n  A=a=b=c\t\nC:\\x\n1X=2\n", "echo \"$A\"",
       "\x1b[0;33mGITLAB_ENV: not a variable that can be set, ignored: C:\\x\x1b[0;m\n"
       "\x1b[0;33mGITLAB_ENV: not a variable that can be set, ignored: 1X=2\x1b[0;m\na=b=c\n"},
      {"A=back\\slash\r\nB=*\n", "printf '%s\\n' \"[$A][$B]\"", "[back\\slash][*]\n"},
  };
  for (const auto& [file, script, expected] : cases) {
    for (const auto& [command, shell] : kShells) {
      TempDirectory dir;
      BuildInfo info = example(dir, shell);
      std::filesystem::create_directories(info.temp_dir);
      write_file(info.temp_file("gitlab_runner_env"), file);
      Writer w(info);
      w.exports();
      w.line(script);
      const Outcome outcome = run(command, w.finish());
      EXPECT_EQ(outcome.out, expected) << command << ": " << file;
      EXPECT_EQ(outcome.status, 0);
    }
  }
}

TEST(Writer, TheFileBehindGitlabEnvIsThere) {
  for (const auto& [command, shell] : kShells) {
    TempDirectory dir;
    BuildInfo info = example(dir, shell);
    Writer w(info);
    w.exports();
    w.line("rm \"$GITLAB_ENV\"");
    EXPECT_EQ(run(command, w.finish()).status, 0) << command;
  }
}

TEST(Writer, ReadOnlyVariablesInGitlabEnvAreNamed) {
  TempDirectory dir;
  BuildInfo info = example(dir);
  std::filesystem::create_directories(info.temp_dir);
  write_file(info.temp_file("gitlab_runner_env"), "UID=5\nA=1\n");
  Writer w(info);
  w.exports();
  w.line("echo $A");
  const Outcome outcome = run("bash", w.finish());
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.out, "\x1b[0;33mGITLAB_ENV: not a variable that can be set, ignored: UID\x1b[0;m\n1\n");
}

Outcome run_items(const std::vector<std::string>& items, const std::string& command = "bash",
                  Shell shell = Shell::kBash, bool sections = false) {
  TempDirectory dir;
  BuildInfo info = example(dir, shell);
  info.script_sections = sections;
  info.steps = {{"script", items}};
  return run(command, user_step(info, 0)->value());
}

TEST(Stages, UserCommandsAreEchoedAndShareOneShell) {
  for (const auto& [command, shell] : kShells) {
    const Outcome outcome =
        run_items({" x=1 ", "if true; then", "echo \"x is $x\"", "fi", "", "cd /\npwd"}, command, shell);
    EXPECT_EQ(outcome.status, 0);
    EXPECT_EQ(
        outcome.out,
        "\x1b[32;1m$ x=1\x1b[0;m\n\x1b[32;1m$ if true; then\x1b[0;m\n\x1b[32;1m$ echo \"x is $x\"\x1b[0;m\nx is 1\n"
        "\x1b[32;1m$ fi\x1b[0;m\n\n\x1b[32;1m$ cd / # collapsed multi-line command\x1b[0;m\n/\n")
        << command;
  }
}

TEST(Stages, ExitCodes) {
  for (const auto& [command, shell] : kShells) {
    EXPECT_EQ(run_items({"exit 7"}, command, shell).status, 7);
    EXPECT_EQ(run_items({"(exit 7)"}, command, shell).status, 7);
    EXPECT_EQ(run_items({"false", "echo not reached"}, command, shell).status, 1);
    EXPECT_EQ(run_items({"nosuchcommand"}, command, shell).status, 127);
    EXPECT_EQ(run_items({"set +e", "false", "exit 3"}, command, shell).status, 3);
    EXPECT_EQ(run_items({"false || true"}, command, shell).status, 0);
  }
  EXPECT_EQ(run_items({"false | cat"}).status, 1) << "pipefail";
}

TEST(Stages, StdinOfCommandsIsEmpty) {
  const Outcome outcome = run_items({"read -t 5 line || true", "echo \"got [$line]\""});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_NE(outcome.out.find("got []"), std::string::npos);
}

TEST(Stages, ScriptSectionsEndAfterTheCommand) {
  const Outcome outcome = run_items({"echo Hello\necho World"}, "bash", Shell::kBash, true);
  EXPECT_EQ(outcome.status, 0);
  const auto start = outcome.out.find(":section_script_step_0[hide_duration=true,collapsed=true]\r\x1b[0K");
  const auto output = outcome.out.find("\nHello\nWorld\n");
  const auto end = outcome.out.find("section_end:");
  EXPECT_LT(start, output);
  EXPECT_LT(output, end);
  EXPECT_NE(end, std::string::npos);
}

TEST(Stages, SkippedWhenThereIsNothingToDo) {
  TempDirectory dir;
  const BuildInfo info = example(dir);
  EXPECT_FALSE(restore_cache(info)->has_value());
  EXPECT_FALSE(download_artifacts(info)->has_value());
  EXPECT_FALSE(after_script(info)->has_value());
  EXPECT_FALSE(archive_cache(info, true)->has_value());
  EXPECT_FALSE(upload_artifacts(info, true)->has_value());
}

TEST(Stages, FallbackKeysAreWarnedAboutOnlyWhereTheyAreUsed) {
  TempDirectory dir;
  BuildInfo info = example(dir);
  Cache cache;
  cache.paths = {"c/"};
  cache.candidates = {{"key", "../cache/key/cache.zip", ""}};
  cache.fallback_notices = {"about-a-fallback"};
  info.caches = {cache};
  EXPECT_TRUE(restore_cache(info)->value().contains("about-a-fallback"));
  EXPECT_FALSE(archive_cache(info, true)->value().contains("about-a-fallback"));
  info.caches[0].pull = false;
  EXPECT_FALSE(restore_cache(info)->value().contains("about-a-fallback"));
}

TEST(Stages, PrepareScriptNamesTheHost) {
  TempDirectory dir;
  BuildInfo info = example(dir);
  std::filesystem::create_directories(info.temp_dir);
  write_file(info.temp_file("gitlab_runner_env"), "A=1");
  EXPECT_EQ(run("bash", prepare_script(info)->value()).out, "Running on host1...\n");
  EXPECT_FALSE(std::filesystem::exists(info.temp_file("gitlab_runner_env")));
  info.hostname.clear();
  info.via = "host2";
  info.shell = Shell::kSh;
  const Outcome outcome = run("sh", prepare_script(info)->value());
  EXPECT_TRUE(outcome.out.starts_with("Running on ")) << outcome.out;
  EXPECT_TRUE(outcome.out.ends_with(" via host2...\n")) << outcome.out;
}

// A stand-in for our own binary that tells how it was called and which token it had.
std::string fake_runner(const TempDirectory& dir, std::string_view behaviour) {
  const std::string path = dir.path("runner");
  write_file(path, "#!/bin/sh\necho \"called: $*\"\necho \"token: $CI_JOB_TOKEN\"\n" + std::string(behaviour) + "\n");
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return path;
}

TEST(Stages, HelpersGetTheirTokenByEnvironment) {
  TempDirectory dir;
  BuildInfo info = example(dir);
  info.runner_command = fake_runner(dir, "");
  info.dependencies = {{3, "build", "dep-token"}};
  EXPECT_EQ(run("bash", download_artifacts(info)->value()).out,
            "\x1b[32;1mDownloading artifacts for build (3)...\x1b[0;m\n"
            "called: artifacts-downloader --url https://gitlab.example --id 3\ntoken: dep-token\n");

  Artifact artifact;
  artifact.paths = {"a b", "c"};
  artifact.exclude = {"d"};
  artifact.untracked = true;
  artifact.name = "$CI_JOB_NAME";
  artifact.expire_in = "1 week";
  artifact.format = "zip";
  artifact.type = "archive";
  info.artifacts = {artifact};
  EXPECT_EQ(run("bash", upload_artifacts(info, true)->value()).out,
            "\x1b[32;1mUploading artifacts...\x1b[0;m\n"
            "called: artifacts-uploader --url https://gitlab.example --id 7 --timeout 1h0m0s --response-header-timeout "
            "10m0s --path a b --path c --exclude d --untracked --name $CI_JOB_NAME --expire-in 1 week "
            "--artifact-format zip --artifact-type archive\ntoken: glcbt-secret\n");
  EXPECT_FALSE(upload_artifacts(info, false)->has_value());
}

TEST(Stages, CacheFallsBackAndNeverFailsTheStage) {
  TempDirectory dir;
  BuildInfo info = example(dir);
  info.runner_command = fake_runner(dir, "case $* in *second*) exit 0 ;; esac; exit 1");
  Cache cache;
  cache.paths = {"vendor"};
  cache.candidates = {{"first", "../c/first/cache.zip", "../c/f1/cache.zip"}, {"second", "../c/second/cache.zip", ""}};
  info.caches = {cache};
  EXPECT_EQ(run("bash", restore_cache(info)->value()).out,
            "\x1b[32;1mChecking cache for first...\x1b[0;m\n"
            "called: cache-extractor --file ../c/first/cache.zip --timeout 10\ntoken: \n"
            "\x1b[0;33mFailed to extract cache\x1b[0;m\n\x1b[32;1mChecking cache for second...\x1b[0;m\n"
            "called: cache-extractor --file ../c/second/cache.zip --timeout 10\ntoken: \n"
            "\x1b[32;1mSuccessfully extracted cache\x1b[0;m\n");
  const Outcome saved = run("bash", archive_cache(info, true)->value());
  EXPECT_EQ(saved.status, 0);
  EXPECT_NE(saved.out.find("called: cache-archiver --file ../c/first/cache.zip --alternate-file ../c/f1/cache.zip "
                           "--timeout 10 --path vendor"),
            std::string::npos);
  EXPECT_NE(saved.out.find("Failed to create cache"), std::string::npos);
  info.caches[0].push = false;
  EXPECT_NE(run("bash", archive_cache(info, true)->value()).out.find("Not uploading cache first due to policy"),
            std::string::npos);
}

TEST(Stages, CleanupRemovesWhatTheJobLeft) {
  TempDirectory dir;
  BuildInfo info = example(dir);
  info.variables = {{"SECRET", "x", true}};
  std::filesystem::create_directories(info.temp_dir);
  for (const auto& path : temporary_files(info)) write_file(path, "x=1");
  const Outcome outcome = run("bash", cleanup_file_variables(info)->value());
  EXPECT_EQ(outcome.status, 0) << outcome.out;
  EXPECT_TRUE(std::filesystem::is_empty(info.temp_dir));
}

TEST(Stages, HarmlessExports) {
  TempDirectory dir;
  BuildInfo info = example(dir);
  info.variables = {{"A", "x", false}, {"_b1", "", false}};
  EXPECT_TRUE(exports_are_harmless(info));
  for (const char* key : {"A.B", "UID", "PATH", "", "1A", "BASH_ENV", "LD_PRELOAD"}) {
    info.variables = {{key, "x", false}};
    EXPECT_FALSE(exports_are_harmless(info)) << key;
  }
  info.variables = {{"A", std::string(200000, 'x'), false}};
  EXPECT_FALSE(exports_are_harmless(info));
}

TEST(Shells, Names) {
  EXPECT_EQ(shell_from_name("bash").value(), Shell::kBash);
  EXPECT_EQ(shell_from_name("fish").error().message(), "shell fish not found");
  EXPECT_EQ(shell_from_name("pwsh").error().message(), "shell pwsh is not supported yet");
}

} // namespace
} // namespace script
