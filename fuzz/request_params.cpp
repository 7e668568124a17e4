// links: coordinator
// The body of an API request in each media type: parsed and read with every coercion.
#include <cstdint>
#include <string>

#include "coordinator/params.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  static constexpr const char* kTypes[] = {"application/json", "application/x-www-form-urlencoded",
                                           "multipart/form-data; boundary=b", ""};
  net::Request request;
  request.headers.set("Content-Type", kTypes[data[0] % 4]);
  request.body.assign(reinterpret_cast<const char*>(data) + 1, size - 1);
  auto params = coordinator::Params::parse(request);
  if (!params) return 0;
  for (const auto& name : params->unread()) {
    params->text(name);
    params->integer(name);
    params->boolean(name);
    params->list(name);
    params->date(name);
    params->one_of(name, {"a", "b"}, coordinator::Presence::kRequired);
  }
  (void)params->finish();
  (void)coordinator::read_page(*params);
  (void)coordinator::read_keyset(*params);
  return 0;
}
