// links: archive sys base
// A zip file out of anybody's hands: its directory, and every entry of moderate size.

#include <sys/mman.h>
#include <unistd.h>

#include "archive/zip_reader.hpp"
#include "sys/fd.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  sys::Fd fd(::memfd_create("zip", MFD_CLOEXEC));
  if (!fd || !sys::write_all(fd.get(), {reinterpret_cast<const char*>(data), size})) return 0;
  auto reader = archive::ZipReader::open(fd.get());
  if (!reader) return 0;
  for (const archive::ZipEntry& entry : reader->entries()) (void)reader->read_all(entry, 1 << 20);
  return 0;
}
