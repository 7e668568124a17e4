// links: coordinator archive sys base
// A job's archive out of anybody's hands: listed, and its files found and unpacked, without leaving bounds.

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

#include "archive/zip_stream.hpp"
#include "coordinator/objects/archive_view.hpp"
#include "sys/fd.hpp"

namespace {

void unpack(const coordinator::objects::ArchiveView& view, const std::string& path) {
  auto entry = view.find(path);
  if (!entry) return;
  auto stream = view.stream(*entry);
  if (!stream) return;
  char buffer[4096];
  std::uint64_t made = 0;
  for (auto got = (*stream)->read(buffer, sizeof buffer); got && *got > 0 && made < 1 << 20;
       got = (*stream)->read(buffer, sizeof buffer))
    made += *got;
  if (made > entry->size) std::abort(); // more than the directory said
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  sys::Fd fd(::memfd_create("zip", MFD_CLOEXEC));
  if (!fd || !sys::write_all(fd.get(), {reinterpret_cast<const char*>(data), size})) return 0;
  auto source = archive::make_fd_byte_source(fd.get());
  if (!source) return 0;
  auto view = coordinator::objects::ArchiveView::open(std::move(*source));
  if (!view) return 0;
  (void)view->total();
  auto listing = view->list("");
  if (!listing) return 0;
  int left = 20;
  for (const auto& item : listing->items) {
    if (!coordinator::objects::browsable(item.path)) std::abort();
    if (left-- == 0) break;
    if (item.directory)
      (void)view->list(item.path);
    else
      unpack(*view, item.path);
  }
  return 0;
}
