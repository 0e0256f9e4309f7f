// The engines as JavaScript sees them: opened by kind over handles of the table of owners, named by ids of their
// environment, and, when that environment ends while the kernel still owes completions, kept among the orphans.
//
//   engineOpen ─► id ─ engineSubmit · engineReap · engineArm · engineWoken ─► engineClose (nothing in flight)
//                      environment ends, in flight ─► orphans ─ engineReapOrphans (any thread) ─► destroyed
//
// An orphan keeps its borrows: its arena is not unmapped and its descriptor, with the lock on it, not closed.
#include "engine.h"

#include <napi.h>
#include <unistd.h>

#include <mutex>

#include "calls.h"
#include "parts.h"
#include "slots.h"

namespace xbbd {
namespace {

struct Orphans {
  std::mutex lock;
  std::vector<std::unique_ptr<Engine>> engines;
};

// Never destroyed: at process exit threads of an orphan may still be in the kernel.
Orphans& TheOrphans() {
  static Orphans* orphans = new Orphans;
  return *orphans;
}

/// The engines of one environment.
using Engines = Slots<Engine>;

napi_value ThrowUnknown(napi_env env) { return Throw(env, EBADF, "EBADF: no such engine on this thread"); }

Engine* FindEngine(const Args& args) {
  uint32_t id;
  return args.Handle(0, &id) ? static_cast<Engines*>(args.data)->Find(id) : nullptr;
}

enum Flags : uint32_t {
  kReadOnly = 1,
  kCanDiscard = 2,
  kBlockDevice = 4,
  kCanSecureDiscard = 8,
  kDiscardZeroes = 16
};
enum Kind : uint32_t { kUring = 0, kThreads = 1, kInline = 2 };
constexpr uint32_t kThreadsPerEngine = 4;
constexpr uint32_t kMostDepth = 4096;
constexpr uint32_t kMostMerge = 16 << 20;

/// engineOpen(kind, descriptor, eventfd, arena, depth, bytes, sectorSize, flags, mergeBytes) → id
napi_value EngineOpen(napi_env env, napi_callback_info info) {
  Args args(env, info);
  uint32_t kind, descriptor, event, arena, sectorSize, flags;
  uint64_t depth, bytes, mergeBytes;
  if (!args.Handle(0, &kind) || kind > kInline || !args.Handle(1, &descriptor) || !args.Handle(2, &event) ||
      !args.Handle(3, &arena) || !args.Whole(4, kMostDepth, &depth) || depth == 0 || !args.Whole(5, 0x1p53, &bytes) ||
      !args.Handle(6, &sectorSize) || !args.Handle(7, &flags) || !args.Whole(8, kMostMerge, &mergeBytes) ||
      sectorSize < 512 || sectorSize > 4096 || (sectorSize & (sectorSize - 1)))
    return ThrowInvalid(env, "engineOpen takes kind, handles, depth 1-4096, bytes, sector size, flags and bytes");
  // Borrowed before anything else and given back after it: the engine is destroyed before its borrows.
  auto fdBorrow = std::make_unique<Borrow>();
  auto eventBorrow = std::make_unique<Borrow>();
  auto arenaBorrow = std::make_unique<Borrow>();
  EngineTarget target;
  target.fd = fdBorrow->TakeFd(descriptor);
  target.eventFd = eventBorrow->TakeFd(event);
  if (target.fd < 0 || target.eventFd < 0 || !arenaBorrow->TakeMapping(arena, &target.arena))
    return Throw(env, EBADF, "EBADF: no such descriptor, eventfd or arena in the table of owners");
  if (target.arena.length > kMostArena) return ThrowInvalid(env, "the arena is longer than one transfer may be");
  target.bytes = bytes;
  target.sectorSize = sectorSize;
  target.depth = static_cast<uint32_t>(depth);
  target.mergeBytes = static_cast<uint32_t>(mergeBytes);
  target.readOnly = flags & kReadOnly;
  target.canDiscard = flags & kCanDiscard;
  target.blockDevice = flags & kBlockDevice;
  target.canSecureDiscard = flags & kCanSecureDiscard;
  target.discardZeroes = flags & kDiscardZeroes;
  std::unique_ptr<Engine> engine =
      kind == kUring     ? NewUringEngine(target)
      : kind == kThreads ? NewThreadEngine(target, kThreadsPerEngine)
                         : NewInlineEngine(target);
  engine->Keep(std::move(fdBorrow), std::move(eventBorrow), std::move(arenaBorrow));
  const int started = engine->Start();
  const char* call = kind == kUring ? "io_uring_setup" : "pthread_create";
  if (started < 0) return Throw(env, -started, ErrorName(-started) + ": " + strerror(-started) + ", " + call, call);
  const uint32_t id = static_cast<Engines*>(args.data)->Add(engine);
  if (id == 0) return Throw(env, EMFILE, "EMFILE: too many engines on this thread");
  return Unsigned(env, id);
}

/// Traits of the engine: bit 0 the arena is registered with the kernel, bit 1 the descriptor is.
napi_value EngineTraits(napi_env env, napi_callback_info info) {
  Engine* engine = FindEngine(Args(env, info));
  return engine ? Unsigned(env, engine->Traits()) : ThrowUnknown(env);
}

/// engineSubmit(id, requests: Int32Array, count) → taken | operations begun since the last call << 16
napi_value EngineSubmit(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Engine* engine = FindEngine(args);
  if (!engine) return ThrowUnknown(env);
  int32_t* words;
  size_t length;
  uint64_t count;
  if (!args.Words(1, &words, &length) || !args.Whole(2, static_cast<double>(length / kIoWords), &count))
    return ThrowInvalid(env, "engineSubmit takes an Int32Array and how many requests stand in it");
  const uint32_t taken = engine->Submit(words, static_cast<uint32_t>(count));
  return Unsigned(env, taken | engine->TellOperations() << 16);
}

/// engineReap(id, results: Int32Array, max) → count
napi_value EngineReap(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Engine* engine = FindEngine(args);
  if (!engine) return ThrowUnknown(env);
  int32_t* words;
  size_t length;
  uint64_t max;
  if (!args.Words(1, &words, &length) || !args.Whole(2, static_cast<double>(length / kResultWords), &max))
    return ThrowInvalid(env, "engineReap takes an Int32Array and how many results fit into it");
  return Unsigned(env, engine->Reap(words, static_cast<uint32_t>(max)));
}

napi_value EngineInFlight(napi_env env, napi_callback_info info) {
  Engine* engine = FindEngine(Args(env, info));
  return engine ? Unsigned(env, engine->InFlight()) : ThrowUnknown(env);
}

/// engineArm(id) → whether results wait already
napi_value EngineArm(napi_env env, napi_callback_info info) {
  Engine* engine = FindEngine(Args(env, info));
  return engine ? Boolean(env, engine->Arm()) : ThrowUnknown(env);
}

/// engineDisarm(id): no further wake-up
napi_value EngineDisarm(napi_env env, napi_callback_info info) {
  Engine* engine = FindEngine(Args(env, info));
  if (!engine) return ThrowUnknown(env);
  engine->Disarm();
  return Undefined(env);
}

/// engineClose(id): throws EBUSY while something is in flight.
napi_value EngineClose(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Engine* engine = FindEngine(args);
  uint32_t id;
  if (!engine || !args.Handle(0, &id)) return ThrowUnknown(env);
  if (engine->InFlight()) return Throw(env, EBUSY, "EBUSY: the engine has requests in flight");
  static_cast<Engines*>(args.data)->Remove(id).reset();
  return Undefined(env);
}

/// engineReapOrphans() → how many requests the engines of ended threads still wait for.
napi_value EngineReapOrphans(napi_env env, napi_callback_info) {
  Orphans& orphans = TheOrphans();
  std::lock_guard<std::mutex> guard(orphans.lock);
  int32_t results[64 * kResultWords];
  uint32_t left = 0;
  std::vector<std::unique_ptr<Engine>> waiting;
  for (auto& engine : orphans.engines) {
    while (engine->InFlight() && engine->Reap(results, 64)) continue;
    left += engine->InFlight();
    if (engine->InFlight()) waiting.push_back(std::move(engine));
  }
  // What is not waited for any more is destroyed here, and gives back what it borrowed.
  orphans.engines.swap(waiting);
  return Unsigned(env, left);
}

void EndEnvironment(void* data) {
  auto* engines = static_cast<Engines*>(data);
  engines->Each([](std::unique_ptr<Engine>& engine) {
    if (engine->InFlight() == 0) return;
    engine->Disarm();
    Orphans& orphans = TheOrphans();
    std::lock_guard<std::mutex> guard(orphans.lock);
    orphans.engines.push_back(std::move(engine));
  });
  delete engines;
}

}  // namespace
}  // namespace xbbd

void InitEngine(Napi::Env env, Napi::Object exports) {
  using namespace xbbd;
  auto* engines = new Engines;
  napi_add_env_cleanup_hook(env, EndEnvironment, engines);
  Export(env, exports, "engineOpen", EngineOpen, engines);
  Export(env, exports, "engineTraits", EngineTraits, engines);
  Export(env, exports, "engineSubmit", EngineSubmit, engines);
  Export(env, exports, "engineReap", EngineReap, engines);
  Export(env, exports, "engineInFlight", EngineInFlight, engines);
  Export(env, exports, "engineArm", EngineArm, engines);
  Export(env, exports, "engineDisarm", EngineDisarm, engines);
  Export(env, exports, "engineClose", EngineClose, engines);
  Export(env, exports, "engineReapOrphans", EngineReapOrphans, engines);
}
