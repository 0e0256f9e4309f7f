// CRC-32, fast enough to be in the way of nothing: the journal chains one over each of its batches. Long runs are
// folded 64 bytes at a time with carry-less multiplication where the processor has it: a 128-bit value is replaced
// by one that is congruent modulo the polynomial and lies 512 (or 128) bits further on. What remains, at most 16
// folded bytes and a tail, goes through sixteen tables of 256, built once. Both ways give the same result, which is
// what the tests compare with zlib's.
#include "crc32.h"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace xbbd {
namespace {

constexpr uint32_t kPolynomial = 0xedb88320;
constexpr size_t kTables = 16;

struct Tables {
  uint32_t of[kTables][256];

  Tables() {
    for (uint32_t byte = 0; byte < 256; byte++) {
      uint32_t rest = byte;
      for (int bit = 0; bit < 8; bit++) rest = (rest >> 1) ^ (rest & 1 ? kPolynomial : 0);
      of[0][byte] = rest;
    }
    // of[k][b]: byte b followed by k zero bytes.
    for (size_t k = 1; k < kTables; k++)
      for (uint32_t byte = 0; byte < 256; byte++)
        of[k][byte] = (of[k - 1][byte] >> 8) ^ of[0][of[k - 1][byte] & 0xff];
  }
};

const Tables kTable;

/// The register is taken and given uninverted.
uint32_t ByTables(uint32_t crc, const uint8_t* bytes, size_t length) {
  for (; length >= kTables; bytes += kTables, length -= kTables) {
    uint8_t block[kTables];
    memcpy(block, bytes, kTables);
    for (size_t i = 0; i < 4; i++) block[i] ^= static_cast<uint8_t>(crc >> (8 * i));
    crc = 0;
    for (size_t i = 0; i < kTables; i++) crc ^= kTable.of[kTables - 1 - i][block[i]];
  }
  for (; length > 0; bytes++, length--) crc = (crc >> 8) ^ kTable.of[0][(crc ^ *bytes) & 0xff];
  return crc;
}

#if defined(__x86_64__)
// x^n modulo the polynomial, bits reflected, one place up: what a half moves by when it is folded over so many bits.
constexpr long long kOver544 = 0x154442bd4;  // n = 4·128 + 32
constexpr long long kOver480 = 0x1c6e41596;  // n = 4·128 − 32
constexpr long long kOver160 = 0x1751997d0;  // n = 128 + 32
constexpr long long kOver96 = 0x0ccaa009e;   // n = 128 − 32

__attribute__((target("pclmul,sse2"))) inline __m128i Load(const uint8_t* bytes) {
  // SAFETY: an unaligned load of 16 bytes that the caller counted.
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
}

__attribute__((target("pclmul,sse2"))) inline __m128i Fold(__m128i value, __m128i over, __m128i next) {
  const __m128i low = _mm_clmulepi64_si128(value, over, 0x00);
  const __m128i high = _mm_clmulepi64_si128(value, over, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/// At least 64 bytes.
__attribute__((target("pclmul,sse2"))) uint32_t ByFolding(uint32_t crc, const uint8_t* bytes, size_t length) {
  const __m128i far = _mm_set_epi64x(kOver480, kOver544);
  const __m128i near = _mm_set_epi64x(kOver96, kOver160);
  __m128i a = _mm_xor_si128(Load(bytes), _mm_cvtsi32_si128(static_cast<int>(crc)));
  __m128i b = Load(bytes + 16), c = Load(bytes + 32), d = Load(bytes + 48);
  bytes += 64;
  length -= 64;
  for (; length >= 64; bytes += 64, length -= 64) {
    a = Fold(a, far, Load(bytes));
    b = Fold(b, far, Load(bytes + 16));
    c = Fold(c, far, Load(bytes + 32));
    d = Fold(d, far, Load(bytes + 48));
  }
  a = Fold(Fold(Fold(a, near, b), near, c), near, d);
  for (; length >= 16; bytes += 16, length -= 16) a = Fold(a, near, Load(bytes));
  uint8_t folded[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(folded), a);
  return ByTables(ByTables(0, folded, sizeof folded), bytes, length);
}

const bool kCanFold = __builtin_cpu_supports("pclmul");
#endif

}  // namespace

uint32_t Crc32(uint32_t seed, const uint8_t* bytes, size_t length) {
#if defined(__x86_64__)
  if (kCanFold && length >= 64) return ~ByFolding(~seed, bytes, length);
#endif
  return ~ByTables(~seed, bytes, length);
}

}  // namespace xbbd
