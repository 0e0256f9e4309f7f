// The two other ways to a guest's pages: they are mapped, and the processor copies.
//
//   map          a batch's pages are mapped, copied, unmapped: nothing outlives the call. For comparison; a TLB
//                shoot-down and a hypercall more than copying by Xen.
//   persistent   a page stays mapped until the copier ends or its place is needed (least recently used goes first):
//                far cheaper per page, and legal only when front end and back end agreed on feature-persistent, since
//                a guest cannot take back a page that is mapped here.
//
// A read-only grant can be mapped for reading only, so what goes to the guest and what comes from it are mapped apart
// in `map`; under feature-persistent every grant is writable (blkif.h, note 8). Pages are touched by memcpy alone.
#include <cstring>
#include <list>
#include <unordered_map>
#include <vector>

#include "gntdev.h"

namespace xbbd {
namespace {

/// Pages mapped in one call; a batch that has more is cut.
constexpr uint32_t kPerCall = 256;

void Move(const CopierTarget& target, const GrantCopy& copy, uint8_t* page) {
  uint8_t* arena = target.arena + copy.place;
  // SAFETY: ReadCopy held offset and length against a page, place and length against the arena, which is borrowed. The
  // guest may write its page meanwhile; then it gets a mixture of its own making.
  if (copy.toGuest)
    memcpy(page + copy.offset, arena, copy.length);
  else
    memcpy(arena, page + copy.offset, copy.length);
}

class MappingCopier final : public GrantCopier {
 public:
  explicit MappingCopier(const CopierTarget& target) : target_(target) {}

  uint32_t Copy(int32_t* copies, uint32_t count) override {
    done_.assign(count, false);
    for (const bool toGuest : {false, true}) {
      for (uint32_t i = 0; i < count; i++) {
        GrantCopy copy;
        if (!ReadCopy(copies + size_t{i} * kCopyWords, target_.arenaLength, &copy)) continue;
        if (copy.toGuest == toGuest) pending_.push_back({copy, i});
        if (pending_.size() == kPerCall) Run(toGuest);
      }
      Run(toGuest);
    }
    uint32_t failed = 0;
    for (uint32_t i = 0; i < count; i++) {
      copies[size_t{i} * kCopyWords + 3] = done_[i] ? kGrantOkay : kGrantGeneralError;
      if (!done_[i]) failed++;
    }
    return failed;
  }

 private:
  struct Pending {
    GrantCopy copy;
    uint32_t index;
  };

  void Run(bool writable) {
    Some(0, pending_.size(), writable);
    pending_.clear();
  }

  /// One bad reference fails a call. Halved and tried again, it fails alone, and those beside it at the cost of a few
  /// calls more: a guest that grants nonsense must not buy a call for each of its segments.
  void Some(size_t from, size_t to, bool writable) {
    if (from == to || Try(from, to, writable) || to - from == 1) return;
    const size_t middle = from + (to - from) / 2;
    Some(from, middle, writable);
    Some(middle, to, writable);
  }

  bool Try(size_t from, size_t to, bool writable) {
    uint32_t grefs[kPerCall];
    const auto count = static_cast<uint32_t>(to - from);
    for (uint32_t i = 0; i < count; i++) grefs[i] = pending_[from + i].copy.gref;
    GuestPages pages;
    counts.calls += 2;
    if (MapGrants(target_.gntdev, target_.domid, grefs, count, writable, &pages) != 0) return false;
    for (uint32_t i = 0; i < count; i++) {
      Move(target_, pending_[from + i].copy, pages.address + size_t{i} * kGrantPage);
      done_[pending_[from + i].index] = true;
    }
    counts.calls += 2;
    UnmapGrants(target_.gntdev, pages);
    return true;
  }

  CopierTarget target_;
  std::vector<Pending> pending_;
  std::vector<bool> done_;
};

class PersistentCopier final : public GrantCopier {
 public:
  PersistentCopier(const CopierTarget& target, uint32_t most) : target_(target), most_(most) { kept_.reserve(most); }

  ~PersistentCopier() override {
    for (const Kept& kept : order_) UnmapGrants(target_.gntdev, kept.pages);
  }

  uint32_t Copy(int32_t* copies, uint32_t count) override {
    uint32_t failed = 0;
    for (uint32_t i = 0; i < count; i++) {
      int32_t* words = copies + size_t{i} * kCopyWords;
      GrantCopy copy;
      uint8_t* page = ReadCopy(words, target_.arenaLength, &copy) ? PageOf(copy.gref) : nullptr;
      words[3] = page ? kGrantOkay : kGrantGeneralError;
      if (page)
        Move(target_, copy, page);
      else
        failed++;
    }
    counts.mapped = static_cast<double>(kept_.size());
    return failed;
  }

 private:
  struct Kept {
    uint32_t gref;
    GuestPages pages;
  };

  /// The page behind a reference, mapped now if it was not; the most recently used stands in front.
  uint8_t* PageOf(uint32_t gref) {
    const auto known = kept_.find(gref);
    if (known != kept_.end()) {
      order_.splice(order_.begin(), order_, known->second);
      return known->second->pages.address;
    }
    if (kept_.size() == most_) Evict();
    GuestPages pages;
    counts.calls += 2;
    if (MapGrants(target_.gntdev, target_.domid, &gref, 1, true, &pages) != 0) return nullptr;
    order_.push_front({gref, pages});
    kept_[gref] = order_.begin();
    return pages.address;
  }

  void Evict() {
    const Kept& last = order_.back();
    counts.calls += 2;
    counts.evicted++;
    UnmapGrants(target_.gntdev, last.pages);
    kept_.erase(last.gref);
    order_.pop_back();
  }

  CopierTarget target_;
  uint32_t most_;
  std::list<Kept> order_;
  std::unordered_map<uint32_t, std::list<Kept>::iterator> kept_;
};

}  // namespace

std::unique_ptr<GrantCopier> NewMappingCopier(const CopierTarget& target) {
  return std::make_unique<MappingCopier>(target);
}

std::unique_ptr<GrantCopier> NewPersistentCopier(const CopierTarget& target, uint32_t most) {
  return std::make_unique<PersistentCopier>(target, most);
}

}  // namespace xbbd
