#include "coordinator/web/headers.hpp"

#include <algorithm>

#include "base/strings.hpp"

namespace coordinator::web {
namespace {

constexpr std::size_t kLongestRedirect = 2048;

// Everything comes from here, scripts and styles from files only, nobody frames us.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src "
    "'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

bool plain(unsigned char c) { return c > 0x20 && c < 0x7f && c != '\\' && c != '"' && c != '<' && c != '>'; }

bool begins_with_path(std::string_view target, std::string_view path) {
  return target.starts_with(path) &&
         (target.size() == path.size() || std::string_view("/?#").contains(target[path.size()]));
}

} // namespace

void add_security_headers(bool https, net::Headers& headers) {
  headers.set("Content-Security-Policy", kPolicy);
  headers.set("X-Content-Type-Options", "nosniff");
  headers.set("X-Frame-Options", "DENY");
  headers.set("Referrer-Policy", "same-origin");
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  headers.set("Permissions-Policy",
              "accelerometer=(), camera=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), payment=(), "
              "usb=()");
  if (https) headers.set("Strict-Transport-Security", "max-age=31536000");
}

std::string safe_redirect(std::string_view target) {
  const bool ours = !target.empty() && target.size() <= kLongestRedirect && target[0] == '/' &&
                    !target.starts_with("//") && std::ranges::all_of(target, [](char c) { return plain(c); });
  if (!ours) return "/";
  // Decoded, it must not turn into what was refused above (a proxy or the browser may decode once more).
  const auto decoded = base::percent_decode(target.substr(0, target.find_first_of("?#")));
  const bool still = !decoded.starts_with("//") &&
                     std::ranges::none_of(decoded, [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '\\'; });
  if (!still) return "/";
  for (const auto nowhere : {"/users/sign_in", "/api", "/-/web", "/-/assets"}) {
    if (begins_with_path(decoded, nowhere)) return "/";
  }
  return std::string(target);
}

std::string sign_in_location(std::string_view target) {
  const auto safe = safe_redirect(target);
  return safe == "/" ? "/users/sign_in" : "/users/sign_in?redirect_to=" + base::percent_encode(safe);
}

} // namespace coordinator::web
