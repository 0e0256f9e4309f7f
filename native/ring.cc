// Both sides of a shared ring (xen/include/public/io/ring.h) for JavaScript, which never sees the shared page: what is
// done with it stands in ring-view.h, and what was read of it in memory of our own (`entries`, `control`), which is freed
// only with the ring. Nothing here throws for what the other side wrote.
#include <napi.h>

#include <cstdlib>

#include "calls.h"
#include "owners.h"
#include "parts.h"
#include "ring-view.h"
#include "slots.h"

namespace xbbd {
namespace {

constexpr uint32_t kMaxPages = 32;
constexpr size_t kControlWords = 4;

struct Ring {
  Borrow borrow;
  RingView view;
  /// Private, allocated here: `entries` (size × stride bytes) and `control` (word 0: the producer index last seen).
  uint8_t* entries = nullptr;
  uint32_t* control = nullptr;
  napi_ref entriesBuffer = nullptr;
  napi_ref controlBuffer = nullptr;

  Ring(uint8_t* shared, uint64_t pages, uint32_t stride) : view(shared, pages, stride) {}
  ~Ring() {
    free(entries);
    free(control);
  }
};

/// One environment's rings.
struct Rings {
  napi_env env;
  Slots<Ring> slots;

  /// At the environment's end: what is still open goes, with its references, which Node leaves to whoever made them.
  ~Rings() {
    slots.Each([this](std::unique_ptr<Ring>& ring) {
      napi_delete_reference(env, ring->entriesBuffer);
      napi_delete_reference(env, ring->controlBuffer);
    });
  }
};

Ring* Find(const Args& args) {
  uint32_t id;
  if (!args.Index(0, &id)) return nullptr;
  return static_cast<Rings*>(args.data)->slots.Find(id);
}

napi_value ThrowNoRing(napi_env env) { return Throw(env, EBADF, "EBADF: no such ring is open on this thread"); }

/// An ArrayBuffer over private memory of the ring, kept until the ring is closed.
napi_value Expose(napi_env env, void* memory, size_t bytes, napi_ref* reference) {
  napi_value buffer = nullptr;
  // SAFETY: freed in RingClose after the buffer was detached, or at the environment's end, when nothing runs.
  if (napi_create_external_arraybuffer(env, memory, bytes, [](napi_env, void*, void*) {}, nullptr, &buffer) != napi_ok)
    return nullptr;
  if (napi_create_reference(env, buffer, 1, reference) != napi_ok) return nullptr;
  return buffer;
}

void DetachBuffer(napi_env env, napi_ref reference) {
  napi_value buffer = nullptr;
  if (!reference) return;
  if (napi_get_reference_value(env, reference, &buffer) == napi_ok && buffer) napi_detach_arraybuffer(env, buffer);
  napi_delete_reference(env, reference);
}

/// ringOpen(mapping, pages, stride) → {id, size, entries: ArrayBuffer, control: ArrayBuffer}
napi_value RingOpen(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t handle;
  uint64_t pages, stride;
  if (!args.Handle(0, &handle) || !args.Whole(1, kMaxPages, &pages) || !args.Whole(2, 112, &stride) || pages == 0 ||
      (pages & (pages - 1)) != 0 || (stride != 112 && stride != 108))
    return ThrowInvalid(env, "ringOpen takes a mapping, a power of two of pages up to 32, and 112 or 108");
  Mapping mapping;
  Borrow borrow;
  if (!borrow.TakeMapping(handle, &mapping)) return Throw(env, EBADF, "EBADF: no such mapping");
  if (mapping.length != pages * kRingPage || !mapping.writable)
    return ThrowInvalid(env, "the mapping is not a writable one of just these pages");
  auto ring = std::make_unique<Ring>(mapping.address, pages, static_cast<uint32_t>(stride));
  if (!ring->borrow.TakeMapping(handle, &mapping)) return Throw(env, EBADF, "EBADF: no such mapping");
  const size_t bytes = size_t{ring->view.size()} * ring->view.stride();
  // SAFETY: calloc aligns to 16, which CopyOnce's words need less than.
  ring->entries = static_cast<uint8_t*>(calloc(1, bytes));
  ring->control = static_cast<uint32_t*>(calloc(kControlWords, sizeof(uint32_t)));
  if (!ring->entries || !ring->control) return Throw(env, ENOMEM, "ENOMEM: no memory for a ring's private copy");
  napi_value result;
  napi_create_object(env, &result);
  napi_value entries = Expose(env, ring->entries, bytes, &ring->entriesBuffer);
  napi_value control = Expose(env, ring->control, kControlWords * sizeof(uint32_t), &ring->controlBuffer);
  const uint32_t size = ring->view.size();
  Ring* opened = ring.get();
  const uint32_t id = entries && control ? static_cast<Rings*>(args.data)->slots.Add(ring) : 0;
  if (id == 0) {
    if (ring) {
      DetachBuffer(env, opened->entriesBuffer);
      DetachBuffer(env, opened->controlBuffer);
    }
    return Throw(env, EMFILE, "EMFILE: 1024 rings are open on this thread");
  }
  napi_set_named_property(env, result, "id", Unsigned(env, id));
  napi_set_named_property(env, result, "size", Unsigned(env, size));
  napi_set_named_property(env, result, "entries", entries);
  napi_set_named_property(env, result, "control", control);
  return result;
}

napi_value RingClose(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Ring* ring = Find(args);
  if (!ring) return ThrowNoRing(env);
  DetachBuffer(env, ring->entriesBuffer);
  DetachBuffer(env, ring->controlBuffer);
  uint32_t id;
  args.Index(0, &id);
  static_cast<Rings*>(args.data)->slots.Remove(id);
  return Undefined(env);
}

/// ringInit(id): an empty ring, as SHARED_RING_INIT leaves it; the rest of the pages is zeroed.
napi_value RingInit(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Ring* ring = Find(args);
  if (!ring) return ThrowNoRing(env);
  ring->view.Init();
  return Undefined(env);
}

/// ringTake(id, reqCons, rspProd, max, whole) → entries copied, or -1 when the producer lies
napi_value RingTake(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Ring* ring = Find(args);
  uint32_t cons, rspProd, max;
  bool whole;
  if (!ring) return ThrowNoRing(env);
  if (!args.Index(1, &cons) || !args.Index(2, &rspProd) || !args.Index(3, &max) || max > ring->view.size() ||
      !args.Flag(4, &whole))
    return ThrowInvalid(env, "ringTake takes reqCons, rspProd, at most the ring's size, and a flag");
  return Signed(env, ring->view.Take(cons, rspProd, max, whole, ring->entries, &ring->control[0]));
}

/// ringPeek(id, reqCons) → entries waiting, as the producer claims
napi_value RingPeek(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Ring* ring = Find(args);
  uint32_t cons;
  if (!ring) return ThrowNoRing(env);
  if (!args.Index(1, &cons)) return ThrowInvalid(env, "ringPeek takes reqCons");
  const uint32_t prod = LoadIndex(ring->view.Index(RingView::kReqProd));
  ring->control[0] = prod;
  return Unsigned(env, prod - cons);
}

/// ringWrite(id, answers, count, rspProd): the entries alone, as a back end leaves them that dies before it publishes.
napi_value RingWrite(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Ring* ring = Find(args);
  int32_t* answers;
  size_t words;
  uint32_t count, rspProd;
  if (!ring) return ThrowNoRing(env);
  if (!args.Words(1, &answers, &words) || !args.Index(2, &count) || !args.Index(3, &rspProd) || count > ring->view.size() ||
      count * kAnswerWords > words)
    return ThrowInvalid(env, "ringWrite takes answers of 4 words each, how many (a ring's size at most), rspProd");
  ring->view.WriteAnswers(answers, count, rspProd);
  return Undefined(env);
}

/// ringAnswer(id, answers, count, rspProd) → whether to notify
napi_value RingAnswer(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Ring* ring = Find(args);
  int32_t* answers;
  size_t words;
  uint32_t count, rspProd;
  if (!ring) return ThrowNoRing(env);
  if (!args.Words(1, &answers, &words) || !args.Index(2, &count) || !args.Index(3, &rspProd) || count > ring->view.size() ||
      count * kAnswerWords > words)
    return ThrowInvalid(env, "ringAnswer takes answers of 4 words each, how many (a ring's size at most), rspProd");
  ring->view.WriteAnswers(answers, count, rspProd);
  if (count == 0) return Boolean(env, false);
  return Boolean(env, RingView::Publish(ring->view.Index(RingView::kRspProd), ring->view.Index(RingView::kRspEvent), rspProd, rspProd + count));
}

/// ringArm(id, reqCons) → whether entries wait after all
napi_value RingArm(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Ring* ring = Find(args);
  uint32_t cons;
  if (!ring) return ThrowNoRing(env);
  if (!args.Index(1, &cons)) return ThrowInvalid(env, "ringArm takes reqCons");
  return Boolean(env, RingView::ArmEvent(ring->view.Index(RingView::kReqEvent), ring->view.Index(RingView::kReqProd), cons));
}

/// ringPublished(id) → rsp_prod in the shared page
napi_value RingPublished(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Ring* ring = Find(args);
  if (!ring) return ThrowNoRing(env);
  return Unsigned(env, LoadIndex(ring->view.Index(RingView::kRspProd)));
}

/// ringLook(mapping) → [req_prod, req_event, rsp_prod, rsp_event] as they stand; of a ring that another thread may serve
napi_value RingLook(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t handle;
  Borrow borrow;
  Mapping mapping;
  if (!args.Handle(0, &handle)) return ThrowInvalid(env, "ringLook takes a mapping");
  if (!borrow.TakeMapping(handle, &mapping) || mapping.length < kRingPage) return Throw(env, EBADF, "EBADF: no such mapping");
  napi_value indices;
  napi_create_array_with_length(env, 4, &indices);
  // SAFETY: the mapping begins at a page and has one, so its first words are there and aligned; borrowed meanwhile.
  const auto* words = reinterpret_cast<const uint32_t*>(mapping.address);
  for (uint32_t word = RingView::kReqProd; word <= RingView::kRspEvent; word++)
    napi_set_element(env, indices, word, Unsigned(env, LoadIndex(words + word)));
  return indices;
}

/// frontPut(id, entries, count, reqProdPvt) → whether to notify
napi_value FrontPut(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Ring* ring = Find(args);
  int32_t* entries;
  size_t words;
  uint32_t count, prod;
  if (!ring) return ThrowNoRing(env);
  if (!args.Words(1, &entries, &words) || !args.Index(2, &count) || !args.Index(3, &prod) || count > ring->view.size() ||
      size_t{count} * ring->view.stride() / 4 > words)
    return ThrowInvalid(env, "frontPut takes whole entries, how many (a ring's size at most), reqProdPvt");
  const uint32_t stride = ring->view.stride() / 4;
  for (uint32_t i = 0; i < count; i++) memcpy(ring->view.Slot(prod + i), entries + size_t{i} * stride, ring->view.stride());
  if (count == 0) return Boolean(env, false);
  return Boolean(env, RingView::Publish(ring->view.Index(RingView::kReqProd), ring->view.Index(RingView::kReqEvent), prod, prod + count));
}

/// frontTake(id, rspCons, answers, max) → answers copied, or -1 when the back end lies
napi_value FrontTake(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Ring* ring = Find(args);
  int32_t* answers;
  size_t words;
  uint32_t cons, max;
  if (!ring) return ThrowNoRing(env);
  if (!args.Index(1, &cons) || !args.Words(2, &answers, &words) || !args.Index(3, &max) || max > ring->view.size() ||
      max * kAnswerWords > words)
    return ThrowInvalid(env, "frontTake takes rspCons, room for answers of 4 words each, how many at most");
  return Signed(env, ring->view.TakeAnswers(cons, answers, max, &ring->control[0]));
}

/// frontArm(id, rspCons) → whether answers wait after all
napi_value FrontArm(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Ring* ring = Find(args);
  uint32_t cons;
  if (!ring) return ThrowNoRing(env);
  if (!args.Index(1, &cons)) return ThrowInvalid(env, "frontArm takes rspCons");
  return Boolean(env, RingView::ArmEvent(ring->view.Index(RingView::kRspEvent), ring->view.Index(RingView::kRspProd), cons));
}

}  // namespace
}  // namespace xbbd

void InitRing(Napi::Env env, Napi::Object exports) {
  using namespace xbbd;
  auto* rings = new Rings{env, {}};
  napi_add_env_cleanup_hook(env, [](void* data) { delete static_cast<Rings*>(data); }, rings);
  Export(env, exports, "ringOpen", RingOpen, rings);
  Export(env, exports, "ringClose", RingClose, rings);
  Export(env, exports, "ringInit", RingInit, rings);
  Export(env, exports, "ringTake", RingTake, rings);
  Export(env, exports, "ringPeek", RingPeek, rings);
  Export(env, exports, "ringAnswer", RingAnswer, rings);
  Export(env, exports, "ringWrite", RingWrite, rings);
  Export(env, exports, "ringArm", RingArm, rings);
  Export(env, exports, "ringPublished", RingPublished, rings);
  Export(env, exports, "ringLook", RingLook, rings);
  Export(env, exports, "frontPut", FrontPut, rings);
  Export(env, exports, "frontTake", FrontTake, rings);
  Export(env, exports, "frontArm", FrontArm, rings);
}
