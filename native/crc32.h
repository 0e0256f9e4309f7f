// CRC-32 as zlib, Ethernet and PNG have it (polynomial 0x04c11db7, bits reflected).
#pragma once
#include <cstddef>
#include <cstdint>

namespace xbbd {

/// Continues from `seed` (0 to begin, or an earlier result); crc32(crc32(0, a), b) = crc32(0, a followed by b).
uint32_t Crc32(uint32_t seed, const uint8_t* bytes, size_t length);

}  // namespace xbbd
