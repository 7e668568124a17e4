#include "gitlab/system_id.hpp"

#include <algorithm>

#include "base/hash.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "sys/files.hpp"
#include "sys/host.hpp"

namespace gitlab {

namespace {

bool is_ascii_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

} // namespace

bool is_valid_system_id(std::string_view text) {
  constexpr std::size_t kRandomPart = 12;
  return text.size() == 2 + kRandomPart && (text[0] == 's' || text[0] == 'r') && text[1] == '_' &&
         std::all_of(text.begin() + 2, text.end(), is_ascii_alphanumeric);
}

std::string generate_system_id(const std::optional<std::string>& machine_id) {
  if (!machine_id || machine_id->empty()) return "r_" + base::random_alphanumeric(12);
  // Upstream's key derivation: the machine id itself never leaves the machine.
  return "s_" + base::hex_encode(base::hmac_sha256(*machine_id, "gitlab-runner")).substr(0, 12);
}

std::string system_id_path(const std::string& config_path) {
  return sys::join_path(sys::parent_path(config_path), ".runner_system_id");
}

base::Result<std::string> load_system_id(const std::string& config_path) {
  const std::string path = system_id_path(config_path);
  const auto content = sys::read_file(path);
  if (content) {
    const std::string id(base::trim(*content));
    if (is_valid_system_id(id)) return id;
  } else if (content.error().kind() != base::ErrorKind::kNotFound) {
    return base::fail_context("reading the system ID", content.error());
  }

  std::string id = generate_system_id(sys::machine_id());
  base::log::info("Created missing unique system ID", {{"system_id", id}});
  base::Status written = sys::make_directories(sys::parent_path(path), 0700);
  if (written) written = sys::atomic_write_file(path, id, 0600);
  if (!written) {
    base::log::warning(
        "Couldn't save new system ID on state file. Write `system_id` into the file `state_file`, else "
        "the server takes this runner for a new machine at each start.",
        {{"state_file", path}, {"system_id", id}, {"error", written.error().message()}});
  }
  return id;
}

} // namespace gitlab
