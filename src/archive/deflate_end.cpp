// Walks a deflate stream (RFC 1951) without producing its output, to find the last block and the end.

#include <array>
#include <cstring>

#include "archive/deflate.hpp"

namespace archive {
namespace {

constexpr int kFastBits = 10;
constexpr int kMaxCode = 15;

// One code: what follows it (extra bits), whether a distance follows, how long it is.
struct Entry {
  std::uint8_t length = 0; // 0: longer than kFastBits, or no such code
  std::uint8_t skip = 0;   // length and extra bits together
  std::uint8_t kind = 0;
};
enum Kind : std::uint8_t { kLiteral, kEndOfBlock, kMatch, kInvalid };

std::uint8_t match_extra(unsigned symbol) { // 257..285
  if (symbol < 265 || symbol == 285) return 0;
  return static_cast<std::uint8_t>((symbol - 261) / 4);
}
std::uint8_t distance_extra(unsigned symbol) { return static_cast<std::uint8_t>(symbol < 4 ? 0 : symbol / 2 - 1); }

class Bits {
 public:
  Bits(const unsigned char* data, std::size_t size) : data_(data), size_(size) {}
  // At least 56 valid bits afterwards (zeros beyond the end, which position() gives away).
  void refill() {
    std::uint64_t next = 0;
    if (at_ < size_) std::memcpy(&next, data_ + at_, 8);
    bits_ |= next << count_;
    at_ += (63 - count_) >> 3;
    count_ |= 56;
  }
  std::uint64_t peek() const { return bits_; }
  unsigned count() const { return count_; }
  void skip(unsigned n) {
    bits_ >>= n;
    count_ -= n;
  }
  unsigned take(unsigned n) {
    auto value = static_cast<unsigned>(bits_ & ((1u << n) - 1));
    skip(n);
    return value;
  }
  std::size_t position() const { return at_ * 8 - count_; }
  bool overrun() const { return position() > size_ * 8; }
  // To the next byte, then `bytes` further.
  void jump(std::size_t bytes) {
    at_ = (position() + 7) / 8 + bytes;
    bits_ = 0;
    count_ = 0;
  }

 private:
  const unsigned char* data_;
  std::size_t size_;
  std::size_t at_ = 0;
  std::uint64_t bits_ = 0;
  unsigned count_ = 0;
};

class Codes {
 public:
  // False for lengths that are no prefix code. An incomplete code is allowed: one distance code alone is common.
  bool build(const std::uint8_t* lengths, unsigned count, bool literals) {
    std::array<unsigned, kMaxCode + 2> next{};
    counts_.fill(0);
    for (unsigned i = 0; i < count; ++i) ++counts_[lengths[i]];
    counts_[0] = 0;
    unsigned code = 0, offset = 0;
    for (int length = 1; length <= kMaxCode; ++length) {
      code = (code + counts_[length - 1]) << 1;
      next[length] = code;
      first_[length] = code;
      offsets_[length] = offset;
      offset += counts_[length];
      if (code + counts_[length] > (1u << length)) return false;
    }
    std::array<unsigned, kMaxCode + 1> fill = offsets_;
    fast_.fill(Entry{});
    for (unsigned symbol = 0; symbol < count; ++symbol) {
      unsigned length = lengths[symbol];
      if (length == 0) continue;
      Entry entry = entry_for(symbol, length, literals);
      symbols_[fill[length]++] = entry;
      unsigned value = next[length]++;
      if (length > kFastBits) continue;
      unsigned reversed = 0;
      for (unsigned bit = 0; bit < length; ++bit) reversed |= ((value >> bit) & 1) << (length - 1 - bit);
      for (unsigned at = reversed; at < (1u << kFastBits); at += 1u << length) fast_[at] = entry;
    }
    return true;
  }

  Entry find(std::uint64_t bits) const {
    Entry entry = fast_[bits & ((1u << kFastBits) - 1)];
    return entry.length != 0 ? entry : find_long(bits);
  }

 private:
  static Entry entry_for(unsigned symbol, unsigned length, bool literals) {
    unsigned extra = 0;
    Kind kind = kLiteral;
    if (literals) {
      if (symbol == 256) kind = kEndOfBlock;
      if (symbol > 256) {
        kind = symbol <= 285 ? kMatch : kInvalid;
        extra = match_extra(symbol);
      }
    } else {
      if (symbol > 29) kind = kInvalid;
      extra = distance_extra(symbol);
    }
    return {static_cast<std::uint8_t>(length), static_cast<std::uint8_t>(length + extra), kind};
  }
  Entry find_long(std::uint64_t bits) const {
    unsigned code = 0;
    for (int length = 1; length <= kMaxCode; ++length) {
      code = (code << 1) | static_cast<unsigned>((bits >> (length - 1)) & 1);
      if (code >= first_[length] && code - first_[length] < counts_[length])
        return symbols_[offsets_[length] + code - first_[length]];
    }
    return {1, 1, kInvalid};
  }

  std::array<Entry, 1u << kFastBits> fast_;
  std::array<Entry, 320> symbols_;
  std::array<unsigned, kMaxCode + 1> counts_{}, first_{}, offsets_{};
};

bool read_dynamic(Bits& bits, Codes& literals, Codes& distances) {
  bits.refill();
  unsigned literal_count = bits.take(5) + 257, distance_count = bits.take(5) + 1, length_count = bits.take(4) + 4;
  static constexpr std::uint8_t kOrder[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
  std::array<std::uint8_t, 19> order{};
  for (unsigned i = 0; i < length_count; ++i) {
    bits.refill();
    order[kOrder[i]] = static_cast<std::uint8_t>(bits.take(3));
  }
  // The code of the code lengths: 7 bits at most, so a plain table will do.
  std::array<std::uint8_t, 128> table{}, table_length{};
  unsigned code = 0;
  for (unsigned length = 1; length <= 7; ++length) {
    code <<= 1;
    for (unsigned symbol = 0; symbol < 19; ++symbol) {
      if (order[symbol] != length) continue;
      if (code >= (1u << length)) return false;
      unsigned reversed = 0;
      for (unsigned bit = 0; bit < length; ++bit) reversed |= ((code >> bit) & 1) << (length - 1 - bit);
      for (unsigned at = reversed; at < 128; at += 1u << length) {
        table[at] = static_cast<std::uint8_t>(symbol);
        table_length[at] = static_cast<std::uint8_t>(length);
      }
      ++code;
    }
  }
  std::array<std::uint8_t, 320> lengths{};
  unsigned filled = 0, total = literal_count + distance_count;
  while (filled < total) {
    bits.refill();
    if (bits.overrun()) return false;
    unsigned at = static_cast<unsigned>(bits.peek() & 127);
    if (table_length[at] == 0) return false;
    bits.skip(table_length[at]);
    unsigned symbol = table[at], repeat = 1;
    std::uint8_t value = static_cast<std::uint8_t>(symbol);
    if (symbol == 16) {
      if (filled == 0) return false;
      value = lengths[filled - 1];
      repeat = 3 + bits.take(2);
    } else if (symbol > 16) {
      value = 0;
      repeat = symbol == 17 ? 3 + bits.take(3) : 11 + bits.take(7);
    }
    if (filled + repeat > total) return false;
    while (repeat-- > 0) lengths[filled++] = value;
  }
  return literals.build(lengths.data(), literal_count, true) &&
         distances.build(lengths.data() + literal_count, distance_count, false);
}

void set_fixed(Codes& literals, Codes& distances) {
  std::array<std::uint8_t, 288> lengths;
  for (unsigned i = 0; i < 288; ++i) lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
  literals.build(lengths.data(), 288, true);
  lengths.fill(5);
  distances.build(lengths.data(), 30, false);
}

bool skip_symbols(Bits& bits, const Codes& literals, const Codes& distances) {
  while (true) {
    bits.refill();
    if (bits.overrun()) return false;
    while (bits.count() >= 48) { // a match takes 15 + 5 + 15 + 13 bits at most
      Entry entry = literals.find(bits.peek());
      bits.skip(entry.skip);
      if (entry.kind == kLiteral) continue;
      if (entry.kind == kEndOfBlock) return !bits.overrun();
      if (entry.kind == kInvalid) return false;
      Entry distance = distances.find(bits.peek());
      if (distance.kind == kInvalid) return false;
      bits.skip(distance.skip);
    }
  }
}

} // namespace

std::optional<DeflateEnd> find_deflate_end(const unsigned char* stream, std::size_t size) {
  Bits bits(stream, size);
  auto literals = std::make_unique<Codes>();
  auto distances = std::make_unique<Codes>();
  while (true) {
    std::size_t start = bits.position();
    bits.refill();
    bool last = bits.take(1) != 0;
    unsigned type = bits.take(2);
    if (bits.overrun() || type == 3) return std::nullopt;
    if (type == 0) {
      std::size_t at = (bits.position() + 7) / 8;
      if (at + 4 > size) return std::nullopt;
      std::size_t length = stream[at] | stream[at + 1] << 8;
      bits.jump(4 + length);
      if (bits.overrun()) return std::nullopt;
    } else {
      if (type == 1) set_fixed(*literals, *distances);
      if (type == 2 && !read_dynamic(bits, *literals, *distances)) return std::nullopt;
      if (!skip_symbols(bits, *literals, *distances)) return std::nullopt;
    }
    if (last) return DeflateEnd{start, bits.position()};
  }
}

} // namespace archive
