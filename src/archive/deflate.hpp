// Deflate in pieces: a long stream is cut into chunks that are compressed independently (by several threads) and
// joined.
//
// Private to the writers. libdeflate is fast but ends every stream; to join two, the last block of the first has its
// "final" bit cleared and an empty stored block fills up the byte. One Deflater per thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct libdeflate_compressor;

namespace archive {

// Where a complete deflate stream's last block begins, and where the stream ends, in bits. nullopt: malformed.
// The bytes must be followed by 8 readable ones.
struct DeflateEnd {
  std::size_t last_block = 0;
  std::size_t end = 0;
};
std::optional<DeflateEnd> find_deflate_end(const unsigned char* stream, std::size_t size);

class Deflater {
 public:
  explicit Deflater(int level); // libdeflate's 1..12
  Deflater(Deflater&&) noexcept = default;
  ~Deflater();

  // A complete stream, appended to `out`; false (and `out` unchanged) when it would not be smaller than the input.
  bool compress_whole(std::string_view in, std::string& out);
  // A piece of a stream, ending on a byte; `last` ends the stream. Appended to `out`.
  void compress_piece(std::string_view in, bool last, std::string& out);

 private:
  bool looks_random(std::string_view in);
  struct Free {
    void operator()(libdeflate_compressor* compressor) const;
  };
  std::unique_ptr<libdeflate_compressor, Free> compressor_;
  std::unique_ptr<libdeflate_compressor, Free> probe_;
  std::string buffer_;
};

// CRC-32 by the fastest means of this processor.
std::uint32_t fast_crc32(std::uint32_t previous, std::string_view bytes);
// Of two pieces joined, from those of each.
std::uint32_t join_crc32(std::uint32_t first, std::uint32_t second, std::uint64_t second_size);

} // namespace archive
