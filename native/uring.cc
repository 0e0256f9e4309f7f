// io_uring without a library: one ring per engine, so that no device can see or crowd out another's requests.
//
//   Submit ─► SQEs ─► io_uring_enter, once per batch      Reap ◄─ CQEs, without a system call
//   user_data of an SQE = index of its slot (token, progress, what is left)
//   neighbours of one kind:  SQE ─► slot ─next─► slot ─next─► slot        one transfer, three results
//
// A transfer of several that does not go whole falls apart: who was not reached goes once more, alone, so that one's
// bad sector is nobody else's.
//
// The arena is registered as fixed buffer 0 and the descriptor as fixed file 0 where the kernel allows (13-17 % on a
// fast medium); otherwise addresses and the descriptor are used as they are. Notifications are off while the user
// polls: the kernel writes the eventfd only between Arm and the wake-up.
// What must never happen: a slot reused before its CQE was seen; more in flight than the CQ ring has room for.
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>

#include "engine.h"

namespace xbbd {
namespace {

int UringSetup(uint32_t entries, io_uring_params* params) {
  return static_cast<int>(syscall(__NR_io_uring_setup, entries, params));
}
int UringEnter(int ring, uint32_t submit) {
  return static_cast<int>(syscall(__NR_io_uring_enter, ring, submit, 0, 0, nullptr, 0));
}
int UringRegister(int ring, uint32_t op, const void* argument, uint32_t count) {
  return static_cast<int>(syscall(__NR_io_uring_register, ring, op, argument, count));
}

// SAFETY: ring indices are shared with the kernel, which stores them with release and loads them with acquire.
uint32_t LoadAcquire(const uint32_t* at) { return __atomic_load_n(at, __ATOMIC_ACQUIRE); }
void StoreRelease(uint32_t* at, uint32_t value) { __atomic_store_n(at, value, __ATOMIC_RELEASE); }

bool Transient(int error) { return error == EINTR || error == EAGAIN || error == EBUSY; }

constexpr uint32_t kNone = UINT32_MAX;

struct Slot {
  IoRequest request;
  /// The neighbour behind it in its transfer, or kNone
  uint32_t next;
  uint32_t moved;
  uint32_t continuations;
  /// write-zeroes by punching a hole, after the file system refused to zero a range
  bool punch;
};

class UringEngine final : public Engine {
 public:
  explicit UringEngine(const EngineTarget& target) : Engine(target), slots_(target.depth), vectors_(target.depth) {
    for (uint32_t slot = target.depth; slot-- > 0;) free_.push_back(slot);
  }

  ~UringEngine() override {
    if (ring_ >= 0) {
      // At once, not when the kernel gets round to the ring: the file's lock is gone when its descriptor is.
      if (traits_ & 2) UringRegister(ring_, IORING_UNREGISTER_FILES, nullptr, 0);
      if (traits_ & 1) UringRegister(ring_, IORING_UNREGISTER_BUFFERS, nullptr, 0);
    }
    // SAFETY: our own mappings; nothing is in flight (engine.cc sees to that), so the kernel is done with them.
    if (sqes_) munmap(sqes_, sqesLength_);
    if (cqRing_ && cqRing_ != sqRing_) munmap(cqRing_, cqLength_);
    if (sqRing_) munmap(sqRing_, sqLength_);
    if (ring_ >= 0) close(ring_);
  }

  int Start() override {
    io_uring_params params;
    memset(&params, 0, sizeof params);
    ring_ = UringSetup(target_.depth, &params);
    if (ring_ < 0) return -errno;
    fcntl(ring_, F_SETFD, FD_CLOEXEC);
    const int mapped = MapRings(params);
    if (mapped < 0) return mapped;
    if (UringRegister(ring_, IORING_REGISTER_EVENTFD, &target_.eventFd, 1) < 0) return -errno;
    StoreRelease(cqFlags_, IORING_CQ_EVENTFD_DISABLED);
    const iovec arena = {target_.arena.address, target_.arena.length};
    if (UringRegister(ring_, IORING_REGISTER_BUFFERS, &arena, 1) == 0) traits_ |= 1;
    if (UringRegister(ring_, IORING_REGISTER_FILES, &target_.fd, 1) == 0) traits_ |= 2;
    const bool deallocates = target_.blockDevice && target_.canDiscard && !target_.discardZeroes;
    if (!deallocates && !target_.canSecureDiscard) return 0;
    ioctls_ = NewThreadEngine(target_, 1);
    return ioctls_->Start();
  }

  uint32_t Traits() const override { return traits_; }

  uint32_t Submit(const int32_t* requests, uint32_t count) override {
    uint32_t taken = 0;
    while (taken < count && inFlight_ < target_.depth) {
      uint32_t batch = 0;
      int32_t refusal = 0;
      bool byIoctl = false;
      // Requests go to the kernel in batches; what is refused or needs an ioctl ends one, so that what the kernel
      // does not take is always the end of the batch.
      while (taken + batch < count && inFlight_ + batch < target_.depth) {
        const IoRequest request = ReadRequest(requests + static_cast<size_t>(taken + batch) * kIoWords);
        refusal = RefusalOf(request, target_);
        byIoctl = NeedsIoctl(request, target_);
        if (refusal || byIoctl) break;
        Queue(request);
        batch++;
      }
      const uint32_t entered = batch ? Enter(batch) : 0;
      inFlight_ += entered;
      taken += entered;
      if (entered < batch) return taken;
      if (!refusal && !byIoctl) continue;
      if (inFlight_ == target_.depth) return taken;
      const int32_t* words = requests + static_cast<size_t>(taken) * kIoWords;
      if (refusal) {
        Refuse(words[1], refusal);
      } else {
        if (ioctls_->Submit(words, 1) == 0) return taken;
        inFlight_++;
        operations_.fetch_add(1, std::memory_order_relaxed);
      }
      taken++;
    }
    return taken;
  }

  uint32_t Reap(int32_t* results, uint32_t max) override {
    uint32_t reaped = ended_.Drain(results, max);
    uint32_t head = *cqHead_;
    while (reaped < max && head != LoadAcquire(cqTail_)) {
      const io_uring_cqe& entry = cqes_[head & cqMask_];
      const auto index = static_cast<uint32_t>(entry.user_data);
      int32_t result = entry.res;
      StoreRelease(cqHead_, ++head);
      if (slots_[index].next != kNone) {
        EndRun(index, result);
        reaped += ended_.Drain(results + static_cast<size_t>(reaped) * kResultWords, max - reaped);
        continue;
      }
      if (Continue(index, &result)) continue;
      results[reaped * kResultWords] = slots_[index].request.token;
      results[reaped * kResultWords + 1] = result;
      free_.push_back(index);
      reaped++;
    }
    if (ioctls_ && reaped < max)
      reaped += ioctls_->Reap(results + static_cast<size_t>(reaped) * kResultWords, max - reaped);
    inFlight_ -= reaped;
    return reaped;
  }

  bool Arm() override {
    StoreRelease(cqFlags_, 0);
    // On first, look second: with a full barrier between, either we see the CQE or its writer sees the flag.
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    const bool ready = ended_.Count() > 0 || *cqHead_ != LoadAcquire(cqTail_) || (ioctls_ && ioctls_->Arm());
    if (ready) Disarm();
    return ready;
  }

  void Disarm() override {
    StoreRelease(cqFlags_, IORING_CQ_EVENTFD_DISABLED);
    if (ioctls_) ioctls_->Disarm();
  }

 private:
  int MapRings(const io_uring_params& params) {
    sqLength_ = params.sq_off.array + params.sq_entries * sizeof(uint32_t);
    cqLength_ = params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe);
    sqesLength_ = params.sq_entries * sizeof(io_uring_sqe);
    const bool single = params.features & IORING_FEAT_SINGLE_MMAP;
    if (single) sqLength_ = cqLength_ = sqLength_ > cqLength_ ? sqLength_ : cqLength_;
    sqRing_ = MapPart(sqLength_, IORING_OFF_SQ_RING);
    cqRing_ = single ? sqRing_ : MapPart(cqLength_, IORING_OFF_CQ_RING);
    sqes_ = static_cast<io_uring_sqe*>(MapPart(sqesLength_, IORING_OFF_SQES));
    if (!sqRing_ || !cqRing_ || !sqes_) return -ENOMEM;
    // cq_off.flags came with Linux 5.8; without it notifications cannot be switched off.
    if (params.cq_off.flags == 0) return -ENOSYS;
    // SAFETY: the kernel says where in the mappings each index stands.
    auto at = [](void* base, uint32_t offset) {
      return reinterpret_cast<uint32_t*>(static_cast<uint8_t*>(base) + offset);
    };
    sqTail_ = at(sqRing_, params.sq_off.tail);
    sqMask_ = *at(sqRing_, params.sq_off.ring_mask);
    cqHead_ = at(cqRing_, params.cq_off.head);
    cqTail_ = at(cqRing_, params.cq_off.tail);
    cqMask_ = *at(cqRing_, params.cq_off.ring_mask);
    cqFlags_ = at(cqRing_, params.cq_off.flags);
    cqes_ = reinterpret_cast<io_uring_cqe*>(at(cqRing_, params.cq_off.cqes));
    uint32_t* array = at(sqRing_, params.sq_off.array);
    for (uint32_t index = 0; index < params.sq_entries; index++) array[index] = index;
    return 0;
  }

  void* MapPart(size_t length, uint64_t offset) {
    void* part = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring_,
                      static_cast<off_t>(offset));
    return part == MAP_FAILED ? nullptr : part;
  }

  /// Puts the request into a slot: as a neighbour of those before it, or as the first of a transfer of its own.
  void Queue(const IoRequest& request) {
    const uint32_t index = free_.back();
    free_.pop_back();
    slots_[index] = {request, kNone, 0, 0, false};
    if (parts_ > 0 && Joins(slots_[last_].request, request, bytes_, parts_, target_)) {
      slots_[last_].next = index;
    } else {
      CloseRun();
      first_ = index;
    }
    last_ = index;
    parts_++;
    bytes_ += request.length;
  }

  /// Whatever stands together by now is one entry for the kernel.
  void CloseRun() {
    if (parts_ == 0) return;
    WriteEntry(first_);
    entries_++;
    parts_ = 0;
    bytes_ = 0;
  }

  void WriteEntry(uint32_t index) {
    const Slot& slot = slots_[index];
    const IoRequest& request = slot.request;
    const uint32_t tail = *sqTail_;
    io_uring_sqe* entry = &sqes_[tail & sqMask_];
    memset(entry, 0, sizeof *entry);
    const bool fixedFile = traits_ & 2;
    entry->fd = fixedFile ? 0 : target_.fd;
    entry->flags = fixedFile ? IOSQE_FIXED_FILE : 0;
    entry->user_data = index;
    entry->off = request.offset + slot.moved;
    switch (request.op) {
      case kRead:
      case kWrite:
        WriteTransfer(entry, slot);
        break;
      case kSync:
        entry->opcode = IORING_OP_FSYNC;
        entry->off = 0;
        entry->fsync_flags = IORING_FSYNC_DATASYNC;
        break;
      default: {
        const bool zero = request.op == kWriteZeroes && !slot.punch;
        entry->opcode = IORING_OP_FALLOCATE;
        entry->addr = request.length;
        entry->len = (zero ? FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE) | FALLOC_FL_KEEP_SIZE;
      }
    }
    StoreRelease(sqTail_, tail + 1);
  }

  void WriteTransfer(io_uring_sqe* entry, const Slot& slot) {
    const bool fixed = traits_ & 1, reads = slot.request.op == kRead;
    const IoRequest* last = &slot.request;
    bool together = true;
    uint64_t bytes = last->length;
    for (uint32_t next = slot.next; next != kNone; next = slots_[next].next) {
      const IoRequest& request = slots_[next].request;
      together = together && request.at == last->at + last->length;
      bytes += request.length;
      last = &request;
    }
    if (!together) return WriteVector(entry, slot);
    if (reads) entry->opcode = fixed ? IORING_OP_READ_FIXED : IORING_OP_READ;
    else entry->opcode = fixed ? IORING_OP_WRITE_FIXED : IORING_OP_WRITE;
    // SAFETY: the range was checked against the arena, which is borrowed while this engine lives.
    entry->addr = reinterpret_cast<uint64_t>(target_.arena.address + slot.request.at + slot.moved);
    entry->len = static_cast<uint32_t>(bytes) - slot.moved;
  }

  /// Neighbours on the medium whose buffers are none. The kernel reads the vector within io_uring_enter (Linux 5.5).
  void WriteVector(io_uring_sqe* entry, const Slot& slot) {
    iovec* parts = &vectors_[vectorsUsed_];
    uint32_t count = 0;
    const Slot* member = &slot;
    for (;; member = &slots_[member->next]) {
      // SAFETY: as above, and all vectors of a batch fit: there is one element for each request that fits.
      parts[count++] = {target_.arena.address + member->request.at, static_cast<size_t>(member->request.length)};
      if (member->next == kNone) break;
    }
    vectorsUsed_ += count;
    entry->opcode = slot.request.op == kRead ? IORING_OP_READV : IORING_OP_WRITEV;
    entry->addr = reinterpret_cast<uint64_t>(parts);
    entry->len = count;
  }

  /// Hands the entries of the last `count` requests to the kernel. Returns how many requests are in flight (or have
  /// failed as results); the others are taken back: without SQPOLL the kernel reads the tail only inside the call.
  uint32_t Enter(uint32_t count) {
    CloseRun();
    const uint32_t entries = entries_;
    entries_ = 0;
    uint32_t done = 0, tries = 0;
    int error = 0;
    while (done < entries && tries < kContinuations) {
      const int got = UringEnter(ring_, entries - done);
      error = got < 0 ? errno : 0;
      if (got > 0) done += static_cast<uint32_t>(got);
      if (error && !Transient(error)) break;
      tries = got > 0 ? 0 : tries + 1;
    }
    vectorsUsed_ = 0;
    operations_.fetch_add(done, std::memory_order_relaxed);
    if (done == entries) return count;
    return count - TakeBack(entries - done, error && !Transient(error) ? -error : 0);
  }

  /// Entries that the kernel did not take. What it never will ends with `failure`; offering it again and again would
  /// help nobody. Returns how many requests may be offered again.
  uint32_t TakeBack(uint32_t entries, int32_t failure) {
    const uint32_t tail = *sqTail_;
    uint32_t requests = 0;
    for (uint32_t at = tail - entries; at != tail; at++) {
      auto index = static_cast<uint32_t>(sqes_[at & sqMask_].user_data);
      for (; index != kNone; index = slots_[index].next) {
        if (failure) ended_.Push(slots_[index].request.token, failure);
        free_.push_back(index);
        requests++;
      }
    }
    StoreRelease(sqTail_, tail - entries);
    return failure ? 0 : requests;
  }

  /// A transfer of several has ended: who was reached is done, everybody else goes alone.
  void EndRun(uint32_t index, int32_t result) {
    uint64_t moved = result > 0 ? static_cast<uint64_t>(result) : 0;
    for (uint32_t next; index != kNone; index = next) {
      Slot& slot = slots_[index];
      next = slot.next;
      slot.next = kNone;
      const uint64_t length = slot.request.length;
      const bool whole = moved >= length;
      moved = whole ? moved - length : 0;
      if (!whole && Resubmit(index)) continue;
      ended_.Push(slot.request.token, whole ? static_cast<int32_t>(length) : result < 0 ? result : -EIO);
      free_.push_back(index);
    }
  }

  /// Whether the request goes on; otherwise `result` is what it ends with.
  bool Continue(uint32_t index, int32_t* result) {
    Slot& slot = slots_[index];
    const IoRequest& request = slot.request;
    if (request.op == kWriteZeroes && *result == -EOPNOTSUPP && !slot.punch) {
      slot.punch = true;
      return Resubmit(index);
    }
    if (*result > 0) slot.moved += static_cast<uint32_t>(*result);
    const bool moves = request.op == kRead || request.op == kWrite;
    const bool interrupted = *result == -EINTR || *result == -EAGAIN;
    const bool partial = moves && *result > 0 && slot.moved < request.length && slot.moved % target_.sectorSize == 0;
    if ((interrupted || partial) && slot.continuations++ < kContinuations && Resubmit(index)) return true;
    if (moves && slot.moved > 0) *result = static_cast<int32_t>(slot.moved);
    return false;
  }

  /// Sends a slot that is in flight already once more; rare, and the only system call of Reap.
  bool Resubmit(uint32_t index) {
    WriteEntry(index);
    for (uint32_t tries = 0; tries < kContinuations; tries++) {
      if (UringEnter(ring_, 1) != 1) continue;
      operations_.fetch_add(1, std::memory_order_relaxed);
      return true;
    }
    StoreRelease(sqTail_, *sqTail_ - 1);
    return false;
  }

  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  /// The transfer that is being put together: its first and last slot, how many requests, how many bytes
  uint32_t first_ = 0, last_ = 0, parts_ = 0;
  uint64_t bytes_ = 0;
  /// Entries written and not yet handed to the kernel
  uint32_t entries_ = 0;
  std::vector<iovec> vectors_;
  uint32_t vectorsUsed_ = 0;
  std::unique_ptr<Engine> ioctls_;
  int ring_ = -1;
  uint32_t traits_ = 0;
  void* sqRing_ = nullptr;
  void* cqRing_ = nullptr;
  io_uring_sqe* sqes_ = nullptr;
  size_t sqLength_ = 0, cqLength_ = 0, sqesLength_ = 0;
  uint32_t *sqTail_ = nullptr, *cqHead_ = nullptr, *cqTail_ = nullptr, *cqFlags_ = nullptr;
  uint32_t sqMask_ = 0, cqMask_ = 0;
  io_uring_cqe* cqes_ = nullptr;
};

}  // namespace

std::unique_ptr<Engine> NewUringEngine(const EngineTarget& target) { return std::make_unique<UringEngine>(target); }

}  // namespace xbbd
