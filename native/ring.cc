// Both sides of a shared ring (xen/include/public/io/ring.h), on memory that another party writes at any time.
//
//   0 req_prod · 4 req_event · 8 rsp_prod · 12 rsp_event · 16..63 pad · 64 entries, 112 or 108 bytes each
//
// JavaScript never sees the shared page. What the other side wrote is read once, with loads that the compiler can
// neither repeat nor split, into memory of our own (`entries`, `control`), which is freed only with the ring; all
// checks then look at the copy. Indices are u32 that wrap; a slot is index & (size - 1). Nothing here decides
// anything about requests, and nothing throws for what the other side wrote: a lying producer is the value -1.
#include <napi.h>

#include <cstdlib>

#include "calls.h"
#include "owners.h"
#include "parts.h"
#include "slots.h"

namespace xbbd {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kHeader = 64;
constexpr uint32_t kMaxPages = 32;
constexpr size_t kControlWords = 4;
constexpr size_t kAnswerWords = 4;
constexpr uint32_t kOpIndirect = 6;

enum Word : size_t { kReqProd = 0, kReqEvent = 1, kRspProd = 2, kRspEvent = 3 };

struct Ring {
  Borrow borrow;
  uint8_t* shared = nullptr;
  uint32_t size = 0;
  uint32_t stride = 0;
  /// Private, allocated here: `entries` (size × stride bytes) and `control` (word 0: the producer index last seen).
  uint8_t* entries = nullptr;
  uint32_t* control = nullptr;
  napi_ref entriesBuffer = nullptr;
  napi_ref controlBuffer = nullptr;

  ~Ring() {
    free(entries);
    free(control);
  }
  uint32_t* Index(Word word) const {
    // SAFETY: the mapping begins at a page, so its words are aligned; the length was checked at open.
    return reinterpret_cast<uint32_t*>(shared) + word;
  }
  uint8_t* Slot(uint32_t index) const { return shared + kHeader + size_t{index & (size - 1)} * stride; }
};

struct Rings {
  Slots<Ring> slots;
};

// SAFETY: acquire: the entries that the other side wrote before its index are read after it.
uint32_t LoadIndex(const uint32_t* word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
// SAFETY: release: whoever sees the index sees the entries that were written before it.
void StoreIndex(uint32_t* word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }
// SAFETY: a full fence between our store and the load of the other side's index, as the macros have it: without it
// both sides could read the old value and both go to sleep.
void FullFence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

/// Copies one entry out of shared memory, each byte read exactly once.
template <typename Word>
void CopyOnce(uint8_t* to, const uint8_t* from, uint32_t bytes) {
  // SAFETY: both are aligned for Word: 64 + n·112 and its private twin by 8, 64 + n·108 by 4. Relaxed atomic loads
  // may not be repeated or torn by the compiler; the target is private, so it is plain memory.
  const auto* source = reinterpret_cast<const Word*>(from);
  for (uint32_t i = 0; i < bytes / sizeof(Word); i++) {
    const Word word = __atomic_load_n(source + i, __ATOMIC_RELAXED);
    memcpy(to + i * sizeof(Word), &word, sizeof word);
  }
}

/// Bytes of an entry that mean something, from its first word as it was copied: the segments that it has, eleven at
/// most, of an indirect one its handle and eight references, and at least the eight bytes behind sector_number. What
/// lies behind them is not worth a cache line.
uint32_t UsedBytes(uint32_t head, uint32_t stride) {
  const uint32_t op = head & 0xff, count = head >> 8 & 0xff;
  const uint32_t first = stride == 112 ? 24 : 20;
  if (op == kOpIndirect) return first + 40;
  const uint32_t segments = op > 3 || count == 0 ? 1 : count > 11 ? 11 : count;
  return first + 8 * segments;
}

/// Copies what of one entry means something: its first word decides, and is not read again. `whole`: it may be anything.
template <typename Word>
void CopyUsed(uint8_t* to, const uint8_t* from, uint32_t stride, bool whole) {
  if (whole) return CopyOnce<Word>(to, from, stride);
  CopyOnce<Word>(to, from, sizeof(Word));
  uint32_t head;
  memcpy(&head, to, sizeof head);
  CopyOnce<Word>(to + sizeof(Word), from + sizeof(Word), UsedBytes(head, stride) - static_cast<uint32_t>(sizeof(Word)));
}

/// RING_PUSH_…_AND_CHECK_NOTIFY: publishes, then asks whether the other side wanted to hear about it.
bool Publish(uint32_t* prod, const uint32_t* event, uint32_t before, uint32_t after) {
  StoreIndex(prod, after);
  FullFence();
  const uint32_t wanted = __atomic_load_n(event, __ATOMIC_RELAXED);
  return static_cast<uint32_t>(after - wanted) < static_cast<uint32_t>(after - before);
}

/// RING_FINAL_CHECK_FOR_…: asks for the next event, then looks again. @returns whether something came meanwhile.
bool ArmEvent(uint32_t* event, const uint32_t* prod, uint32_t cons) {
  __atomic_store_n(event, cons + 1, __ATOMIC_RELAXED);
  FullFence();
  return LoadIndex(prod) != cons;
}

uint32_t SizeOf(uint64_t pages, uint32_t stride) {
  const size_t room = (pages * kPage - kHeader) / stride;
  uint32_t size = 1;
  while (size_t{size} * 2 <= room) size *= 2;
  return size;
}

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
  auto ring = std::make_unique<Ring>();
  Mapping mapping;
  if (!ring->borrow.TakeMapping(handle, &mapping)) return Throw(env, EBADF, "EBADF: no such mapping");
  if (mapping.length != pages * kPage || !mapping.writable)
    return ThrowInvalid(env, "the mapping is not a writable one of just these pages");
  ring->shared = mapping.address;
  ring->stride = static_cast<uint32_t>(stride);
  ring->size = SizeOf(pages, ring->stride);
  const size_t bytes = size_t{ring->size} * ring->stride;
  // SAFETY: calloc aligns to 16, which CopyOnce's words need less than.
  ring->entries = static_cast<uint8_t*>(calloc(1, bytes));
  ring->control = static_cast<uint32_t*>(calloc(kControlWords, sizeof(uint32_t)));
  if (!ring->entries || !ring->control) return Throw(env, ENOMEM, "ENOMEM: no memory for a ring's private copy");
  napi_value result;
  napi_create_object(env, &result);
  napi_value entries = Expose(env, ring->entries, bytes, &ring->entriesBuffer);
  napi_value control = Expose(env, ring->control, kControlWords * sizeof(uint32_t), &ring->controlBuffer);
  const uint32_t size = ring->size;
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
  memset(ring->shared, 0, kHeader + size_t{ring->size} * ring->stride);
  StoreIndex(ring->Index(kReqEvent), 1);
  StoreIndex(ring->Index(kRspEvent), 1);
  return Undefined(env);
}

/// ringTake(id, reqCons, rspProd, max, whole) → entries copied, or -1 when the producer lies
napi_value RingTake(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Ring* ring = Find(args);
  uint32_t cons, rspProd, max;
  bool whole;
  if (!ring) return ThrowNoRing(env);
  if (!args.Index(1, &cons) || !args.Index(2, &rspProd) || !args.Index(3, &max) || max > ring->size ||
      !args.Flag(4, &whole))
    return ThrowInvalid(env, "ringTake takes reqCons, rspProd, at most the ring's size, and a flag");
  const uint32_t prod = LoadIndex(ring->Index(kReqProd));
  ring->control[0] = prod;
  // What is consumed lies between rspProd and reqProd, and reqProd can be no more than one ring ahead of rspProd.
  if (static_cast<uint32_t>(prod - rspProd) > ring->size) return Signed(env, -1);
  if (static_cast<uint32_t>(cons - rspProd) > static_cast<uint32_t>(prod - rspProd)) return Signed(env, -1);
  uint32_t count = prod - cons;
  if (count > max) count = max;
  uint8_t* to = ring->entries;
  for (uint32_t i = 0; i < count; i++, to += ring->stride) {
    if (ring->stride == 112)
      CopyUsed<uint64_t>(to, ring->Slot(cons + i), 112, whole);
    else
      CopyUsed<uint32_t>(to, ring->Slot(cons + i), 108, whole);
  }
  return Signed(env, static_cast<int32_t>(count));
}

/// ringPeek(id, reqCons) → entries waiting, as the producer claims
napi_value RingPeek(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Ring* ring = Find(args);
  uint32_t cons;
  if (!ring) return ThrowNoRing(env);
  if (!args.Index(1, &cons)) return ThrowInvalid(env, "ringPeek takes reqCons");
  const uint32_t prod = LoadIndex(ring->Index(kReqProd));
  ring->control[0] = prod;
  return Unsigned(env, prod - cons);
}

void WriteAnswers(const Ring& ring, const int32_t* answers, uint32_t count, uint32_t rspProd) {
  for (uint32_t i = 0; i < count; i++, answers += kAnswerWords) {
    // Assembled here whole, padding zeroed: what lay on the stack or in the slot must not reach the guest (XSA-216).
    const uint32_t out[4] = {static_cast<uint32_t>(answers[0]), static_cast<uint32_t>(answers[1]),
                             (static_cast<uint32_t>(answers[2]) & 0xff) | static_cast<uint32_t>(answers[3]) << 16, 0};
    memcpy(ring.Slot(rspProd + i), out, ring.stride == 112 ? 16 : 12);
  }
}

/// ringWrite(id, answers, count, rspProd): the entries alone, as a back end leaves them that dies before it publishes.
napi_value RingWrite(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Ring* ring = Find(args);
  int32_t* answers;
  size_t words;
  uint32_t count, rspProd;
  if (!ring) return ThrowNoRing(env);
  if (!args.Words(1, &answers, &words) || !args.Index(2, &count) || !args.Index(3, &rspProd) || count > ring->size ||
      count * kAnswerWords > words)
    return ThrowInvalid(env, "ringWrite takes answers of 4 words each, how many (a ring's size at most), rspProd");
  WriteAnswers(*ring, answers, count, rspProd);
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
  if (!args.Words(1, &answers, &words) || !args.Index(2, &count) || !args.Index(3, &rspProd) || count > ring->size ||
      count * kAnswerWords > words)
    return ThrowInvalid(env, "ringAnswer takes answers of 4 words each, how many (a ring's size at most), rspProd");
  WriteAnswers(*ring, answers, count, rspProd);
  if (count == 0) return Boolean(env, false);
  return Boolean(env, Publish(ring->Index(kRspProd), ring->Index(kRspEvent), rspProd, rspProd + count));
}

/// ringArm(id, reqCons) → whether entries wait after all
napi_value RingArm(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Ring* ring = Find(args);
  uint32_t cons;
  if (!ring) return ThrowNoRing(env);
  if (!args.Index(1, &cons)) return ThrowInvalid(env, "ringArm takes reqCons");
  return Boolean(env, ArmEvent(ring->Index(kReqEvent), ring->Index(kReqProd), cons));
}

/// ringPublished(id) → rsp_prod in the shared page
napi_value RingPublished(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Ring* ring = Find(args);
  if (!ring) return ThrowNoRing(env);
  return Unsigned(env, LoadIndex(ring->Index(kRspProd)));
}

/// ringLook(mapping) → [req_prod, req_event, rsp_prod, rsp_event] as they stand; of a ring that another thread may serve
napi_value RingLook(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t handle;
  Borrow borrow;
  Mapping mapping;
  if (!args.Handle(0, &handle)) return ThrowInvalid(env, "ringLook takes a mapping");
  if (!borrow.TakeMapping(handle, &mapping) || mapping.length < kPage) return Throw(env, EBADF, "EBADF: no such mapping");
  napi_value indices;
  napi_create_array_with_length(env, 4, &indices);
  // SAFETY: the mapping begins at a page and has one, so its first words are there and aligned; borrowed meanwhile.
  const auto* words = reinterpret_cast<const uint32_t*>(mapping.address);
  for (uint32_t word = kReqProd; word <= kRspEvent; word++)
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
  if (!args.Words(1, &entries, &words) || !args.Index(2, &count) || !args.Index(3, &prod) || count > ring->size ||
      size_t{count} * ring->stride / 4 > words)
    return ThrowInvalid(env, "frontPut takes whole entries, how many (a ring's size at most), reqProdPvt");
  const uint32_t stride = ring->stride / 4;
  for (uint32_t i = 0; i < count; i++) memcpy(ring->Slot(prod + i), entries + size_t{i} * stride, ring->stride);
  if (count == 0) return Boolean(env, false);
  return Boolean(env, Publish(ring->Index(kReqProd), ring->Index(kReqEvent), prod, prod + count));
}

/// frontTake(id, rspCons, answers, max) → answers copied, or -1 when the back end lies
napi_value FrontTake(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Ring* ring = Find(args);
  int32_t* answers;
  size_t words;
  uint32_t cons, max;
  if (!ring) return ThrowNoRing(env);
  if (!args.Index(1, &cons) || !args.Words(2, &answers, &words) || !args.Index(3, &max) || max > ring->size ||
      max * kAnswerWords > words)
    return ThrowInvalid(env, "frontTake takes rspCons, room for answers of 4 words each, how many at most");
  const uint32_t prod = LoadIndex(ring->Index(kRspProd));
  ring->control[0] = prod;
  uint32_t count = prod - cons;
  if (count > ring->size) return Signed(env, -1);
  if (count > max) count = max;
  for (uint32_t i = 0; i < count; i++, answers += kAnswerWords) {
    uint32_t in[3];
    CopyOnce<uint32_t>(reinterpret_cast<uint8_t*>(in), ring->Slot(cons + i), sizeof in);
    answers[0] = static_cast<int32_t>(in[0]);
    answers[1] = static_cast<int32_t>(in[1]);
    answers[2] = static_cast<int32_t>(in[2] & 0xff);
    answers[3] = static_cast<int16_t>(in[2] >> 16);
  }
  return Signed(env, static_cast<int32_t>(count));
}

/// frontArm(id, rspCons) → whether answers wait after all
napi_value FrontArm(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Ring* ring = Find(args);
  uint32_t cons;
  if (!ring) return ThrowNoRing(env);
  if (!args.Index(1, &cons)) return ThrowInvalid(env, "frontArm takes rspCons");
  return Boolean(env, ArmEvent(ring->Index(kRspEvent), ring->Index(kRspProd), cons));
}

}  // namespace
}  // namespace xbbd

void InitRing(Napi::Env env, Napi::Object exports) {
  using namespace xbbd;
  auto* rings = new Rings;
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
