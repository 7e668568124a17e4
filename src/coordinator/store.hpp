// The database's names as the coordinator uses them; see database/store.hpp. Its schema is schema.hpp's.
#pragma once

#include "database/store.hpp"

namespace coordinator {

using database::Bind;
using database::Binds;
using database::Row;
using database::Store;
using database::StoreOptions;
using database::Transaction;

} // namespace coordinator
