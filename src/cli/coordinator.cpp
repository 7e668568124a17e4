// `coordinator`: the server half.
#include "cli/command.hpp"
#include "coordinator/server.hpp"
#include "sys/files.hpp"
#include "sys/host.hpp"

std::string_view forerunner_pages(); // of the library that cmake/Web.cmake makes

namespace cli {

namespace {

std::string default_data_directory() {
  if (sys::is_root()) return "/var/lib/forerunner";
  return sys::join_path(sys::home_directory(), ".local/share/forerunner");
}

} // namespace

int run_coordinator(const GlobalOptions& global, const Arguments& arguments) {
  coordinator::Options o;
  o.data_dir = default_data_directory();
  o.pages = forerunner_pages();
  Options options;
  options.text("listen", "FORERUNNER_LISTEN", "Address and port to serve", &o.listen);
  options.text("data-dir", "FORERUNNER_DATA_DIR", "Directory of the database, repositories and artifacts", &o.data_dir);
  options.text("object-store", "FORERUNNER_OBJECT_STORE",
               "Artifacts and logs: a folder, or s3://bucket/prefix?region=… (default: below the data directory)",
               &o.object_store);
  options.text("external-url", "FORERUNNER_EXTERNAL_URL", "URL under which users and runners reach it",
               &o.external_url);
  if (const Parsed parsed = parse_options(global, "coordinator", options, arguments); parsed.leave) {
    return parsed.status;
  }
  return coordinator::run(o);
}

} // namespace cli
