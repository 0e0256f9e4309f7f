// The engine for machines where io_uring is forbidden: a few threads per engine that block in the kernel.
//
//   Submit ─► todo (bounded ring) ─► threads: preadv pwritev fdatasync fallocate ioctl ─► done ─► Reap
//                                                      └─ eventfd, if armed and once
//
// It is also where io_uring's engine sends what only an ioctl can do (discards of a block device). All that threads
// and user share stands under one lock; `ready_` lets a polling user look without it.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "engine.h"

namespace xbbd {
namespace {

class ThreadEngine final : public Engine {
 public:
  ThreadEngine(const EngineTarget& target, uint32_t threads)
      : Engine(target), wanted_(threads), todo_(target.depth), done_(target.depth) {}

  ~ThreadEngine() override {
    {
      std::lock_guard<std::mutex> guard(lock_);
      stop_ = true;
    }
    wake_.notify_all();
    for (pthread_t thread : threads_) pthread_join(thread, nullptr);
  }

  int Start() override {
    // Signals belong to JavaScript's threads: these inherit a full mask.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 128 * 1024);
    int failed = 0;
    while (threads_.size() < wanted_ && !failed) {
      pthread_t thread;
      failed = pthread_create(&thread, &attributes, &ThreadEngine::Main, this);
      if (!failed) threads_.push_back(thread);
    }
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return threads_.empty() ? -failed : 0;
  }

  uint32_t Submit(const int32_t* requests, uint32_t count) override {
    uint32_t taken = 0, queued = 0;
    std::lock_guard<std::mutex> guard(lock_);
    for (; taken < count && inFlight_ < target_.depth; taken++) {
      const IoRequest request = ReadRequest(requests + static_cast<size_t>(taken) * kIoWords);
      const int32_t refusal = RefusalOf(request, target_);
      if (refusal) {
        Refuse(request.token, refusal);
        continue;
      }
      todo_[(first_ + waiting_++) % target_.depth] = request;
      inFlight_++;
      queued++;
    }
    if (queued == 1) wake_.notify_one();
    if (queued > 1) wake_.notify_all();
    return taken;
  }

  uint32_t Reap(int32_t* results, uint32_t max) override {
    uint32_t reaped = ended_.Drain(results, max);
    if (reaped < max && ready_.load(std::memory_order_acquire)) {
      std::lock_guard<std::mutex> guard(lock_);
      reaped += done_.Drain(results + static_cast<size_t>(reaped) * kResultWords, max - reaped);
      ready_.store(done_.Count(), std::memory_order_release);
    }
    inFlight_ -= reaped;
    return reaped;
  }

  bool Arm() override {
    std::lock_guard<std::mutex> guard(lock_);
    armed_ = ended_.Count() == 0 && done_.Count() == 0;
    return !armed_;
  }

  void Disarm() override {
    std::lock_guard<std::mutex> guard(lock_);
    armed_ = false;
  }

 private:
  static void* Main(void* self) {
    pthread_setname_np(pthread_self(), "xbbd-io");
    static_cast<ThreadEngine*>(self)->Work();
    return nullptr;
  }

  /// The oldest request that waits, and the neighbours that wait right behind it; under the lock.
  uint32_t TakeRun(IoRequest* run) {
    uint32_t parts = 0;
    uint64_t bytes = 0;
    do {
      run[parts] = todo_[first_];
      bytes += run[parts++].length;
      first_ = (first_ + 1) % target_.depth;
      waiting_--;
    } while (waiting_ > 0 && Joins(run[parts - 1], todo_[first_], bytes, parts, target_));
    return parts;
  }

  void Work() {
    IoRequest run[kMostParts];
    int32_t results[kMostParts];
    std::unique_lock<std::mutex> guard(lock_);
    for (;;) {
      while (!stop_ && waiting_ == 0) wake_.wait(guard);
      if (stop_) return;
      const uint32_t parts = TakeRun(run);
      guard.unlock();
      ExecuteRun(target_, run, parts, results);
      guard.lock();
      operations_.fetch_add(1, std::memory_order_relaxed);
      for (uint32_t part = 0; part < parts; part++) done_.Push(run[part].token, results[part]);
      ready_.store(done_.Count(), std::memory_order_release);
      if (!armed_) continue;
      armed_ = false;
      const uint64_t one = 1;
      // A full counter is as good as a set one, so the result does not matter.
      if (write(target_.eventFd, &one, sizeof one) < 0) continue;
    }
  }

  const uint32_t wanted_;
  std::vector<pthread_t> threads_;
  std::mutex lock_;
  std::condition_variable wake_;
  std::vector<IoRequest> todo_;
  uint32_t first_ = 0;
  uint32_t waiting_ = 0;
  ResultRing done_;
  bool armed_ = false;
  bool stop_ = false;
  std::atomic<uint32_t> ready_{0};
};

}  // namespace

std::unique_ptr<Engine> NewThreadEngine(const EngineTarget& target, uint32_t threads) {
  return std::make_unique<ThreadEngine>(target, threads);
}

}  // namespace xbbd
