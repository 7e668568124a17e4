// links: ci yaml json base
// Any bytes as a pipeline file: a pipeline that can be stored and processed, or errors.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "ci/compile.hpp"
#include "ci/payload.hpp"
#include "ci/status.hpp"

namespace {
class OneFile final : public ci::ProjectFiles {
 public:
  explicit OneFile(std::string text) : text_(std::move(text)) {}
  base::Result<std::string> read(std::string_view) override { return text_; }
  base::Result<std::vector<std::string>> list() override { return std::vector<std::string>{"a.yml", "src/b.c"}; }
  base::Result<std::optional<std::string>> blob_id(std::string_view) override { return "b10b"; }
  base::Result<std::optional<std::string>> last_commit(std::string_view) override { return std::nullopt; }
  base::Result<std::vector<std::string>> changed_since(std::string_view) override {
    return std::vector<std::string>{"src/b.c"};
  }

 private:
  std::string text_;
};
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  OneFile files(text.substr(0, text.find("\n---\n")));
  ci::Context context;
  context.server.url = "http://localhost";
  context.pipeline.ref = "main";
  context.changed_paths = {"src/b.c", "docs/x/y.md"};
  ci::Compiled result = ci::compile({.text = text, .files = &files}, context);
  if ((result.outcome == ci::Outcome::kInvalid) != !result.errors.empty()) std::abort();
  if (result.outcome != ci::Outcome::kCreated) return 0;
  std::vector<ci::JobState> states;
  for (const ci::Job& job : result.pipeline.jobs) {
    auto back = ci::job_from_json(ci::to_json(job));
    if (!back || !(*back == job)) std::abort();
    (void)ci::job_variables(job, context, {});
    (void)ci::artifacts_json(job).dump();
    (void)ci::cache_json(job, context.project, false).dump();
    states.push_back(ci::job_state(job));
  }
  // Every job succeeds or fails in turn: nothing may be left undecided but what waits for a person or the clock.
  for (std::size_t round = 0; round <= states.size(); ++round) {
    for (const ci::Transition& transition : ci::process(states)) states[transition.job].status = transition.to;
    for (ci::JobState& job : states)
      if (job.status != ci::Status::kCreated && !ci::is_complete(job.status))
        job.status = round % 3 == 0 ? ci::Status::kFailed : ci::Status::kSuccess;
  }
  for (const ci::JobState& job : states)
    if (!ci::is_complete(job.status)) std::abort();
  return 0;
}
