// The table of owners (owners.cc) under callers in any order: up to three environments that adopt, map, look, give
// back, unmap, close and end, and rings and engines that borrow beneath them, once in sixteen runs from a second
// thread. A model says how each call must end. No handle comes twice; nothing goes while anyone borrows it, and then it
// is really gone, with every ArrayBuffer over it detached; whatever happens, nothing is left in the end.
#include "../owners.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "../parts.h"
#include "runtime.h"

using namespace xbbd_fuzz;

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kMostThings = 40;

struct Thing {
  bool mapping = false;
  int fd = -1;
  /// Of the file behind a descriptor; 0: an eventfd, which nothing can map.
  size_t bytes = 0;
  uint8_t* address = nullptr;
  uint32_t borrows = 0;
  /// Counts what runs after its unmapping; null: nothing was asked for.
  std::shared_ptr<int> after;
};

/// What munmap was called for last, and an ArrayBuffer that must have been detached by then.
struct Unmapping {
  void* address = nullptr;
  size_t length = 0;
  napi_value view = nullptr;
};
Unmapping unmapping;

struct Environment {
  std::unique_ptr<Runtime> runtime = std::make_unique<Runtime>(std::initializer_list<Runtime::Init>{InitOwners});
  std::map<uint32_t, napi_value> views;
};

/// Borrows and gives back all the time, as a Worker does; what it has borrowed it reads.
class Neighbour {
 public:
  explicit Neighbour(bool there) {
    if (there)
      thread_ = std::thread([this] { Work(); });
  }
  ~Neighbour() {
    stop_ = true;
    if (thread_.joinable())
      thread_.join();
  }
  void KnowsOf(uint32_t handle) { newest_ = handle; }

 private:
  void Work() {
    for (uint32_t turn = 0; !stop_; turn++) {
      const uint32_t handle = newest_ - turn % kMostThings;
      xbbd::Mapping mapping;
      xbbd::Borrow borrow;
      if (borrow.TakeMapping(handle, &mapping)) {
        volatile uint8_t seen = mapping.address[mapping.length - 1];
        (void)seen;
      } else if (const int fd = borrow.TakeFd(handle); fd >= 0) {
        Require(fcntl(fd, F_GETFD) >= 0, "a borrowed descriptor is open");
      }
    }
  }
  std::atomic<bool> stop_{false};
  std::atomic<uint32_t> newest_{0};
  std::thread thread_;
};

class World {
 public:
  explicit World(Input& input) : input_(input), disturbed_(input.Below(16) == 0), neighbour_(disturbed_) {
    environments_.resize(1 + input.Below(3));
  }

  void Step() {
    Environment& here = environments_[input_.Below(static_cast<uint32_t>(environments_.size()))];
    switch (input_.Below(14)) {
      case 0: return Adopt(here);
      case 1: return AdoptMapped();
      case 2: return Map(here);
      case 3: return MapMemory(here);
      case 4: return View(here);
      case 5: return GiveBack(here);
      case 6: return Unmap(here, Any());
      case 7: return Close(here, Any());
      case 8: return Duplicate(here);
      case 9: return Look(here);
      case 10: return Borrow();
      case 11: return EndBorrow(input_.Below(static_cast<uint32_t>(borrowed_.size()) + 1));
      case 12: return Nonsense(here);
      default: return Restart(here);
    }
  }

  void End() {
    while (!borrowed_.empty()) EndBorrow(0);
    for (Environment& environment : environments_) Restart(environment);
    // The neighbour may still hold something for a moment; that is no leak, so it is asked again.
    while (!things_.empty()) {
      const auto [handle, thing] = *things_.begin();
      if (thing.mapping)
        Unmap(environments_[0], handle);
      else
        Close(environments_[0], handle);
    }
    Require(environments_[0].runtime->Call("owned", {}).value->elements.empty(), "nothing is left in the end");
  }

 private:
  /// Mostly something that is there; sometimes what was, or will be.
  uint32_t Any() {
    if (things_.empty() || input_.Below(8) == 0)
      return last_ + 3 - input_.Below(50);
    auto at = things_.begin();
    std::advance(at, input_.Below(static_cast<uint32_t>(things_.size())));
    return at->first;
  }

  Thing* Find(uint32_t handle, bool mapping) {
    const auto found = things_.find(handle);
    return found == things_.end() || found->second.mapping != mapping ? nullptr : &found->second;
  }

  void Enter(uint32_t handle, Thing thing) {
    Require(handle > last_, "no handle is given twice");
    last_ = handle;
    if (thing.mapping) {
      xbbd::Mapping mapping;
      Require(xbbd::LookupMapping(handle, &mapping), "what was mapped is in the table");
      thing.address = mapping.address;
      thing.bytes = mapping.length;
    } else {
      Require(fcntl(thing.fd, F_GETFD) == FD_CLOEXEC, "what is adopted is close-on-exec");
    }
    things_.emplace(handle, std::move(thing));
    neighbour_.KnowsOf(handle);
  }

  /// The call ended as the model says; the neighbour may have been in its way.
  bool Ended(const Outcome& outcome, const std::string& code) {
    if (disturbed_ && code.empty() && outcome.code == "EBUSY")
      return false;
    Require(outcome.code == code, "a call ends as its rule says");
    return outcome.Returned();
  }

  void Adopt(Environment& here) {
    Runtime& js = *here.runtime;
    const bool open = input_.Below(8) > 0 && things_.size() < kMostThings;
    Thing thing;
    thing.bytes = input_.Below(4) * kPage / 2;
    thing.fd = !open ? 1 << 20 : thing.bytes ? memfd_create("fuzz", 0) : eventfd(0, 0);
    if (thing.bytes && open)
      Require(ftruncate(thing.fd, static_cast<off_t>(thing.bytes)) == 0, "a file in memory has a size");
    const Outcome outcome = js.Call("adopt", {js.Number(thing.fd)});
    if (Ended(outcome, open ? "" : "EBADF"))
      Enter(outcome.Number(), thing);
  }

  /// As gntdev.cc enters what it mapped: something is left to do when it was unmapped.
  void AdoptMapped() {
    if (things_.size() >= kMostThings)
      return;
    Thing thing;
    thing.mapping = true;
    thing.after = std::make_shared<int>(0);
    void* address = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    Require(address != MAP_FAILED, "there is memory");
    const auto after = [count = thing.after] { ++*count; };
    Enter(xbbd::AdoptMapping({static_cast<uint8_t*>(address), kPage, true}, "fuzz", after), thing);
  }

  void Map(Environment& here) {
    Runtime& js = *here.runtime;
    const uint32_t handle = Any();
    const double length = input_.Below(8) ? input_.Below(3 * kPage) : 1e15, offset = input_.Below(4) * kPage / 2;
    const bool writable = input_.Below(2);
    const Thing* file = Find(handle, false);
    if (things_.size() >= kMostThings)
      return;
    const Outcome outcome =
        js.Call("map", {js.Number(handle), js.Number(length), js.Number(offset), js.Flag(writable)});
    const bool fits = length > 0 && static_cast<uint64_t>(offset) % kPage == 0;
    if (fits && file && file->bytes == 0) {
      Require(!outcome.Returned(), "what has no pages is not mapped");
    } else if (Ended(outcome, !fits ? "EINVAL" : !file ? "EBADF" : length + offset > file->bytes ? "EINVAL" : "")) {
      Thing thing;
      thing.mapping = true;
      Enter(outcome.Number(), thing);
    }
  }

  void MapMemory(Environment& here) {
    Runtime& js = *here.runtime;
    const double length = input_.Below(8) ? input_.Below(4) * kPage : 1e13;
    if (things_.size() >= kMostThings)
      return;
    const Outcome outcome = js.Call("mapMemory", {js.Number(length)});
    Thing thing;
    thing.mapping = true;
    if (Ended(outcome, length == 0 || length > 1e12 ? "EINVAL" : ""))
      Enter(outcome.Number(), thing);
  }

  void View(Environment& here) {
    Runtime& js = *here.runtime;
    const uint32_t handle = Any();
    Thing* thing = Find(handle, true);
    const auto known = here.views.find(handle);
    js.refuseIn = input_.Below(4) ? 0 : 1 + input_.Below(2);
    const bool refused = js.refuseIn > 0 && thing && known == here.views.end();
    const Outcome outcome = js.Call("view", {js.Number(handle)});
    js.refuseIn = 0;
    if (!Ended(outcome, !thing ? "EBADF" : refused ? "ENOSYS" : ""))
      return;
    if (known != here.views.end())
      return Require(outcome.value == known->second, "a thread has one view of a mapping");
    Require(outcome.value->bytes == thing->address && outcome.value->length == thing->bytes,
            "a view is of all of its mapping");
    memset(outcome.value->bytes, 0x5a, outcome.value->length);
    here.views.emplace(handle, outcome.value);
    thing->borrows++;
  }

  void GiveBack(Environment& here) {
    const uint32_t handle = Any();
    const auto known = here.views.find(handle);
    const bool seen = known != here.views.end();
    if (!Ended(here.runtime->Call("giveBack", {here.runtime->Number(handle)}), seen ? "" : "EBADF"))
      return;
    Require(known->second->bytes == nullptr, "what is given back is seen no more");
    here.views.erase(known);
    things_.at(handle).borrows--;
  }

  void Unmap(Environment& here, uint32_t handle) {
    const Thing* thing = Find(handle, true);
    const auto own = here.views.find(handle);
    const bool seen = own != here.views.end();
    const char* code = !thing ? "EBADF" : thing->borrows > (seen ? 1u : 0u) ? "EBUSY" : "";
    unmapping = {nullptr, 0, seen ? own->second : nullptr};
    const bool gone = Ended(here.runtime->Call("unmap", {here.runtime->Number(handle)}), code);
    Require(gone == (unmapping.address != nullptr), "memory goes when the call says so, and only then");
    if (!gone)
      return;
    Require(unmapping.address == thing->address && unmapping.length == thing->bytes,
            "what goes is the whole mapping, and nothing else");
    Require(!thing->after || *thing->after == 1, "what is left to do after the unmapping is done, once");
    if (seen)
      here.views.erase(own);
    things_.erase(handle);
  }

  void Close(Environment& here, uint32_t handle) {
    const Thing* thing = Find(handle, false);
    const char* code = !thing ? "EBADF" : thing->borrows > 0 ? "EBUSY" : "";
    if (!Ended(here.runtime->Call("closeDescriptor", {here.runtime->Number(handle)}), code))
      return;
    Require(fcntl(thing->fd, F_GETFD) < 0, "what is closed is closed");
    things_.erase(handle);
  }

  void Duplicate(Environment& here) {
    const uint32_t handle = Any();
    const Thing* thing = Find(handle, false);
    if (things_.size() >= kMostThings)
      return;
    const Outcome outcome = here.runtime->Call("dup", {here.runtime->Number(handle)});
    if (!Ended(outcome, thing ? "" : "EBADF"))
      return;
    Thing copy = *thing;
    copy.fd = xbbd::LookupFd(outcome.Number());
    copy.borrows = 0;
    Require(copy.fd >= 0 && copy.fd != thing->fd, "a duplicate is another descriptor");
    Enter(outcome.Number(), copy);
  }

  /// Everything that only tells.
  void Look(Environment& here) {
    Runtime& js = *here.runtime;
    const uint32_t handle = Any();
    const Thing* thing = Find(handle, false);
    const Outcome number = js.Call("descriptorOf", {js.Number(handle)});
    if (Ended(number, thing ? "" : "EBADF"))
      Require(static_cast<int>(number.Number()) == thing->fd, "the descriptor is its own");
    Ended(js.Call("populate", {js.Number(handle)}), Find(handle, true) ? "" : "EBADF");
    Require(js.Call("environments", {}).Number() == environments_.size(), "as many environments as there are");
    const auto& items = js.Call("owned", {}).value->elements;
    Require(items.size() == things_.size(), "what is owned is what was entered and is not gone");
    for (napi_value item : items) {
      const auto found = things_.find(static_cast<uint32_t>(item->members.at("handle")->number));
      Require(found != things_.end(), "what is owned was entered");
      const auto borrows = static_cast<uint32_t>(item->members.at("borrows")->number);
      Require(borrows == found->second.borrows || (disturbed_ && borrows == found->second.borrows + 1),
              "the borrows are counted");
    }
  }

  void Borrow() {
    const uint32_t handle = Any();
    xbbd::Mapping mapping;
    Thing *mapped = Find(handle, true), *opened = Find(handle, false);
    Require(xbbd::BorrowMapping(handle, &mapping) == (mapped != nullptr), "a mapping that is there can be borrowed");
    if (mapped)
      Require(mapping.address == mapped->address && mapping.length == mapped->bytes,
              "it is the one that was asked for");
    Require(xbbd::BorrowFd(handle) == (opened ? opened->fd : -1), "a descriptor that is there can be borrowed");
    Thing* thing = mapped ? mapped : opened;
    if (!thing)
      return;
    thing->borrows++;
    borrowed_.push_back(handle);
  }

  void EndBorrow(size_t index) {
    if (index >= borrowed_.size())
      return;
    const uint32_t handle = borrowed_[index];
    borrowed_.erase(borrowed_.begin() + static_cast<ptrdiff_t>(index));
    Require(things_.count(handle) == 1, "nothing went that was borrowed");
    xbbd::GiveBack(handle);
    things_.at(handle).borrows--;
  }

  /// Arguments of any kind: what is no handle throws, and changes nothing.
  void Nonsense(Environment& here) {
    static constexpr const char* kNames[] = {
        "closeDescriptor", "dup", "descriptorOf", "mapMemory", "populate", "view", "giveBack", "unmap", "map"};
    const char* name = kNames[input_.Below(sizeof kNames / sizeof kNames[0])];
    std::vector<napi_value> args;
    for (uint32_t count = input_.Below(12); count > 0; count--) {
      args.push_back(here.runtime->Anything(input_));
      if (args[0]->kind == Kind::kNumber)
        args[0]->number = -1 - args[0]->number;
      if (args[0]->kind == Kind::kNumber && !(args[0]->number < 0))
        args[0]->number = -1;
    }
    const Outcome outcome = here.runtime->Call(name, args);
    Require(outcome.code == "EINVAL" || outcome.code == "EBADF", "nonsense is refused");
  }

  /// A Worker dies, and another one takes its place.
  void Restart(Environment& here) {
    here.runtime->End();
    for (const auto& view : here.views) things_.at(view.first).borrows--;
    here = Environment();
  }

  Input& input_;
  const bool disturbed_;
  std::vector<Environment> environments_;
  std::map<uint32_t, Thing> things_;
  std::vector<uint32_t> borrowed_;
  static uint32_t last_;
  Neighbour neighbour_;
};

uint32_t World::last_ = 0;

}  // namespace

/// munmap (linked with --wrap=munmap), looked at.
extern "C" int __real_munmap(void* address, size_t length);
extern "C" int __wrap_munmap(void* address, size_t length) {
  Require(unmapping.address == nullptr, "one call unmaps once");
  Require(!unmapping.view || unmapping.view->bytes == nullptr, "an ArrayBuffer is detached before its memory goes");
  unmapping.address = address;
  unmapping.length = length;
  return __real_munmap(address, length);
}

void xbbd_fuzz::Run(Input& input) {
  World world(input);
  for (int step = 0; step < 200 && !input.Ended(); step++) world.Step();
  world.End();
}
