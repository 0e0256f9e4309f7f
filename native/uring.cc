// io_uring without a library: one ring per engine, so that no device can see or crowd out another's requests.
//
//   Submit ─► SQEs ─► io_uring_enter, once per batch      Reap ◄─ CQEs, without a system call
//   user_data of an SQE = index of its slot (token, progress, what is left)
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

struct Slot {
  IoRequest request;
  uint32_t moved;
  uint32_t continuations;
  /// write-zeroes by punching a hole, after the file system refused to zero a range
  bool punch;
};

class UringEngine final : public Engine {
 public:
  explicit UringEngine(const EngineTarget& target) : Engine(target), slots_(target.depth) {
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
      uint32_t run = 0;
      int32_t refusal = 0;
      bool byIoctl = false;
      // A run of requests goes to the kernel as one; what is refused or needs an ioctl ends the run, so that what
      // the kernel does not take is always the end of the batch.
      while (taken + run < count && inFlight_ + run < target_.depth) {
        const IoRequest request = ReadRequest(requests + static_cast<size_t>(taken + run) * kIoWords);
        refusal = RefusalOf(request, target_);
        byIoctl = NeedsIoctl(request, target_);
        if (refusal || byIoctl) break;
        Queue(request);
        run++;
      }
      const uint32_t entered = run ? Enter(run) : 0;
      inFlight_ += entered;
      taken += entered;
      if (entered < run) return taken;
      if (!refusal && !byIoctl) continue;
      if (inFlight_ == target_.depth) return taken;
      const int32_t* words = requests + static_cast<size_t>(taken) * kIoWords;
      if (refusal) {
        Refuse(words[1], refusal);
      } else {
        if (ioctls_->Submit(words, 1) == 0) return taken;
        inFlight_++;
      }
      taken++;
    }
    return taken;
  }

  uint32_t Reap(int32_t* results, uint32_t max) override {
    uint32_t reaped = refused_.Drain(results, max);
    uint32_t head = *cqHead_;
    while (reaped < max && head != LoadAcquire(cqTail_)) {
      const io_uring_cqe& entry = cqes_[head & cqMask_];
      const auto index = static_cast<uint32_t>(entry.user_data);
      int32_t result = entry.res;
      StoreRelease(cqHead_, ++head);
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
    const bool ready = refused_.Count() > 0 || *cqHead_ != LoadAcquire(cqTail_) || (ioctls_ && ioctls_->Arm());
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

  void Queue(const IoRequest& request) {
    const uint32_t index = free_.back();
    free_.pop_back();
    slots_[index] = {request, 0, 0, false};
    WriteEntry(index);
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
      case kWrite: {
        const bool fixed = traits_ & 1;
        if (request.op == kRead) entry->opcode = fixed ? IORING_OP_READ_FIXED : IORING_OP_READ;
        else entry->opcode = fixed ? IORING_OP_WRITE_FIXED : IORING_OP_WRITE;
        // SAFETY: the range was checked against the arena, which is borrowed while this engine lives.
        entry->addr = reinterpret_cast<uint64_t>(target_.arena.address + request.at + slot.moved);
        entry->len = static_cast<uint32_t>(request.length) - slot.moved;
        break;
      }
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

  /// Hands the last `count` entries to the kernel. Returns how many are in flight (or have failed as results); the
  /// others are taken back: without SQPOLL the kernel reads the tail only inside the call.
  uint32_t Enter(uint32_t count) {
    uint32_t done = 0, tries = 0;
    int error = 0;
    while (done < count && tries < kContinuations) {
      const int got = UringEnter(ring_, count - done);
      error = got < 0 ? errno : 0;
      if (got > 0) done += static_cast<uint32_t>(got);
      if (error && !Transient(error)) break;
      tries = got > 0 ? 0 : tries + 1;
    }
    const uint32_t tail = *sqTail_;
    const uint32_t left = count - done;
    if (left == 0) return count;
    const bool hopeless = error && !Transient(error);
    for (uint32_t back = 0; back < left; back++) {
      const uint32_t entry = hopeless ? tail - left + back : tail - 1 - back;
      const auto index = static_cast<uint32_t>(sqes_[entry & sqMask_].user_data);
      // What will never be taken ends as failed; offering it again and again would help nobody.
      if (hopeless) refused_.Push(slots_[index].request.token, -error);
      free_.push_back(index);
    }
    StoreRelease(sqTail_, tail - left);
    return hopeless ? count : done;
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
    for (uint32_t tries = 0; tries < kContinuations; tries++)
      if (UringEnter(ring_, 1) == 1) return true;
    StoreRelease(sqTail_, *sqTail_ - 1);
    return false;
  }

  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
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
