// The worker: one job, from the job directory to a journaled result.
//
// A process of its own (forked by the spawner, or `forerunner job-worker DIR`); the job runs on the calling thread in a
// straight line, beside it the log pump and the control channel each on a thread.
#pragma once

#include <string>

namespace job {

// 0 when a result was journaled, 1 when the directory could not be used at all (the manager then reports the job).
int worker_main(const std::string& job_directory);

} // namespace job
