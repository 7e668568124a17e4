// The numbers and byte order of zip files (APPNOTE.TXT 6.3), for writer and reader. Private to the module.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace archive::zip {

inline constexpr std::uint32_t kLocalHeader = 0x04034b50;
inline constexpr std::uint32_t kDescriptor = 0x08074b50;
inline constexpr std::uint32_t kCentralHeader = 0x02014b50;
inline constexpr std::uint32_t kEnd = 0x06054b50;
inline constexpr std::uint32_t kEnd64 = 0x06064b50;
inline constexpr std::uint32_t kEnd64Locator = 0x07064b50;

inline constexpr std::size_t kLocalHeaderSize = 30;
inline constexpr std::size_t kCentralHeaderSize = 46;
inline constexpr std::size_t kEndSize = 22;
inline constexpr std::size_t kEnd64Size = 56;
inline constexpr std::size_t kEnd64LocatorSize = 20;

inline constexpr std::uint16_t kStore = 0;
inline constexpr std::uint16_t kDeflate = 8;

inline constexpr std::uint16_t kFlagEncrypted = 1 << 0;
inline constexpr std::uint16_t kFlagDescriptor = 1 << 3;
inline constexpr std::uint16_t kFlagUtf8 = 1 << 11;

inline constexpr std::uint16_t kExtraZip64 = 0x0001;
inline constexpr std::uint16_t kExtraTimestamp = 0x5455; // "UT"
inline constexpr std::uint16_t kExtraUnixOwner = 0x7875; // "ux"

inline constexpr std::uint8_t kCreatorUnix = 3;
inline constexpr std::uint8_t kCreatorMac = 19;
inline constexpr std::uint32_t kMax32 = 0xffffffff;
inline constexpr std::uint16_t kMax16 = 0xffff;

template <std::unsigned_integral T>
void put(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    out += static_cast<char>(value & 0xff);
    value = static_cast<T>(value >> (sizeof(T) > 1 ? 8 : 0));
  }
}
inline void put16(std::string& out, std::uint64_t value) { put(out, static_cast<std::uint16_t>(value)); }
inline void put32(std::string& out, std::uint64_t value) { put(out, static_cast<std::uint32_t>(value)); }
inline void put64(std::string& out, std::uint64_t value) { put(out, value); }

// The caller has checked that the bytes are there.
template <std::unsigned_integral T>
T get(std::string_view bytes, std::size_t at) {
  T value = 0;
  for (std::size_t i = sizeof(T); i-- > 0;)
    value =
        static_cast<T>(static_cast<T>(value << (sizeof(T) > 1 ? 8 : 0)) | static_cast<unsigned char>(bytes[at + i]));
  return value;
}
inline std::uint16_t get16(std::string_view bytes, std::size_t at) { return get<std::uint16_t>(bytes, at); }
inline std::uint32_t get32(std::string_view bytes, std::size_t at) { return get<std::uint32_t>(bytes, at); }
inline std::uint64_t get64(std::string_view bytes, std::size_t at) { return get<std::uint64_t>(bytes, at); }

} // namespace archive::zip
