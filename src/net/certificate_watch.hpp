// CertificateWatch: notices that a certificate file changed, so that the next request makes a new connection, as
// upstream's client does. Internal to net; belongs to one client.
#pragma once

#include <map>
#include <string>

#include "net/http_client.hpp"

namespace net {

class CertificateWatch {
 public:
  // True when one of the files is newer than at the last request with the same options.
  bool changed(const TlsOptions& tls);

 private:
  std::map<std::string, std::string> seen_; // file names -> their times and sizes
};

} // namespace net
