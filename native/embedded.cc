// The embedded world's grant copy for JavaScript: what is done for each copy stands in granted-copy.h.
//
//   copies: 4 words each:  gref · offset | length << 16 · arena offset · direction  ── after: status
//
// Nothing that a guest does throws; a copy that is not allowed gets a negative status of its own and the others go on.
// No policy: who may ask for which copy was decided before.
#include <napi.h>

#include "calls.h"
#include "granted-copy.h"
#include "owners.h"
#include "parts.h"
#include "slots.h"

namespace xbbd {
namespace {

constexpr size_t kCopyWords = 4;

struct Copier {
  Borrow memoryBorrow, tableBorrow, arenaBorrow;
  GrantedPlaces places;
};

struct Copiers {
  Slots<Copier> slots;
};

/// embeddedOpen(memory, table, arena, domid) → id. `domid` is ours: who the grants must have been made for.
napi_value EmbeddedOpen(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t memory, table, arena;
  uint64_t domid;
  if (!args.Handle(0, &memory) || !args.Handle(1, &table) || !args.Handle(2, &arena) || !args.Whole(3, 0x7fff, &domid))
    return ThrowInvalid(env, "embeddedOpen takes the handles of memory, table and arena, and our domid");
  auto copier = std::make_unique<Copier>();
  copier->places.domid = static_cast<uint32_t>(domid);
  if (!copier->memoryBorrow.TakeMapping(memory, &copier->places.memory) ||
      !copier->tableBorrow.TakeMapping(table, &copier->places.table) ||
      !copier->arenaBorrow.TakeMapping(arena, &copier->places.arena))
    return Throw(env, EBADF, "EBADF: no such mapping in the table of owners");
  if (!copier->places.memory.writable || !copier->places.arena.writable)
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
    copies[3] = CopyGranted(copier->places, copies);
    if (copies[3] != 0) failed++;
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
