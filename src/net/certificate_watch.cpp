#include "net/certificate_watch.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

namespace net {

bool CertificateWatch::changed(const TlsOptions& tls) {
  if (tls.ca_file.empty() && tls.cert_file.empty()) return false;
  std::string state;
  for (const auto* path : {&tls.ca_file, &tls.cert_file, &tls.key_file}) {
    struct stat info{};
    if (path->empty() || stat(path->c_str(), &info) != 0) info = {};
    state += fmt::format("{}.{}:{}:{};", info.st_mtim.tv_sec, info.st_mtim.tv_nsec, info.st_size, info.st_ino);
  }
  auto [entry, is_new] = seen_.try_emplace(tls.ca_file + '\n' + tls.cert_file + '\n' + tls.key_file, state);
  if (is_new || entry->second == state) return false;
  entry->second = std::move(state);
  return true;
}

} // namespace net
