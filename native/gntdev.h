// Grants of other domains through /dev/xen/gntdev, for the native files that use them. Layouts and numbers are those of
// Linux's uapi header xen/gntdev.h on x86-64; a build must not depend on whether a machine has that header.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

namespace xbbd {

constexpr size_t kGrantPage = 4096;

/// Pages of a guest that are mapped side by side; `index` names them to the device.
struct GuestPages {
  uint8_t* address = nullptr;
  uint64_t index = 0;
  uint32_t count = 0;
};

/// Opens the device, close-on-exec. A descriptor, or -1 with errno.
int OpenGntdev();

/// Maps `count` references of `domid` in this order, all or none: what was mapped of a refused call is undone. 0, or
/// -errno: -EINVAL for a reference that permits no such mapping and for a domain that is gone alike.
int MapGrants(int gntdev, uint32_t domid, const uint32_t* grefs, uint32_t count, bool writable, GuestPages* out);

/// Unmaps them in Xen before it returns. The address must not be used any more.
void UnmapGrants(int gntdev, const GuestPages& pages);

/// One copy between a guest's page and the arena, as it stands in four words of the array `copies`
/// (src/ports/data-path.ts): gref · offset | length << 16 · arena byte offset · direction, then status.
struct GrantCopy {
  uint32_t gref, offset, length, place;
  bool toGuest;
};

/// Reads and judges four words: one copy with a bad offset would fail a whole call, so it does not get into one.
inline bool ReadCopy(const int32_t* words, size_t arenaLength, GrantCopy* out) {
  out->gref = static_cast<uint32_t>(words[0]);
  out->offset = static_cast<uint32_t>(words[1]) & 0xffff;
  out->length = static_cast<uint32_t>(words[1]) >> 16;
  out->place = static_cast<uint32_t>(words[2]);
  out->toGuest = words[3] == 1;
  if (words[3] != 0 && !out->toGuest) return false;
  return out->offset + out->length <= kGrantPage && size_t{out->place} + out->length <= arenaLength;
}

/// What a copier has done since it was opened.
struct CopierCounts {
  double calls = 0;    // system calls
  double copies = 0;   // elements
  double mapped = 0;   // pages that are mapped now
  double evicted = 0;  // mappings given up to make room
};

/// A way to move a batch of segments. Each leaves the status of every element in its fourth word (0 = done, < 0 =
/// GNTST_*) and returns how many failed.
class GrantCopier {
 public:
  virtual ~GrantCopier() = default;
  virtual uint32_t Copy(int32_t* copies, uint32_t count) = 0;
  CopierCounts counts;
};

struct CopierTarget {
  int gntdev = -1;
  uint32_t domid = 0;
  uint8_t* arena = nullptr;
  size_t arenaLength = 0;
};

/// GNTTABOP_copy: one call for the batch, nothing is ever mapped.
std::unique_ptr<GrantCopier> NewHypervisorCopier(const CopierTarget& target);
/// Maps a batch's pages, copies, unmaps, all within one call of Copy.
std::unique_ptr<GrantCopier> NewMappingCopier(const CopierTarget& target);
/// Keeps at most `most` pages mapped, until the copier ends: only for a front end that agreed to it.
std::unique_ptr<GrantCopier> NewPersistentCopier(const CopierTarget& target, uint32_t most);

constexpr size_t kCopyWords = 4;
constexpr int32_t kGrantOkay = 0;           // GNTST_okay
constexpr int32_t kGrantGeneralError = -1;  // GNTST_general_error

}  // namespace xbbd
