// The status machine: what state a set of jobs is in, which jobs may start, which are skipped, what is retried.
//
// Pure functions over the latest (non-retried) rows of one pipeline. The caller serialises them per pipeline, applies
// the transitions, and calls process() again after each change of a job's status until it returns nothing.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ci/pipeline.hpp"

namespace ci {

enum class Status {
  kCreated,
  kWaitingForResource,
  kPreparing,
  kWaitingForCallback,
  kPending,
  kRunning,
  kCanceling,
  kSuccess,
  kFailed,
  kCanceled,
  kSkipped,
  kManual,
  kScheduled,
};
std::string_view to_string(Status status); // GitLab's names: waiting_for_resource …
std::optional<Status> parse_status(std::string_view text);

bool is_complete(Status status); // success failed canceled skipped
bool is_active(Status status);   // waiting_for_resource preparing waiting_for_callback pending running
bool is_alive(Status status);    // created, canceling and the active ones: something will still happen by itself

struct JobState {
  std::string name;
  int stage_index = 0;
  Status status = Status::kCreated;
  bool allow_failure = false;
  When when = When::kOnSuccess;
  std::optional<std::vector<std::string>> needs; // names; nullopt: ordered by stages
};
JobState job_state(const Job& job); // a fresh one, kCreated

struct Composite {
  Status status = Status::kSuccess;
  bool warnings = false; // "passed with warnings" when status is kSuccess
};
// Of a stage or a pipeline; success when there are no jobs.
Composite composite(const std::vector<JobState>& jobs);
Composite stage_composite(const std::vector<JobState>& jobs, int stage_index);
// As seen by a job that needs exactly these (a skipped or unplayed optional job makes it kSkipped).
Composite needs_composite(const std::vector<JobState>& jobs);

struct Transition {
  std::size_t job = 0;          // index into the vector given
  Status to = Status::kPending; // kPending, kManual, kScheduled or kSkipped
  std::string reason;           // for a person: "stage build is failed"
};
// Decides every created job that can be decided, each decision being seen by those that follow.
std::vector<Transition> process(const std::vector<JobState>& jobs);

// Jobs that were skipped because of `job` (an index) and return to created when it comes alive again (played, retried).
std::vector<std::size_t> dependents_to_reset(const std::vector<JobState>& jobs, std::size_t job);

// The names on a cycle of needs, if there is one.
std::optional<std::vector<std::string>> find_cycle(const std::vector<JobState>& jobs);

// After a failure: run the job again? `attempts_so_far` counts rows already retried under that name.
bool should_retry(const Job& job, std::string_view failure_reason, std::optional<int> exit_code, int attempts_so_far);
// After a failure: does the job count as allowed to fail?
bool failure_allowed(const Job& job, std::optional<int> exit_code);

} // namespace ci
