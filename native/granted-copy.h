// The embedded world's grant copy: what GNTTABOP_copy is on Xen, over a guest's memory and its grant table that both lie
// in shared memory, without JavaScript, so that fuzzers reach it (fuzz/grants.cc).
//
//   grant table: 8 bytes per gref, as grant_entry_v1:  u16 flags · u16 domid (who may) · u32 frame
//   one copy:    4 words:  gref · offset | length << 16 · arena offset · direction
//
// The guest changes its table whenever it likes: each entry is read once, whole, and everything is judged from that one
// reading.
#pragma once
#include <cstring>

#include "owners.h"

namespace xbbd {

struct GrantedPlaces {
  Mapping memory, table, arena;
  /// Ours: who the guest must have granted to.
  uint32_t domid = 0;
};

/// Does one copy. @returns 0 (GNTST_okay), GNTST_general_error or GNTST_bad_gntref.
inline int32_t CopyGranted(const GrantedPlaces& places, const int32_t* copy) {
  constexpr size_t kPage = 4096;
  constexpr int32_t kOkay = 0, kGeneralError = -1, kBadGntref = -3;
  constexpr uint32_t kTypeMask = 3, kPermitAccess = 1, kReadonly = 4;  // GTF_type_mask, _permit_access, _readonly
  const auto gref = static_cast<uint32_t>(copy[0]);
  const uint32_t offset = static_cast<uint32_t>(copy[1]) & 0xffff;
  const uint32_t length = static_cast<uint32_t>(copy[1]) >> 16;
  const auto place = static_cast<uint32_t>(copy[2]);
  const bool toGuest = copy[3] == 1;
  if (copy[3] != 0 && !toGuest) return kGeneralError;
  if (offset + length > kPage || size_t{place} + length > places.arena.length) return kGeneralError;
  if (gref >= places.table.length / 8) return kBadGntref;
  // SAFETY: an aligned word of a mapping that is borrowed; one atomic load, so that flags, domid and frame are of
  // the same moment whatever the guest writes meanwhile.
  const auto* entries = reinterpret_cast<const uint64_t*>(places.table.address);
  const uint64_t entry = __atomic_load_n(entries + gref, __ATOMIC_ACQUIRE);
  const auto flags = static_cast<uint32_t>(entry & 0xffff);
  if ((flags & kTypeMask) != kPermitAccess || ((entry >> 16) & 0xffff) != places.domid) return kBadGntref;
  if (toGuest && (flags & kReadonly)) return kGeneralError;
  const uint64_t frame = entry >> 32;
  if (frame >= places.memory.length / kPage) return kGeneralError;
  uint8_t* guest = places.memory.address + frame * kPage + offset;
  // SAFETY: both ranges were checked above against mappings that are borrowed. The guest may write the page while it
  // is copied; then it gets a mixture of its own making.
  if (toGuest)
    memcpy(guest, places.arena.address + place, length);
  else
    memcpy(places.arena.address + place, guest, length);
  return kOkay;
}

}  // namespace xbbd
