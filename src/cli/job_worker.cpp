// `job-worker DIR`: the job in that directory, in this process.
#include "cli/command.hpp"
#include "job/worker.hpp"

namespace cli {

int run_job_worker(const GlobalOptions& global, const Arguments& arguments) {
  Options options;
  const Parsed parsed = parse_options(global, "job-worker", options, arguments);
  if (parsed.leave) return parsed.status;
  if (parsed.positional.size() != 1) return fatal("job-worker needs one argument, the job directory");
  return job::worker_main(parsed.positional.front());
}

} // namespace cli
