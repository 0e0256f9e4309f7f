// Rings as JavaScript has them (ring.cc): opened over mappings of any size, called with arguments of any kind and
// arrays too short, closed in any order, or not at all before their environment ends. A call with good arguments
// returns, every other throws and touches nothing: what it may touch is allocated to the byte, so the sanitizer sees
// who goes beyond.
#include <sys/mman.h>

#include "../owners.h"
#include "../parts.h"
#include "../ring-view.h"
#include "runtime.h"

using namespace xbbd_fuzz;

namespace {

struct Open {
  uint32_t mapping = 0, size = 0, stride = 0;
  napi_value entries = nullptr, control = nullptr;
};

class World {
 public:
  explicit World(Input& input) : input_(input) {}

  void Step() {
    switch (input_.Below(8)) {
      case 0: return Map();
      case 1: return OpenRing();
      case 2: return Close();
      case 3: return Unmap(Any(mappings_));
      case 4: return Nonsense();
      default: return Use();
    }
  }

  /// As a Worker dies: rings that are open are not closed by anybody.
  void End() {
    const bool closes = input_.Below(2);
    while (closes && !rings_.empty()) Close();
    js_.End();
    rings_.clear();
    Runtime other{InitOwners};
    for (const auto& [mapping, pages] : mappings_)
      Require(other.Call("unmap", {other.Number(mapping)}).Returned(),
              "nothing is borrowed when its environment has ended");
  }

 private:
  template <typename Things>
  uint32_t Any(const Things& things) {
    if (things.empty() || input_.Below(8) == 0) return input_.Take<uint32_t>();
    auto at = things.begin();
    std::advance(at, input_.Below(static_cast<uint32_t>(things.size())));
    return at->first;
  }

  napi_value Number(double number) { return js_.Number(number); }

  void Map() {
    if (mappings_.size() >= 8) return;
    const uint32_t pages = 1 + input_.Below(input_.Below(4) ? 4 : 40);
    auto* address = static_cast<uint8_t*>(aligned_alloc(xbbd::kRingPage, pages * xbbd::kRingPage));
    memset(address, 0x6b, pages * xbbd::kRingPage);
    const bool writable = input_.Below(8) > 0;
    const uint32_t handle = xbbd::AdoptMapping({address, pages * xbbd::kRingPage, writable}, "fuzz");
    mappings_[handle] = writable ? pages : 0;
  }

  void Unmap(uint32_t mapping) {
    bool used = false;
    for (const auto& ring : rings_) used = used || ring.second.mapping == mapping;
    const char* code = mappings_.count(mapping) == 0 ? "EBADF" : used ? "EBUSY" : "";
    Require(js_.Call("unmap", {Number(mapping)}).code == code, "memory under a ring stays");
    if (!*code) mappings_.erase(mapping);
  }

  void OpenRing() {
    const uint32_t mapping = Any(mappings_);
    const auto known = mappings_.find(mapping);
    const uint32_t pages = known != mappings_.end() && input_.Below(4) ? known->second : input_.Below(64);
    const uint32_t stride = input_.Below(8) == 0 ? input_.Below(120) : input_.Below(2) ? 112 : 108;
    js_.refuseIn = input_.Below(8) == 7 ? 1 + input_.Below(4) : 0;
    const bool refused = js_.refuseIn > 0;
    const Outcome outcome = js_.Call("ringOpen", {Number(mapping), Number(pages), Number(stride)});
    js_.refuseIn = 0;
    const bool shaped = pages > 0 && pages <= 32 && (pages & (pages - 1)) == 0 && (stride == 112 || stride == 108);
    const bool fits = known != mappings_.end() && known->second == pages;
    const char* code = !shaped                    ? "EINVAL"
                       : known == mappings_.end() ? "EBADF"
                       : !fits                    ? "EINVAL"
                       : refused                  ? "EMFILE"
                                                  : "";
    Require(outcome.code == code, "a ring is opened over just its pages");
    if (!outcome.Returned()) return;
    auto member = [&](const char* name) { return outcome.value->members.at(name); };
    Open ring{mapping, static_cast<uint32_t>(member("size")->number), stride, member("entries"), member("control")};
    Require(xbbd::kRingHeader + size_t{ring.size} * stride <= pages * xbbd::kRingPage, "a ring is inside its pages");
    Require(ring.entries->length == size_t{ring.size} * stride && ring.control->length == 16,
            "there is room for all of it");
    Require(rings_.emplace(static_cast<uint32_t>(member("id")->number), ring).second, "no id is given twice");
  }

  void Close() {
    const uint32_t id = Any(rings_);
    const auto found = rings_.find(id);
    Require(js_.Call("ringClose", {Number(id)}).code == (found == rings_.end() ? "EBADF" : ""),
            "what is open is closed, once");
    if (found == rings_.end()) return;
    Require(!found->second.entries->bytes && !found->second.control->bytes, "nothing is seen of a ring that is closed");
    rings_.erase(found);
  }

  /// One call with good arguments, or with an array that is too short or a count that is too large.
  void Use() {
    const uint32_t id = Any(rings_);
    const auto found = rings_.find(id);
    const Open ring = found == rings_.end() ? Open() : found->second;
    const uint32_t count = input_.Below(ring.size + 3), room = input_.Below(8) ? count : input_.Below(count + 1);
    const auto at = Number(input_.Take<uint32_t>());
    const bool fits = count <= ring.size && room == count;
    auto words = [&](uint32_t each) {
      napi_value array = js_.Bytes(size_t{room} * each * 4, napi_int32_array);
      input_.Fill(array->buffer->bytes, std::min<size_t>(array->buffer->length, 64));
      return array;
    };
    bool good = true;
    Outcome outcome;
    switch (input_.Below(11)) {
      case 0:
        good = count <= ring.size;
        outcome = js_.Call("ringTake",
                           {Number(id), at, Number(input_.Take<uint32_t>()), Number(count), js_.Flag(input_.Below(2))});
        break;
      case 1: outcome = js_.Call("ringPeek", {Number(id), at}); break;
      case 2: good = fits, outcome = js_.Call("ringWrite", {Number(id), words(4), Number(count), at}); break;
      case 3: good = fits, outcome = js_.Call("ringAnswer", {Number(id), words(4), Number(count), at}); break;
      case 4: outcome = js_.Call("ringArm", {Number(id), at}); break;
      case 5: outcome = js_.Call("ringPublished", {Number(id)}); break;
      case 6:
        good = fits, outcome = js_.Call("frontPut", {Number(id), words(ring.stride / 4), Number(count), at});
        break;
      case 7: good = fits, outcome = js_.Call("frontTake", {Number(id), at, words(4), Number(count)}); break;
      case 8: outcome = js_.Call("frontArm", {Number(id), at}); break;
      case 9: outcome = js_.Call("ringLook", {Number(found == rings_.end() ? 1e9 : ring.mapping)}); break;
      default: outcome = js_.Call("ringInit", {Number(id)});
    }
    Require(outcome.code == (found == rings_.end() ? "EBADF"
                             : good                ? ""
                                                   : "EINVAL"),
            "good arguments, and only those, are taken");
  }

  /// Arguments of any kind, at most the first of them good.
  void Nonsense() {
    static constexpr const char* kNames[] = {"ringOpen",  "ringClose",  "ringInit",     "ringTake", "ringPeek",
                                             "ringWrite", "ringAnswer", "ringArm",      "ringLook", "frontPut",
                                             "frontTake", "frontArm",   "ringPublished"};
    const uint32_t which = input_.Below(sizeof kNames / sizeof kNames[0]);
    std::vector<napi_value> args;
    for (uint32_t more = input_.Below(12); more > 0; more--) args.push_back(js_.Anything(input_));
    // Whoever names a ring by chance may close it.
    if (!args.empty()) args[0] = which > 2 && !rings_.empty() ? Number(rings_.begin()->first) : js_.New(Kind::kObject);
    const Outcome outcome = js_.Call(kNames[which], args);
    Require(outcome.Returned() ? which > 2 : outcome.code == "EINVAL" || outcome.code == "EBADF",
            "nonsense is refused");
  }

  Input& input_;
  Runtime js_{InitOwners, InitRing};
  /// Pages of each mapping; 0: nothing may be written there.
  std::map<uint32_t, uint32_t> mappings_;
  std::map<uint32_t, Open> rings_;
};

}  // namespace

/// munmap (linked with --wrap=munmap): the pages are of the allocator, which tells the sanitizer their end.
extern "C" int __wrap_munmap(void* address, size_t) {
  free(address);
  return 0;
}

void xbbd_fuzz::Run(Input& input) {
  World world(input);
  for (int step = 0; step < 200 && !input.Ended(); step++) world.Step();
  world.End();
}
