// Things that JavaScript names by a number (rings, copiers, pollers): one table per environment and kind. An id is
// slot | generation << 10, so that a number kept after its thing was closed finds nothing, not the slot's next tenant.
// Never shared between threads; an id of another environment means nothing here.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

namespace xbbd {

template <typename Thing>
class Slots {
 public:
  static constexpr uint32_t kSlots = 1024;

  /// The new id, or 0 when 1024 things are open already; then `thing` stays the caller's.
  uint32_t Add(std::unique_ptr<Thing>& thing) {
    uint32_t slot = 0;
    while (slot < slots_.size() && slots_[slot].thing) slot++;
    if (slot == kSlots) return 0;
    if (slot == slots_.size()) slots_.emplace_back();
    Slot& place = slots_[slot];
    place.thing = std::move(thing);
    // Generations start at 1 and stay below 2^21, so that an id is a small integer to V8 and never 0.
    place.generation = place.generation % ((1u << 20) - 1) + 1;
    return place.generation * kSlots + slot;
  }

  Thing* Find(uint32_t id) {
    const uint32_t slot = id % kSlots;
    if (slot >= slots_.size() || slots_[slot].generation != id / kSlots) return nullptr;
    return slots_[slot].thing.get();
  }

  std::unique_ptr<Thing> Remove(uint32_t id) {
    if (!Find(id)) return nullptr;
    return std::move(slots_[id % kSlots].thing);
  }

  template <typename Visit>
  void Each(Visit visit) {
    for (Slot& slot : slots_)
      if (slot.thing) visit(slot.thing);
  }

 private:
  struct Slot {
    std::unique_ptr<Thing> thing;
    uint32_t generation = 0;
  };
  std::vector<Slot> slots_;
};

}  // namespace xbbd
