// `coordinator`: the server half, and its `coordinator backup` and `coordinator restore`.
#include "base/log.hpp"
#include "cli/command.hpp"
#include "coordinator/backup.hpp"
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

void add_data_dir(Options& options, std::string& data_dir) {
  data_dir = default_data_directory();
  options.text("data-dir", "FORERUNNER_DATA_DIR", "Directory of the database, repositories and artifacts", &data_dir);
}

int finish(const base::Result<std::string>& note, std::string_view done, const std::string& where) {
  if (!note) return fatal(note.error());
  if (!note->empty()) base::log::warning(*note);
  base::log::info(done, {{"path", where}});
  return 0;
}

} // namespace

int run_coordinator(const GlobalOptions& global, const Arguments& arguments) {
  if (!arguments.empty()) {
    if (const Command* command = find_command("coordinator " + arguments.front())) {
      return command->run(global, {arguments.begin() + 1, arguments.end()});
    }
  }
  coordinator::Options o;
  o.pages = forerunner_pages();
  Options options;
  options.text("listen", "FORERUNNER_LISTEN", "Address and port to serve", &o.listen);
  add_data_dir(options, o.data_dir);
  options.text("object-store", "FORERUNNER_OBJECT_STORE",
               "Artifacts and logs: a folder, or s3://bucket/prefix?region=… (default: below the data directory)",
               &o.object_store);
  options.secret("database", "FORERUNNER_DATABASE",
                 "postgresql://… instead of a file in the data directory (better by the variable: it has a password)",
                 &o.database);
  options.text("external-url", "FORERUNNER_EXTERNAL_URL", "URL under which users and runners reach it",
               &o.external_url);
  options.text("trusted-proxies", "FORERUNNER_TRUSTED_PROXIES",
               "Reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed: addresses, networks, unix",
               &o.trusted_proxies);
  if (const Parsed parsed = parse_options(global, "coordinator", options, arguments); parsed.leave) {
    return parsed.status;
  }
  return coordinator::run(o);
}

int run_coordinator_backup(const GlobalOptions& global, const Arguments& arguments) {
  coordinator::BackupOptions backup;
  bool without_artifacts = false;
  bool without_logs = false;
  Options options;
  add_data_dir(options, backup.data_dir);
  options.text("to", "", "File to write (a zip archive); must not exist", &backup.file);
  options.flag("without-artifacts", "", "Leave out the files that jobs uploaded", &without_artifacts);
  options.flag("without-logs", "", "Leave out the logs of jobs", &without_logs);
  if (const Parsed parsed = parse_options(global, "coordinator backup", options, arguments); parsed.leave) {
    return parsed.status;
  }
  backup.artifacts = !without_artifacts;
  backup.logs = !without_logs;
  return finish(coordinator::back_up(backup), "backed up", backup.file);
}

int run_coordinator_restore(const GlobalOptions& global, const Arguments& arguments) {
  std::string data_dir;
  std::string file;
  Options options;
  add_data_dir(options, data_dir);
  options.text("from", "", "The back-up to restore", &file);
  if (const Parsed parsed = parse_options(global, "coordinator restore", options, arguments); parsed.leave) {
    return parsed.status;
  }
  return finish(coordinator::restore(file, data_dir), "restored", data_dir);
}

} // namespace cli
