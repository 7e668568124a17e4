#include "toml/editor.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/strings.hpp"
#include "toml/toml.hpp"

namespace toml {
namespace {

constexpr std::string_view kText = R"(# our runners
concurrent = 4   # four

# --- build machines ---

# first
[[runners]]
  name = "one"  # mind the gap
  token = '$TOKEN'
  [runners.docker]
    image = "alpine"
  # end of first

# second, do not touch
[[runners]]
  name = "two"
  script = """
[[runners]]
# not a comment
"""
  [[runners.docker.services]]
    name = "pg"
  [[runners.docker.services]]
    name = "redis"

[session_server]
  session_timeout = 1800
)";

TextEditor open(std::string_view text) { return TextEditor::open(std::string(text), "test").value(); }

std::string without(std::string_view text, std::string_view part) { return base::replace_all(text, part, ""); }

TEST(TextEditor, RemovesAnElementWithItsCommentsAndTables) {
  TextEditor editor = open(kText);
  ASSERT_TRUE(editor.remove_element("runners", 0));
  EXPECT_EQ(editor.text(), without(kText, R"(# first
[[runners]]
  name = "one"  # mind the gap
  token = '$TOKEN'
  [runners.docker]
    image = "alpine"
  # end of first

)"));
  ASSERT_TRUE(editor.remove_element("runners", 0));
  EXPECT_EQ(editor.text(), R"(# our runners
concurrent = 4   # four

# --- build machines ---

[session_server]
  session_timeout = 1800
)");
  EXPECT_EQ(editor.remove_element("runners", 0).error().kind(), base::ErrorKind::kNotFound);
}

TEST(TextEditor, RemovesTheLastElement) {
  TextEditor editor = open("a = 1\n\n[[runners]]\nname = \"x\"\n\n[[runners]]\nname = \"y\"\n");
  ASSERT_TRUE(editor.remove_element("runners", 1));
  EXPECT_EQ(editor.text(), "a = 1\n\n[[runners]]\nname = \"x\"\n");
}

TEST(TextEditor, SubTablesMayStandElsewhere) {
  TextEditor editor =
      open("[[runners]]\nname = \"x\"\n[other]\na = 1\n[runners.docker]\nimage = \"i\"\n[last]\nb = 2\n");
  ASSERT_TRUE(editor.remove_element("runners", 0));
  EXPECT_EQ(editor.text(), "[other]\na = 1\n[last]\nb = 2\n");
}

TEST(TextEditor, InlineArraysAreRefused) {
  TextEditor editor = open("runners = [{name = \"x\"}]\n");
  EXPECT_EQ(editor.remove_element("runners", 0).error().kind(), base::ErrorKind::kInvalidInput);
  EXPECT_FALSE(editor.append("[[runners]]\n  name = \"y\"\n"));
  EXPECT_EQ(editor.text(), "runners = [{name = \"x\"}]\n");
}

TEST(TextEditor, SetsOneValue) {
  TextEditor editor = open(kText);
  ASSERT_TRUE(editor.set({{"runners", 0}}, "token", quote("glrt-new")));
  EXPECT_EQ(editor.text(), base::replace_all(kText, "'$TOKEN'", "\"glrt-new\""));
  ASSERT_TRUE(editor.set({{"runners", 1}, {"docker", {}}, {"services", 1}}, "name", "\"valkey\""));
  EXPECT_TRUE(editor.text().contains("name = \"valkey\"\n\n[session_server]"));
}

TEST(TextEditor, InsertsAfterTheLastKeyOfTheTable) {
  TextEditor editor = open(kText);
  ASSERT_TRUE(editor.set({{"runners", 0}}, "limit", "2"));
  EXPECT_EQ(editor.text(), base::replace_all(kText, "'$TOKEN'\n", "'$TOKEN'\n  limit = 2\n"));
  ASSERT_TRUE(editor.remove({{"runners", 0}}, "limit"));
  EXPECT_EQ(editor.text(), kText);
  ASSERT_TRUE(editor.set({}, "check_interval", "1"));
  EXPECT_EQ(editor.text(), base::replace_all(kText, "# four\n", "# four\ncheck_interval = 1\n"));
  EXPECT_EQ(editor.set({{"nothing", {}}}, "a", "1").error().kind(), base::ErrorKind::kNotFound);
}

TEST(TextEditor, SetWithoutAFinalNewline) {
  TextEditor editor = open("[t]\na = 1");
  ASSERT_TRUE(editor.set({{"t", {}}}, "b", "2"));
  EXPECT_EQ(editor.text(), "[t]\na = 1\nb = 2");
  TextEditor empty = open("");
  ASSERT_TRUE(empty.set({}, "b", "2"));
  EXPECT_EQ(empty.text(), "b = 2\n");
}

TEST(TextEditor, AppendsAfterABlankLine) {
  TextEditor editor = open("a = 1");
  ASSERT_TRUE(editor.append("[[runners]]\n  name = \"y\"\n"));
  EXPECT_EQ(editor.text(), "a = 1\n\n[[runners]]\n  name = \"y\"\n");
  TextEditor empty = open("");
  ASSERT_TRUE(empty.append("b = 1\n"));
  EXPECT_EQ(empty.text(), "b = 1\n");
}

TEST(TextEditor, KeepsWindowsLineEnds) {
  TextEditor editor = open("a = 1\r\n\r\n[[runners]]\r\nname = \"x\"\r\n");
  ASSERT_TRUE(editor.append("[[runners]]\n  name = \"y\"\n"));
  EXPECT_EQ(editor.text(), "a = 1\r\n\r\n[[runners]]\r\nname = \"x\"\r\n\r\n[[runners]]\r\n  name = \"y\"\r\n");
  ASSERT_TRUE(editor.remove_element("runners", 0));
  EXPECT_EQ(editor.text(), "a = 1\r\n\r\n[[runners]]\r\n  name = \"y\"\r\n");
}

// ---- properties over generated files ------------------------------------------------------------------------------

// Something that is legal between two sections or two keys.
rc::Gen<std::string> filler() {
  return rc::gen::element<std::string>("", "", "\n", "# note\n", "\n# [[runners]]\n\n", "   # name = \"x\"\n", "\n\n",
                                       "\t\n");
}

std::string random_pair(int number) {
  const auto value = *rc::gen::element<std::string>("1", "\"text # no\"", "'''\n[[runners]]\n'''", "[1, # one\n  2,\n]",
                                                    "{ a = 1, b = \"}\" }", "true", "2020-01-01 10:10:10Z",
                                                    "\"\"\"a\\\"\"\"\"\"\"", "0.5", "[ { x = [ \"]\" ] } ]");
  const auto indent = *rc::gen::element<std::string>("", "  ", "\t");
  const auto comment = *rc::gen::element<std::string>("", " # c", "   #[x]");
  return fmt::format("{}key{} = {}{}\n", indent, number, value, comment);
}

struct Generated {
  std::string text;
  std::size_t runners = 0;
};

Generated random_file(int fewest_runners = 0) {
  Generated out;
  int number = 0;
  const auto pairs = [&] {
    const int count = *rc::gen::inRange(0, 4);
    for (int i = 0; i < count; ++i) out.text += *filler() + random_pair(number++);
  };
  pairs();
  out.runners = static_cast<std::size_t>(*rc::gen::inRange(fewest_runners, 4));
  for (std::size_t i = 0; i < out.runners; ++i) {
    out.text += *filler() + *rc::gen::element<std::string>("[[runners]]\n", "  [[ runners ]] # here\n");
    pairs();
    if (*rc::gen::arbitrary<bool>()) {
      out.text += *filler() + "[runners.docker]\n";
      pairs();
    }
    if (*rc::gen::arbitrary<bool>()) {
      out.text += *filler() + "  [[runners.services]]\n" + random_pair(number++) + "[[runners.services]]\n";
    }
    if (*rc::gen::arbitrary<bool>()) out.text += fmt::format("{}[table{}]\nx = 1\n", *filler(), number++);
  }
  out.text += *filler();
  return out;
}

bool is_subsequence(const std::string& part, const std::string& whole) {
  std::size_t at = 0;
  const std::vector<std::string> lines = base::split(whole, '\n');
  for (const std::string& line : base::split(part, '\n')) {
    while (at < lines.size() && lines[at] != line) ++at;
    if (at == lines.size()) return false;
    ++at;
  }
  return true;
}

TEST(TextEditorProperties, RemovingOnlyRemoves) {
  EXPECT_TRUE(rc::check("what stays is as it was", [] {
    const Generated file = random_file(1);
    auto editor = TextEditor::open(file.text, "generated");
    RC_ASSERT(editor.has_value());
    const auto index = static_cast<std::size_t>(*rc::gen::inRange(0, static_cast<int>(file.runners)));
    const auto status = editor->remove_element("runners", index);
    if (!status) RC_FAIL(status.error().message() + "\n" + file.text);
    RC_ASSERT(is_subsequence(editor->text(), file.text));
  }));
}

TEST(TextEditorProperties, SettingChangesOneRange) {
  EXPECT_TRUE(rc::check("bytes elsewhere stay", [] {
    const Generated file = random_file();
    auto editor = TextEditor::open(file.text, "generated");
    RC_ASSERT(editor.has_value());
    TablePath path;
    if (file.runners > 0)
      path = {{"runners", static_cast<std::size_t>(*rc::gen::inRange(0, static_cast<int>(file.runners)))}};
    const auto key = fmt::format("key{}", *rc::gen::inRange(0, 12));
    const auto status = editor->set(path, key, "\"new value\"");
    if (!status) RC_FAIL(status.error().message() + "\n" + file.text);
    const std::string& after = editor->text();
    const std::size_t at = after.find("\"new value\"");
    RC_ASSERT(at != std::string::npos);
    const std::size_t end = at + std::string_view("\"new value\"").size();
    // What stands before and after the value is a prefix and a suffix of the old text, but for the key of a new line.
    const std::string suffix = after.substr(end);
    RC_ASSERT(file.text.ends_with(suffix) || file.text.ends_with(suffix.substr(suffix.starts_with('\n') ? 1 : 0)));
    const std::size_t line = after.rfind('\n', at) == std::string::npos ? 0 : after.rfind('\n', at) + 1;
    RC_ASSERT(file.text.starts_with(after.substr(0, line)) || file.text + "\n" == after.substr(0, line));
  }));
}

TEST(TextEditorProperties, AppendKeepsEverything) {
  EXPECT_TRUE(rc::check("the old text is a prefix", [] {
    const Generated file = random_file();
    auto editor = TextEditor::open(file.text, "generated");
    RC_ASSERT(editor.has_value());
    RC_ASSERT(editor->append("[[runners]]\n  name = \"n\"\n").has_value());
    RC_ASSERT(editor->text().starts_with(file.text));
    RC_ASSERT(parse_document(editor->text())->find("runners")->array.size() == file.runners + 1);
  }));
}

} // namespace
} // namespace toml
