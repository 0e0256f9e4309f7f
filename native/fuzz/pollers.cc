// Pollers (poller.cc) over an event loop that the harness drives: opened, paused, unmasked and closed in any order,
// also by what they call, which may throw; and an environment that ends in the middle. A model says who is called in
// each round: once for all that was counted, never while masked or paused, and again for what came meanwhile.
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../owners.h"
#include "../parts.h"
#include "loop.h"
#include "runtime.h"

using namespace xbbd_fuzz;

namespace {

constexpr uint32_t kPlain = 0, kEventfd = 1, kChannel = 2, kEvtchn = 3;
constexpr uint32_t kThings = 6;

/// A descriptor, and what makes it readable.
struct Thing {
  uint32_t handle = 0;
  int other = -1;
  bool isFile = false, isPair = false;
};

struct Poller {
  uint32_t thing = 0, mode = 0;
  bool running = false, masked = false, pending = false;
  uint32_t calls = 0, expected = 0;
};

class World {
 public:
  explicit World(Input& input)
      : input_(input), js_(std::make_unique<Runtime>(std::initializer_list<Runtime::Init>{InitOwners, InitPoller})) {
    for (uint32_t i = 0; i < kThings; i++) {
      Thing& thing = things_[i];
      thing.isFile = i == 0;
      thing.isPair = i > 3;
      int fds[2] = {-1, -1};
      if (thing.isFile)
        fds[0] = memfd_create("fuzz", 0);
      else if (thing.isPair)
        Require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds) == 0, "there is a pair");
      else
        fds[0] = eventfd(0, EFD_NONBLOCK);
      thing.handle = xbbd::AdoptFd(fds[0], "fuzz");
      thing.other = fds[1];
    }
  }

  void Step() {
    switch (input_.Below(9)) {
      case 0: return Open();
      case 1:
      case 2: return Wake(input_.Below(kThings));
      case 3:
      case 4: return Round();
      case 5: return Run(input_.Below(2));
      case 6: return Unmask();
      case 7: return Close(Any());
      default: return Nonsense();
    }
  }

  /// As a Worker dies: with pollers open, some of them on their way to be closed.
  void End() {
    js_->End();
    for (int round = 0; round < 2; round++) GoRound();
    Require(js_->ending == 0 && polled.empty(), "the end waits for the last handle, and comes");
    Runtime other{InitOwners};
    for (const Thing& thing : things_) {
      Require(other.Call("closeDescriptor", {other.Number(thing.handle)}).Returned(),
              "nothing is polled when its environment has ended");
      if (thing.isPair) close(thing.other);
    }
  }

 private:
  uint32_t Any() {
    if (pollers_.empty() || input_.Below(8) == 0) return input_.Take<uint32_t>();
    auto at = pollers_.begin();
    std::advance(at, input_.Below(static_cast<uint32_t>(pollers_.size())));
    return at->first;
  }

  bool Counts(uint32_t thing) { return !things_[thing].isFile && !things_[thing].isPair; }

  void Open() {
    const uint32_t thing = input_.Below(kThings);
    const uint32_t mode = things_[thing].isPair ? (input_.Below(2) ? kEvtchn : kPlain) : input_.Below(3);
    bool taken = false;
    for (const auto& poller : pollers_) taken = taken || poller.second.thing == thing;
    auto id = std::make_shared<uint32_t>(0);
    napi_value callback = js_->Function([this, id] { Called(*id); });
    const Outcome outcome = js_->Call("pollerOpen", {js_->Number(things_[thing].handle), js_->Number(mode), callback});
    const char* code = things_[thing].isFile ? "EPERM" : taken ? "EEXIST" : "";
    if (*code) return Require(!outcome.Returned(), "what cannot be polled is refused");
    Require(outcome.Returned(), "what can be polled is polled");
    *id = outcome.Number();
    Require(pollers_.emplace(*id, Poller{thing, mode}).second, "no id is given twice");
    Require(js_->Call("closeDescriptor", {js_->Number(things_[thing].handle)}).code == "EBUSY",
            "what is polled is not closed");
  }

  void Wake(uint32_t thing) {
    const uint64_t value = 1 + input_.Below(3);
    if (Counts(thing))
      Require(write(xbbd::LookupFd(things_[thing].handle), &value, sizeof value) == sizeof value, "it counts");
    else if (things_[thing].isPair && ++sent_ < 20)
      Require(write(things_[thing].other, &value, 4) == 4, "a port is told");
  }

  /// JavaScript, in the middle of a round.
  void Called(uint32_t id) {
    Require(pollers_.count(id) == 1, "nobody is called who is closed");
    pollers_.at(id).calls++;
    switch (action_) {
      case 1: return Close(id);
      case 2: return Close(Any());
      case 3: js_->thrown = js_->New(Kind::kObject); return;
      case 4: return Run(false);
      case 5: return Open();
      case 6: return Unmask();
      default: return;
    }
  }

  void Expect(Poller& poller) {
    const int fd = xbbd::LookupFd(things_[poller.thing].handle);
    if (!poller.running || !IsReadable(fd)) return;
    if (poller.mode == kChannel && poller.masked) {
      poller.pending = true;
      return;
    }
    poller.expected++;
    if (poller.mode >= kChannel) poller.masked = true;
  }

  void Round() {
    action_ = input_.Below(3) ? 0 : input_.Below(7);
    for (auto& [id, poller] : pollers_) Expect(poller);
    const uint32_t before = js_->uncaught;
    GoRound();
    Require(js_->thrown == nullptr && (action_ == 3 || js_->uncaught == before), "what is thrown is uncaught, at once");
    for (auto& [id, poller] : pollers_) {
      if (action_ == 0)
        Require(poller.calls == poller.expected, "whoever has something to read is called, and nobody else");
      poller.calls = poller.expected = 0;
      const int fd = xbbd::LookupFd(things_[poller.thing].handle);
      const bool counted = poller.mode == kEventfd || poller.mode == kChannel;
      if (action_ == 0 && poller.running && counted)
        Require(!IsReadable(fd), "one call stands for all that was counted");
      // What a plain poller finds, its owner reads.
      uint64_t value;
      if (poller.mode == kPlain && poller.running && read(fd, &value, sizeof value) < 0) continue;
    }
    action_ = 0;
  }

  void Run(bool on) {
    const uint32_t id = Any();
    const auto found = pollers_.find(id);
    const Outcome outcome = js_->Call(on ? "pollerResume" : "pollerPause", {js_->Number(id)});
    Require(outcome.code == (found == pollers_.end() ? "EBADF" : ""), "what is open runs or rests");
    if (found != pollers_.end()) found->second.running = on;
    if (found != pollers_.end())
      Require(js_->Call("pollerKeepAlive", {js_->Number(id), js_->Flag(on)}).Returned(), "and may be all that is");
  }

  void Unmask() {
    const uint32_t id = Any();
    const auto found = pollers_.find(id);
    const Outcome outcome = js_->Call("pollerUnmask", {js_->Number(id)});
    if (found == pollers_.end()) return Require(outcome.code == "EBADF", "only what is open is unmasked");
    Require(outcome.Returned(), "what is open is unmasked");
    Poller& poller = found->second;
    if (poller.mode == kChannel && poller.pending)
      Require(IsReadable(xbbd::LookupFd(things_[poller.thing].handle)), "what came while it was masked comes now");
    poller.masked = poller.pending = false;
    // The port that is told to be unmasked.
    uint32_t port;
    if (poller.mode == kEvtchn && read(things_[poller.thing].other, &port, sizeof port) < 0) return;
  }

  void Close(uint32_t id) {
    const bool there = pollers_.erase(id) == 1;
    Require(js_->Call("pollerClose", {js_->Number(id)}).code == (there ? "" : "EBADF"), "what is open is closed, once");
  }

  void Nonsense() {
    static constexpr const char* kNames[] = {"pollerOpen",   "pollerPause",     "pollerResume",
                                             "pollerUnmask", "pollerKeepAlive", "pollerClose"};
    const uint32_t which = input_.Below(6);
    std::vector<napi_value> args;
    for (uint32_t more = input_.Below(5); more > 0; more--) args.push_back(js_->Anything(input_));
    if (!args.empty() && args[0]->kind == Kind::kNumber) args[0] = js_->New(Kind::kNull);
    const Outcome outcome = js_->Call(kNames[which], args);
    Require(outcome.code == "EINVAL" || outcome.code == "EBADF", "nonsense is refused");
  }

  Input& input_;
  std::unique_ptr<Runtime> js_;
  Thing things_[kThings];
  std::map<uint32_t, Poller> pollers_;
  /// What is done in this round by whoever is called.
  uint32_t action_ = 0;
  uint32_t sent_ = 0;
};

}  // namespace

void xbbd_fuzz::Run(Input& input) {
  World world(input);
  for (int step = 0; step < 200 && !input.Ended(); step++) world.Step();
  world.End();
}
