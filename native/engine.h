// What io_uring, the threads and the Worker's own hand have in common: one engine moves the bytes of one queue between its arena and one
// descriptor. It is used by one thread; when that thread's environment ends with I/O in flight, the engine moves to
// the process-wide list of orphans and is drained there.
//
//   Submit: refuse | take, neighbours together ──► kernel or threads ──► Reap: (token, result), each its own
//
// A request that is bad is taken and answered with -errno; one for which there is no room is not taken.
// What must never happen: an engine destroyed, or its arena or descriptor let go, before the last completion.
#pragma once
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <vector>

#include "owners.h"

namespace xbbd {

// The words of a request and of a result, and the operations: src/ports/data-path.ts has the same numbers.
constexpr uint32_t kIoWords = 8;
constexpr uint32_t kResultWords = 2;
enum IoOp : uint32_t { kRead = 0, kWrite = 1, kSync = 2, kDiscard = 3, kWriteZeroes = 4, kSecureDiscard = 5 };

/// An arena is at most this long, so that every count of bytes moved fits a result (the kernel's own MAX_RW_COUNT).
constexpr size_t kMostArena = 0x7ffff000;

/// How often a request that made progress, or was interrupted, is continued before its result is handed up as it is.
constexpr uint32_t kContinuations = 8;

/// What the engine works on; taken from the medium's geometry.
struct EngineTarget {
  int fd = -1;
  int eventFd = -1;
  Mapping arena;
  uint64_t bytes = 0;
  uint32_t sectorSize = 512;
  uint32_t depth = 0;
  bool readOnly = false;
  bool canDiscard = false;
  bool canSecureDiscard = false;
  /// A discard writes zeroes over its range, deallocating where the medium can: what is read afterwards is zeroes.
  bool discardZeroes = false;
  bool blockDevice = false;
  /// Neighbours of one kind go to the medium as one transfer of at most so many bytes; 0 = each goes alone.
  uint32_t mergeBytes = 0;
};

/// One request, checked.
struct IoRequest {
  uint32_t op;
  int32_t token;
  uint32_t at;
  uint64_t length;
  uint64_t offset;
};

inline IoRequest ReadRequest(const int32_t* words) {
  const auto* word = reinterpret_cast<const uint32_t*>(words);
  const uint64_t length = word[3] | static_cast<uint64_t>(word[6]) << 32;
  return {word[0], words[1], word[2], length, word[4] | static_cast<uint64_t>(word[5]) << 32};
}

/// 0 or -errno; the same checks in the same order as refusalOf in src/io/media/requests.ts.
inline int32_t RefusalOf(const IoRequest& request, const EngineTarget& target) {
  if (request.op > kSecureDiscard) return -EINVAL;
  if (request.op == kSync) return 0;
  if (request.length == 0 || request.length % target.sectorSize || request.offset % target.sectorSize) return -EINVAL;
  if (request.offset > target.bytes || request.length > target.bytes - request.offset) return -EINVAL;
  if (request.op != kRead && target.readOnly) return -EROFS;
  if (request.op == kDiscard && !target.canDiscard) return -EOPNOTSUPP;
  if (request.op == kSecureDiscard && !target.canSecureDiscard) return -EOPNOTSUPP;
  const bool moves = request.op == kRead || request.op == kWrite;
  if (moves && request.at + request.length > target.arena.length) return -EFAULT;
  return 0;
}

/// Whether only an ioctl can do it: what deallocates on a block device, but by zeroes.
inline bool NeedsIoctl(const IoRequest& request, const EngineTarget& target) {
  if (request.op == kSecureDiscard) return true;
  return request.op == kDiscard && target.blockDevice && !target.discardZeroes;
}

/// Most requests in one transfer; each is one part of its vector.
constexpr uint32_t kMostParts = 64;

/// Whether `next` may join a transfer that ends with `last`, and has so many bytes and parts already.
inline bool Joins(const IoRequest& last, const IoRequest& next, uint64_t bytes, uint32_t parts,
                  const EngineTarget& target) {
  const bool moves = next.op == kRead || next.op == kWrite;
  return moves && next.op == last.op && next.offset == last.offset + last.length && parts < kMostParts &&
         bytes + next.length <= target.mergeBytes;
}

/// Executes `count` neighbours as one transfer; the result of each is its own, also where they fail as one.
void ExecuteRun(const EngineTarget& target, const IoRequest* requests, uint32_t count, int32_t* results);

/// Executes a checked request on the calling thread, which it may block: bytes moved, 0, or -errno.
int32_t Execute(const EngineTarget& target, const IoRequest& request);

/// Results that wait for Reap; as many as the engine is deep.
class ResultRing {
 public:
  explicit ResultRing(uint32_t capacity) : pairs_(static_cast<size_t>(capacity) * kResultWords), capacity_(capacity) {}
  void Push(int32_t token, int32_t result) {
    int32_t* pair = &pairs_[static_cast<size_t>((first_ + held_++) % capacity_) * kResultWords];
    pair[0] = token;
    pair[1] = result;
  }
  uint32_t Drain(int32_t* results, uint32_t max) {
    uint32_t moved = 0;
    for (; moved < max && held_ > 0; moved++, held_--) {
      const int32_t* pair = &pairs_[static_cast<size_t>(first_) * kResultWords];
      results[moved * kResultWords] = pair[0];
      results[moved * kResultWords + 1] = pair[1];
      first_ = (first_ + 1) % capacity_;
    }
    return moved;
  }
  uint32_t Count() const { return held_; }

 private:
  std::vector<int32_t> pairs_;
  uint32_t capacity_;
  uint32_t first_ = 0;
  uint32_t held_ = 0;
};

class Engine {
 public:
  explicit Engine(const EngineTarget& target) : target_(target), ended_(target.depth) {}
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  /// 0 or -errno; after a failure only the destructor may be called.
  virtual int Start() = 0;
  virtual uint32_t Submit(const int32_t* requests, uint32_t count) = 0;
  virtual uint32_t Reap(int32_t* results, uint32_t max) = 0;
  /// Asks for one write to the eventfd. True when results wait already; then none will come.
  virtual bool Arm() = 0;
  /// Takes the wish back.
  virtual void Disarm() = 0;
  /// Bit 0: the arena is registered with the kernel; bit 1: the descriptor is.
  virtual uint32_t Traits() const { return 0; }

  /// Taken and not reaped.
  uint32_t InFlight() const { return inFlight_; }
  /// Transfers and other operations begun and not told of yet, at most 15 bits' worth; several neighbours are one.
  uint32_t TellOperations() {
    const uint32_t begun = operations_.load(std::memory_order_relaxed);
    const uint32_t told = begun < 0x7fff ? begun : 0x7fff;
    operations_.fetch_sub(told, std::memory_order_relaxed);
    return told;
  }
  const EngineTarget& Target() const { return target_; }

  /// Pins what the target points to until the engine is gone.
  void Keep(std::unique_ptr<Borrow> fd, std::unique_ptr<Borrow> event, std::unique_ptr<Borrow> arena) {
    borrows_.push_back(std::move(fd));
    borrows_.push_back(std::move(event));
    borrows_.push_back(std::move(arena));
  }

 private:
  // The base's member, so destroyed after the derived class has closed its ring or joined its threads.
  std::vector<std::unique_ptr<Borrow>> borrows_;

 protected:
  /// Takes a bad request, whose result waits at once.
  void Refuse(int32_t token, int32_t result) {
    ended_.Push(token, result);
    inFlight_++;
  }

  EngineTarget target_;
  /// Results that need nothing more but to be reaped.
  ResultRing ended_;
  uint32_t inFlight_ = 0;
  /// Counted by whoever begins them, the threads too
  std::atomic<uint32_t> operations_{0};
};

std::unique_ptr<Engine> NewUringEngine(const EngineTarget& target);
std::unique_ptr<Engine> NewInlineEngine(const EngineTarget& target);
std::unique_ptr<Engine> NewThreadEngine(const EngineTarget& target, uint32_t threads);

}  // namespace xbbd
