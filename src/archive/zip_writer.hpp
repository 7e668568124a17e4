// write_zip and write_gzip: the formats behind write_archive (archive/writer.hpp). Private to the module.
#pragma once

#include "archive/writer.hpp"

namespace archive {

base::Status write_zip(const std::vector<SourceFile>& files, const Output& output, const WriteOptions& options);
base::Status write_gzip(const std::vector<SourceFile>& files, const Output& output, const WriteOptions& options);

} // namespace archive
