// The API's description of itself.
#include "coordinator/openapi.hpp"
#include "coordinator/rest/routes.hpp"

namespace coordinator::rest {

void register_openapi(Api& api) {
  for (const auto& [path, type] : {std::pair("/openapi.json", "application/json"),
                                   std::pair("/openapi.yaml", "application/yaml")}) { // JSON is YAML
    api.get(path,
            [&api, type](Call& call) -> Outcome<Reply> {
              return text_reply(200, openapi_document(api.endpoints(), call.app.url).dump(), type);
            },
            {.auth = Auth::kNone, .summary = "This document", .answers = "200:object"});
  }
}

} // namespace coordinator::rest
