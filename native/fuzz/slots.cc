// The table of things that JavaScript names (slots.h) against a map: an id finds what it named until that was removed,
// and never anything else, whatever ids are asked for.
#include "../slots.h"
#include "fuzz.h"

#include <map>

using namespace xbbd_fuzz;

void xbbd_fuzz::Run(Input& input) {
  xbbd::Slots<uint32_t> slots;
  std::map<uint32_t, uint32_t> model;
  uint32_t next = 0;
  while (!input.Ended()) {
    switch (input.Below(4)) {
      case 0:
      case 1:
        for (uint32_t many = input.Below(40); many > 0; many--) {
          auto thing = std::make_unique<uint32_t>(next++);
          const uint32_t id = slots.Add(thing);
          Require((id == 0) == (model.size() == slots.kSlots), "it is full with 1024 things");
          Require((id == 0) == (thing != nullptr), "what found no place stays the caller's");
          if (id) Require(model.emplace(id, next - 1).second, "no id is given twice");
        }
        break;
      case 2: {
        auto at = model.lower_bound(input.Take<uint32_t>() % (slots.kSlots * 64));
        if (at == model.end()) break;
        Require(*slots.Remove(at->first) == at->second, "what is removed is what the id named");
        Require(!slots.Find(at->first) && !slots.Remove(at->first), "a removed id finds nothing");
        model.erase(at);
        break;
      }
      default: {
        const auto id = input.Take<uint32_t>();
        const uint32_t* found = slots.Find(id);
        Require((found != nullptr) == (model.count(id) == 1), "an id finds its thing, and no other does");
      }
    }
  }
  for (const auto& [id, value] : model) Require(*slots.Find(id) == value, "everything is where it was");
}
