#include "archive/deflate.hpp"

#include <libdeflate.h>
#include <zlib.h>

#include <algorithm>

namespace archive {
namespace {
constexpr std::size_t kPadding = 8; // find_deflate_end reads in words

void append_stored(std::string_view in, bool last, std::string& out) {
  do {
    std::string_view part = in.substr(0, 65535);
    in.remove_prefix(part.size());
    out += static_cast<char>(last && in.empty() ? 1 : 0);
    auto length = static_cast<unsigned>(part.size());
    for (unsigned value : {length & 255, length >> 8, ~length & 255, (~length >> 8) & 255})
      out += static_cast<char>(value);
    out += part;
  } while (!in.empty());
}
} // namespace

void Deflater::Free::operator()(libdeflate_compressor* compressor) const { libdeflate_free_compressor(compressor); }

Deflater::Deflater(int level)
    : compressor_(libdeflate_alloc_compressor(level)), probe_(libdeflate_alloc_compressor(1)) {}
Deflater::~Deflater() = default;

bool Deflater::compress_whole(std::string_view in, std::string& out) {
  std::size_t before = out.size();
  if (in.size() > 1) {
    out.resize(before + in.size() - 1); // what does not fit is not smaller
    std::size_t made =
        libdeflate_deflate_compress(compressor_.get(), in.data(), in.size(), out.data() + before, in.size() - 1);
    out.resize(before + made);
    if (made > 0) return true;
  }
  out.resize(before);
  return false;
}

// Media files and archives inside archives: a quick look at two samples saves the whole attempt.
bool Deflater::looks_random(std::string_view in) {
  constexpr std::size_t kSample = 16 * 1024;
  if (in.size() < 8 * kSample) return false;
  buffer_.resize(kSample);
  for (std::size_t at : {in.size() / 8, in.size() / 2}) {
    std::string_view sample = in.substr(at, kSample);
    if (libdeflate_deflate_compress(probe_.get(), sample.data(), sample.size(), buffer_.data(), kSample * 31 / 32) > 0)
      return false;
  }
  return true;
}

void Deflater::compress_piece(std::string_view in, bool last, std::string& out) {
  if (in.empty() || looks_random(in)) return append_stored(in, last, out);
  buffer_.resize(in.size() + kPadding);
  auto* bytes = reinterpret_cast<unsigned char*>(buffer_.data());
  std::size_t made = libdeflate_deflate_compress(compressor_.get(), in.data(), in.size(), buffer_.data(), in.size());
  if (made == 0) return append_stored(in, last, out);
  if (last) {
    out.append(buffer_, 0, made);
    return;
  }
  std::fill_n(buffer_.begin() + static_cast<std::ptrdiff_t>(made), kPadding, '\0');
  auto end = find_deflate_end(bytes, made);
  if (!end) return append_stored(in, last, out);
  bytes[end->last_block / 8] &= static_cast<unsigned char>(~(1u << (end->last_block % 8)));
  // An empty stored block: three zero bits, padding, and its length. What libdeflate left in the last byte is zero.
  out.append(buffer_, 0, (end->end + 3 + 7) / 8);
  out.append("\x00\x00\xff\xff", 4);
}

std::uint32_t fast_crc32(std::uint32_t previous, std::string_view bytes) {
  return libdeflate_crc32(previous, bytes.data(), bytes.size());
}

std::uint32_t join_crc32(std::uint32_t first, std::uint32_t second, std::uint64_t second_size) {
  return static_cast<std::uint32_t>(crc32_combine64(first, second, static_cast<z_off64_t>(second_size)));
}

} // namespace archive
