// CRC-32 by folding and tables against one bit at a time, at any alignment, whole and in parts.
#include "../crc32.h"
#include "fuzz.h"

using namespace xbbd_fuzz;

namespace {

uint32_t BitByBit(uint32_t seed, const uint8_t* bytes, size_t length) {
  uint32_t crc = ~seed;
  for (size_t i = 0; i < length; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc;
}

}  // namespace

void xbbd_fuzz::Run(Input& input) {
  const auto seed = input.Take<uint32_t>();
  const size_t skip = input.Take<uint8_t>() % 16;
  const auto where = input.Take<uint8_t>();
  const size_t rest = input.Left();
  // Of just this length, at any alignment, so that a load beyond its end is seen.
  auto* copy = static_cast<uint8_t*>(malloc(skip + rest));
  input.Fill(copy + skip, rest);
  const uint32_t whole = xbbd::Crc32(seed, copy + skip, rest);
  const size_t cut = where % (rest + 1);
  Require(whole == BitByBit(seed, copy + skip, rest), "both ways agree");
  Require(whole == xbbd::Crc32(xbbd::Crc32(seed, copy + skip, cut), copy + skip + cut, rest - cut), "parts make the whole");
  free(copy);
}
