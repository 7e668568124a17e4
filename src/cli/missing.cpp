// Commands whose module is not part of this build; CMakeLists.txt says which.
#include "cli/command.hpp"

namespace cli {

namespace {

[[maybe_unused]] int missing() { return fatal("this build was made without the module behind this command"); }

} // namespace

#if !FORERUNNER_HAS_MANAGER
int run_run(const GlobalOptions&, const Arguments&) { return missing(); }
int run_run_single(const GlobalOptions&, const Arguments&) { return missing(); }
#endif
#if !FORERUNNER_HAS_JOB
int run_job_worker(const GlobalOptions&, const Arguments&) { return missing(); }
#endif
#if !FORERUNNER_HAS_COORDINATOR
int run_coordinator(const GlobalOptions&, const Arguments&) { return missing(); }
#endif
#if !FORERUNNER_HAS_TRANSFER
int run_artifacts_uploader(const GlobalOptions&, const Arguments&) { return missing(); }
int run_artifacts_downloader(const GlobalOptions&, const Arguments&) { return missing(); }
int run_cache_archiver(const GlobalOptions&, const Arguments&) { return missing(); }
int run_cache_extractor(const GlobalOptions&, const Arguments&) { return missing(); }
int run_cache_init(const GlobalOptions&, const Arguments&) { return missing(); }
#endif

} // namespace cli
