#include "net/curl_library.hpp"

#include <dlfcn.h>

#include <string>

namespace net {
namespace {

base::Result<CurlApi> open_library() {
  void* library = nullptr;
  for (const char* name : {"libcurl.so.4", "libcurl-gnutls.so.4"}) {
    library = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
    if (library != nullptr) break;
  }
  if (library == nullptr) {
    const char* reason = dlerror();
    return base::fail(base::ErrorKind::kSystem,
                      std::string("cannot open libcurl.so.4 (install libcurl4): ") + (reason ? reason : "unknown"));
  }
  CurlApi api{};
  std::string missing;
  auto load = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    if (function == nullptr) missing = name;
  };
  load(api.global_init, "curl_global_init");
  load(api.easy_init, "curl_easy_init");
  load(api.easy_setopt, "curl_easy_setopt");
  load(api.easy_getinfo, "curl_easy_getinfo");
  load(api.easy_cleanup, "curl_easy_cleanup");
  load(api.easy_reset, "curl_easy_reset");
  load(api.easy_strerror, "curl_easy_strerror");
  load(api.multi_init, "curl_multi_init");
  load(api.multi_cleanup, "curl_multi_cleanup");
  load(api.multi_setopt, "curl_multi_setopt");
  load(api.multi_add_handle, "curl_multi_add_handle");
  load(api.multi_remove_handle, "curl_multi_remove_handle");
  load(api.multi_perform, "curl_multi_perform");
  load(api.multi_poll, "curl_multi_poll");
  load(api.multi_wakeup, "curl_multi_wakeup");
  load(api.multi_info_read, "curl_multi_info_read");
  load(api.slist_append, "curl_slist_append");
  load(api.slist_free_all, "curl_slist_free_all");
  if (!missing.empty()) return base::fail(base::ErrorKind::kSystem, "libcurl lacks " + missing + "; 7.80 is needed");
  if (api.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return base::fail(base::ErrorKind::kSystem, "libcurl cannot be initialised");
  return api;
}

} // namespace

base::Result<const CurlApi*> curl_api() {
  static const base::Result<CurlApi> api = open_library();
  if (!api) return base::fail(api.error());
  return &*api;
}

} // namespace net
