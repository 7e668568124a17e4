// TestZip: zip files made by hand, honest ones and others. For tests only.
#pragma once

#include <zlib.h>

#include <string>
#include <string_view>
#include <vector>

#include "archive/zip_format.hpp"
#include "base/hash.hpp"

namespace coordinator::objects {

class TestZip {
 public:
  TestZip& add(std::string name, std::string_view content) {
    return append(std::move(name), content, std::string(content), archive::zip::kStore);
  }
  TestZip& add_deflated(std::string name, std::string_view content) {
    z_stream stream{};
    deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
    std::string packed(deflateBound(&stream, content.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
    stream.avail_in = static_cast<uInt>(content.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    deflate(&stream, Z_FINISH);
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    return append(std::move(name), content, packed, archive::zip::kDeflate);
  }
  // A further name for the bytes of the last entry.
  TestZip& again(std::string name) {
    Entry entry = entries_.back();
    entry.name = std::move(name);
    entries_.push_back(entry);
    return *this;
  }
  // Of the last entry, in the directory only.
  TestZip& mode(unsigned mode) { return entries_.back().mode = mode, *this; }
  TestZip& flags(unsigned flags) { return entries_.back().flags = flags, *this; }
  TestZip& method(unsigned method) { return entries_.back().method = method, *this; }
  TestZip& claim_size(std::uint64_t size) { return entries_.back().size = size, *this; }
  TestZip& claim_packed(std::uint64_t size) { return entries_.back().packed = size, *this; }
  TestZip& claim_crc(std::uint32_t crc) { return entries_.back().crc = crc, *this; }

  std::string bytes() const {
    using namespace archive::zip;
    std::string out = data_;
    for (const Entry& entry : entries_) {
      put32(out, kCentralHeader);
      put16(out, kCreatorUnix << 8 | 20), put16(out, 20), put16(out, entry.flags), put16(out, entry.method);
      put16(out, 0), put16(out, 0x5a21); // 2025-01-01
      put32(out, entry.crc), put32(out, entry.packed), put32(out, entry.size);
      put16(out, entry.name.size()), put16(out, 0), put16(out, 0), put16(out, 0), put16(out, 0);
      put32(out, static_cast<std::uint64_t>(entry.mode) << 16), put32(out, entry.offset);
      out += entry.name;
    }
    std::size_t size = out.size() - data_.size();
    put32(out, kEnd), put16(out, 0), put16(out, 0), put16(out, entries_.size()), put16(out, entries_.size());
    put32(out, size), put32(out, data_.size()), put16(out, 0);
    return out;
  }

 private:
  struct Entry {
    std::string name;
    unsigned mode = 0100644, flags = 0, method = 0;
    std::uint32_t crc = 0;
    std::uint64_t packed = 0, size = 0, offset = 0;
  };
  TestZip& append(std::string name, std::string_view content, const std::string& packed, unsigned method) {
    using namespace archive::zip;
    Entry entry{.name = std::move(name),
                .method = method,
                .crc = base::crc32(content),
                .packed = packed.size(),
                .size = content.size(),
                .offset = data_.size()};
    put32(data_, kLocalHeader), put16(data_, 20), put16(data_, 0), put16(data_, method), put32(data_, 0);
    put32(data_, entry.crc), put32(data_, entry.packed), put32(data_, entry.size);
    put16(data_, entry.name.size()), put16(data_, 0);
    data_ += entry.name + packed;
    entries_.push_back(std::move(entry));
    return *this;
  }
  std::string data_;
  std::vector<Entry> entries_;
};

} // namespace coordinator::objects
