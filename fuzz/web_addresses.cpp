// links: coordinator
// Addresses that a browser was given by anybody: which page they are, where a sign-in may lead, cursors, ranges.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "coordinator/params.hpp"
#include "coordinator/web/headers.hpp"
#include "coordinator/web/routes.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (auto page = coordinator::web::parse_page(text); page && page->rule == nullptr && !page->any_namespace)
    std::abort();
  (void)coordinator::web::as_group(text);
  const auto safe = coordinator::web::safe_redirect(text);
  if (!safe.starts_with('/') || safe.starts_with("//") || safe.find_first_of("\\\r\n\t") != std::string::npos)
    std::abort();
  const auto location = coordinator::web::sign_in_location(text);
  if (!location.starts_with("/users/sign_in")) std::abort();
  net::Request request;
  request.query = {{"pagination", "keyset"}, {"cursor", text}, {"page", text}, {"per_page", text}};
  if (auto params = coordinator::Params::parse(request)) {
    (void)coordinator::read_keyset(*params);
    (void)coordinator::read_page(*params);
  }
  return 0;
}
