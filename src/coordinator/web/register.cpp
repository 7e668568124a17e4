#include "coordinator/web/register.hpp"

namespace coordinator::web {

void register_web(Api& api, const std::shared_ptr<Work>& work) {
  (void)work;
  register_sign_in(api);
  register_context(api);
}

} // namespace coordinator::web
