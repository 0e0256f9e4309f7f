// Requests of a medium, executed by the thread that calls: what the threads of threads.cc do, and what inline.cc does
// in the Worker itself. A transfer that stops half-way goes on where it stopped, a bounded number of times.
// What must never happen: a result that claims more bytes than were moved.
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "engine.h"

namespace xbbd {
namespace {

int32_t MoveBytes(const EngineTarget& target, const IoRequest& request) {
  uint32_t moved = 0;
  for (uint32_t round = 0; round <= kContinuations && moved < request.length; round++) {
    // SAFETY: the range was checked against the arena, which is borrowed while this engine lives.
    uint8_t* at = target.arena.address + request.at + moved;
    const auto offset = static_cast<off_t>(request.offset + moved);
    const size_t left = request.length - moved;
    const ssize_t got = request.op == kRead ? pread(target.fd, at, left, offset) : pwrite(target.fd, at, left, offset);
    if (got == 0) break;
    if (got < 0 && (errno == EINTR || errno == EAGAIN) && round < kContinuations) continue;
    if (got < 0) return moved ? static_cast<int32_t>(moved) : -errno;
    moved += static_cast<uint32_t>(got);
    // The rest of a direct transfer must stay aligned; if it does not, the caller gets the short result.
    if (moved % target.sectorSize) break;
  }
  return static_cast<int32_t>(moved);
}

int32_t Deallocate(const EngineTarget& target, const IoRequest& request) {
  const auto offset = static_cast<off_t>(request.offset);
  const auto length = static_cast<off_t>(request.length);
  if (NeedsIoctl(request, target)) {
    uint64_t range[2] = {request.offset, request.length};
    return ioctl(target.fd, request.op == kSecureDiscard ? BLKSECDISCARD : BLKDISCARD, range) < 0 ? -errno : 0;
  }
  const bool zero = request.op == kWriteZeroes;
  const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  if (zero && fallocate(target.fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, length) == 0) return 0;
  if (zero && errno != EOPNOTSUPP) return -errno;
  return fallocate(target.fd, punch, offset, length) < 0 ? -errno : 0;
}

}  // namespace

int32_t Execute(const EngineTarget& target, const IoRequest& request) {
  switch (request.op) {
    case kRead:
    case kWrite:
      return MoveBytes(target, request);
    case kSync:
      return fdatasync(target.fd) < 0 ? -errno : 0;
    default:
      return Deallocate(target, request);
  }
}

void ExecuteRun(const EngineTarget& target, const IoRequest* requests, uint32_t count, int32_t* results) {
  uint64_t moved = 0;
  if (count > 1) {
    iovec parts[kMostParts];
    // SAFETY: each range was checked against the arena, which is borrowed while this engine lives.
    for (uint32_t part = 0; part < count; part++)
      parts[part] = {target.arena.address + requests[part].at, static_cast<size_t>(requests[part].length)};
    const auto offset = static_cast<off_t>(requests->offset);
    const auto length = static_cast<int>(count);
    const ssize_t got = requests->op == kRead ? preadv(target.fd, parts, length, offset)
                                              : pwritev(target.fd, parts, length, offset);
    if (got > 0) moved = static_cast<uint64_t>(got);
  }
  for (uint32_t part = 0; part < count; part++) {
    const IoRequest& request = requests[part];
    const bool whole = moved >= request.length && count > 1;
    // What the transfer did not bring to its end is done once more, alone: one's bad sector is nobody else's.
    results[part] = whole ? static_cast<int32_t>(request.length) : Execute(target, request);
    moved = whole ? moved - request.length : 0;
  }
}

}  // namespace xbbd
