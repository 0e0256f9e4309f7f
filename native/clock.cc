// Time and check sums, for callers that cannot afford an object: CLOCK_MONOTONIC as one double (exact below 2^53 ns,
// 104 days of uptime, and to 2 ns for a year), and CRC-32 of a part of a typed array without a subarray per call.
#include <napi.h>
#include <time.h>

#include "calls.h"
#include "crc32.h"
#include "parts.h"

namespace xbbd {
namespace {

napi_value NowNs(napi_env env, napi_callback_info) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return Number(env, static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec));
}

/// crc32(view, byteOffset, length, seed) → u32, as zlib.crc32
napi_value Crc32OfView(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint8_t* bytes;
  size_t size;
  uint64_t offset, length;
  uint32_t seed;
  if (!args.Bytes(0, &bytes, &size) || !args.Whole(1, 9e15, &offset) || !args.Whole(2, 9e15, &length) ||
      !args.Index(3, &seed) || offset > size || length > size - offset)
    return ThrowInvalid(env, "crc32 takes a typed array, an offset and a length within it, a seed");
  return Unsigned(env, Crc32(seed, bytes + offset, length));
}

}  // namespace
}  // namespace xbbd

void InitClock(Napi::Env env, Napi::Object exports) {
  using namespace xbbd;
  Export(env, exports, "nowNs", NowNs);
  Export(env, exports, "crc32", Crc32OfView);
}
