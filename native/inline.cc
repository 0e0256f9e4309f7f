// The engine for files that lie in memory (tmpfs): each request is executed in Submit, by the Worker itself.
//
//   Submit ─► pread pwrite fdatasync fallocate, one after the other ─► results ─► Reap
//
// Such a file never waits for a device, so a transfer is a copy. Handing it to others costs more than doing it: kernels
// before 6.6 cannot say that a tmpfs would not block, and io_uring then wakes a thread of its own for every request.
// Only swapped-out pages wait; a host that swaps its guests' disks has lost more than this.
#include "engine.h"

namespace xbbd {
namespace {

class InlineEngine final : public Engine {
 public:
  explicit InlineEngine(const EngineTarget& target) : Engine(target), done_(target.depth) {}

  int Start() override { return 0; }

  uint32_t Submit(const int32_t* requests, uint32_t count) override {
    uint32_t taken = 0;
    for (; taken < count && inFlight_ < target_.depth; taken++, inFlight_++) {
      const IoRequest request = ReadRequest(requests + static_cast<size_t>(taken) * kIoWords);
      const int32_t refusal = RefusalOf(request, target_);
      done_.Push(request.token, refusal ? refusal : Execute(target_, request));
    }
    return taken;
  }

  uint32_t Reap(int32_t* results, uint32_t max) override {
    const uint32_t reaped = done_.Drain(results, max);
    inFlight_ -= reaped;
    return reaped;
  }

  /// Whatever is in flight has ended already.
  bool Arm() override { return done_.Count() > 0; }
  void Disarm() override {}

 private:
  ResultRing done_;
};

}  // namespace

std::unique_ptr<Engine> NewInlineEngine(const EngineTarget& target) { return std::make_unique<InlineEngine>(target); }

}  // namespace xbbd
