// The pure parts: patterns, expansion, cache keys, messages, meter; and file selection in a real directory.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <unistd.h>

#include <map>

#include "sys/fd.hpp"
#include "sys/files.hpp"
#include "transfer/cache_key.hpp"
#include "transfer/commands.hpp"
#include "transfer/glob.hpp"
#include "transfer/messages.hpp"
#include "transfer/meter.hpp"
#include "transfer/selection.hpp"
#include "transfer/shell_expand.hpp"

namespace transfer {
namespace {

bool match(std::string_view pattern, std::string_view path) {
  auto glob = Glob::parse(pattern);
  return glob && glob->matches(path);
}

TEST(Glob, MatchesAsDoublestarDoes) {
  for (auto [pattern, path, expected] :
       std::vector<std::tuple<const char*, const char*, bool>>{{"a", "a", true},
                                                               {"*", ".hidden", true},
                                                               {"*", "a/b", false},
                                                               {"a/**", "a", true},
                                                               {"a/**", "a/b/c", true},
                                                               {"**/x", "x", true},
                                                               {"**/x", "a/b/x", true},
                                                               {"a**", "ab", true},
                                                               {"a**", "a/b", false},
                                                               {"a**/c", "ab/c", true},
                                                               {"a/**/b/**/c", "a/b/x/b/c", true},
                                                               {"a/**/b/**/c", "a/b/x/c/d", false},
                                                               {"?", "\xc3\xbc", true},
                                                               {"[a-c]x", "bx", true},
                                                               {"[^a-c]x", "bx", false},
                                                               {"[!a]x", "bx", true},
                                                               {"[\\]]", "]", true},
                                                               {"{a,b/{c,d}}/e", "b/d/e", true},
                                                               {"{a,b}", "c", false},
                                                               {"\\*", "*", true},
                                                               {"\\*", "a", false},
                                                               {"*.tar.*", "x.tar.gz", true},
                                                               {"**", "a/b", true}})
    EXPECT_EQ(match(pattern, path), expected) << pattern << " " << path;
  for (const char* bad : {"[a", "{a,b", "a\\", "[]", "a[!"}) EXPECT_FALSE(Glob::parse(bad)) << bad;
}

TEST(Glob, ManyAlternativesAreRefused) {
  std::string bomb;
  for (int i = 0; i < 20; ++i) bomb += "{a,b}";
  auto glob = Glob::parse(bomb);
  ASSERT_FALSE(glob);
  EXPECT_EQ(glob.error().kind(), base::ErrorKind::kLimit);
}

TEST(Glob, EscapedTextMatchesItself) {
  rc::check([](const std::string& text) {
    std::string pattern;
    for (char c : text) {
      if (c == '/' || (c & 0x80) != 0) { // a backslash inside a character would cut it
        pattern += c;
      } else {
        pattern += {'\\', c};
      }
    }
    auto glob = Glob::parse(pattern);
    RC_ASSERT(glob.has_value());
    RC_ASSERT(glob->matches(text));
  });
}

std::string expanded(std::string_view text) {
  static const std::map<std::string, std::string, std::less<>> kValues{
      {"X", "hello"}, {"expand", "expanded"}, {"P", "a/b/c.tar.gz"}, {"N", "3"}, {"I", "N"}, {"EMPTY", ""}};
  auto result = shell_expand(text, [](std::string_view name) -> std::optional<std::string> {
    auto found = kValues.find(name);
    return found == kValues.end() ? std::nullopt : std::optional(found->second);
  });
  return result ? *result : "error: " + result.error().message();
}

TEST(ShellExpand, ExpandsAsAHereDocument) {
  for (auto [text, value] : std::vector<std::pair<const char*, const char*>>{
           {"$X-${X}", "hello-hello"},
           {"'$X' \"$X\"", "'hello' \"hello\""},
           {"\\$X a\\b \\\\", "$X a\\b \\"},
           {"${expand:1:3}", "xpa"},
           {"${expand: -2}", "ed"},
           {"${Q:-d$X}|${X:-d}|${EMPTY-e}", "dhello|hello|e"},
           {"${X:+y}|${Q:+y}|", "y||"},
           {"${P#*/}|${P##*/}|${P%.*}|${P%%.*}", "b/c.tar.gz|c.tar.gz|a/b/c.tar|a/b/c"},
           {"${X/l/L}|${X//l/L}|${X^^}|${X^}", "heLlo|heLLo|HELLO|Hello"},
           {"${#X}|$((2*(N+4)))|$((7%4-1))", "5|14|2"},
           {"$1$?|$Q|$", "||$"},
           {"~/x {a,b} *", "~/x {a,b} *"},
           {"$(id)", "error: unexpected command substitution at 1:1"},
           {"a`id`", "error: unexpected command substitution at 1:2"},
           {"${Q:?bad}", "error: Q: bad"},
           {"${!X}|${!I}", "|3"},
           {"${", "error: 1:1: reached EOF without matching ${ with }"},
           {"${}", "error: 1:1: parameter expansion requires a literal"},
           {"$((1/0))", "error: division by zero"}})
    EXPECT_EQ(expanded(text), value) << text;
}

TEST(CacheKey, Sanitises) {
  for (auto [raw, clean] :
       std::vector<std::pair<std::string, std::string>>{{"some%2f../job/some/ref/.", "job/some/ref"},
                                                        {"%2E%2E%2E", "..."},
                                                        {"foo\\bar\\..\\..\\..\\..\\.\\blerp", "blerp"},
                                                        {"fallback_key/ / \\  \\", "fallback_key"},
                                                        {"\t foo bar \t\r", "\t foo bar"},
                                                        {"foo/ /bar", "foo/ /bar"},
                                                        {"a%5cb", "a%5cb"},
                                                        {"x/.. ", "x"},
                                                        {"", ""}})
    EXPECT_EQ(sanitize_cache_key(raw).value_or("<error>"), clean) << raw;
  for (const char* raw : {"..", "/", "\\.", " / ", "%2e%2E"}) {
    auto result = sanitize_cache_key(raw);
    ASSERT_FALSE(result) << raw;
    EXPECT_EQ(result.error().message(), "cache key \"" + std::string(raw) + "\" could not be sanitized");
  }
}

TEST(CacheKey, NeverLeavesItsDirectory) {
  rc::check([] {
    std::string raw = *rc::gen::container<std::string>(rc::gen::element('.', '/', '\\', '%', '2', 'e', 'f', ' ', 'a'));
    auto key = sanitize_cache_key(raw);
    if (!key || key->empty()) return;
    std::string path = sys::clean_path("/cache/project/" + *key);
    RC_ASSERT(path.starts_with("/cache/project/"));
    RC_ASSERT(path.size() > std::string("/cache/project/").size());
  });
}

TEST(CacheKey, Naming) {
  CacheKey key = make_cache_key("a/../b", false);
  EXPECT_EQ(key.path_key, "b");
  EXPECT_EQ(key.warning, "cache key \"a/../b\" sanitized to \"b\"");
  EXPECT_EQ(key.alternate_path_key, hash_cache_key("a/../b"));
  EXPECT_EQ(make_cache_key("x", true).path_key, hash_cache_key("x"));
  EXPECT_EQ(make_cache_key("..", false).path_key, "");
  EXPECT_EQ(default_cache_key("job", "feature/x"), "job/feature/x");
  EXPECT_TRUE(is_reserved_fallback_key("main-protected"));
  EXPECT_TRUE(is_reserved_fallback_key("main-protected. . ."));
  EXPECT_FALSE(is_reserved_fallback_key("main-non_protected"));
  EXPECT_EQ(local_cache_archive("/cache", "group/project", "k"), "/cache/group/project/k/cache.zip");
}

TEST(Messages, AreUpstreamsByteForByte) {
  using base::log::Level;
  EXPECT_EQ(format_message(Level::kInfo, "untracked: found 5 files"),
            "untracked: found 5 files                          \x1b[0;m \n");
  EXPECT_EQ(format_message(Level::kError, "No files to upload"),
            "\x1b[31;1mERROR: No files to upload                         \x1b[0;m \n");
  EXPECT_EQ(format_message(Level::kWarning, "Retrying...", {{"error", "e"}, {"context", "c"}}),
            "\x1b[0;33mWARNING: Retrying...                              \x1b[0;m  \x1b[0;33mcontext\x1b[0;m=c "
            "\x1b[0;33merror\x1b[0;m=e\n");
}

TEST(Meter, Units) {
  using namespace std::chrono_literals;
  EXPECT_EQ(format_bytes(1), "1 B");
  EXPECT_EQ(format_bytes(1'110'000), "1.11 MB");
  EXPECT_EQ(format_bytes(1'111'100'000'000), "1.11 TB");
  EXPECT_EQ(format_rate(10, 2s), "5 B/s");
  EXPECT_EQ(format_rate(1'490'000, 1s), "1.5 MB/s");
  EXPECT_EQ(format_rate(10, 0s), "10.0 GB/s");
}

// Runs in a directory of its own, with stderr in a file.
class Commands : public testing::Test {
 protected:
  void SetUp() override {
    dir_.emplace(*sys::TempDir::create());
    old_directory_ = *sys::current_directory();
    ASSERT_TRUE(sys::make_directories(dir_->path("project/sub/deep")));
    ASSERT_EQ(::chdir(dir_->path("project").c_str()), 0);
    for (const char* name : {"a.txt", "sub/b.txt", "sub/deep/c.txt"}) ASSERT_TRUE(sys::write_file(name, name));
    old_stderr_ = ::dup(2);
    sys::Fd log(::open(dir_->path("log").c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
    ::dup2(log.get(), 2);
  }
  void TearDown() override {
    ::dup2(old_stderr_, 2);
    ::close(old_stderr_);
    ASSERT_EQ(::chdir(old_directory_.c_str()), 0);
  }
  // What was said since the last call, without colours and padding.
  std::string said() {
    std::string text = sys::read_file(dir_->path("log")).value_or("");
    std::string fresh = text.substr(seen_), out;
    seen_ = text.size();
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      if (fresh[i] == '\x1b') {
        i = fresh.find('m', i);
      } else if (fresh[i] != ' ' ||
                 (i + 1 < fresh.size() && fresh[i + 1] != ' ' && fresh[i + 1] != '\x1b' && fresh[i + 1] != '\n')) {
        out += fresh[i];
      }
    }
    return out;
  }
  std::vector<std::string> names(const SelectionOptions& options) {
    std::vector<std::string> out;
    auto selection = select_files(options);
    for (const auto& [path, info] : selection->files) out.push_back(path);
    return out;
  }

  std::optional<sys::TempDir> dir_;
  std::string old_directory_;
  int old_stderr_ = -1;
  std::size_t seen_ = 0;
};

TEST_F(Commands, SelectionCountsOffersAndNamesWhatIsMissing) {
  EXPECT_EQ(names({.paths = {"sub/**", "x*"}}),
            (std::vector<std::string>{"sub", "sub/b.txt", "sub/deep", "sub/deep/c.txt"}));
  std::string log = said();
  EXPECT_NE(log.find("sub/**: found 8 matching artifact files and directories\n"), std::string::npos) << log;
  EXPECT_NE(log.find("WARNING: x*: no matching files. Ensure that the artifact path is relative to the working "
                     "directory ("),
            std::string::npos)
      << log;
}

TEST_F(Commands, SelectionExcludesAndStaysInside) {
  EXPECT_EQ(names({.paths = {".", "../other", "/etc/*", dir_->path("project/a*")},
                   .exclude = {"../bad", "sub/**/*.txt", "."}}),
            (std::vector<std::string>{"a.txt", "sub", "sub/deep"}));
  std::string log = said();
  EXPECT_NE(log.find("isExcluded: artifact path is not a subpath of project directory: ../bad"), std::string::npos);
  EXPECT_NE(log.find("processPath: artifact path is not a subpath of project directory: ../other"), std::string::npos);
  EXPECT_NE(log.find("sub/**/*.txt: excluded 2 files\n"), std::string::npos) << log;
}

TEST_F(Commands, UntrackedRunsNothingOfTheRepository) {
  ASSERT_EQ(::system("git init -q . && git add a.txt && git config core.fsmonitor 'touch ../ran; false'"), 0);
  EXPECT_EQ(names({.untracked = true}), (std::vector<std::string>{"sub/b.txt", "sub/deep/c.txt"}));
  EXPECT_FALSE(sys::exists("../ran"));
  EXPECT_NE(said().find("untracked: found 2 files\n"), std::string::npos);
}

TEST_F(Commands, CacheRoundTrip) {
  CacheArchiverOptions archive;
  archive.file = "../cache/group/key/cache.zip";
  archive.selection.paths = {"sub"};
  EXPECT_EQ(cache_archiver(archive), 0);
  EXPECT_NE(said().find("No URL provided, cache will not be uploaded"), std::string::npos);
  EXPECT_EQ(cache_archiver(archive), 0);
  EXPECT_NE(said().find("Archive is up to date!\n"), std::string::npos);
  ASSERT_TRUE(sys::remove_file("sub/b.txt"));
  EXPECT_EQ(cache_archiver(archive), 0);
  EXPECT_EQ(said().find("Archive is up to date!"), std::string::npos) << "a deleted file went unnoticed";

  ASSERT_TRUE(sys::remove_tree("sub"));
  CacheExtractorOptions extract;
  extract.file = archive.file;
  EXPECT_EQ(cache_extractor(extract), 0);
  EXPECT_TRUE(sys::exists("sub/deep/c.txt"));
  EXPECT_FALSE(sys::exists("sub/b.txt"));
}

TEST_F(Commands, CacheThatIsMissingOrBroken) {
  CacheExtractorOptions extract;
  EXPECT_EQ(cache_extractor(extract), 1);
  EXPECT_NE(said().find("WARNING: Missing cache file\n"), std::string::npos);
  extract.file = "../nothing.zip";
  EXPECT_EQ(cache_extractor(extract), 1);
  EXPECT_NE(said().find("WARNING: Cache file does not exist\n"), std::string::npos);
  ASSERT_TRUE(sys::write_file("../broken.zip", "junk"));
  extract.file = "../broken.zip";
  EXPECT_EQ(cache_extractor(extract), 1);
  EXPECT_NE(said().find("FATAL: zip: not a valid zip file\n"), std::string::npos);
  CacheArchiverOptions archive;
  archive.file = "../c.zip";
  archive.selection.paths = {"none"};
  EXPECT_EQ(cache_archiver(archive), 0);
  EXPECT_NE(said().find("WARNING: No files to cache.\n"), std::string::npos);
}

TEST_F(Commands, UploaderRefusesWhatIsIncomplete) {
  UploaderOptions options;
  EXPECT_EQ(artifacts_uploader(options), 1);
  EXPECT_NE(said().find("FATAL: Missing runner credentials\n"), std::string::npos);
  options.credentials.url = "http://127.0.0.1:1";
  options.credentials.token = base::Secret("token");
  EXPECT_EQ(artifacts_uploader(options), 1);
  EXPECT_NE(said().find("FATAL: Missing build ID\n"), std::string::npos);
  options.credentials.id = 1;
  options.selection.paths = {"none"};
  EXPECT_EQ(artifacts_uploader(options), 0);
  EXPECT_NE(said().find("ERROR: No files to upload\n"), std::string::npos);
}

} // namespace
} // namespace transfer
