// One shared ring in memory that another party writes at any time: what is done with it, without JavaScript, so that
// fuzzers reach all of it (fuzz/ring.cc).
//
//   0 req_prod · 4 req_event · 8 rsp_prod · 12 rsp_event · 16..63 pad · 64 entries, 112 or 108 bytes each
//
// What the other side wrote is read once, with loads that the compiler can neither repeat nor split, into memory of our
// own; all checks then look at the copy. Indices are u32 that wrap; a slot is index & (size - 1). Nothing here decides
// anything about requests, and a lying producer is the value -1.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace xbbd {

constexpr size_t kRingPage = 4096;
constexpr size_t kRingHeader = 64;
constexpr size_t kAnswerWords = 4;
constexpr uint32_t kOpIndirect = 6;

// SAFETY: acquire: the entries that the other side wrote before its index are read after it.
inline uint32_t LoadIndex(const uint32_t* word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
// SAFETY: release: whoever sees the index sees the entries that were written before it.
inline void StoreIndex(uint32_t* word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }
// SAFETY: a full fence between our store and the load of the other side's index, as the macros have it: without it
// both sides could read the old value and both go to sleep.
inline void FullFence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

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
inline uint32_t UsedBytes(uint32_t head, uint32_t stride) {
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

class RingView {
 public:
  enum Word : size_t { kReqProd = 0, kReqEvent = 1, kRspProd = 2, kRspEvent = 3 };

  /// Entries of a ring of `pages` pages: the largest power of two that fits behind the header.
  static uint32_t SizeOf(uint64_t pages, uint32_t stride) {
    const size_t room = (pages * kRingPage - kRingHeader) / stride;
    uint32_t size = 1;
    while (size_t{size} * 2 <= room) size *= 2;
    return size;
  }

  /// `shared`: whole pages. `stride`: 112 or 108.
  RingView(uint8_t* shared, uint64_t pages, uint32_t stride)
      : shared_(shared), size_(SizeOf(pages, stride)), stride_(stride) {}

  uint32_t size() const { return size_; }
  uint32_t stride() const { return stride_; }
  uint32_t* Index(Word word) const {
    // SAFETY: the mapping begins at a page, so its words are aligned; the length was checked at open.
    return reinterpret_cast<uint32_t*>(shared_) + word;
  }
  uint8_t* Slot(uint32_t index) const { return shared_ + kRingHeader + size_t{index & (size_ - 1)} * stride_; }

  /// As SHARED_RING_INIT leaves it; the rest of the pages is zeroed.
  void Init() const {
    memset(shared_, 0, kRingHeader + size_t{size_} * stride_);
    StoreIndex(Index(kReqEvent), 1);
    StoreIndex(Index(kRspEvent), 1);
  }

  /// Copies up to `max` entries from `cons` on to `entries`, which has room for a ring. The producer is read once, and
  /// given in `seen`. @returns how many, or -1 when the producer lies.
  int32_t Take(uint32_t cons, uint32_t rspProd, uint32_t max, bool whole, uint8_t* entries, uint32_t* seen) const {
    const uint32_t prod = *seen = LoadIndex(Index(kReqProd));
    // What is consumed lies between rspProd and reqProd, and reqProd can be no more than one ring ahead of rspProd.
    if (static_cast<uint32_t>(prod - rspProd) > size_) return -1;
    if (static_cast<uint32_t>(cons - rspProd) > static_cast<uint32_t>(prod - rspProd)) return -1;
    uint32_t count = prod - cons;
    if (count > max) count = max;
    for (uint32_t i = 0; i < count; i++, entries += stride_) {
      if (stride_ == 112)
        CopyUsed<uint64_t>(entries, Slot(cons + i), 112, whole);
      else
        CopyUsed<uint32_t>(entries, Slot(cons + i), 108, whole);
    }
    return static_cast<int32_t>(count);
  }

  /// Writes `count` answers of four words from `rspProd` on; nothing is published.
  void WriteAnswers(const int32_t* answers, uint32_t count, uint32_t rspProd) const {
    for (uint32_t i = 0; i < count; i++, answers += kAnswerWords) {
      // Assembled here whole, padding zeroed: what lay on the stack or in the slot must not reach the guest (XSA-216).
      const uint32_t out[4] = {static_cast<uint32_t>(answers[0]), static_cast<uint32_t>(answers[1]),
                               (static_cast<uint32_t>(answers[2]) & 0xff) | static_cast<uint32_t>(answers[3]) << 16, 0};
      memcpy(Slot(rspProd + i), out, stride_ == 112 ? 16 : 12);
    }
  }

  /// Reads up to `max` answers from `cons` on. @returns how many, or -1 when the back end lies.
  int32_t TakeAnswers(uint32_t cons, int32_t* answers, uint32_t max, uint32_t* seen) const {
    const uint32_t prod = *seen = LoadIndex(Index(kRspProd));
    uint32_t count = prod - cons;
    if (count > size_) return -1;
    if (count > max) count = max;
    for (uint32_t i = 0; i < count; i++, answers += kAnswerWords) {
      uint32_t in[3];
      CopyOnce<uint32_t>(reinterpret_cast<uint8_t*>(in), Slot(cons + i), sizeof in);
      answers[0] = static_cast<int32_t>(in[0]);
      answers[1] = static_cast<int32_t>(in[1]);
      answers[2] = static_cast<int32_t>(in[2] & 0xff);
      answers[3] = static_cast<int16_t>(in[2] >> 16);
    }
    return static_cast<int32_t>(count);
  }

  /// RING_PUSH_…_AND_CHECK_NOTIFY: publishes, then asks whether the other side wanted to hear about it.
  static bool Publish(uint32_t* prod, const uint32_t* event, uint32_t before, uint32_t after) {
    StoreIndex(prod, after);
    FullFence();
    const uint32_t wanted = __atomic_load_n(event, __ATOMIC_RELAXED);
    return static_cast<uint32_t>(after - wanted) < static_cast<uint32_t>(after - before);
  }

  /// RING_FINAL_CHECK_FOR_…: asks for the next event, then looks again. @returns whether something came meanwhile.
  static bool ArmEvent(uint32_t* event, const uint32_t* prod, uint32_t cons) {
    __atomic_store_n(event, cons + 1, __ATOMIC_RELAXED);
    FullFence();
    return LoadIndex(prod) != cons;
  }

 private:
  uint8_t* shared_;
  uint32_t size_;
  uint32_t stride_;
};

}  // namespace xbbd
