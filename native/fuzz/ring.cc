// The shared ring (ring-view.h) under a front end that writes anything anywhere, between the calls and, from a second
// thread, during them. What is taken is never more than was asked for or than the producer can own; of each entry only
// what it uses is written, and nothing beyond; an answer is whole, in its slot, and its neighbours are untouched.
#include <atomic>
#include <thread>
#include <vector>

#include "../ring-view.h"
#include "fuzz.h"

using xbbd::RingView;
using namespace xbbd_fuzz;

namespace {

constexpr uint8_t kUnwritten = 0xa7;

/// Writes into a ring while others use it: a processor of the guest.
class Scribbler {
 public:
  Scribbler(uint8_t* at, size_t bytes, uint32_t seed) : at_(at), bytes_(bytes), state_(seed | 1) {
    thread_ = std::thread([this] {
      auto* words = reinterpret_cast<uint32_t*>(at_);
      while (!stop_.load(std::memory_order_relaxed)) {
        state_ ^= state_ << 13, state_ ^= state_ >> 17, state_ ^= state_ << 5;
        __atomic_store_n(words + state_ % (bytes_ / 4), state_, __ATOMIC_RELAXED);
      }
    });
  }
  ~Scribbler() {
    stop_ = true;
    thread_.join();
  }

 private:
  uint8_t* at_;
  size_t bytes_;
  uint32_t state_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

void CheckTaken(const std::vector<uint8_t>& entries, int32_t count, uint32_t max, const RingView& ring, bool whole) {
  Require(count >= -1 && count <= static_cast<int32_t>(max), "no more is taken than was asked for");
  const uint32_t stride = ring.stride();
  for (size_t at = static_cast<size_t>(count < 0 ? 0 : count) * stride; at < entries.size(); at++)
    Require(entries[at] == kUnwritten, "nothing is written behind what was taken");
  for (int32_t i = 0; !whole && i < count; i++) {
    const uint8_t* entry = entries.data() + static_cast<size_t>(i) * stride;
    uint32_t head;
    memcpy(&head, entry, sizeof head);
    const uint32_t used = xbbd::UsedBytes(head, stride);
    Require(used <= stride, "no entry uses more than its place");
    for (uint32_t at = used; at < stride; at++) Require(entry[at] == kUnwritten, "the unused part of an entry is not copied");
  }
}

void Take(Input& input, const RingView& ring) {
  std::vector<uint8_t> entries(size_t{ring.size()} * ring.stride(), kUnwritten);
  const auto cons = input.Take<uint32_t>();
  const uint32_t rspProd = cons - input.Below(2 * ring.size());
  const uint32_t max = input.Below(ring.size() + 1);
  const bool whole = input.Below(2) == 1;
  if (input.Below(4)) xbbd::StoreIndex(ring.Index(RingView::kReqProd), cons + input.Below(2 * ring.size()));
  uint32_t seen;
  const int32_t count = ring.Take(cons, rspProd, max, whole, entries.data(), &seen);
  CheckTaken(entries, count, max, ring, whole);
  if (count < 0) return;
  Require(static_cast<uint32_t>(seen - rspProd) <= ring.size(), "a producer more than a ring ahead is a lie");
  Require(static_cast<uint32_t>(count) <= static_cast<uint32_t>(seen - cons), "nothing is taken that was not produced");
}

void Answer(Input& input, const RingView& ring, bool quiet) {
  const uint32_t count = input.Below(ring.size() + 1);
  const auto prod = input.Take<uint32_t>();
  std::vector<int32_t> answers(count * xbbd::kAnswerWords);
  input.Fill(answers.data(), answers.size() * sizeof(int32_t));
  const size_t bytes = xbbd::kRingHeader + size_t{ring.size()} * ring.stride();
  std::vector<uint8_t> before(ring.Slot(0) - xbbd::kRingHeader, ring.Slot(0) - xbbd::kRingHeader + bytes);
  ring.WriteAnswers(answers.data(), count, prod);
  const uint32_t length = ring.stride() == 112 ? 16 : 12;
  for (uint32_t slot = 0; quiet && slot < ring.size(); slot++) {
    const bool answered = static_cast<uint32_t>((slot - prod) & (ring.size() - 1)) < count;
    const size_t at = xbbd::kRingHeader + size_t{slot} * ring.stride() + (answered ? length : 0);
    const size_t rest = ring.stride() - (answered ? length : 0);
    Require(memcmp(ring.Slot(0) - xbbd::kRingHeader + at, before.data() + at, rest) == 0, "an answer stays in its place");
    if (answered && length == 16) Require(memcmp(ring.Slot(slot) + 12, "\0\0\0\0", 4) == 0, "padding is zero");
  }
  const bool wanted = RingView::Publish(ring.Index(RingView::kRspProd), ring.Index(RingView::kRspEvent), prod, prod + count);
  if (count == 0) Require(!wanted, "nothing published, nothing to notify");
}

void TakeAnswers(Input& input, const RingView& ring) {
  const uint32_t max = input.Below(ring.size() + 1);
  std::vector<int32_t> answers(max * xbbd::kAnswerWords);
  const auto cons = input.Take<uint32_t>();
  uint32_t seen;
  const int32_t count = ring.TakeAnswers(cons, answers.data(), max, &seen);
  Require(count >= -1 && count <= static_cast<int32_t>(max), "no more answers than there is room for");
  for (int32_t i = 0; i < count; i++) Require((answers[4 * i + 2] & ~0xff) == 0, "an operation has eight bits");
}

void Scribble(Input& input, uint8_t* at, size_t bytes) {
  const size_t place = input.Take<uint32_t>() % bytes;
  const size_t length = input.Below(128);
  input.Fill(at + place, length < bytes - place ? length : bytes - place);
}

}  // namespace

void xbbd_fuzz::Run(Input& input) {
  const uint32_t pages = 1u << input.Below(6);
  Block shared(pages * xbbd::kRingPage);
  const RingView ring(shared.at(), pages, input.Below(2) ? 112 : 108);
  Require(xbbd::kRingHeader + size_t{ring.size()} * ring.stride() <= shared.bytes(), "the ring fits its pages");
  ring.Init();
  // A thread costs more than a whole run: one in sixteen has it.
  const bool disturbed = input.Below(16) == 0;
  Scribbler* scribbler = disturbed ? new Scribbler(shared.at(), shared.bytes(), static_cast<uint32_t>(input.Left())) : nullptr;
  for (int step = 0; step < 64 && !input.Ended(); step++) {
    switch (input.Below(6)) {
      case 0: Take(input, ring); break;
      case 1: Answer(input, ring, !disturbed); break;
      case 2: TakeAnswers(input, ring); break;
      case 3: RingView::ArmEvent(ring.Index(RingView::kReqEvent), ring.Index(RingView::kReqProd), input.Take<uint32_t>()); break;
      case 4: ring.Init(); break;
      default: Scribble(input, shared.at(), shared.bytes());
    }
  }
  delete scribbler;
}
