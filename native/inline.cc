// The engine for files that lie in memory (tmpfs): each request is executed in Submit, by the Worker itself.
//
//   Submit ─► pread pwrite (neighbours as one) fdatasync fallocate, one after the other ─► results ─► Reap
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
    const uint32_t room = target_.depth - inFlight_;
    const uint32_t taken = count < room ? count : room;
    IoRequest run[kMostParts];
    uint32_t parts = 0;
    uint64_t bytes = 0;
    for (uint32_t index = 0; index < taken; index++) {
      const IoRequest request = ReadRequest(requests + static_cast<size_t>(index) * kIoWords);
      const int32_t refusal = RefusalOf(request, target_);
      const bool joins = parts > 0 && !refusal && Joins(run[parts - 1], request, bytes, parts, target_);
      if (!joins) bytes = parts = ExecuteAll(run, parts);
      if (refusal) {
        done_.Push(request.token, refusal);
        continue;
      }
      run[parts++] = request;
      bytes += request.length;
    }
    ExecuteAll(run, parts);
    inFlight_ += taken;
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
  /// Returns how many are left, none.
  uint32_t ExecuteAll(const IoRequest* run, uint32_t parts) {
    if (parts == 0) return 0;
    int32_t results[kMostParts];
    ExecuteRun(target_, run, parts, results);
    operations_.fetch_add(1, std::memory_order_relaxed);
    for (uint32_t part = 0; part < parts; part++) done_.Push(run[part].token, results[part]);
    return 0;
  }

  ResultRing done_;
};

}  // namespace

std::unique_ptr<Engine> NewInlineEngine(const EngineTarget& target) { return std::make_unique<InlineEngine>(target); }

}  // namespace xbbd
