// testdata/NAME.yml → testdata/NAME.json. UPDATE_GOLDEN=1 rewrites the expectations; read the diff before committing
// it.
//
// The first lines of a file may set the context: `#: source=web ref=v1 type=tag protected changed=a,b var=KEY=VALUE`.
// A folder testdata/NAME/ holds the project's other files.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/strings.hpp"
#include "ci/compile.hpp"
#include "ci/payload.hpp"
#include "ci/testing.hpp"

namespace ci {
namespace {
namespace fs = std::filesystem;

std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

void apply_setting(const std::string& word, Context& context) {
  std::size_t equals = word.find('=');
  std::string key = word.substr(0, equals);
  std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
  if (key == "source") context.pipeline.source = value;
  if (key == "ref") context.pipeline.ref = value;
  if (key == "type") context.pipeline.ref_type = value == "tag" ? RefType::kTag : RefType::kMergeRequest;
  if (key == "protected") context.pipeline.ref_protected = true;
  if (key == "changed") context.changed_paths = value.empty() ? std::vector<std::string>() : base::split(value, ',');
  if (key == "var") {
    std::size_t second = value.find('=');
    context.variables.project.push_back({.key = value.substr(0, second), .value = value.substr(second + 1)});
  }
}

Context context_of(const std::string& text) {
  Context context = test_context();
  for (const std::string& line : base::split(text, '\n')) {
    if (!line.starts_with("#:")) break;
    for (const std::string& word : base::split_fields(std::string_view(line).substr(2))) apply_setting(word, context);
  }
  return context;
}

json::Value texts(const std::vector<Diagnostic>& diagnostics) {
  json::Array list;
  for (const Diagnostic& diagnostic : diagnostics) list.emplace_back(diagnostic.text());
  return list;
}

json::Value payload_of(const Job& job, const Context& context) {
  json::Value out = json::Value::object({{"steps", steps_json(job, 3600)},
                                         {"image", image_json(job)},
                                         {"services", services_json(job)},
                                         {"artifacts", artifacts_json(job)},
                                         {"cache", cache_json(job, context.project, context.pipeline.ref_protected)},
                                         {"hooks", hooks_json(job)}});
  return out;
}

std::string compiled(const fs::path& path) {
  std::string text = slurp(path);
  Context context = context_of(text);
  MemoryFiles files;
  fs::path tree = fs::path(path).replace_extension();
  if (fs::is_directory(tree))
    for (const auto& entry : fs::recursive_directory_iterator(tree))
      if (entry.is_regular_file()) files.files[fs::relative(entry.path(), tree).string()] = slurp(entry.path());
  Compiled result = compile({.text = text, .path = path.filename().string(), .files = &files}, context);
  static constexpr const char* kOutcomes[] = {"created", "filtered", "empty", "invalid"};
  json::Value out = json::Value::object({{"outcome", kOutcomes[static_cast<int>(result.outcome)]}});
  if (!result.message.empty()) out.set("message", result.message);
  if (!result.errors.empty()) out.set("errors", texts(result.errors));
  if (!result.warnings.empty()) out.set("warnings", texts(result.warnings));
  if (result.outcome != Outcome::kInvalid) out.set("pipeline", to_json(result.pipeline));
  for (const Job& job : result.pipeline.jobs) {
    auto back = job_from_json(to_json(job));
    EXPECT_TRUE(back && *back == job) << "stored and read back: " << job.name;
    if (text.find("payload") < 200) out.set("payload of " + job.name, payload_of(job, context));
  }
  return out.dump(2) + "\n";
}

// The whole files are too long to read in a failure.
std::string first_difference(const std::string& actual, const std::string& expected) {
  auto have = base::split(actual, '\n');
  auto want = base::split(expected, '\n');
  for (std::size_t i = 0; i < std::max(have.size(), want.size()); ++i) {
    std::string a = i < have.size() ? have[i] : "(end)";
    std::string b = i < want.size() ? want[i] : "(end)";
    if (a != b) return "line " + std::to_string(i + 1) + ": " + a + " instead of " + b;
  }
  return "";
}

std::vector<fs::path> cases() {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(FORERUNNER_CI_TESTDATA))
    if (entry.path().extension() == ".yml") paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

class Golden : public testing::TestWithParam<fs::path> {};

TEST_P(Golden, CompilesAsBefore) {
  std::string actual = compiled(GetParam());
  fs::path expected = fs::path(GetParam()).replace_extension(".json");
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    std::ofstream(expected, std::ios::binary) << actual;
    return;
  }
  EXPECT_EQ(first_difference(actual, slurp(expected)), "") << GetParam() << ": UPDATE_GOLDEN=1 rewrites it";
}

INSTANTIATE_TEST_SUITE_P(Files, Golden, testing::ValuesIn(cases()), [](const auto& test) {
  return base::replace_all(base::replace_all(test.param.stem().string(), "-", "_"), ".", "_");
});
} // namespace
} // namespace ci
