// Headers that every page carries, and what may stand in a redirect. Pure.
#pragma once

#include <string>
#include <string_view>

#include "coordinator/app.hpp"
#include "net/headers.hpp"

namespace coordinator::web {

// Against framing, sniffing, foreign scripts and leaking addresses; HSTS for those who came by https.
void add_security_headers(bool https, net::Headers& headers);

// The path (with query) if it leads to a page of ours, else "/": no other origin, nothing a browser would read as one
// ("//x", "/\x"), no control characters, no API.
std::string safe_redirect(std::string_view target);
// "/users/sign_in?redirect_to=…" for a path with query.
std::string sign_in_location(std::string_view target);

} // namespace coordinator::web
