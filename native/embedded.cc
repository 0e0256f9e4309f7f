// The embedded world's grant copy: what GNTTABOP_copy is on Xen, over a guest's memory and its grant table that
// both lie in shared memory.
//
//   grant table: 8 bytes per gref, as grant_entry_v1:  u16 flags · u16 domid (who may) · u32 frame
//   copies:      4 words each:  gref · offset | length << 16 · arena offset · direction  ── after: status
//
// The guest changes its table whenever it likes: each entry is read once, whole, and everything is judged from that
// one reading. Nothing that a guest does throws; a copy that is not allowed gets a negative status of its own and
// the others go on. No policy: who may ask for which copy was decided before.
#include <napi.h>

#include "calls.h"
#include "owners.h"
#include "parts.h"
#include "slots.h"

namespace xbbd {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kCopyWords = 4;
constexpr int32_t kOkay = 0;           // GNTST_okay
constexpr int32_t kGeneralError = -1;  // GNTST_general_error
constexpr int32_t kBadGntref = -3;     // GNTST_bad_gntref
constexpr uint32_t kTypeMask = 3;
constexpr uint32_t kPermitAccess = 1;  // GTF_permit_access
constexpr uint32_t kReadonly = 4;      // GTF_readonly

struct Copier {
  Borrow memoryBorrow, tableBorrow, arenaBorrow;
  Mapping memory, table, arena;
  uint32_t domid = 0;

  int32_t One(const int32_t* copy) const;
};

struct Copiers {
  Slots<Copier> slots;
};

int32_t Copier::One(const int32_t* copy) const {
  const auto gref = static_cast<uint32_t>(copy[0]);
  const uint32_t offset = static_cast<uint32_t>(copy[1]) & 0xffff;
  const uint32_t length = static_cast<uint32_t>(copy[1]) >> 16;
  const auto place = static_cast<uint32_t>(copy[2]);
  const bool toGuest = copy[3] == 1;
  if (copy[3] != 0 && !toGuest) return kGeneralError;
  if (offset + length > kPage || size_t{place} + length > arena.length) return kGeneralError;
  if (gref >= table.length / 8) return kBadGntref;
  // SAFETY: an aligned word of a mapping that is borrowed; one atomic load, so that flags, domid and frame are of
  // the same moment whatever the guest writes meanwhile.
  const uint64_t entry = __atomic_load_n(reinterpret_cast<const uint64_t*>(table.address) + gref, __ATOMIC_ACQUIRE);
  const auto flags = static_cast<uint32_t>(entry & 0xffff);
  if ((flags & kTypeMask) != kPermitAccess || ((entry >> 16) & 0xffff) != domid) return kBadGntref;
  if (toGuest && (flags & kReadonly)) return kGeneralError;
  const uint64_t frame = entry >> 32;
  if (frame >= memory.length / kPage) return kGeneralError;
  uint8_t* guest = memory.address + frame * kPage + offset;
  // SAFETY: both ranges were checked above against mappings that are borrowed. The guest may write the page while it
  // is copied; then it gets a mixture of its own making.
  if (toGuest)
    memcpy(guest, arena.address + place, length);
  else
    memcpy(arena.address + place, guest, length);
  return kOkay;
}

/// embeddedOpen(memory, table, arena, domid) → id. `domid` is ours: who the grants must have been made for.
napi_value EmbeddedOpen(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t memory, table, arena;
  uint64_t domid;
  if (!args.Handle(0, &memory) || !args.Handle(1, &table) || !args.Handle(2, &arena) || !args.Whole(3, 0x7fff, &domid))
    return ThrowInvalid(env, "embeddedOpen takes the handles of memory, table and arena, and our domid");
  auto copier = std::make_unique<Copier>();
  copier->domid = static_cast<uint32_t>(domid);
  if (!copier->memoryBorrow.TakeMapping(memory, &copier->memory) ||
      !copier->tableBorrow.TakeMapping(table, &copier->table) ||
      !copier->arenaBorrow.TakeMapping(arena, &copier->arena))
    return Throw(env, EBADF, "EBADF: no such mapping in the table of owners");
  if (!copier->memory.writable || !copier->arena.writable)
    return ThrowInvalid(env, "the guest's memory and the arena must be mapped writable");
  const uint32_t id = static_cast<Copiers*>(args.data)->slots.Add(copier);
  return id ? Unsigned(env, id) : Throw(env, EMFILE, "EMFILE: 1024 copiers are open on this thread");
}

/// embeddedCopy(id, copies, count) → how many failed
napi_value EmbeddedCopy(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t id, count;
  int32_t* copies;
  size_t words;
  const Copier* copier = args.Index(0, &id) ? static_cast<Copiers*>(args.data)->slots.Find(id) : nullptr;
  if (!copier) return Throw(env, EBADF, "EBADF: no such copier is open on this thread");
  if (!args.Words(1, &copies, &words) || !args.Index(2, &count) || size_t{count} * kCopyWords > words)
    return ThrowInvalid(env, "embeddedCopy takes copies of 4 words each and how many");
  uint32_t failed = 0;
  for (uint32_t i = 0; i < count; i++, copies += kCopyWords) {
    copies[3] = copier->One(copies);
    if (copies[3] != kOkay) failed++;
  }
  return Unsigned(env, failed);
}

napi_value EmbeddedClose(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t id;
  if (!args.Index(0, &id) || !static_cast<Copiers*>(args.data)->slots.Remove(id))
    return Throw(env, EBADF, "EBADF: no such copier is open on this thread");
  return Undefined(env);
}

}  // namespace
}  // namespace xbbd

void InitEmbedded(Napi::Env env, Napi::Object exports) {
  using namespace xbbd;
  auto* copiers = new Copiers;
  napi_add_env_cleanup_hook(env, [](void* data) { delete static_cast<Copiers*>(data); }, copiers);
  Export(env, exports, "embeddedOpen", EmbeddedOpen, copiers);
  Export(env, exports, "embeddedCopy", EmbeddedCopy, copiers);
  Export(env, exports, "embeddedClose", EmbeddedClose, copiers);
}
